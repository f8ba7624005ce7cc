package async

import "context"

// The functions of this file continue a future: each starts a task of the scope s that awaits a and then goes on, and gives the
// future of that. While it awaits, it takes up no place under the scope's limit. The new future ends with the scope like every
// task; to cancel it does not cancel a. Inside a task plain Go is shorter: await, look at the error, go on.

// Then calls fn with the value of a. When a fails, the new future fails with the same error and fn is not called.
func Then[A, B any](s *Scope, a Awaitable[A], fn func(ctx context.Context, v A) (B, error)) *Future[B] {
	mustFunc(fn == nil, "Then")
	mustAwaitable(a, 0)
	return goFree(s, func(ctx context.Context) (B, error) {
		v, err := a.Await(ctx)
		if err != nil {
			var zero B
			return zero, err
		}
		return placed(ctx, s, func() (B, error) { return fn(ctx, v) })
	})
}

// Compose is [Then] for an fn that starts something which is to be awaited in its turn.
func Compose[A, B any](s *Scope, a Awaitable[A], fn func(ctx context.Context, v A) (Awaitable[B], error)) *Future[B] {
	mustFunc(fn == nil, "Compose")
	mustAwaitable(a, 0)
	return goFree(s, func(ctx context.Context) (B, error) {
		var zero B
		v, err := a.Await(ctx)
		if err != nil {
			return zero, err
		}
		next, err := placed(ctx, s, func() (Awaitable[B], error) { return fn(ctx, v) })
		if err != nil {
			return zero, err
		}
		mustAwaitable(next, 0)
		return next.Await(ctx)
	})
}

// Catch calls fn with the error of a, and gives what fn returns. When a succeeds, so does the new future, with the same value, and
// fn is not called; nor is it when the new future itself is cancelled.
func Catch[T any](s *Scope, a Awaitable[T], fn func(ctx context.Context, err error) (T, error)) *Future[T] {
	mustFunc(fn == nil, "Catch")
	mustAwaitable(a, 0)
	return goFree(s, func(ctx context.Context) (T, error) {
		v, err := a.Await(ctx)
		if err == nil {
			return v, nil
		}
		return placed(ctx, s, func() (T, error) { return fn(ctx, err) })
	})
}

// Finally calls fn once, when a has ended, either way, and gives the outcome of a. It calls fn also, and then without waiting for a
// place under the limit, when the new future or its scope is cancelled before a has ended, when the Await of an awaitable that is
// not a future panics, and at once when the scope has ended: fn is for tidying up. A panic of fn has what a ended with beside it.
func Finally[T any](s *Scope, a Awaitable[T], fn func()) *Future[T] {
	mustFunc(fn == nil, "Finally")
	mustAwaitable(a, 0)
	f := newTask(s, func(ctx context.Context) (v T, err error) {
		defer func() {
			var caught *PanicError
			if r := recover(); r != nil {
				caught = newPanicError(r)
				err = caught
			}
			if s.acquire(ctx) == nil {
				defer s.release()
			}
			tidy(fn, caught, err)
		}()
		return a.Await(ctx)
	})
	if f == nil {
		fn()
		return Rejected[T](ErrScopeEnded)
	}
	task := &taskContext{parent: s.tasks}
	f.begin(task) // Cancel cannot keep it from running.
	work := f.work
	f.work = nil
	go func() {
		defer s.leave()
		f.call(task, work)
	}()
	return f
}

// tidy calls fn. What came before goes on: the panic caught, or nil, and beside a panic of fn also err, which that would hide.
func tidy(fn func(), caught *PanicError, err error) {
	defer func() {
		if r := recover(); r != nil {
			panic(newPanicError(r).with(err))
		}
		if caught != nil {
			panic(caught)
		}
	}()
	fn()
}
