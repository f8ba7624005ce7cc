package async

import (
	"context"
	"time"
)

// Go starts fn as a task of s and gives the future of its outcome. It waits for a free place where the scope has a limit, see
// [ScopeConfig].
//
// An error of fn is the future's and does not cancel the scope; one that nobody has looked at when the scope ends is reported, see
// [ScopeConfig]. A panic of fn becomes the future's error and is a panic of the scope as well, which nobody can swallow. When the
// scope is cancelled before fn could start, fn is not called and the future fails with the cause; when the scope has ended, it
// fails with [ErrScopeEnded].
//
// The context that fn gets is cancelled when fn has returned, by [Future.Cancel] and with the scope.
func Go[T any](s *Scope, fn func(ctx context.Context) (T, error)) *Future[T] {
	mustFunc(fn == nil, "Go")
	f := newTask(s, fn)
	if f == nil {
		return Rejected[T](ErrScopeEnded)
	}
	if err := s.acquire(s.ctx); err != nil {
		var zero T
		f.finish(s, zero, err, true)
		s.leave()
		return f
	}
	go f.doIn(s, s.slots != nil)
	return f
}

// Delay starts fn as a task of s after d, as [Go] does at once. While it waits it takes up no place under the scope's limit.
// Cancel and the end of the scope's context end the wait too.
func Delay[T any](s *Scope, d time.Duration, fn func(ctx context.Context) (T, error)) *Future[T] {
	mustFunc(fn == nil, "Delay")
	return goFree(s, func(ctx context.Context) (T, error) {
		if err := sleep(ctx, d); err != nil {
			var zero T
			return zero, err
		}
		return placed(ctx, s, func() (T, error) { return fn(ctx) })
	})
}

// newTask gives a pending future that s waits for, or nil when the scope has ended.
func newTask[T any](s *Scope, fn func(context.Context) (T, error)) *Future[T] {
	if !s.enter() {
		return nil
	}
	f := &Future[T]{work: fn}
	f.owner = s
	return f
}

// doIn is the goroutine of a task of a scope.
func (f *Future[T]) doIn(s *Scope, placed bool) {
	defer s.leave()
	if placed {
		defer s.release()
	}
	f.do(&taskContext{parent: s.tasks})
}

// goFree starts a task that takes up no place under the limit. It takes one for a while with placed.
func goFree[T any](s *Scope, fn func(context.Context) (T, error)) *Future[T] {
	f := newTask(s, fn)
	if f == nil {
		return Rejected[T](ErrScopeEnded)
	}
	go f.doIn(s, false)
	return f
}

// placed calls fn when it has a place under the limit.
func placed[T any](ctx context.Context, s *Scope, fn func() (T, error)) (T, error) {
	if err := s.acquire(ctx); err != nil {
		var zero T
		return zero, err
	}
	defer s.release()
	return fn()
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return cancelErr(ctx)
	}
}
