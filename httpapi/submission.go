package httpapi

import (
	"time"

	"github.com/godwit-go/godwit"
)

func timeOf(d duration) time.Duration { return time.Duration(d) }

// submissionInput is a line of a batch.
type submissionInput struct {
	Task    string   `json:"task"`
	Version int      `json:"version"`
	Args    rawField `json:"args"`

	ID          string   `json:"id"`
	Queue       string   `json:"queue"`
	Priority    *int     `json:"priority"`
	Delay       duration `json:"delay"`
	RunAt       string   `json:"run_at"`
	MaxAttempts int      `json:"max_attempts"`
	Timeout     duration `json:"timeout"`
	Deadline    duration `json:"deadline"`

	IdempotencyKey string   `json:"idempotency_key"`
	IdempotencyFor duration `json:"idempotency_for"`
	Caller         string   `json:"caller"`
	UniqueKey      string   `json:"unique_key"`
	UniqueByArgs   bool     `json:"unique_by_args"`
	UniqueScope    string   `json:"unique_scope"`
	UniqueWhile    string   `json:"unique_while"`
	UniqueOnClash  string   `json:"unique_on_clash"`

	Tags     []string          `json:"tags"`
	Headers  map[string]string `json:"headers"`
	Detached bool              `json:"detached"`

	Policy *policyInput `json:"policy"`
}

// policyInput is the policy of a submitter that knows the task. Without it the policy is that of the server's handler.
type policyInput struct {
	Version       int      `json:"version"`
	Queue         string   `json:"queue"`
	Priority      int      `json:"priority"`
	MaxAttempts   int      `json:"max_attempts"`
	MaxCrashes    int      `json:"max_crashes"`
	Timeout       duration `json:"timeout"`
	Deadline      duration `json:"deadline"`
	KeepSucceeded duration `json:"keep_succeeded"`
	KeepFailed    duration `json:"keep_failed"`
}

// submission makes what the client submits.
func (in *submissionInput) submission(c *godwit.Client) (godwit.Submission, error) {
	o, err := in.options()
	if err != nil {
		return godwit.Submission{}, err
	}
	if in.Args == nil {
		return godwit.Submission{}, invalid("args", "must be given (null for a task without an argument)")
	}
	sub := c.RawJob(in.Task, in.Version, []byte(in.Args), o)
	if p := in.Policy; p != nil {
		sub = sub.WithPolicy(godwit.Policy{
			Version: p.Version, Queue: p.Queue, Priority: p.Priority, MaxAttempts: p.MaxAttempts, MaxCrashes: p.MaxCrashes,
			Timeout: timeOf(p.Timeout), Deadline: timeOf(p.Deadline),
			KeepSucceeded: timeOf(p.KeepSucceeded), KeepFailed: timeOf(p.KeepFailed),
		})
	}
	return sub, sub.Err()
}

func (in *submissionInput) options() (godwit.SubmitOptions, error) {
	o := godwit.SubmitOptions{
		Delay: timeOf(in.Delay), Queue: in.Queue, Priority: in.Priority, MaxAttempts: in.MaxAttempts,
		Timeout: timeOf(in.Timeout), Deadline: timeOf(in.Deadline),
		IdempotencyKey: in.IdempotencyKey, IdempotencyFor: timeOf(in.IdempotencyFor), Caller: in.Caller,
		Unique: godwit.Unique{
			Key: in.UniqueKey, ByArgs: in.UniqueByArgs, Scope: godwit.UniqueScope(in.UniqueScope),
			While: godwit.UniqueWhile(in.UniqueWhile), OnClash: godwit.UniqueClash(in.UniqueOnClash),
		},
		Tags: in.Tags, Headers: in.Headers, Detached: in.Detached,
	}
	var err error
	if in.ID != "" {
		if o.ID, err = godwit.ParseID(in.ID); err != nil {
			return o, err
		}
	}
	if in.RunAt != "" {
		if o.RunAt, err = readTime(in.RunAt); err != nil {
			return o, invalid("run_at", "must be a time in RFC 3339, got %s", quoteShort(in.RunAt))
		}
	}
	return o, nil
}

// submitParams are the options of a submission as query parameters.
var submitParams = []string{
	"id", "version", "queue", "priority", "delay", "run_at", "max_attempts", "timeout", "deadline",
	"idempotency_for", "caller", "unique_key", "unique_by_args", "unique_scope", "unique_while", "unique_on_clash", "tag",
}

// fromParams reads the options of one submission.
func fromParams(p *params, task string, args raw) (*submissionInput, error) {
	in := &submissionInput{
		Task: task, Version: p.integer("version"), Args: rawField(args),
		ID: p.text("id"), Queue: p.text("queue"), Delay: duration(p.duration("delay")), RunAt: p.text("run_at"),
		MaxAttempts: p.integer("max_attempts"), Timeout: duration(p.duration("timeout")), Deadline: duration(p.duration("deadline")),
		IdempotencyFor: duration(p.duration("idempotency_for")), Caller: p.text("caller"),
		UniqueKey: p.text("unique_key"), UniqueByArgs: p.boolean("unique_by_args"), UniqueScope: p.text("unique_scope"),
		UniqueWhile: p.text("unique_while"), UniqueOnClash: p.text("unique_on_clash"), Tags: p.values["tag"],
	}
	if p.values.Has("priority") {
		in.Priority = new(p.integer("priority"))
	}
	return in, p.err
}
