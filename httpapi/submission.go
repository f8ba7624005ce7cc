package httpapi

import (
	"encoding/json"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// submissionOf makes what the client submits.
func submissionOf(c *godwit.Client, in *wire.Submission) (godwit.Submission, error) {
	if in.Args == nil {
		return godwit.Submission{}, invalid("args", "must be given (null for a task without an argument)")
	}
	if err := checkDepth(in.Args); err != nil {
		return godwit.Submission{}, err
	}
	sub := c.RawJob(in.Task, in.Version, in.Args, in.Options())
	if in.Policy != nil {
		sub = sub.WithPolicy(in.Policy.Plain())
	}
	return sub, sub.Err()
}

// checkDepth refuses arguments that other readers of JSON could not read.
func checkDepth(args []byte) error {
	if depth := wire.DepthOf(args); depth > ArgsDepthMax {
		return invalid("args", "must be nested at most %d deep, got %d", ArgsDepthMax, depth)
	}
	return nil
}

// submitParams are the options of a submission as query parameters.
var submitParams = []string{
	"id", "version", "queue", "priority", "delay", "run_at", "max_attempts", "timeout", "deadline",
	"idempotency_for", "caller", "unique_key", "unique_by_args", "unique_scope", "unique_while", "unique_on_clash", "tag",
}

// fromParams reads the options of one submission.
func fromParams(p *params, task string, args raw) (*wire.Submission, error) {
	in := &wire.Submission{
		Task: task, Version: p.integer("version"), Args: json.RawMessage(args),
		ID: p.id("id"), Queue: p.text("queue"), Delay: wire.Duration(p.duration("delay")), RunAt: p.time("run_at"),
		MaxAttempts: p.integer("max_attempts"), Timeout: wire.Duration(p.duration("timeout")), Deadline: wire.Duration(p.duration("deadline")),
		IdempotencyFor: wire.Duration(p.duration("idempotency_for")), Caller: p.text("caller"),
		UniqueKey: p.text("unique_key"), UniqueByArgs: p.boolean("unique_by_args"), UniqueScope: godwit.UniqueScope(p.text("unique_scope")),
		UniqueWhile: godwit.UniqueWhile(p.text("unique_while")), UniqueOnClash: godwit.UniqueClash(p.text("unique_on_clash")),
		Tags: p.values["tag"],
	}
	if p.values.Has("priority") {
		in.Priority = new(p.integer("priority"))
	}
	return in, p.err
}
