package async

import (
	"context"
	"errors"
	"time"
)

// Awaitable is work whose outcome can be waited for. [Future] is one; the promise of a durable job is another, so the
// combinators of this package take local and durable work alike.
//
// Await returns the outcome, or an error that matches ctx.Err() when ctx ends first. It may be called any number of times and by
// many goroutines at once, gives all of them the same outcome, and returns soon after ctx ends: the combinators wait for that.
type Awaitable[T any] interface {
	Await(ctx context.Context) (T, error)
}

var _ Awaitable[int] = (*Future[int])(nil)

// Result is an outcome as one value: what Await returned.
type Result[T any] struct {
	Value T
	Err   error
}

// errLapsed is the cause by which AwaitDefault tells its own timeout from every other one.
var errLapsed = errors.New("async: the wait timed out")

// AwaitTimeout awaits a for at most d. When d passes first, the error matches [context.DeadlineExceeded].
//
// Only the waiting ends: the work goes on, as others may await it. To bound the work, give it a context with a timeout or call
// [Future.Cancel].
func AwaitTimeout[T any](ctx context.Context, a Awaitable[T], d time.Duration) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return a.Await(ctx)
}

// AwaitDefault awaits a for at most d and returns fallback when d passes first. A failure of a, and the end of ctx, are errors
// as they are for Await; also when a is a [Future] that fails with a timeout of its own. Any other awaitable that gives such an error
// when d has passed counts as not ready.
func AwaitDefault[T any](ctx context.Context, a Awaitable[T], d time.Duration, fallback T) (T, error) {
	timed, cancel := context.WithTimeoutCause(ctx, d, errLapsed)
	defer cancel()
	v, err := a.Await(timed)
	if err == nil || ctx.Err() != nil || context.Cause(timed) != errLapsed || !matchesEnd(timed, err) {
		return v, err
	}
	if f, ok := a.(*Future[T]); ok { // Its own failure may look like the end of the wait.
		if r, settled := f.Result(); settled {
			return r.Value, r.Err
		}
	}
	return fallback, nil
}
