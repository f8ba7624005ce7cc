package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// call is one call of a Store, to be made on several of them.
type call struct {
	kind string
	req  any
	do   func(ctx context.Context, s godwit.Store) (any, error)
}

func (c *call) String() string { return c.kind + " " + describeShort(c.req) }

// callOf makes the call of a method that has one argument.
func callOf[Q, A any](kind string, q Q, method func(godwit.Store, context.Context, Q) (A, error)) call {
	return call{kind, q, func(ctx context.Context, s godwit.Store) (any, error) { return method(s, ctx, q) }}
}

// readOf makes the call of a method without arguments.
func readOf[A any](kind string, method func(godwit.Store, context.Context) (A, error)) call {
	return call{kind, nil, func(ctx context.Context, s godwit.Store) (any, error) { return method(s, ctx) }}
}

// rowsAnswer is what reading the rows of a job gives.
type rowsAnswer[T any] struct {
	Rows []T
	Code godwit.Code
}

// rowsRequest asks for rows of a job.
type rowsRequest struct {
	ID    godwit.ID
	After int64
	Limit int
}

// rowsOf makes the call of a method that reads the rows of a job.
func rowsOf[T any](kind string, q rowsRequest, method func(godwit.Store, context.Context, godwit.ID, int64, int) ([]T, godwit.Code, error)) call {
	return call{kind, q, func(ctx context.Context, s godwit.Store) (any, error) {
		rows, code, err := method(s, ctx, q.ID, q.After, q.Limit)
		return rowsAnswer[T]{rows, code}, err
	}}
}

func attemptsOf(id godwit.ID) call {
	return call{"attempts", id, func(ctx context.Context, s godwit.Store) (any, error) {
		rows, code, err := s.Attempts(ctx, id)
		return rowsAnswer[godwit.Attempt]{rows, code}, err
	}}
}

// pauseRequest pauses or resumes a queue or task.
type pauseRequest struct {
	Name   string
	Paused bool
}

func pauseOf(kind string, q pauseRequest, method func(godwit.Store, context.Context, string, bool) error) call {
	return call{kind, q, func(ctx context.Context, s godwit.Store) (any, error) {
		return nil, method(s, ctx, q.Name, q.Paused)
	}}
}

// kinds are the kinds of calls a stream makes.
var kinds = []string{
	"submit", "start_session", "heartbeat", "end_session", "rescue", "claim", "settle", "park", "resume", "report",
	"advance", "prune", "cancel", "retry", "reschedule", "delete", "pause_queue", "pause_task",
	"get", "outcomes", "list", "attempts", "logs", "items", "queues", "tasks", "sessions",
}

// codesOf gives the code of each item of an answer; empty codes stand for what was done.
func codesOf(answer any) []godwit.Code {
	switch a := answer.(type) {
	case []godwit.SubmitAnswer:
		return each(a, func(x godwit.SubmitAnswer) godwit.Code { return x.Code })
	case []godwit.SettleAnswer:
		return each(a, func(x godwit.SettleAnswer) godwit.Code { return x.Code })
	case []godwit.JobAnswer:
		return each(a, func(x godwit.JobAnswer) godwit.Code { return x.Code })
	case []godwit.OutcomeAnswer:
		return each(a, func(x godwit.OutcomeAnswer) godwit.Code { return x.Code })
	case godwit.SessionAnswer:
		return []godwit.Code{a.Code}
	case godwit.HeartbeatAnswer:
		return []godwit.Code{a.Code}
	case godwit.ClaimAnswer:
		if a.Code == "" && len(a.Jobs) == 0 {
			return nil
		}
		return []godwit.Code{a.Code}
	case rowsAnswer[godwit.Attempt]:
		return []godwit.Code{a.Code}
	case rowsAnswer[godwit.LogLine]:
		return []godwit.Code{a.Code}
	case rowsAnswer[godwit.Item]:
		return []godwit.Code{a.Code}
	}
	return []godwit.Code{""}
}

func each[T any](list []T, code func(T) godwit.Code) []godwit.Code {
	codes := make([]godwit.Code, len(list))
	for i, x := range list {
		codes[i] = code(x)
	}
	return codes
}

// errorCode gives what stores have to agree on about an error: its code.
func errorCode(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*godwit.Error](err); ok {
		return string(e.Code)
	}
	return err.Error()
}

// step is a call at a time.
type step struct {
	move   time.Duration // of the clock, before the call
	reopen bool          // instead of a call
	call   call
}

func (s *step) String() string {
	text := s.call.String()
	if s.reopen {
		text = "reopen"
	}
	if s.move != 0 {
		text = fmt.Sprintf("after %v: %s", s.move, text)
	}
	return text
}
