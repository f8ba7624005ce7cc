package godwit

import (
	"context"
	"encoding/json"
	"time"
)

// Admin is what a program does with jobs besides running them: [Client] does it on a store, the client of package httpclient over
// HTTP. The methods are described at [Client].
type Admin interface {
	Submitter
	SubmitRaw(ctx context.Context, task string, args json.RawMessage, o SubmitOptions) (*Promise[json.RawMessage], error)

	Get(ctx context.Context, id ID) (Job, error)
	List(ctx context.Context, f ListFilter) (ListAnswer, error)
	Attempts(ctx context.Context, id ID) ([]Attempt, error)
	Logs(ctx context.Context, id ID, after int64, limit int) ([]LogLine, error)
	Items(ctx context.Context, id ID, after int64, limit int) ([]Item, error)
	Explain(ctx context.Context, id ID) (Explanation, error)

	Cancel(ctx context.Context, id ID, reason string) error
	Retry(ctx context.Context, id ID, o RetryOptions) error
	RunNow(ctx context.Context, id ID) error
	Reschedule(ctx context.Context, id ID, at time.Time) error
	Delete(ctx context.Context, id ID) error
	CancelAll(ctx context.Context, ids []ID, reason string) ([]SettleAnswer, error)
	RetryAll(ctx context.Context, ids []ID) ([]SettleAnswer, error)
	DeleteAll(ctx context.Context, ids []ID) ([]SettleAnswer, error)

	PauseQueue(ctx context.Context, queue string) error
	ResumeQueue(ctx context.Context, queue string) error
	PauseTask(ctx context.Context, task string) error
	ResumeTask(ctx context.Context, task string) error

	Queues(ctx context.Context) ([]QueueInfo, error)
	Tasks(ctx context.Context) ([]TaskInfo, error)
	Sessions(ctx context.Context) ([]SessionInfo, error)
}

var _ Admin = (*Client)(nil)

// Policy gives the policy that the submission was made with, its defaults filled in; false when it was made without a task, and
// whoever takes it decides.
func (s Submission) Policy() (Policy, bool) {
	return s.policy, s.policy.Version != 0
}

// WithPolicy gives the submission another policy, as when it came over a wire. A policy outside its bounds is an error of the
// submission.
func (s Submission) WithPolicy(p Policy) Submission {
	s.policy = p.withDefaults()
	if err := s.policy.check(); err != nil && s.err == nil {
		s.err = err
	}
	return s
}
