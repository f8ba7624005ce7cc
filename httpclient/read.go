package httpclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/godwit-go/godwit"
)

func jobPath(id godwit.ID, rest string) string { return "/v1/jobs/" + id.String() + rest }

// read makes a call that changes nothing.
func read[Out any](ctx context.Context, c *Client, path string, query url.Values) (Out, error) {
	return call[Out](ctx, c, request{method: http.MethodGet, path: path, query: query, repeat: true})
}

// Get reads a job. See [godwit.Client.Get].
func (c *Client) Get(ctx context.Context, id godwit.ID) (godwit.Job, error) {
	f, err := read[jobForm](ctx, c, jobPath(id, ""), nil)
	return f.job(), err
}

// List reads a page of jobs. See [godwit.Client.List].
func (c *Client) List(ctx context.Context, f godwit.ListFilter) (godwit.ListAnswer, error) {
	q := url.Values{}
	for name, value := range map[string]string{"state": string(f.State), "queue": f.Queue, "task": f.Task, "tag": f.Tag} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.Parent.IsZero() {
		q.Set("parent", f.Parent.String())
	}
	if !f.Before.IsZero() {
		q.Set("cursor", f.Before.String())
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	type page struct {
		Jobs []jobForm `json:"jobs"`
		Next godwit.ID `json:"next"`
	}
	p, err := read[page](ctx, c, "/v1/jobs", q)
	if err != nil {
		return godwit.ListAnswer{}, err
	}
	answer := godwit.ListAnswer{Next: p.Next}
	for i := range p.Jobs {
		answer.Jobs = append(answer.Jobs, p.Jobs[i].job())
	}
	return answer, nil
}

// Attempts reads the records of runs that did not succeed. See [godwit.Client.Attempts].
func (c *Client) Attempts(ctx context.Context, id godwit.ID) ([]godwit.Attempt, error) {
	type list struct {
		Attempts []attemptForm `json:"attempts"`
	}
	l, err := read[list](ctx, c, jobPath(id, "/attempts"), nil)
	if err != nil {
		return nil, err
	}
	var attempts []godwit.Attempt
	for _, f := range l.Attempts {
		f.Failure = f.Error.failure()
		attempts = append(attempts, f.Attempt)
	}
	return attempts, nil
}

// after is the query for a page after a row.
func after(cursor int64, limit int) url.Values {
	q := url.Values{"cursor": {strconv.FormatInt(cursor, 10)}}
	if limit != 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// Logs reads log lines of a job. See [godwit.Client.Logs].
func (c *Client) Logs(ctx context.Context, id godwit.ID, cursor int64, limit int) ([]godwit.LogLine, error) {
	type page struct {
		Logs []godwit.LogLine `json:"logs"`
	}
	p, err := read[page](ctx, c, jobPath(id, "/logs"), after(cursor, limit))
	return p.Logs, err
}

// Items reads items that a job's handler emitted. See [godwit.Client.Items].
func (c *Client) Items(ctx context.Context, id godwit.ID, cursor int64, limit int) ([]godwit.Item, error) {
	type page struct {
		Items []itemForm `json:"items"`
	}
	p, err := read[page](ctx, c, jobPath(id, "/items"), after(cursor, limit))
	if err != nil {
		return nil, err
	}
	var items []godwit.Item
	for _, f := range p.Items {
		items = append(items, godwit.Item{Seq: f.Seq, Run: f.Run, Data: payload(f.Data)})
	}
	return items, nil
}

// Explain says why a job is not running. See [godwit.Client.Explain].
func (c *Client) Explain(ctx context.Context, id godwit.ID) (godwit.Explanation, error) {
	type explanation struct {
		Job     jobForm `json:"job"`
		Reasons []struct {
			Kind    godwit.ReasonKind `json:"kind"`
			Message string            `json:"message"`
			Mend    string            `json:"mend"`
		} `json:"reasons"`
	}
	x, err := read[explanation](ctx, c, jobPath(id, "/explain"), nil)
	if err != nil {
		return godwit.Explanation{}, err
	}
	e := godwit.Explanation{Job: x.Job.job()}
	for _, r := range x.Reasons {
		e.Reasons = append(e.Reasons, godwit.Reason(r))
	}
	return e, nil
}

type depth struct {
	Name        string               `json:"name"`
	Paused      bool                 `json:"paused"`
	Depth       map[godwit.State]int `json:"depth"`
	Held        int                  `json:"held"`
	OldestReady time.Time            `json:"oldest_ready"`
	Workers     int                  `json:"workers"`
}

// Queues reads the queues. See [godwit.Client.Queues].
func (c *Client) Queues(ctx context.Context) ([]godwit.QueueInfo, error) {
	type list struct {
		Queues []depth `json:"queues"`
	}
	l, err := read[list](ctx, c, "/v1/queues", nil)
	var infos []godwit.QueueInfo
	for _, q := range l.Queues {
		infos = append(infos, godwit.QueueInfo(q))
	}
	return infos, err
}

// Tasks reads the tasks. See [godwit.Client.Tasks].
func (c *Client) Tasks(ctx context.Context) ([]godwit.TaskInfo, error) {
	type list struct {
		Tasks []depth `json:"tasks"`
	}
	l, err := read[list](ctx, c, "/v1/tasks", nil)
	var infos []godwit.TaskInfo
	for _, t := range l.Tasks {
		infos = append(infos, godwit.TaskInfo{Name: t.Name, Paused: t.Paused, Depth: t.Depth, Workers: t.Workers})
	}
	return infos, err
}

// Sessions reads the workers. See [godwit.Client.Sessions].
func (c *Client) Sessions(ctx context.Context) ([]godwit.SessionInfo, error) {
	type list struct {
		Workers []struct {
			ID     godwit.ID `json:"id"`
			Host   string    `json:"host"`
			PID    int       `json:"pid"`
			Queues []string  `json:"queues"`
			Tasks  []struct {
				Task       string `json:"task"`
				MinVersion int    `json:"min_version"`
				MaxVersion int    `json:"max_version"`
			} `json:"tasks"`
			Lease      duration  `json:"lease"`
			StartedAt  time.Time `json:"started_at"`
			LeaseUntil time.Time `json:"lease_until"`
			Running    int       `json:"running"`
			Waiting    int       `json:"waiting"`
		} `json:"workers"`
	}
	l, err := read[list](ctx, c, "/v1/workers", nil)
	var infos []godwit.SessionInfo
	for _, w := range l.Workers {
		s := godwit.SessionInfo{
			NewSession: godwit.NewSession{ID: w.ID, Lease: time.Duration(w.Lease), Host: w.Host, PID: w.PID, Queues: w.Queues},
			StartedAt:  w.StartedAt, LeaseUntil: w.LeaseUntil, Running: w.Running, Waiting: w.Waiting,
		}
		for _, t := range w.Tasks {
			s.Tasks = append(s.Tasks, godwit.Capability(t))
		}
		infos = append(infos, s)
	}
	return infos, err
}
