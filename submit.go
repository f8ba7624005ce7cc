package godwit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Submitter is what tasks and promises need of a client: [Client] is one, an HTTP client is another.
type Submitter interface {
	// SubmitAll makes the jobs, all or none, and answers in their order. They are durable when it returns. The error is an
	// [Error] that names the item and the field at fault.
	SubmitAll(ctx context.Context, jobs []Submission) ([]SubmitAnswer, error)
	// AwaitOutcomes waits until each of the jobs is final, or known not to be there, and answers in their order.
	AwaitOutcomes(ctx context.Context, ids []ID) ([]OutcomeAnswer, error)
}

// SubmitOptions say how one job differs from its task's policy. The zero value changes nothing.
type SubmitOptions struct {
	// Delay starts the job so much later, by the store's clock. From 0 to [DelayMax]; excludes RunAt.
	Delay time.Duration
	// RunAt starts the job not before that time. A time in the past is now; at most [DelayMax] ahead.
	RunAt time.Time

	// Queue defaults to the policy's.
	Queue string
	// Priority defaults to the policy's, when nil: Priority: new(5).
	Priority *int
	// MaxAttempts defaults to the policy's.
	MaxAttempts int
	// Timeout defaults to the policy's; negative: none.
	Timeout time.Duration
	// Deadline bounds the job from its submission to its end. Defaults to the policy's; negative: none.
	Deadline time.Duration

	// ID makes the submission repeatable after an unknown outcome. It must not be stamped more than 24 h ahead. Defaults to a new one.
	ID ID
	// IdempotencyKey makes repeated submissions one: with the same key of the same task it answers with the first job, whatever
	// its state. Defaults to none; at most [KeyMax] bytes. Not for children: their name is their key.
	IdempotencyKey string
	// IdempotencyFor is how long the key is known. Defaults to [IdempotencyDefault].
	IdempotencyFor time.Duration
	// Caller keeps the idempotency keys of different callers apart. Defaults to one caller; at most [NameMax] bytes.
	Caller string
	// Unique keeps at most one such job at a time. Defaults to none. A child may only refuse on a clash.
	Unique Unique

	// Tags are for people and for listings. At most [TagsMax] of [TagMax] bytes.
	Tags []string
	// Headers, such as a trace context, are given to the handler. At most [HeadersMax].
	Headers map[string]string

	// Name is the key of a child within its parent; a handler that submits in an order that is not always the same must give
	// it. Defaults to the task's name, "#" and the how many-th of that task it is in the run. Ignored outside a handler.
	Name string
	// Detached keeps a child from being cancelled with its parent.
	Detached bool
}

// Unique keeps at most one job with a key at a time.
type Unique struct {
	// Key, at most [KeyMax] bytes. Defaults to none.
	Key string
	// ByArgs makes the arguments the key. Excludes Key.
	ByArgs bool
	// Scope is what the key is unique within. Defaults to [ScopeTask].
	Scope UniqueScope
	// While says how long a job holds the key. Defaults to [UniqueUnfinished].
	While UniqueWhile
	// OnClash says what a submission answers whose key is held. Defaults to [ClashExisting].
	OnClash UniqueClash
}

// UniqueScope is what a unique key is unique within.
type UniqueScope string

// The scopes of unique keys.
const (
	ScopeTask   UniqueScope = "task"
	ScopeQueue  UniqueScope = "queue"
	ScopeGlobal UniqueScope = "global"
)

// Submission is a job to be submitted: [Task.Job] and [Client.RawJob] make it.
type Submission struct {
	Task    string
	Version int
	Args    Payload
	Options SubmitOptions

	policy Policy // with its defaults
	err    error  // found while it was made
}

// Err tells what was wrong when the submission was made.
func (s Submission) Err() error { return s.err }

// NewJob checks the submission and gives it the form that a [Store] takes. now is store time: a deadline counts from it. An
// id is made when the options have none.
func (s Submission) NewJob(now time.Time) (NewJob, error) {
	if s.err != nil {
		return NewJob{}, s.err
	}
	p, o := s.policy.withDefaults(), s.Options
	j := NewJob{
		ID: o.ID, Task: s.Task, Version: orDefault(s.Version, p.Version), Queue: orDefault(o.Queue, p.Queue),
		Args: s.Args, Priority: p.Priority, RunAt: o.RunAt, Delay: o.Delay,
		MaxAttempts: orDefault(o.MaxAttempts, p.MaxAttempts), MaxCrashes: p.MaxCrashes,
		Timeout:       max(orDefault(o.Timeout, p.Timeout), 0),
		KeepSucceeded: max(p.KeepSucceeded, 0), KeepFailed: max(p.KeepFailed, 0),
		Tags: slices.Clone(o.Tags), Headers: maps.Clone(o.Headers), Detached: o.Detached,
	}
	if o.Priority != nil {
		j.Priority = *o.Priority
	}
	deadline := orDefault(o.Deadline, p.Deadline)
	if err := checkJob(&j, o, deadline, now); err != nil {
		return NewJob{}, err
	}
	if deadline > 0 {
		j.Deadline = now.Add(deadline)
	}
	if o.IdempotencyKey != "" {
		j.Idempotency = IdempotencyKey{
			Scope: "task:" + s.Task + "\x1f" + o.Caller, Key: o.IdempotencyKey,
			For: orDefault(o.IdempotencyFor, IdempotencyDefault),
		}
	}
	j.Unique = o.Unique.key(&j)
	j.Fingerprint = fingerprint(&j, o)
	if j.ID.IsZero() {
		j.ID = NewID()
	}
	return j, nil
}

// key gives the unique key in the form that a store takes.
func (u Unique) key(j *NewJob) UniqueKey {
	if u.Key == "" && !u.ByArgs {
		return UniqueKey{}
	}
	k := UniqueKey{
		Key: u.Key, While: orDefault(u.While, UniqueUnfinished), OnClash: orDefault(u.OnClash, ClashExisting),
	}
	switch orDefault(u.Scope, ScopeTask) {
	case ScopeTask:
		k.Scope = "task:" + j.Task
	case ScopeQueue:
		k.Scope = "queue:" + j.Queue
	default:
		k.Scope = "global"
	}
	if u.ByArgs {
		sum := hashOf(j.Args.Data)
		k.Key = "args:" + hex.EncodeToString(sum[:])
	}
	return k
}

// SubmitFunc makes jobs, as [Submitter].SubmitAll does.
type SubmitFunc func(ctx context.Context, jobs []Submission) ([]SubmitAnswer, error)

// SubmitMiddleware wraps submissions: for tracing, metrics, defaults, rules of the house. The first of [Config].SubmitMiddleware
// is the outermost. The slice is the middleware's to change, what its elements point to is not: see [Submission.WithHeader]. Every
// submission has its id. The answers are one for each job the middleware was given, in their order.
//
// It sees what goes through the client: jobs, children and the timers of [Sleep], refused submissions too. It does not see what a
// driver's SubmitTx takes: that is part of a transaction of the caller.
type SubmitMiddleware func(next SubmitFunc) SubmitFunc

// WithHeader gives the submission with a header set, in a map of its own: for [SubmitMiddleware], whose submissions may share
// theirs with the caller and with each other.
func (s Submission) WithHeader(name, value string) Submission {
	headers := make(map[string]string, len(s.Options.Headers)+1)
	maps.Copy(headers, s.Options.Headers)
	headers[name] = value
	s.Options.Headers = headers
	return s
}

// SubmitAll makes the jobs, all or none, at most [BatchMax] with [BatchBytesMax] of arguments.
func (c *Client) SubmitAll(ctx context.Context, jobs []Submission) ([]SubmitAnswer, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	if len(c.config.SubmitMiddleware) == 0 {
		return c.submit(ctx, jobs)
	}
	own := slices.Clone(jobs)
	for i := range own {
		if own[i].Options.ID.IsZero() {
			own[i].Options.ID = c.ids.New()
		}
	}
	next := c.submit
	for _, m := range slices.Backward(c.config.SubmitMiddleware) {
		next = m(next)
	}
	answers, err := next(ctx, own)
	if err == nil && len(answers) != len(jobs) {
		return nil, invalid("SubmitMiddleware", "must give an answer for each of %d jobs, gave %d", len(jobs), len(answers))
	}
	return answers, err
}

// submit is what the middleware of submissions wraps.
func (c *Client) submit(ctx context.Context, jobs []Submission) ([]SubmitAnswer, error) {
	if len(jobs) > BatchMax {
		return nil, batchTooLong(len(jobs))
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	now := c.store.Now()
	r := c.runOf(ctx)
	items, size := make([]NewJob, 0, len(jobs)), 0
	for i, s := range jobs {
		if s.Options.ID.IsZero() {
			s.Options.ID = c.ids.New()
		}
		j, err := s.NewJob(now)
		if err == nil && r != nil {
			err = r.adopt(&j, s.Options.Name)
		}
		if err != nil {
			return nil, ofItem(err, i, len(jobs))
		}
		if size += len(j.Args.Data); size > BatchBytesMax {
			return nil, tooLarge("args", "of one call must be at most %d bytes together (submit in several calls)", BatchBytesMax)
		}
		items = append(items, j)
	}
	answers, err := c.store.Submit(ctx, items)
	switch {
	case errors.Is(err, ErrOutcomeUnknown): // whoever repeats it needs the ids
		return nil, fmt.Errorf("submit jobs %s to %s: %w", items[0].ID, items[len(items)-1].ID, err)
	case err != nil:
		return nil, err
	}
	if err := SubmitError(items, answers); err != nil {
		return nil, err
	}
	if r != nil {
		r.noteChildren(answers)
	}
	return answers, nil
}

// ofItem puts the item's place before the field when there are several.
func ofItem(err error, i, n int) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("job %d of %d: %w", i+1, n, err)
}

func batchTooLong(n int) error {
	return tooLarge("jobs", "must be at most %d in one call, got %d (submit in several calls)", BatchMax, n)
}

// SubmitError gives the error of a submission that a store refused, nil when it took it: for drivers that submit inside a
// caller's transaction.
func SubmitError(jobs []NewJob, answers []SubmitAnswer) error {
	for i, a := range answers {
		if a.Code != "" && a.Code != CodeBatchRefused {
			return ofItem(submitRefusal(a, &jobs[i]), i, len(jobs))
		}
	}
	return nil
}

// submitRefusal says in words why a store refused a submission.
func submitRefusal(a SubmitAnswer, j *NewJob) error {
	e := &Error{Code: a.Code, Field: a.Field}
	switch a.Code {
	case CodeInvalid:
		e.Message = "is outside its bounds"
		if a.Field == "deadline" {
			e.Message = "must be after the first start of the job"
		}
	case CodeIDConflict:
		e.Message = fmt.Sprintf("id %s is taken by a different submission (make a new id)", j.ID)
	case CodeExpired:
		e.Message = fmt.Sprintf("job %s has been pruned (make a new id)", j.ID)
	case CodeIdempotency:
		e.Message = fmt.Sprintf("idempotency key %s was used for a different submission (make a new key for a new request)",
			quoteShort(j.Idempotency.Key))
	case CodeUniqueConflict:
		e.Message = fmt.Sprintf("another job holds the unique key %s (wait for it, or use ClashExisting)", quoteShort(j.Unique.Key))
	case CodeChildMismatch:
		e.Message = fmt.Sprintf("an earlier run submitted a different child as %s (name children by what they do)", quoteShort(j.ChildName))
	case CodeTooDeep:
		e.Message = fmt.Sprintf("children must be nested at most %d deep", DepthMax)
	case CodeStaleRun, CodeSessionEnded:
		e.Message = "the run that submits was lost"
	case CodeCancelRequested:
		e.Message = "the job that submits is being cancelled"
	}
	return e
}
