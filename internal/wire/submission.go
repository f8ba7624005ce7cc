package wire

import (
	"encoding/json"
	"time"

	"github.com/godwit-go/godwit"
)

// Submission is a job to be submitted: a line of a batch.
type Submission struct {
	Task    string          `json:"task"`
	Version int             `json:"version,omitempty"`
	Args    json.RawMessage `json:"args"` // nil: none were given; null was

	ID          godwit.ID `json:"id,omitzero"`
	Queue       string    `json:"queue,omitempty"`
	Priority    *int      `json:"priority,omitempty"`
	Delay       Duration  `json:"delay,omitzero"`
	RunAt       time.Time `json:"run_at,omitzero"`
	MaxAttempts int       `json:"max_attempts,omitempty"`
	Timeout     Duration  `json:"timeout,omitzero"`
	Deadline    Duration  `json:"deadline,omitzero"`

	IdempotencyKey string             `json:"idempotency_key,omitempty"`
	IdempotencyFor Duration           `json:"idempotency_for,omitzero"`
	Caller         string             `json:"caller,omitempty"`
	UniqueKey      string             `json:"unique_key,omitempty"`
	UniqueByArgs   bool               `json:"unique_by_args,omitempty"`
	UniqueScope    godwit.UniqueScope `json:"unique_scope,omitempty"`
	UniqueWhile    godwit.UniqueWhile `json:"unique_while,omitempty"`
	UniqueOnClash  godwit.UniqueClash `json:"unique_on_clash,omitempty"`

	Tags     []string          `json:"tags,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Detached bool              `json:"detached,omitempty"`

	Policy *Policy `json:"policy,omitempty"`
}

// Policy is the policy of a submitter that knows the task. Without it the policy is that of the server's handler.
type Policy struct {
	Version       int      `json:"version,omitempty"`
	Queue         string   `json:"queue,omitempty"`
	Priority      int      `json:"priority,omitempty"`
	MaxAttempts   int      `json:"max_attempts,omitempty"`
	MaxCrashes    int      `json:"max_crashes,omitempty"`
	Timeout       Duration `json:"timeout,omitzero"`
	Deadline      Duration `json:"deadline,omitzero"`
	KeepSucceeded Duration `json:"keep_succeeded,omitzero"`
	KeepFailed    Duration `json:"keep_failed,omitzero"`
}

// SubmissionOf gives the form of a submission. The child's name is not part of it: a child is submitted by its parent's worker.
func SubmissionOf(s *godwit.Submission) Submission {
	o := &s.Options
	f := Submission{
		Task: s.Task, Version: s.Version, Args: s.Args.Data,
		ID: o.ID, Queue: o.Queue, Priority: o.Priority, Delay: Duration(o.Delay), RunAt: o.RunAt, MaxAttempts: o.MaxAttempts,
		Timeout: Duration(o.Timeout), Deadline: Duration(o.Deadline),
		IdempotencyKey: o.IdempotencyKey, IdempotencyFor: Duration(o.IdempotencyFor), Caller: o.Caller,
		UniqueKey: o.Unique.Key, UniqueByArgs: o.Unique.ByArgs, UniqueScope: o.Unique.Scope, UniqueWhile: o.Unique.While,
		UniqueOnClash: o.Unique.OnClash, Tags: o.Tags, Headers: o.Headers, Detached: o.Detached,
	}
	if p, ok := s.Policy(); ok {
		f.Policy = &Policy{
			Version: p.Version, Queue: p.Queue, Priority: p.Priority, MaxAttempts: p.MaxAttempts, MaxCrashes: p.MaxCrashes,
			Timeout: Duration(p.Timeout), Deadline: Duration(p.Deadline),
			KeepSucceeded: Duration(p.KeepSucceeded), KeepFailed: Duration(p.KeepFailed),
		}
	}
	return f
}

// Options gives the options of the submission.
func (f *Submission) Options() godwit.SubmitOptions {
	return godwit.SubmitOptions{
		ID: f.ID, Delay: time.Duration(f.Delay), RunAt: f.RunAt, Queue: f.Queue, Priority: f.Priority, MaxAttempts: f.MaxAttempts,
		Timeout: time.Duration(f.Timeout), Deadline: time.Duration(f.Deadline),
		IdempotencyKey: f.IdempotencyKey, IdempotencyFor: time.Duration(f.IdempotencyFor), Caller: f.Caller,
		Unique: godwit.Unique{
			Key: f.UniqueKey, ByArgs: f.UniqueByArgs, Scope: f.UniqueScope, While: f.UniqueWhile, OnClash: f.UniqueOnClash,
		},
		Tags: f.Tags, Headers: f.Headers, Detached: f.Detached,
	}
}

// Plain gives the policy as package godwit has it.
func (p *Policy) Plain() godwit.Policy {
	return godwit.Policy{
		Version: p.Version, Queue: p.Queue, Priority: p.Priority, MaxAttempts: p.MaxAttempts, MaxCrashes: p.MaxCrashes,
		Timeout: time.Duration(p.Timeout), Deadline: time.Duration(p.Deadline),
		KeepSucceeded: time.Duration(p.KeepSucceeded), KeepFailed: time.Duration(p.KeepFailed),
	}
}

// Submitted is what became of one submission.
type Submitted struct {
	ID       godwit.ID    `json:"id"`
	Created  bool         `json:"created"`
	Reopened bool         `json:"reopened,omitempty"`
	State    godwit.State `json:"state"`
}

// Batch is what became of many, in their order.
type Batch struct {
	Jobs []Submitted `json:"jobs"`
}

// BatchOf gives the form of answers.
func BatchOf(answers []godwit.SubmitAnswer) Batch {
	f := Batch{Jobs: make([]Submitted, 0, len(answers))}
	for _, a := range answers {
		f.Jobs = append(f.Jobs, Submitted{a.ID, a.Created, a.Reopened, a.State})
	}
	return f
}

// Plain gives the answers as package godwit has them.
func (f *Batch) Plain() []godwit.SubmitAnswer {
	answers := make([]godwit.SubmitAnswer, 0, len(f.Jobs))
	for _, j := range f.Jobs {
		answers = append(answers, godwit.SubmitAnswer{ID: j.ID, Created: j.Created, Reopened: j.Reopened, State: j.State})
	}
	return answers
}

// Cancel is the input of a cancel.
type Cancel struct {
	Reason string `json:"reason,omitempty"`
}

// Retry is the input of a retry by hand.
type Retry struct {
	Args    json.RawMessage `json:"args,omitempty"` // nil: the same
	Version int             `json:"version,omitempty"`
	Run     int64           `json:"run,omitempty"` // the newest run, when the retry is to follow no other
}

// Named is the input of a call about many jobs, when it names them.
type Named struct {
	IDs    []godwit.ID `json:"ids,omitempty"`
	Reason string      `json:"reason,omitempty"`
}

// Reschedule is the input of a reschedule: one of both.
type Reschedule struct {
	RunAt time.Time `json:"run_at,omitzero"`
	Delay Duration  `json:"delay,omitzero"`
}
