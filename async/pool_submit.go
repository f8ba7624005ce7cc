package async

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Submit queues fn at PriorityNormal and gives the future of its outcome. The error is the pool's refusal: [ErrPoolStopped],
// [ErrPoolFull], or the end of ctx while waiting for room.
//
// The context that fn gets is a child of ctx, so fn ends with the caller that submitted it; give context.WithoutCancel(ctx) for
// work that is to outlive the caller. When ctx ends before fn could start, fn is not called, and the future fails when its turn
// comes; [Future.Cancel] fails it at once. A panic of fn is the future's error, a [*PanicError], and the worker goes on.
func Submit[T any](ctx context.Context, p *Pool, fn func(ctx context.Context) (T, error)) (*Future[T], error) {
	return SubmitAt(ctx, p, PriorityNormal, fn)
}

// SubmitAt is [Submit] with a priority.
func SubmitAt[T any](ctx context.Context, p *Pool, priority Priority, fn func(ctx context.Context) (T, error)) (*Future[T], error) {
	mustFunc(fn == nil, "Submit")
	f := &Future[T]{work: fn}
	f.owner = p
	if err := p.submit(ctx, priority, work{job: f, parent: ctx}); err != nil {
		return nil, err
	}
	return f, nil
}

// Go queues fn at PriorityNormal, as [Submit] does, for work without a result: an error or panic of it goes to PoolConfig.OnError, and
// so does the end of ctx that keeps it from being done, as there is no future that could tell of that.
func (p *Pool) Go(ctx context.Context, fn func(ctx context.Context) error) error {
	return p.GoAt(ctx, PriorityNormal, fn)
}

// GoAt is [Pool.Go] with a priority.
func (p *Pool) GoAt(ctx context.Context, priority Priority, fn func(ctx context.Context) error) error {
	mustFunc(fn == nil, "Pool.Go")
	return p.submit(ctx, priority, work{job: plainJob(fn), parent: ctx})
}

// submit queues work, or says why not.
func (p *Pool) submit(ctx context.Context, priority Priority, x work) error {
	if priority < PriorityLow || priority > PriorityHigh {
		return fmt.Errorf("async: the priority must be PriorityLow, PriorityNormal or PriorityHigh, got %d", priority)
	}
	if ctx.Err() != nil {
		return cancelErr(ctx)
	}
	l := &p.levels[PriorityHigh-priority]
	// Stop looks at accepted after it has set stopping, so either it sees this work or this call sees that it stops.
	p.accepted.Add(1)
	queued := false
	defer func() { // Also where a callback of work that makes room ends the goroutine.
		if !queued {
			p.leave()
		}
	}()
	if err := p.enqueue(ctx, l, x); err != nil {
		return err
	}
	queued = true
	if !p.hungry.nudge() {
		p.grow()
	}
	return nil
}

func (p *Pool) enqueue(ctx context.Context, l *level, x work) error {
	for {
		if p.stopping.Load() {
			return ErrPoolStopped
		}
		if l.push(x) {
			return nil
		}
		switch p.overflow {
		case OverflowReject:
			p.refused.Add(1)
			return ErrPoolFull
		case OverflowDropOldest:
			if oldest, ok := l.pop(); ok {
				p.dropped.Add(1)
				p.discard(oldest, ErrDropped)
			}
		default:
			if err := p.awaitRoom(ctx, l); err != nil {
				return err
			}
		}
	}
}

// awaitRoom returns when it may be worth another try.
func (p *Pool) awaitRoom(ctx context.Context, l *level) error {
	s := newSleeper()
	l.space.enlist(s)
	if p.stopping.Load() || !l.full() {
		l.space.withdraw(s)
		return nil
	}
	select {
	case <-s.woken:
		return nil
	case <-ctx.Done():
		if !l.space.withdraw(s) {
			l.space.wake() // The wake-up was for somebody who can use it.
		}
		return cancelErr(ctx)
	}
}

// finished counts work that has ended, in one of the counters that endedInAll adds up.
func (p *Pool) finished(counter *atomic.Int64) {
	counter.Add(1)
	if p.quiet.sleeping.Load() > 0 {
		p.quiet.wakeAll()
	}
}

func (f *Future[T]) run(_ *Pool, task *taskContext) { f.do(task) }

func (f *Future[T]) drop(p *Pool, err error) {
	if f.start() {
		var zero T
		f.work = nil
		f.finish(p, zero, err, false)
	}
}

// plainJob is work without a future.
type plainJob func(ctx context.Context) error

func (fn plainJob) run(p *Pool, task *taskContext) {
	if task.Err() != nil {
		fn.drop(p, cancelErr(task))
		return
	}
	err := ErrGoexit
	defer func() {
		if r := recover(); r != nil {
			err = newPanicError(r)
		}
		task.over()
		if err != nil {
			fn.drop(p, err)
		}
	}()
	err = fn(task)
}

func (plainJob) drop(p *Pool, err error) {
	p.failed.Add(1)
	p.report([]error{err})
}
