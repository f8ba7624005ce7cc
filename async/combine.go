package async

import (
	"context"
	"errors"
	"iter"
)

// All waits for every input and gives their values in the order of the inputs. The first failure ends the waiting: All returns
// that error and no values. The other inputs go on, as they belong to their scope; return the error from the scope's body, or call
// [Scope.Stop], to end them. All of nothing is an empty slice.
//
// All, like the other combinators, blocks its caller and starts no goroutine for futures. For a future of the whole, call it in
// [Go]. Futures and other awaitables mix in a []Awaitable[T].
func All[A Awaitable[T], T any](ctx context.Context, inputs ...A) ([]T, error) {
	leave, err := enterWaits(ctx, inputs)
	if err != nil {
		return nil, err
	}
	defer leave()
	g := newGather[T](ctx, inputs)
	defer g.close()
	values := make([]T, len(inputs))
	for range inputs {
		i, err := g.next(ctx)
		if err != nil {
			return nil, err
		}
		r := g.result(i)
		if r.Err != nil {
			return nil, r.Err
		}
		values[i] = r.Value
	}
	return values, nil
}

// AllSettled waits for every input, whether it fails or not, and gives the outcomes in the order of the inputs. Its error is that
// of ctx, and then there are no outcomes.
func AllSettled[A Awaitable[T], T any](ctx context.Context, inputs ...A) ([]Result[T], error) {
	leave, err := enterWaits(ctx, inputs)
	if err != nil {
		return nil, err
	}
	defer leave()
	g := newGather[T](ctx, inputs)
	defer g.close()
	results := make([]Result[T], len(inputs))
	for range inputs {
		i, err := g.next(ctx)
		if err != nil {
			return nil, err
		}
		results[i] = g.result(i)
	}
	return results, nil
}

// Any gives the first value. When every input fails, the error joins all of theirs, in the order of the inputs. The error of Any
// of nothing is [ErrNone].
func Any[A Awaitable[T], T any](ctx context.Context, inputs ...A) (T, error) {
	var zero T
	if len(inputs) == 0 {
		return zero, ErrNone
	}
	if err := refuseCycle[T](ctx, inputs); err != nil {
		return zero, err
	}
	g := newGather[T](ctx, inputs)
	defer g.close()
	errs := make([]error, len(inputs))
	for range inputs {
		i, err := g.next(ctx)
		if err != nil {
			return zero, err
		}
		r := g.result(i)
		if r.Err == nil {
			return r.Value, nil
		}
		errs[i] = r.Err
	}
	return zero, errors.Join(errs...)
}

// Race gives the outcome, value or error, of the input that settles first. Of several that have settled before the call, that is
// the first in the order of the inputs. The error of Race of nothing is [ErrNone].
func Race[A Awaitable[T], T any](ctx context.Context, inputs ...A) (T, error) {
	var zero T
	if len(inputs) == 0 {
		return zero, ErrNone
	}
	if err := refuseCycle[T](ctx, inputs); err != nil {
		return zero, err
	}
	g := newGather[T](ctx, inputs)
	defer g.close()
	i, err := g.next(ctx)
	if err != nil {
		return zero, err
	}
	r := g.result(i)
	return r.Value, r.Err
}

// AsCompleted gives the index and the outcome of every input, in the order in which they settle. When ctx ends, the inputs that
// are left are given in their own order with the error of ctx. To break off the loop leaves nothing behind.
func AsCompleted[A Awaitable[T], T any](ctx context.Context, inputs ...A) iter.Seq2[int, Result[T]] {
	return func(yield func(int, Result[T]) bool) {
		given := make([]bool, len(inputs))
		if err := refuseCycle[T](ctx, inputs); err != nil {
			yieldRest(given, err, yield)
			return
		}
		g := newGather[T](ctx, inputs)
		defer g.close()
		for range inputs {
			i, err := g.next(ctx)
			if err != nil {
				yieldRest(given, err, yield)
				return
			}
			given[i] = true
			if !yield(i, g.show(i)) {
				return
			}
		}
	}
}

func yieldRest[T any](given []bool, err error, yield func(int, Result[T]) bool) {
	for i := range given {
		if !given[i] && !yield(i, Result[T]{Err: err}) {
			return
		}
	}
}

// Both is [All] for two awaitables of different types. It awaits each on a goroutine of its own, which ends before Both does.
func Both[A, B any](ctx context.Context, a Awaitable[A], b Awaitable[B]) (first A, second B, err error) {
	mustAwaitable(a, 0)
	mustAwaitable(b, 1)
	_, err = All(ctx,
		untyped(func(ctx context.Context) (err error) { first, err = a.Await(ctx); return }),
		untyped(func(ctx context.Context) (err error) { second, err = b.Await(ctx); return }),
	)
	if err != nil {
		return *new(A), *new(B), err
	}
	return first, second, nil
}

// untyped is an awaitable whose value goes elsewhere.
type untyped func(ctx context.Context) error

func (u untyped) Await(ctx context.Context) (struct{}, error) { return struct{}{}, u(ctx) }

// Either is [Race] for two awaitables of one value type whose own types may differ, such as a future and a durable promise.
func Either[T any](ctx context.Context, a, b Awaitable[T]) (T, error) {
	return Race(ctx, a, b)
}
