package httpclient

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/godwit-go/godwit"
)

// act makes a call that changes something.
func (c *Client) act(ctx context.Context, path string, input any, repeat bool) error {
	r := request{method: http.MethodPost, path: path, repeat: repeat}
	if input != nil {
		body, err := json.Marshal(input)
		if err != nil {
			return &godwit.Error{Code: godwit.CodeInvalid, Field: "args", Message: "do not encode as JSON", Err: err}
		}
		r.body = body
	}
	return c.run(ctx, r)
}

// Cancel cancels a job. See [godwit.Client.Cancel].
func (c *Client) Cancel(ctx context.Context, id godwit.ID, reason string) error {
	return c.act(ctx, jobPath(id, "/cancel"), map[string]string{"reason": reason}, true)
}

// Retry makes a failed or cancelled job ready anew. See [godwit.Client.Retry].
func (c *Client) Retry(ctx context.Context, id godwit.ID, o godwit.RetryOptions) error {
	input := map[string]any{}
	if o.Args != nil {
		input["args"] = o.Args
	}
	if o.Version != 0 {
		input["version"] = o.Version
	}
	return c.act(ctx, jobPath(id, "/retry"), input, false)
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
	return c.act(ctx, jobPath(id, "/reschedule"), map[string]string{"run_at": at.UTC().Format(time.RFC3339Nano)}, false)
}

// Delete removes a final job. See [godwit.Client.Delete].
func (c *Client) Delete(ctx context.Context, id godwit.ID) error {
	return c.run(ctx, request{method: http.MethodDelete, path: jobPath(id, "")})
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
