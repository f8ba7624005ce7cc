package godwit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Get reads a job. It answers [ErrNotFound] or [ErrExpired] when it is not there.
func (c *Client) Get(ctx context.Context, id ID) (Job, error) {
	answers, err := c.store.Get(ctx, []ID{id})
	if err != nil {
		return Job{}, err
	}
	if answers[0].Code != "" {
		return Job{}, missing(answers[0].Code, id)
	}
	return answers[0].Job, nil
}

// List reads a page of jobs, newest first, without arguments and results. A name or a tag that no job can have is refused as it is by
// a submission: it selects nothing by mistake.
func (c *Client) List(ctx context.Context, f ListFilter) (ListAnswer, error) {
	if err := f.check(); err != nil {
		return ListAnswer{}, err
	}
	return c.store.List(ctx, f)
}

// Attempts reads the records of the job's runs that did not succeed, oldest first.
func (c *Client) Attempts(ctx context.Context, id ID) ([]Attempt, error) {
	attempts, code, err := c.store.Attempts(ctx, id)
	return attempts, missingOr(err, code, id)
}

// Logs reads log lines of the job after the cursor, at most limit; 0: [PageDefault]. It is read from 0 and then from the last line's Seq.
func (c *Client) Logs(ctx context.Context, id ID, after int64, limit int) ([]LogLine, error) {
	limit, err := checkPage(limit)
	if err != nil {
		return nil, err
	}
	lines, code, err := c.store.Logs(ctx, id, after, limit)
	return lines, missingOr(err, code, id)
}

// Items reads items that the job's handler emitted, after the cursor, at most limit; 0: [PageDefault].
func (c *Client) Items(ctx context.Context, id ID, after int64, limit int) ([]Item, error) {
	limit, err := checkPage(limit)
	if err != nil {
		return nil, err
	}
	items, code, err := c.store.Items(ctx, id, after, limit)
	return items, missingOr(err, code, id)
}

func checkPage(limit int) (int, error) {
	if limit < 0 || limit > PageMax {
		return 0, invalid("limit", "must be from 1 to %d, got %d", PageMax, limit)
	}
	return orDefault(limit, PageDefault), nil
}

func missingOr(err error, code Code, id ID) error {
	if err == nil && code != "" {
		return missing(code, id)
	}
	return err
}

// Cancel cancels a job that is not final. A running one is asked to stop: its context ends with a cause that is
// [ErrCancelled], and if its handler succeeds all the same it has succeeded. Cancelling again changes nothing; a job that succeeded
// or failed answers [ErrWrongState]. The reason is for people, at most [MessageMax] bytes.
func (c *Client) Cancel(ctx context.Context, id ID, reason string) error {
	if err := checkText("reason", reason, MessageMax); err != nil {
		return err
	}
	answers, err := c.store.Cancel(ctx, []CancelRequest{{ID: id, Reason: reason}})
	return one(answers, err, "cancel", id)
}

// RetryOptions say how a job is retried by hand.
type RetryOptions struct {
	// Args are other arguments, encoded as JSON; a json.RawMessage is taken as it is. Defaults to the same.
	Args any
	// Version of the other arguments, not without them. Defaults to the same.
	Version int
	// Run is the run that is known to have failed or to have been cancelled. When it is not the job's newest, since the job has run
	// again, the retry answers [CodeStaleRun], so that one whose outcome is unknown may be repeated. Defaults to any.
	Run int64
}

// Retry makes a failed or cancelled job ready anew, with its full budget.
func (c *Client) Retry(ctx context.Context, id ID, o RetryOptions) error {
	r := RetryRequest{ID: id, Version: o.Version, Run: o.Run}
	if o.Version < 0 || o.Version > VersionMax {
		return invalid("version", "must be from 1 to %d, got %d", VersionMax, o.Version)
	}
	if o.Run < 0 {
		return invalid("run", "must be from 1, got %d", o.Run)
	}
	if o.Version > 0 && o.Args == nil {
		return invalid("version", "is that of other arguments, and none are given")
	}
	if o.Args != nil {
		data, raw := o.Args.(json.RawMessage)
		if !raw {
			var err error
			if data, err = json.Marshal(o.Args); err != nil {
				return &Error{Code: CodeInvalid, Field: "args", Message: "do not encode as JSON", Err: err}
			}
		}
		switch {
		case len(data) > PayloadMax:
			return tooLarge("args", "must be at most %d bytes encoded, got %d", PayloadMax, len(data))
		case raw && !json.Valid(data):
			return invalid("args", "must be JSON, got %s", quoteShort(string(data)))
		}
		r.Args = &Payload{Encoding: EncodingJSON, Data: data}
	}
	answers, err := c.store.Retry(ctx, []RetryRequest{r})
	return one(answers, err, "retry", id)
}

// RunNow makes a scheduled job ready.
func (c *Client) RunNow(ctx context.Context, id ID) error {
	answers, err := c.store.Reschedule(ctx, []RescheduleRequest{{ID: id}})
	return one(answers, err, "run", id)
}

// Reschedule sets the time of a scheduled or ready job; one that is not in the future makes it ready.
func (c *Client) Reschedule(ctx context.Context, id ID, at time.Time) error {
	if at.IsZero() {
		return invalid("at", "must not be zero (use RunNow)")
	}
	if at.After(c.store.Now().Add(DelayMax)) {
		return invalid("at", "must be at most %v ahead, got %s", DelayMax, at.Format(time.RFC3339))
	}
	answers, err := c.store.Reschedule(ctx, []RescheduleRequest{{ID: id, RunAt: at}})
	return one(answers, err, "reschedule", id)
}

// Delete removes a final job before its time. A job whose result its parent needs answers [CodePinned].
func (c *Client) Delete(ctx context.Context, id ID) error {
	answers, err := c.store.Delete(ctx, []ID{id})
	return one(answers, err, "delete", id)
}

// CancelAll cancels jobs as [Client.Cancel] does, at most [BatchMax] in one call, and answers in their order: an empty Code is done.
func (c *Client) CancelAll(ctx context.Context, ids []ID, reason string) ([]SettleAnswer, error) {
	if err := checkText("reason", reason, MessageMax); err != nil {
		return nil, err
	}
	requests := make([]CancelRequest, 0, len(ids))
	for _, id := range ids {
		requests = append(requests, CancelRequest{ID: id, Reason: reason})
	}
	return all(ctx, requests, c.store.Cancel)
}

// RetryAll makes jobs ready anew as [Client.Retry] does, at most [BatchMax] in one call, and answers in their order: an empty Code
// is done.
func (c *Client) RetryAll(ctx context.Context, ids []ID) ([]SettleAnswer, error) {
	requests := make([]RetryRequest, 0, len(ids))
	for _, id := range ids {
		requests = append(requests, RetryRequest{ID: id})
	}
	return all(ctx, requests, c.store.Retry)
}

// DeleteAll removes jobs as [Client.Delete] does, at most [BatchMax] in one call, and answers in their order: an empty Code is done.
func (c *Client) DeleteAll(ctx context.Context, ids []ID) ([]SettleAnswer, error) {
	return all(ctx, ids, c.store.Delete)
}

// all does something to many jobs in one call of the store.
func all[R any](ctx context.Context, requests []R, do func(context.Context, []R) ([]SettleAnswer, error)) ([]SettleAnswer, error) {
	if len(requests) > BatchMax {
		return nil, tooLarge("ids", "must be at most %d in one call, got %d (use several calls)", BatchMax, len(requests))
	}
	if len(requests) == 0 {
		return nil, nil
	}
	return do(ctx, requests)
}

// one makes an error of the answer to an operation on one job.
func one(answers []SettleAnswer, err error, what string, id ID) error {
	if err != nil {
		return fmt.Errorf("%s job %s: %w", what, id, err)
	}
	a := answers[0]
	e := &Error{Code: a.Code}
	switch a.Code {
	case "":
		return nil
	case CodeNotFound, CodeExpired:
		return missing(a.Code, id)
	case CodeWrongState:
		e.Message = fmt.Sprintf("%s job %s: not possible, the job is %s", what, id, a.State)
	case CodeStaleRun:
		e.Message = fmt.Sprintf("%s job %s: the run that was named is not its newest", what, id)
	case CodePinned:
		e.Message = fmt.Sprintf("%s job %s: its parent, which has not succeeded, needs the result (delete the parent first)", what, id)
	case CodeUniqueConflict:
		e.Message = fmt.Sprintf("%s job %s: another job holds its unique key", what, id)
	default:
		e.Message = fmt.Sprintf("%s job %s: refused", what, id)
	}
	return e
}

// PauseQueue holds the jobs of a queue, those to come too, until [Client.ResumeQueue]. Running jobs run on.
func (c *Client) PauseQueue(ctx context.Context, queue string) error {
	return c.pauseQueue(ctx, queue, true)
}

// ResumeQueue frees the jobs of a queue.
func (c *Client) ResumeQueue(ctx context.Context, queue string) error {
	return c.pauseQueue(ctx, queue, false)
}

func (c *Client) pauseQueue(ctx context.Context, queue string, paused bool) error {
	if err := checkName("queue", queue); err != nil {
		return err
	}
	return c.store.PauseQueue(ctx, queue, paused)
}

// PauseTask holds the jobs of a task, those to come too, until [Client.ResumeTask]. Running jobs run on.
func (c *Client) PauseTask(ctx context.Context, task string) error {
	return c.pauseTask(ctx, task, true)
}

// ResumeTask frees the jobs of a task.
func (c *Client) ResumeTask(ctx context.Context, task string) error {
	return c.pauseTask(ctx, task, false)
}

func (c *Client) pauseTask(ctx context.Context, task string, paused bool) error {
	if err := checkName("task", task); err != nil {
		return err
	}
	return c.store.PauseTask(ctx, task, paused)
}

// Queues reads every queue that has an unfinished job, a worker or a pause, by name.
func (c *Client) Queues(ctx context.Context) ([]QueueInfo, error) { return c.store.Queues(ctx) }

// Tasks reads every task that has an unfinished job, a worker or a pause, by name.
func (c *Client) Tasks(ctx context.Context) ([]TaskInfo, error) { return c.store.Tasks(ctx) }

// Sessions reads the live sessions: the workers.
func (c *Client) Sessions(ctx context.Context) ([]SessionInfo, error) { return c.store.Sessions(ctx) }

// Now gives store time, by which delays and deadlines go.
func (c *Client) Now() time.Time { return c.store.Now() }
