package godwit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/godwit-go/godwit/internal/suggest"
)

// Explanation says why a job is not running now, or that it is.
type Explanation struct {
	Job     Job
	Reasons []Reason // at least one, the weightiest first
}

// Reason is one reason why a job is not running.
type Reason struct {
	Kind    ReasonKind
	Message string // a sentence
	Mend    string // what to do about it; empty when there is nothing to be done
}

// ReasonKind names a reason.
type ReasonKind string

// The kinds of reasons. Of a held job the kind is that of [Held].
const (
	ReasonRunning        ReasonKind = "running"
	ReasonStopping       ReasonKind = "stopping"  // running, but asked to stop
	ReasonFinished       ReasonKind = "finished"  // final
	ReasonScheduled      ReasonKind = "scheduled" // its time has not come
	ReasonRetry          ReasonKind = "retry"     // it failed, and its back-off is not over
	ReasonOverdue        ReasonKind = "overdue"   // its time came, but nobody advances the store
	ReasonWaiting        ReasonKind = "waiting"   // for other jobs
	ReasonSlots          ReasonKind = "slots"     // all workers are busy, or about to claim it
	ReasonQueuePaused               = ReasonKind(HeldQueuePaused)
	ReasonTaskPaused                = ReasonKind(HeldTaskPaused)
	ReasonUnknownTask               = ReasonKind(HeldUnknownTask)
	ReasonUnknownVersion            = ReasonKind(HeldUnknownVersion)
	ReasonUnservedQueue             = ReasonKind(HeldUnservedQueue)
)

// overdueAfter is how late a scheduled job may be before somebody should ask why.
const overdueAfter = 5 * time.Second

// Explain says why a job is not running now and what to do about it.
func (c *Client) Explain(ctx context.Context, id ID) (Explanation, error) {
	job, err := c.Get(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Job: job}
	switch {
	case job.State.Final():
		e.Reasons = explainFinal(&job)
	case job.State == StateRunning:
		e.Reasons = explainRunning(&job)
	case job.State == StateScheduled:
		e.Reasons = explainScheduled(&job, c.store.Now())
	case job.State == StateWaiting:
		e.Reasons, err = c.explainWaiting(ctx, &job)
	case job.Held != "":
		e.Reasons, err = c.explainHeld(ctx, &job)
	default:
		e.Reasons, err = c.explainReady(ctx, &job)
	}
	return e, err
}

func explainFinal(j *Job) []Reason {
	r := Reason{Kind: ReasonFinished, Message: fmt.Sprintf("the job %s at %s", j.State, stamp(j.FinishedAt))}
	if j.State == StateCancelled {
		r.Message = fmt.Sprintf("the job was cancelled at %s", stamp(j.FinishedAt))
	}
	if j.State != StateSucceeded {
		r.Mend = "retry it, with other arguments if need be"
		if j.Failure != nil {
			r.Message += ": " + j.Failure.Message
		}
	}
	return []Reason{r}
}

func explainRunning(j *Job) []Reason {
	if !j.CancelRequestedAt.IsZero() {
		return []Reason{{
			Kind: ReasonStopping, Message: "the job runs, and was asked to stop at " + stamp(j.CancelRequestedAt),
			Mend: "a handler that does not stop ignores its context",
		}}
	}
	return []Reason{{Kind: ReasonRunning, Message: fmt.Sprintf("the job runs since %s in session %s", stamp(j.StartedAt), j.Session)}}
}

func explainScheduled(j *Job, now time.Time) []Reason {
	if now.Sub(j.RunAt) > overdueAfter {
		return []Reason{{
			Kind: ReasonOverdue, Message: "the job was due at " + stamp(j.RunAt) + ", and nobody made it ready",
			Mend: "start a worker: a started client makes jobs ready in their time",
		}}
	}
	r := Reason{Kind: ReasonScheduled, Message: "the job is due at " + stamp(j.RunAt), Mend: "run it now"}
	if j.Failure != nil {
		r.Kind = ReasonRetry
		r.Message = fmt.Sprintf("attempt %d of %d failed (%s), the next is due at %s", j.Attempt, j.MaxAttempts, j.Failure.Message, stamp(j.RunAt))
	}
	return []Reason{r}
}

func (c *Client) explainWaiting(ctx context.Context, j *Job) ([]Reason, error) {
	r := Reason{Kind: ReasonWaiting, Message: "the job gave its slot back and waits for other jobs"}
	page, err := c.store.List(ctx, ListFilter{Parent: j.ID, Limit: PageMax})
	if err != nil {
		return nil, err
	}
	open, first := 0, ID{}
	var sleeps time.Time
	for i := range page.Jobs {
		child := &page.Jobs[i]
		switch {
		case child.State.Final():
		case child.Task == timerTask:
			sleeps = child.RunAt
		default:
			open++
			first = child.ID
		}
	}
	switch {
	case !sleeps.IsZero() && open == 0:
		r.Message = "the job gave its slot back and sleeps until " + stamp(sleeps)
	case open > 0:
		r.Message = fmt.Sprintf("the job gave its slot back and waits for other jobs; of its newest %d children %d are not finished", len(page.Jobs), open)
		r.Mend = "explain child " + first.String()
	}
	return []Reason{r}, nil
}

// explainHeld gives every reason that keeps a ready job back: mending the first alone would only bring up the next.
func (c *Client) explainHeld(ctx context.Context, j *Job) ([]Reason, error) {
	queues, err := c.store.Queues(ctx)
	if err != nil {
		return nil, err
	}
	tasks, err := c.store.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	sessions, err := c.store.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	var reasons []Reason
	for _, q := range queues {
		if q.Name == j.Queue && q.Paused {
			reasons = append(reasons, Reason{ReasonKind(HeldQueuePaused), fmt.Sprintf("queue %q is paused", j.Queue), "resume the queue"})
		}
	}
	var known []string
	for _, info := range tasks {
		if info.Name == j.Task && info.Paused {
			reasons = append(reasons, Reason{ReasonKind(HeldTaskPaused), fmt.Sprintf("task %q is paused", j.Task), "resume the task"})
		}
		if info.Workers > 0 {
			known = append(known, info.Name)
		}
	}
	if r, ok := explainWorkers(j, sessions, known); ok {
		reasons = append(reasons, r)
	}
	if len(reasons) == 0 { // mended since the job was read
		return c.explainReady(ctx, j)
	}
	return reasons, nil
}

// explainWorkers says what is missing of a worker that could run the job; ok is false when nothing is.
func explainWorkers(j *Job, sessions []SessionInfo, known []string) (r Reason, ok bool) {
	knowsTask, knowsVersion := false, false
	for _, s := range sessions {
		for _, c := range s.Tasks {
			if c.Task != j.Task {
				continue
			}
			knowsTask = true
			if c.MinVersion <= j.Version && j.Version <= c.MaxVersion {
				if slices.Contains(s.Queues, j.Queue) {
					return Reason{}, false
				}
				knowsVersion = true
			}
		}
	}
	switch {
	case knowsVersion:
		return Reason{
			ReasonKind(HeldUnservedQueue), fmt.Sprintf("no live worker that knows task %q serves queue %q", j.Task, j.Queue),
			"add the queue to those of a worker: Config.Queues in Go, --queues or the key queues of godwit serve and godwit worker",
		}, true
	case knowsTask:
		return Reason{
			ReasonKind(HeldUnknownVersion), fmt.Sprintf("live workers know task %q, but not version %d of its arguments", j.Task, j.Version),
			"deploy the newer worker, or let its handler take older versions (MinVersion)",
		}, true
	}
	return Reason{
		ReasonKind(HeldUnknownTask), fmt.Sprintf("no live worker knows task %q%s", j.Task, suggest.DidYouMean(j.Task, known)),
		"start a worker with a handler of the task",
	}, true
}

func (c *Client) explainReady(ctx context.Context, j *Job) ([]Reason, error) {
	infos, err := c.store.Queues(ctx)
	if err != nil {
		return nil, err
	}
	r := Reason{Kind: ReasonSlots, Message: "the job is ready and will be claimed next", Mend: "wait a moment"}
	for _, q := range infos {
		if ready := q.Depth[StateReady] - q.Held; q.Name == j.Queue && ready > 1 {
			r.Message = fmt.Sprintf("the job is ready; %d jobs of queue %q run and %d are ready: the slots are busy", q.Depth[StateRunning], q.Name, ready)
			r.Mend = "raise its priority or the queue's concurrency, or start another worker"
		}
	}
	return []Reason{r}, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
