package godwit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

var errDeadline = &Error{Code: CodeDeadlineExceeded, Message: "the job's deadline passed"}

// execute runs a claimed job. [runs] knows it until its settle is taken. The slot is the run's.
func (w *worker) execute(job *Job, session ID, q *queue) {
	h, ok := w.c.handlers.find(job.Task)
	if !ok { // a store that hands out what was not asked for
		h = &handler{task: job.Task, call: func(context.Context, Payload, []Middleware) (Payload, error) {
			return Payload{}, Permanent(&Error{Code: CodeUnknownTask, Message: "no handler of this worker knows the task"})
		}}
	}
	r := &run{
		w: w, job: job, token: Token{Job: job.ID, Run: job.Run, Session: session}, handler: h, queue: q, slot: true,
		parking: make(chan struct{}, 1),
		said:    said{now: w.store.Now},
	}
	r.parking <- struct{}{}
	r.prepare()
	w.runs.add(r)
	if now, ok := w.session.current(); !ok || now != session {
		r.end(ErrLeaseLost) // lost while it was claimed
	}
	w.runners.start(r)
}

// prepare makes the context of the run's handler, which its deadline and its cancel end.
func (r *run) prepare() {
	ctx := context.WithValue(r.w.base, runKey{}, r)
	if r.job.Deadline.IsZero() {
		r.ctx, r.cancel = context.WithCancelCause(ctx)
		r.release = func() {}
		return
	}
	left := r.job.Deadline.Sub(r.w.store.Now())
	bounded, release := context.WithDeadlineCause(ctx, time.Now().Add(left), errDeadline)
	r.ctx, r.cancel = context.WithCancelCause(bounded)
	unhook := context.AfterFunc(bounded, func() { r.end(errDeadline) }) // last: the deadline may have passed
	r.release = func() {
		unhook()
		release()
	}
}

// work runs the handler and finishes the run, also when the handler panics or ends its goroutine by runtime.Goexit.
func (r *run) work() {
	r.watch.begin(r.job.Timeout, func() {
		r.end(&Error{Code: CodeTimeout, Message: fmt.Sprintf("the run took longer than its timeout of %v", r.job.Timeout)})
	})
	var (
		result   Payload
		err      error
		returned bool
	)
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = caught(p)
		} else if !returned {
			err = &panicError{message: "panic: the handler called runtime.Goexit", stack: string(debug.Stack())}
		}
		r.watch.halt()
		r.quiet.Store(true)
		r.finish(result, err, time.Since(began))
	}()
	if err = context.Cause(r.ctx); err == nil {
		result, err = r.handler.call(r.ctx, r.job.Args, r.w.c.config.Middleware)
	}
	returned = true
}

// caught makes an error of what a handler panicked with. It is to be called where that was recovered, while the stack still stands.
func caught(p any) error {
	return &panicError{message: fmt.Sprint("panic: ", p), stack: string(debug.Stack())}
}

// watchStuck counts the run as stuck when its handler does not return for long after its context ended.
func (r *run) watchStuck() {
	after := r.w.c.config.StuckAfter
	time.AfterFunc(after, func() {
		if r.quiet.Load() {
			return
		}
		r.stuck.Store(true)
		r.w.c.log.Error("godwit: handler ignores the end of its context and keeps its slot", "task", r.job.Task, "job", r.job.ID,
			"cause", context.Cause(r.ctx), "for", after)
	})
}

// judged gives the verdict on the run, now that its handler returned err.
func (r *run) judged(err error) verdict {
	cause := context.Cause(r.ctx)
	v := judge(err, cause, r.handler.policy, r.job.Attempt, r.isChild)
	if errors.Is(cause, ErrStopping) && r.parked.Load() && v.outcome != OutcomeSucceed {
		v.drop = true // it goes on waiting when the session ends
	}
	return v
}

// finish judges the run and hands it to the settler; then its slot is free.
func (r *run) finish(result Payload, err error, took time.Duration) {
	v := r.judged(err)
	outcome, failure := r.foresee(v)
	if failure != nil {
		r.logFailure(outcome, failure, err)
	}
	r.tellObservers(Observation{Job: r.job, Outcome: outcome, Failure: failure, Duration: took})
	if v.drop {
		r.w.runs.remove(r)
	} else {
		s := Settlement{Token: r.token, Outcome: v.outcome, Failure: v.failure, Delay: v.delay}
		if v.outcome == OutcomeSucceed {
			s.Result = result
		}
		s.Reported = r.said.last()
		r.w.settler.put(r, s)
	}
	r.cancel(nil) // first: a goroutine that the handler left behind may wait for a slot
	r.release()
	<-r.parking
	held := r.slot
	r.slot, r.over = false, true
	r.parking <- struct{}{}
	if held {
		r.queue.slots.release(1)
	}
}

// logFailure logs a run that failed, as loud as what becomes of its job.
func (r *run) logFailure(outcome RunOutcome, f *Failure, err error) {
	level := slog.LevelError
	switch outcome {
	case RunRetry:
		level = slog.LevelWarn
	case RunCancelled:
		level = slog.LevelInfo
	}
	r.w.c.log.Log(context.Background(), level, "godwit: run failed", "task", r.job.Task, "job", r.job.ID, "run", r.job.Run,
		"attempt", r.job.Attempt, "outcome", outcome, "code", f.Code, "err", cut(err.Error(), MessageMax))
}
