package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
)

// submitFlags are the options of a submission.
type submitFlags struct {
	clientFlags
	argsFile string
	batch    string
	wait     waitFlag

	id          string
	version     int
	queue       string
	priority    int
	delay       time.Duration
	runAt       string
	maxAttempts int
	runTimeout  time.Duration
	deadline    time.Duration

	idempotencyKey string
	idempotencyFor time.Duration
	caller         string
	unique         godwit.Unique
	tags           []string
	headers        []string
}

// batchStdin is what --batch and --args-file call the standard input.
const batchStdin = "-"

func (f *submitFlags) bindOptions(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.argsFile, "args-file", "", "read the arguments from this `FILE`; - is the standard input")
	fl.StringVar(&f.batch, "batch", "", "submit many jobs: a line of JSON for each in this `FILE`, or on the standard input")
	fl.Lookup("batch").NoOptDefVal = batchStdin
	fl.Var(&f.wait, "wait", "wait for the end, at most so long if a `DURATION` is given, and print the result")
	fl.Lookup("wait").NoOptDefVal = waitForever

	fl.StringVar(&f.id, "id", "", "`UUIDv7` of the job, so that the submission may be repeated safely")
	fl.IntVar(&f.version, "task-version", 0, "version of the arguments")
	fl.StringVar(&f.queue, "queue", "", "queue `NAME`")
	fl.IntVar(&f.priority, "priority", 0, "higher first, from -1000 to 1000")
	fl.DurationVar(&f.delay, "delay", 0, "start so much later")
	fl.StringVar(&f.runAt, "run-at", "", "start not before this `TIME`, in RFC 3339")
	fl.IntVar(&f.maxAttempts, "max-attempts", 0, "retry budget")
	fl.DurationVar(&f.runTimeout, "run-timeout", 0, "bound on one run; negative for none")
	fl.DurationVar(&f.deadline, "deadline", 0, "bound on the job, from its submission to its end; negative for none")

	fl.StringVar(&f.idempotencyKey, "idempotency-key", "", "`KEY`: the same again answers with the same job")
	fl.DurationVar(&f.idempotencyFor, "idempotency-for", 0, "how long the key is known (otherwise 24h)")
	fl.StringVar(&f.caller, "caller", "", "`NAME` that keeps idempotency keys apart")
	fl.StringVar(&f.unique.Key, "unique-key", "", "`KEY` that one unfinished job holds at a time")
	fl.BoolVar(&f.unique.ByArgs, "unique-by-args", false, "make the arguments the unique key")
	fl.StringVar((*string)(&f.unique.Scope), "unique-scope", "", "`SCOPE` within which the key is unique: task, queue or global")
	fl.StringVar((*string)(&f.unique.While), "unique-while", "", "`STATE` in which it is held: unfinished or unstarted")
	fl.StringVar((*string)(&f.unique.OnClash), "unique-on-clash", "", "`ANSWER` when it is held: existing or refuse")
	fl.StringArrayVar(&f.tags, "tag", nil, "`TAG` for people and listings; may be given again")
	fl.StringArrayVar(&f.headers, "header", nil, "`NAME=VALUE` given to the handler; may be given again")

	completeFlag(cmd, "unique-scope", string(godwit.ScopeTask), string(godwit.ScopeQueue), string(godwit.ScopeGlobal))
	completeFlag(cmd, "unique-while", string(godwit.UniqueUnfinished), string(godwit.UniqueUnstarted))
	completeFlag(cmd, "unique-on-clash", string(godwit.ClashExisting), string(godwit.ClashRefuse))
}

// jobFlags are the flags that a line of a batch says for itself.
var jobFlags = []string{
	"args-file", "wait", "id", "task-version", "queue", "priority", "delay", "run-at", "max-attempts", "run-timeout", "deadline",
	"idempotency-key", "idempotency-for", "caller", "unique-key", "unique-by-args", "unique-scope", "unique-while", "unique-on-clash",
	"tag", "header",
}

// submission makes what is submitted, checked as far as it can be without a server.
func (f *submitFlags) submission(cmd *cobra.Command, task string, args json.RawMessage) (godwit.Submission, error) {
	s := godwit.Submission{Task: task, Version: f.version, Args: godwit.Payload{Encoding: godwit.EncodingJSON, Data: args}}
	o, err := f.options(cmd)
	if err != nil {
		return s, err
	}
	s.Options = o
	if _, err := s.NewJob(time.Now()); err != nil {
		return s, usageError{asFlags(f.flags, err)}
	}
	return s, nil
}

func (f *submitFlags) options(cmd *cobra.Command) (godwit.SubmitOptions, error) {
	o := godwit.SubmitOptions{
		ID: godwit.NewID(), Delay: f.delay, Queue: f.queue, MaxAttempts: f.maxAttempts, Timeout: f.runTimeout, Deadline: f.deadline,
		IdempotencyKey: f.idempotencyKey, IdempotencyFor: f.idempotencyFor, Caller: f.caller, Unique: f.unique, Tags: f.tags,
	}
	if cmd.Flags().Changed("priority") {
		o.Priority = &f.priority
	}
	var err error
	if f.id != "" {
		if o.ID, err = parseID(f.id); err != nil {
			return o, asFlags(f.flags, err)
		}
	}
	if f.runAt != "" {
		if o.RunAt, err = parseTime("run-at", f.runAt); err != nil {
			return o, err
		}
	}
	for _, h := range f.headers {
		name, value, found := strings.Cut(h, "=")
		if !found || name == "" {
			return o, usagef("--header must be NAME=VALUE, got %s", quoteShort(h))
		}
		if o.Headers == nil {
			o.Headers = map[string]string{}
		}
		o.Headers[name] = value
	}
	return o, nil
}

// parseID reads the id of a job as it was typed.
func parseID(text string) (godwit.ID, error) {
	id, err := godwit.ParseID(text)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}

func parseIDs(texts []string) ([]godwit.ID, error) {
	ids := make([]godwit.ID, 0, len(texts))
	for _, text := range texts {
		id, err := parseID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// waitFlag is --wait: not given, given alone, or given with the longest wait.
type waitFlag struct {
	on  bool
	max time.Duration // 0: as long as it takes
}

const waitForever = "forever"

func (w *waitFlag) String() string {
	switch {
	case w.on && w.max == 0:
		return waitForever
	case w.on:
		return w.max.String()
	}
	return ""
}

// Set reads "forever" or a duration.
func (w *waitFlag) Set(text string) error {
	w.on, w.max = true, 0
	if text == waitForever {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > durationFlagMax {
		return usagef("must be a duration such as 30s, from above 0s to %s", durationFlagMax)
	}
	w.max = d
	return nil
}

// Type names the value in the help.
func (w *waitFlag) Type() string { return "duration" }

// longest bounds the wait for the job: by --wait, and by a --timeout that somebody gave.
func (f *submitFlags) longest() time.Duration {
	bounded := f.given("timeout") && f.timeout > 0
	if bounded && (f.wait.max == 0 || f.timeout < f.wait.max) {
		return f.timeout
	}
	return f.wait.max
}
