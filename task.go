package godwit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Task is a name, an input and an output type, and a policy: what may be done. The handler that does it stands apart
// ([Handle]), so that a process can submit without knowing how. Make it once, as a package variable; it is read-only and safe
// for use by many goroutines.
type Task[A, R any] struct {
	name   string
	policy Policy
}

// Policy says how the jobs of a task are treated. The zero value is useful. What is stored with each job (queue, priority,
// attempts, timeout, deadline, retention) is taken from the submitter's policy; back-off and versions from the policy of the
// worker that runs it.
type Policy struct {
	// Version is the version of the input type that Submit writes and the newest that the handler takes. Raise it when old
	// arguments would be misread. Defaults to 1; at most [VersionMax].
	Version int
	// MinVersion is the oldest version of the arguments that the handler takes; [Info] tells which one it got. Defaults to 1.
	MinVersion int
	// Aliases are former names of the task: its handler runs their jobs too.
	Aliases []string

	// Queue of the jobs. Defaults to [QueueDefault].
	Queue string
	// Priority of the jobs, higher first, from -[PriorityMax] to PriorityMax. Defaults to 0.
	Priority int

	// MaxAttempts is the retry budget. Defaults to [MaxAttemptsDefault]; at most [MaxAttemptsMax].
	MaxAttempts int
	// MaxCrashes is how often the worker may die under a job before it fails. Defaults to [MaxCrashesDefault].
	MaxCrashes int
	// Backoff is the time between attempts.
	Backoff Backoff

	// Timeout bounds the working time of one run; waiting for other jobs does not count. Defaults to [TimeoutDefault]; negative:
	// none.
	Timeout time.Duration
	// Deadline bounds the job from its submission to its end, waiting included. Defaults to none.
	Deadline time.Duration

	// KeepSucceeded is how long a job is kept after success. Defaults to [KeepSucceededDefault]; negative: not at all.
	KeepSucceeded time.Duration
	// KeepFailed is how long a job is kept after failure or cancellation. Defaults to [KeepFailedDefault]; negative: not at
	// all.
	KeepFailed time.Duration
}

// NewTask makes a task. The name is its identity in the store: letters, digits and "._:-", at most [NameMax] bytes. It panics
// when the name or the policy is outside its bounds, as that is an error of the program.
func NewTask[A, R any](name string, p Policy) *Task[A, R] {
	t := &Task[A, R]{name: name, policy: p.withDefaults()}
	if err := checkTask(name, t.policy); err != nil {
		panic(fmt.Sprintf("godwit: NewTask(%s): %v", quoteShort(name), err))
	}
	return t
}

// Name gives the task's name.
func (t *Task[A, R]) Name() string { return t.name }

// Job makes a submission without submitting it, for [Client.SubmitAll] and for a store's transaction. Arguments that do not
// encode are an error of the submission, reported when it is submitted.
func (t *Task[A, R]) Job(args A, o SubmitOptions) Submission {
	data, err := json.Marshal(args)
	if err != nil {
		err = &Error{Code: CodeInvalid, Field: "args", Message: "do not encode as JSON", Err: err}
	}
	return Submission{
		Task: t.name, Version: t.policy.Version, Args: Payload{Encoding: EncodingJSON, Data: data}, Options: o,
		policy: t.policy, err: err,
	}
}

// Submit makes a job. It is durable when Submit returns. Inside a handler of the same client it makes a child, keyed by
// [SubmitOptions].Name.
func (t *Task[A, R]) Submit(ctx context.Context, c Submitter, args A, o SubmitOptions) (*Promise[R], error) {
	answers, err := c.SubmitAll(ctx, []Submission{t.Job(args, o)})
	if err != nil {
		return nil, fmt.Errorf("submit %s: %w", t.name, err)
	}
	return PromiseOfAnswer[R](c, answers[0]), nil
}

// SubmitMany makes a job for each of args, all or none, at most [BatchMax]. The options hold for each; a Name is followed by
// "#1", "#2" and so on. Use [Client.SubmitAll] when the options differ.
func (t *Task[A, R]) SubmitMany(ctx context.Context, c Submitter, args []A, o SubmitOptions) ([]*Promise[R], error) {
	if len(args) > BatchMax {
		return nil, batchTooLong(len(args))
	}
	if len(args) > 1 && (!o.ID.IsZero() || o.IdempotencyKey != "") {
		return nil, invalid("id", "and idempotency_key stand for one job, and there are %d (use SubmitAll)", len(args))
	}
	jobs := make([]Submission, 0, len(args))
	for i, a := range args {
		each := o
		if o.Name != "" {
			each.Name = fmt.Sprintf("%s#%d", o.Name, i+1)
		}
		jobs = append(jobs, t.Job(a, each))
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	answers, err := c.SubmitAll(ctx, jobs)
	if err != nil {
		return nil, fmt.Errorf("submit %d of %s: %w", len(args), t.name, err)
	}
	promises := make([]*Promise[R], 0, len(answers))
	for _, a := range answers {
		promises = append(promises, PromiseOfAnswer[R](c, a))
	}
	return promises, nil
}

func (p Policy) withDefaults() Policy {
	p.Version = orDefault(p.Version, 1)
	p.MinVersion = orDefault(p.MinVersion, 1)
	p.Queue = orDefault(p.Queue, QueueDefault)
	p.MaxAttempts = orDefault(p.MaxAttempts, MaxAttemptsDefault)
	p.MaxCrashes = orDefault(p.MaxCrashes, MaxCrashesDefault)
	p.Timeout = orDefault(p.Timeout, TimeoutDefault)
	p.KeepSucceeded = orDefault(p.KeepSucceeded, KeepSucceededDefault)
	p.KeepFailed = orDefault(p.KeepFailed, KeepFailedDefault)
	p.Backoff = p.Backoff.withDefaults()
	return p
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
