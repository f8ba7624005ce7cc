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
//
// What All returns stands for all of its inputs: further failures, earlier or later ones, are passed over, save that a panic of
// pool work is reported. When ctx ends, an input that has its outcome by then still counts, and the other futures have not been
// looked at: their errors are reported as if nobody had awaited them, or joined to the error of ctx where the scope or pool that
// would report them has ended meanwhile.
func All[A Awaitable[T], T any](ctx context.Context, inputs ...A) ([]T, error) {
	g := newGather[T](ctx, inputs)
	defer g.close()
	values := make([]T, len(inputs))
	for range inputs {
		i, err := g.next(ctx)
		if err != nil {
			return nil, g.cut(err)
		}
		r := g.result(i)
		if r.Err != nil {
			g.observe(i)
			g.waives = true
			return nil, r.Err
		}
		values[i] = r.Value
	}
	return values, nil
}

// AllSettled waits for every input, whether it fails or not, and gives the outcomes in the order of the inputs. Its error is that
// of ctx, as with [All], and then there are no outcomes.
func AllSettled[A Awaitable[T], T any](ctx context.Context, inputs ...A) ([]Result[T], error) {
	g := newGather[T](ctx, inputs)
	defer g.close()
	results := make([]Result[T], len(inputs))
	for range inputs {
		i, err := g.next(ctx)
		if err != nil {
			return nil, g.cut(err)
		}
		results[i] = g.result(i)
	}
	for i := range inputs {
		g.observe(i)
	}
	return results, nil
}

// Any gives the first value. When every input fails, the error joins all of theirs, in the order of the inputs. The error of Any
// of nothing is [ErrNone].
//
// The inputs without the first value go on, as they belong to their scope; return, or call [Scope.Stop] or [Future.Cancel], to end
// them. A failure of theirs, whether it comes before the value or after it, is passed over; a panic of pool work is reported. When
// ctx ends, it is as with [All].
func Any[A Awaitable[T], T any](ctx context.Context, inputs ...A) (T, error) {
	var zero T
	if len(inputs) == 0 {
		return zero, ErrNone
	}
	g := newGather[T](ctx, inputs)
	g.any = true
	defer g.close()
	errs := make([]error, len(inputs))
	for range inputs {
		i, err := g.next(ctx)
		if err != nil {
			return zero, g.cut(err)
		}
		r := g.result(i)
		if r.Err == nil {
			g.waives = true
			return r.Value, nil
		}
		errs[i] = r.Err
	}
	for i := range inputs {
		g.observe(i)
	}
	return zero, errors.Join(errs...)
}

// Race gives the outcome, value or error, of the input that settles first. Of several that have settled before the call, that is
// the first in the order of the inputs. The error of Race of nothing is [ErrNone]. What becomes of the others is as with [Any].
func Race[A Awaitable[T], T any](ctx context.Context, inputs ...A) (T, error) {
	var zero T
	if len(inputs) == 0 {
		return zero, ErrNone
	}
	g := newGather[T](ctx, inputs)
	g.any = true
	defer g.close()
	i, err := g.next(ctx)
	if err != nil {
		return zero, g.cut(err)
	}
	g.observe(i)
	g.waives = true
	r := g.result(i)
	return r.Value, r.Err
}

// AsCompleted gives the index and the outcome of every input, in the order in which they settle. When ctx ends, the inputs that
// are left are given in their own order: futures that have settled by then with their outcomes, the others with the error of ctx.
// To break off the loop leaves nothing behind; failures of inputs that were not given to it are reported as if nobody had awaited
// them, unless their scope or pool has ended before.
func AsCompleted[A Awaitable[T], T any](ctx context.Context, inputs ...A) iter.Seq2[int, Result[T]] {
	return func(yield func(int, Result[T]) bool) {
		given := make([]bool, len(inputs))
		g := newGather[T](ctx, inputs)
		g.any = true
		defer g.close()
		for range inputs {
			i, err := g.next(ctx)
			if err != nil {
				g.release() // From now on a failure is reported, or it is seen here.
				g.giveRest(given, err, yield)
				return
			}
			given[i] = true
			g.observe(i)
			if !yield(i, g.result(i)) {
				return
			}
		}
	}
}

// giveRest gives what next has not given before it failed with err.
func (g *gather[T, A]) giveRest(given []bool, err error, yield func(int, Result[T]) bool) {
	for i, input := range g.inputs {
		if given[i] {
			continue
		}
		r := Result[T]{Err: err}
		if f := coreOf[T](input); f != nil && f.settled() {
			g.observe(i)
			r = g.result(i)
		}
		if !yield(i, r) {
			return
		}
	}
}

// Both is [All] for two awaitables of different types.
func Both[A, B any](ctx context.Context, a Awaitable[A], b Awaitable[B]) (first A, second B, err error) {
	mustAwaitable(a, 0)
	mustAwaitable(b, 1)
	if _, err := All(ctx, erase(a, &first), erase(b, &second)); err != nil {
		return *new(A), *new(B), err
	}
	if f, ok := a.(*Future[A]); ok {
		first = f.value
	}
	if f, ok := b.(*Future[B]); ok {
		second = f.value
	}
	return first, second, nil
}

// Either is [Race] for two awaitables of one value type whose own types may differ, such as a future and a durable promise.
func Either[T any](ctx context.Context, a, b Awaitable[T]) (T, error) {
	return Race(ctx, a, b)
}
