package godwit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// RunOutcome is what became of one run, in the words of its attempt record.
type RunOutcome string

// The outcomes of a run.
const (
	RunSucceeded RunOutcome = "succeeded" // and so did the job
	RunFailed    RunOutcome = "failed"    // and so did the job: a permanent error, attempts used up, the deadline, undecodable arguments
	RunCancelled RunOutcome = "cancelled" // and so was the job
	RunRetry     RunOutcome = "retry"     // it failed, and the job runs again
	RunSnooze    RunOutcome = "snooze"    // the handler asked to run again later
	RunRelease   RunOutcome = "release"   // the worker stops, and the job runs elsewhere
	RunLost      RunOutcome = "lost"      // the worker lost its lease or the job: what the run did does not count
)

// Observation is a run that ended, as its worker judged it. The store has the last word: when the job was cancelled or lost at that
// very moment, the job ends so whatever was observed.
type Observation struct {
	Job      *Job // as it was claimed; read-only
	Outcome  RunOutcome
	Failure  *Failure      // the run's own, as its record keeps it; nil of a success, a snooze, a release, a lost run; read-only
	Duration time.Duration // from the start of the handler to its end; waiting for other jobs counts
}

// Observer is told of runs that ended, by many goroutines at a time: each before its outcome is written, so that who has seen the end
// of a job finds it observed. It must not block and must not panic.
type Observer func(Observation)

// VerdictOf tells middleware what becomes of the run that ctx belongs to if its handler returns err. The failure is nil unless the
// run failed, is to be retried or cancelled. Outside a handler the outcome is empty.
func VerdictOf(ctx context.Context, err error) (RunOutcome, *Failure) {
	r := runFrom(ctx)
	if r == nil {
		return "", nil
	}
	return r.foresee(r.judged(err))
}

// foresee says what the store will make of a verdict: docs/states.md, "Settling a run".
func (r *run) foresee(v verdict) (RunOutcome, *Failure) {
	cause := context.Cause(r.ctx)
	switch {
	case v.drop && errors.Is(cause, ErrStopping):
		return RunRelease, nil
	case v.drop:
		return RunLost, nil
	case v.outcome == OutcomeSucceed:
		return RunSucceeded, nil
	case errors.Is(cause, ErrCancelled):
		if v.failure == nil {
			return RunCancelled, failureOf(CodeCancelled, cause)
		}
		return RunCancelled, v.failure
	}
	switch v.outcome {
	case OutcomeRelease:
		return RunRelease, nil
	case OutcomeRetry:
		if r.job.Attempt >= r.job.MaxAttempts {
			return RunFailed, v.failure
		}
	case OutcomeFail, OutcomeReject:
		return RunFailed, v.failure
	}
	overtaken := !r.job.Deadline.IsZero() && !r.w.store.Now().Add(v.delay).Before(r.job.Deadline)
	switch {
	case overtaken && v.failure == nil:
		return RunFailed, DeadlineFailure(nil)
	case overtaken:
		return RunFailed, v.failure
	case v.outcome == OutcomeSnooze:
		return RunSnooze, nil
	}
	return RunRetry, v.failure
}

func (r *run) tellObservers(o Observation) {
	for _, observe := range r.w.c.config.Observers {
		observe(o)
	}
}

// QueueSlots says how busy this client is with a queue.
type QueueSlots struct {
	Queue string
	Total int // runs that may work at once
	InUse int // ... that do; runs that wait for other jobs do not
}

// Slots tells how busy the client is, by queue; nothing when it was not started or has no handlers.
func (c *Client) Slots() []QueueSlots {
	w, ok := c.working()
	if !ok {
		return nil
	}
	inUse := map[*queue]int{}
	for _, r := range w.runs.list() {
		if !r.quiet.Load() && !r.parked.Load() {
			inUse[r.queue]++
		}
	}
	slots := make([]QueueSlots, 0, len(w.queues))
	for name, q := range w.queues {
		slots = append(slots, QueueSlots{Queue: name, Total: c.config.Queues[name].Concurrency, InUse: inUse[q]})
	}
	slices.SortFunc(slots, func(a, b QueueSlots) int { return cmp.Compare(a.Queue, b.Queue) })
	return slots
}
