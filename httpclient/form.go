package httpclient

import (
	"encoding/json"
	"time"

	"github.com/godwit-go/godwit"
)

// jobForm is a job as the API shows it.
type jobForm struct {
	godwit.Job
	Args          json.RawMessage `json:"args"`
	Result        json.RawMessage `json:"result"`
	Error         *failureForm    `json:"error"`
	Timeout       duration        `json:"timeout"`
	KeepSucceeded duration        `json:"keep_succeeded"`
	KeepFailed    duration        `json:"keep_failed"`
}

type failureForm struct {
	Code    godwit.Code `json:"code"`
	Message string      `json:"message"`
	Stack   string      `json:"stack"`
}

type attemptForm struct {
	godwit.Attempt
	Error *failureForm `json:"error"`
}

type itemForm struct {
	Seq  int64           `json:"seq"`
	Run  int64           `json:"run"`
	Data json.RawMessage `json:"data"`
}

func (f *jobForm) job() godwit.Job {
	j := f.Job
	j.Args, j.Result, j.Failure = payload(f.Args), payload(f.Result), f.Error.failure()
	j.Timeout, j.KeepSucceeded, j.KeepFailed = time.Duration(f.Timeout), time.Duration(f.KeepSucceeded), time.Duration(f.KeepFailed)
	return j
}

func (f *failureForm) failure() *godwit.Failure {
	if f == nil {
		return nil
	}
	return &godwit.Failure{Code: f.Code, Message: f.Message, Stack: f.Stack}
}

func payload(data json.RawMessage) godwit.Payload {
	if data == nil {
		return godwit.Payload{}
	}
	return godwit.Payload{Encoding: godwit.EncodingJSON, Data: data}
}

// duration is a Go duration in JSON, as a string; the zero one is left out.
type duration time.Duration

// MarshalText gives "1m30s".
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// submissionForm is a line of a batch.
type submissionForm struct {
	Task    string          `json:"task"`
	Version int             `json:"version,omitempty"`
	Args    json.RawMessage `json:"args"`

	ID          godwit.ID `json:"id"`
	Queue       string    `json:"queue,omitempty"`
	Priority    *int      `json:"priority,omitempty"`
	Delay       duration  `json:"delay,omitzero"`
	RunAt       time.Time `json:"run_at,omitzero"`
	MaxAttempts int       `json:"max_attempts,omitempty"`
	Timeout     duration  `json:"timeout,omitzero"`
	Deadline    duration  `json:"deadline,omitzero"`

	IdempotencyKey string             `json:"idempotency_key,omitempty"`
	IdempotencyFor duration           `json:"idempotency_for,omitzero"`
	Caller         string             `json:"caller,omitempty"`
	UniqueKey      string             `json:"unique_key,omitempty"`
	UniqueByArgs   bool               `json:"unique_by_args,omitempty"`
	UniqueScope    godwit.UniqueScope `json:"unique_scope,omitempty"`
	UniqueWhile    godwit.UniqueWhile `json:"unique_while,omitempty"`
	UniqueOnClash  godwit.UniqueClash `json:"unique_on_clash,omitempty"`

	Tags     []string          `json:"tags,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"`
	Detached bool              `json:"detached,omitempty"`

	Policy *policyForm `json:"policy,omitempty"`
}

type policyForm struct {
	Version       int      `json:"version,omitempty"`
	Queue         string   `json:"queue,omitempty"`
	Priority      int      `json:"priority,omitempty"`
	MaxAttempts   int      `json:"max_attempts,omitempty"`
	MaxCrashes    int      `json:"max_crashes,omitempty"`
	Timeout       duration `json:"timeout,omitzero"`
	Deadline      duration `json:"deadline,omitzero"`
	KeepSucceeded duration `json:"keep_succeeded,omitzero"`
	KeepFailed    duration `json:"keep_failed,omitzero"`
}

func formOf(s *godwit.Submission) submissionForm {
	o := &s.Options
	f := submissionForm{
		Task: s.Task, Version: s.Version, Args: s.Args.Data,
		ID: o.ID, Queue: o.Queue, Priority: o.Priority, Delay: duration(o.Delay), RunAt: o.RunAt, MaxAttempts: o.MaxAttempts,
		Timeout: duration(o.Timeout), Deadline: duration(o.Deadline),
		IdempotencyKey: o.IdempotencyKey, IdempotencyFor: duration(o.IdempotencyFor), Caller: o.Caller,
		UniqueKey: o.Unique.Key, UniqueByArgs: o.Unique.ByArgs, UniqueScope: o.Unique.Scope, UniqueWhile: o.Unique.While,
		UniqueOnClash: o.Unique.OnClash, Tags: o.Tags, Headers: o.Headers, Detached: o.Detached,
	}
	if p, ok := s.Policy(); ok {
		f.Policy = &policyForm{
			Version: p.Version, Queue: p.Queue, Priority: p.Priority, MaxAttempts: p.MaxAttempts, MaxCrashes: p.MaxCrashes,
			Timeout: duration(p.Timeout), Deadline: duration(p.Deadline),
			KeepSucceeded: duration(p.KeepSucceeded), KeepFailed: duration(p.KeepFailed),
		}
	}
	return f
}
