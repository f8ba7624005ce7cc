package httpclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

func jobPath(id godwit.ID, rest string) string { return "/v1/jobs/" + id.String() + rest }

// read makes a call that changes nothing.
func read[Out any](ctx context.Context, c *Client, path string, query url.Values) (Out, error) {
	return call[Out](ctx, c, request{method: http.MethodGet, path: path, query: query, repeat: true})
}

// Get reads a job. See [godwit.Client.Get].
func (c *Client) Get(ctx context.Context, id godwit.ID) (godwit.Job, error) {
	f, err := read[wire.Job](ctx, c, jobPath(id, ""), nil)
	return f.Plain(), err
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
	p, err := read[wire.Jobs](ctx, c, "/v1/jobs", q)
	return p.Plain(), err
}

// Attempts reads the records of runs that did not succeed. See [godwit.Client.Attempts].
func (c *Client) Attempts(ctx context.Context, id godwit.ID) ([]godwit.Attempt, error) {
	l, err := read[wire.Attempts](ctx, c, jobPath(id, "/attempts"), nil)
	return wire.PlainAttempts(l.Attempts), err
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
	p, err := read[wire.Logs](ctx, c, jobPath(id, "/logs"), after(cursor, limit))
	return p.Logs, err
}

// Items reads items that a job's handler emitted. See [godwit.Client.Items]. The server ends a page early when the items are large: the
// rest of what was asked for follows in further calls.
func (c *Client) Items(ctx context.Context, id godwit.ID, cursor int64, limit int) ([]godwit.Item, error) {
	var items []godwit.Item
	for {
		p, err := read[wire.Items](ctx, c, jobPath(id, "/items"), after(cursor, limit))
		if err != nil {
			return nil, err
		}
		items = append(items, wire.PlainItems(p.Items)...)
		if limit -= len(p.Items); p.Next == 0 || limit <= 0 {
			return items, nil
		}
		cursor = p.Next
	}
}

// Explain says why a job is not running. See [godwit.Client.Explain].
func (c *Client) Explain(ctx context.Context, id godwit.ID) (godwit.Explanation, error) {
	x, err := read[wire.Explanation](ctx, c, jobPath(id, "/explain"), nil)
	return x.Plain(), err
}

// Queues reads the queues. See [godwit.Client.Queues].
func (c *Client) Queues(ctx context.Context) ([]godwit.QueueInfo, error) {
	l, err := read[wire.Queues](ctx, c, "/v1/queues", nil)
	return l.Plain(), err
}

// Tasks reads the tasks. See [godwit.Client.Tasks].
func (c *Client) Tasks(ctx context.Context) ([]godwit.TaskInfo, error) {
	l, err := read[wire.Tasks](ctx, c, "/v1/tasks", nil)
	return l.Plain(), err
}

// Sessions reads the workers. See [godwit.Client.Sessions].
func (c *Client) Sessions(ctx context.Context) ([]godwit.SessionInfo, error) {
	l, err := read[wire.Workers](ctx, c, "/v1/workers", nil)
	return l.Plain(), err
}
