package godwit

import (
	"context"
	"fmt"
	"time"
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
	for i := range page.Jobs {
		if !page.Jobs[i].State.Final() {
			open++
			first = page.Jobs[i].ID
		}
	}
	if open > 0 {
		r.Message = fmt.Sprintf("the job gave its slot back and waits for other jobs; of its newest %d children %d are not finished", len(page.Jobs), open)
		r.Mend = "explain child " + first.String()
	}
	return []Reason{r}, nil
}

func (c *Client) explainHeld(ctx context.Context, j *Job) ([]Reason, error) {
	r := Reason{Kind: ReasonKind(j.Held)}
	switch j.Held {
	case HeldQueuePaused:
		r.Message, r.Mend = fmt.Sprintf("queue %q is paused", j.Queue), "resume the queue"
	case HeldTaskPaused:
		r.Message, r.Mend = fmt.Sprintf("task %q is paused", j.Task), "resume the task"
	case HeldUnknownVersion:
		r.Message = fmt.Sprintf("live workers know task %q, but not version %d of its arguments", j.Task, j.Version)
		r.Mend = "deploy the newer worker, or let its handler take older versions (MinVersion)"
	case HeldUnservedQueue:
		r.Message = fmt.Sprintf("no live worker that knows task %q serves queue %q", j.Task, j.Queue)
		r.Mend = "add the queue to the worker's Config.Queues"
	default:
		infos, err := c.store.Tasks(ctx)
		if err != nil {
			return nil, err
		}
		var known []string
		for _, info := range infos {
			if info.Workers > 0 {
				known = append(known, info.Name)
			}
		}
		r.Message = fmt.Sprintf("no live worker knows task %q%s", j.Task, didYouMean(j.Task, known))
		r.Mend = "start a worker with a handler of the task"
	}
	return []Reason{r}, nil
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
