package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// act makes a call that changes something.
func (c *Client) act(ctx context.Context, path string, input any, repeat bool) error {
	r := request{method: http.MethodPost, path: path, repeat: repeat}
	if input != nil {
		body, err := wire.Encode(input)
		if err != nil {
			return err
		}
		r.body = body
	}
	return c.run(ctx, r)
}

// Cancel cancels a job. See [godwit.Client.Cancel].
func (c *Client) Cancel(ctx context.Context, id godwit.ID, reason string) error {
	return c.act(ctx, jobPath(id, "/cancel"), wire.Cancel{Reason: reason}, true)
}

// Retry makes a failed or cancelled job ready anew. See [godwit.Client.Retry]. It looks at the job first and names its run, so that it
// can repeat the call when the answer is lost.
func (c *Client) Retry(ctx context.Context, id godwit.ID, o godwit.RetryOptions) error {
	input := wire.Retry{Version: o.Version, Run: o.Run}
	if raw, ok := o.Args.(json.RawMessage); ok {
		if !json.Valid(raw) {
			return invalid("args", "must be JSON")
		}
		input.Args = raw
	} else if o.Args != nil {
		args, err := json.Marshal(o.Args)
		if err != nil {
			return &godwit.Error{Code: godwit.CodeInvalid, Field: "args", Message: "do not encode as JSON", Err: err}
		}
		input.Args = args
	}
	job, err := c.Get(ctx, id)
	switch {
	case errors.Is(err, godwit.ErrNotFound), errors.Is(err, godwit.ErrExpired):
	case err != nil:
		return err
	case o.Run != 0:
	case job.State == godwit.StateFailed, job.State == godwit.StateCancelled:
		input.Run = job.Run
	}
	if input.Run == 0 || input.Run != job.Run {
		return c.act(ctx, jobPath(id, "/retry"), input, false) // which will be refused
	}
	return c.actOnce(ctx, jobPath(id, "/retry"), input, godwit.CodeWrongState, godwit.CodeStaleRun)
}

// actOnce makes a call that is refused when it is repeated, with one of the codes: after a try whose answer was lost that says that it
// was done.
func (c *Client) actOnce(ctx context.Context, path string, input any, done ...godwit.Code) error {
	body, err := wire.Encode(input)
	if err != nil {
		return err
	}
	return c.run(ctx, request{method: http.MethodPost, path: path, body: body, repeat: true, done: done})
}

// RunNow makes a scheduled job ready. See [godwit.Client.RunNow].
func (c *Client) RunNow(ctx context.Context, id godwit.ID) error {
	return c.act(ctx, jobPath(id, "/run-now"), nil, false)
}

// Reschedule sets the time of a job. See [godwit.Client.Reschedule].
func (c *Client) Reschedule(ctx context.Context, id godwit.ID, at time.Time) error {
	if at.IsZero() {
		return invalid("at", "must not be zero (use RunNow)")
	}
	return c.act(ctx, jobPath(id, "/reschedule"), wire.Reschedule{RunAt: at.UTC()}, false)
}

// Delete removes a final job. See [godwit.Client.Delete].
func (c *Client) Delete(ctx context.Context, id godwit.ID) error {
	return c.run(ctx, request{method: http.MethodDelete, path: jobPath(id, ""), repeat: true, done: []godwit.Code{godwit.CodeExpired}})
}

// CancelAll cancels jobs. See [godwit.Client.CancelAll].
func (c *Client) CancelAll(ctx context.Context, ids []godwit.ID, reason string) ([]godwit.SettleAnswer, error) {
	return c.actOnAll(ctx, "cancel", wire.Named{IDs: ids, Reason: reason}, true)
}

// RetryAll makes jobs ready anew. See [godwit.Client.RetryAll].
func (c *Client) RetryAll(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	return c.actOnAll(ctx, "retry", wire.Named{IDs: ids}, false)
}

// DeleteAll removes jobs. See [godwit.Client.DeleteAll].
func (c *Client) DeleteAll(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	return c.actOnAll(ctx, "delete", wire.Named{IDs: ids}, false)
}

func (c *Client) actOnAll(ctx context.Context, verb string, named wire.Named, repeat bool) ([]godwit.SettleAnswer, error) {
	if len(named.IDs) > godwit.BatchMax {
		return nil, &godwit.Error{
			Code: godwit.CodeTooLarge, Field: "ids",
			Message: fmt.Sprintf("must be at most %d in one call, got %d (use several calls)", godwit.BatchMax, len(named.IDs)),
		}
	}
	if len(named.IDs) == 0 {
		return nil, nil
	}
	body, err := wire.Encode(named)
	if err != nil {
		return nil, err
	}
	a, err := call[wire.Bulk](ctx, c, request{method: http.MethodPost, path: "/v1/jobs:" + verb, body: body, repeat: repeat})
	if err != nil {
		return nil, err
	}
	if len(a.Jobs) != len(named.IDs) {
		return nil, &godwit.Error{
			Code: godwit.CodeOutcomeUnknown, Message: fmt.Sprintf("the server answered about %d jobs of %d", len(a.Jobs), len(named.IDs)),
		}
	}
	answers := make([]godwit.SettleAnswer, 0, len(a.Jobs))
	for _, j := range a.Jobs {
		answers = append(answers, godwit.SettleAnswer{Code: j.Code, State: j.State})
	}
	return answers, nil
}

// PauseQueue holds the jobs of a queue. See [godwit.Client.PauseQueue].
func (c *Client) PauseQueue(ctx context.Context, queue string) error {
	return c.pause(ctx, "queue", queue, "/pause")
}

// ResumeQueue frees the jobs of a queue. See [godwit.Client.ResumeQueue].
func (c *Client) ResumeQueue(ctx context.Context, queue string) error {
	return c.pause(ctx, "queue", queue, "/resume")
}

// PauseTask holds the jobs of a task. See [godwit.Client.PauseTask].
func (c *Client) PauseTask(ctx context.Context, task string) error {
	return c.pause(ctx, "task", task, "/pause")
}

// ResumeTask frees the jobs of a task. See [godwit.Client.ResumeTask].
func (c *Client) ResumeTask(ctx context.Context, task string) error {
	return c.pause(ctx, "task", task, "/resume")
}

func (c *Client) pause(ctx context.Context, what, name, verb string) error {
	if name == "" || name == "." || name == ".." { // a path would lead elsewhere
		return invalid(what, "must be a name, got %q", name)
	}
	return c.act(ctx, "/v1/"+what+"s/"+url.PathEscape(name)+verb, nil, true)
}
