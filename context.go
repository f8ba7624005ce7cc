package godwit

import (
	"context"
	"time"
)

// RunInfo says which job and which run a handler does.
type RunInfo struct {
	ID          ID // of the job, the same in every run: a good idempotency key for effects elsewhere
	Task        string
	Version     int // of the arguments
	Queue       string
	Run         int64 // from 1; grows with every run
	Attempt     int   // from 1; what counts against MaxAttempts
	MaxAttempts int
	Crashes     int // runs under which a worker died
	Priority    int
	Tags        []string          // read-only
	Headers     map[string]string // read-only
	Parent      ID                // zero: none
	CreatedAt   time.Time
	RunAt       time.Time // when the run was due
	Deadline    time.Time // zero: none

	// Token is the fence of the run, for a driver's SettleTx: what the handler does in a transaction counts exactly when its settle
	// does.
	Token Token
}

// Info tells a handler, and middleware, which job it does. Outside a handler it is the zero RunInfo.
func Info(ctx context.Context) RunInfo {
	r := runFrom(ctx)
	if r == nil {
		return RunInfo{}
	}
	j := r.job
	return RunInfo{
		ID: j.ID, Task: j.Task, Version: j.Version, Queue: j.Queue, Run: j.Run, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
		Crashes: j.Crashes, Priority: j.Priority, Tags: j.Tags, Headers: j.Headers, Parent: j.Parent,
		CreatedAt: j.CreatedAt, RunAt: j.RunAt, Deadline: j.Deadline, Token: r.token,
	}
}
