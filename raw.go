package godwit

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/godwit-go/godwit/internal/suggest"
)

// RawJob makes a submission by the task's name with arguments in JSON, for programs that have no Go type for them. The policy is that
// of the task's handler in this client, otherwise the default one. Version 0 is the policy's.
func (c *Client) RawJob(task string, version int, args json.RawMessage, o SubmitOptions) Submission {
	s := Submission{Task: task, Version: version, Args: Payload{Encoding: EncodingJSON, Data: args}, Options: o}
	if h, ok := c.handlers.find(task); ok {
		s.policy = h.policy
	}
	switch {
	case len(args) > PayloadMax: // before it is parsed
		s.err = tooLarge("args", "must be at most %d bytes encoded, got %d (store the data elsewhere and pass its address)",
			PayloadMax, len(args))
	case !json.Valid(args):
		s.err = invalid("args", "must be JSON, got %s", quoteShort(string(args)))
	}
	return s
}

// SubmitRaw submits by the task's name. A task that neither this client nor any live worker knows is refused with
// [CodeUnknownTask].
func (c *Client) SubmitRaw(ctx context.Context, task string, args json.RawMessage, o SubmitOptions) (*Promise[json.RawMessage], error) {
	if err := c.CheckTask(ctx, task); err != nil {
		return nil, err
	}
	answers, err := c.SubmitAll(ctx, []Submission{c.RawJob(task, 0, args, o)})
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", quoteShort(task), err)
	}
	return PromiseOfAnswer[json.RawMessage](c, answers[0]), nil
}

// CheckTask answers [ErrUnknownTask] when neither this client nor any live worker knows the task, and names one that it may have
// been meant to be.
func (c *Client) CheckTask(ctx context.Context, task string) error {
	if err := checkName("task", task); err != nil {
		return err
	}
	if _, ok := c.handlers.find(task); ok {
		return nil
	}
	infos, err := c.store.Tasks(ctx)
	if err != nil {
		return err
	}
	known := c.handlers.names()
	for _, info := range infos {
		if info.Workers == 0 {
			continue
		}
		if info.Name == task {
			return nil
		}
		known = append(known, info.Name)
	}
	return &Error{Code: CodeUnknownTask, Field: "task", Message: fmt.Sprintf("%s is known to no worker%s", quoteShort(task), suggest.DidYouMean(task, known))}
}
