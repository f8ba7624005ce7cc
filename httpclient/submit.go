package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// SubmitAll makes the jobs, all or none. See [godwit.Client.SubmitAll].
func (c *Client) SubmitAll(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	if len(jobs) > godwit.BatchMax {
		return nil, &godwit.Error{
			Code: godwit.CodeTooLarge, Field: "jobs",
			Message: fmt.Sprintf("must be at most %d in one call, got %d (submit in several calls)", godwit.BatchMax, len(jobs)),
		}
	}
	body, err := c.batch(jobs)
	if err != nil {
		return nil, err
	}
	// Whoever repeats it sends the same ids.
	a, err := call[wire.Batch](ctx, c, request{method: http.MethodPost, path: "/v1/jobs", body: body, repeat: true})
	if err != nil {
		return nil, err
	}
	if len(a.Jobs) != len(jobs) {
		return nil, &godwit.Error{Code: godwit.CodeOutcomeUnknown, Message: fmt.Sprintf("the server answered about %d jobs of %d", len(a.Jobs), len(jobs))}
	}
	return a.Plain(), nil
}

// batch writes a line for each job.
func (c *Client) batch(jobs []godwit.Submission) ([]byte, error) {
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false) // arguments are sent as they are
	size := 0
	for i := range jobs {
		s := jobs[i]
		err := s.Err()
		if size += len(s.Args.Data); err == nil && size > godwit.BatchBytesMax {
			return nil, &godwit.Error{
				Code: godwit.CodeTooLarge, Field: "args",
				Message: fmt.Sprintf("of one call must be at most %d bytes together (submit in several calls)", godwit.BatchBytesMax),
			}
		}
		if err == nil && !json.Valid(s.Args.Data) {
			err = invalid("args", "must be JSON")
		}
		if err == nil {
			if s.Options.ID.IsZero() {
				s.Options.ID = c.ids.New()
			}
			err = lines.Encode(wire.SubmissionOf(&s))
		}
		if err != nil && len(jobs) > 1 {
			err = fmt.Errorf("job %d of %d: %w", i+1, len(jobs), err)
		}
		if err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// SubmitRaw submits by the task's name. See [godwit.Client.SubmitRaw].
func (c *Client) SubmitRaw(ctx context.Context, task string, args json.RawMessage, o godwit.SubmitOptions) (*godwit.Promise[json.RawMessage], error) {
	answers, err := c.SubmitAll(ctx, []godwit.Submission{{
		Task: task, Args: godwit.Payload{Encoding: godwit.EncodingJSON, Data: args}, Options: o,
	}})
	if err != nil {
		return nil, fmt.Errorf("submit %.64q: %w", task, err)
	}
	return godwit.PromiseOfAnswer[json.RawMessage](c, answers[0]), nil
}

// waitRequest is how long to ask the server to wait: in whole seconds, and not much longer than ctx lasts.
func (c *Client) waitRequest(ctx context.Context) time.Duration {
	wait := c.config.Wait
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)+time.Second)
	}
	return max(wait.Truncate(time.Second), time.Second)
}
