package async_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/godwit-go/godwit/async"
)

// javaRows has what CompletableFuture starts and combines.
func javaRows(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: supplyAsync(f) |
	{
		cf := async.Go(s, fetch)
		use(cf)
	}
	//: supplyAsync(f, executor) |
	{
		pool, err := async.NewPool(async.PoolConfig{Workers: 8})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		cf, err := async.Submit(ctx, pool, fetch)
		use(cf, err)
	}
	//: runAsync(f) |
	{
		s.Go(func(ctx context.Context) error { return store(ctx, 1) })
	}
	//: completedFuture(v), completedStage(v) |
	{
		cf := async.Resolved(1)
		use(cf)
	}
	//: failedFuture(e), failedStage(e) |
	{
		cf := async.Rejected[int](errors.New("no"))
		use(cf)
	}
	//: delayedExecutor(1, SECONDS) |
	{
		cf := async.Delay(s, time.Second, fetch)
		use(cf)
	}
	//: thenApply, thenApplyAsync |
	{
		cf := async.Then(s, f, func(ctx context.Context, v int) (string, error) { return strconv.Itoa(v), nil })
		use(cf)
	}
	//: thenAccept, thenAcceptAsync | as a callback; or as a task that the scope answers for, with Then
	{
		f.OnSuccess(func(v int) { fmt.Println(v) })
	}
	//: thenRun, thenRunAsync |
	{
		f.OnSuccess(func(int) { fmt.Println("done") })
	}
	//: thenCompose, thenComposeAsync |
	{
		cf := async.Compose(s, f, func(ctx context.Context, id int) (async.Awaitable[string], error) {
			return startLoad(s, id), nil
		})
		use(cf)
	}
	return nil
}

// javaRows2 goes on from there.
func javaRows2(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: thenCombine, thenCombineAsync |
	{
		cf := async.Go(s, func(ctx context.Context) (int, error) {
			a, b, err := async.Both(ctx, f, g)
			return a + b, err
		})
		use(cf)
	}
	//: thenAcceptBoth, runAfterBoth, thenAcceptBothAsync, runAfterBothAsync | where it is run says whether it is asynchronous: call it in Go
	{
		a, b, err := async.Both(ctx, f, g)
		fmt.Println(a, b, err)
	}
	//: applyToEither, acceptEither, runAfterEither, applyToEitherAsync, acceptEitherAsync, runAfterEitherAsync | as above
	{
		v, err := async.Either(ctx, f, g)
		fmt.Println(v, err)
	}
	//: exceptionally, exceptionallyAsync |
	{
		cf := async.Catch(s, f, func(ctx context.Context, err error) (int, error) { return 0, nil })
		use(cf)
	}
	//: exceptionallyCompose, exceptionallyComposeAsync | wait for it in the function
	{
		cf := async.Catch(s, f, func(ctx context.Context, err error) (int, error) { return g.Await(ctx) })
		use(cf)
	}
	//: handle, handleAsync | in a task there are both, the value and the error
	{
		cf := async.Go(s, func(ctx context.Context) (string, error) {
			if v, err := f.Await(ctx); err == nil {
				return strconv.Itoa(v), nil
			}
			return "none", nil
		})
		use(cf)
	}
	//: whenComplete, whenCompleteAsync |
	{
		f.OnEnd(handle)
	}
	//: allOf(...) | with the values
	{
		vs, err := async.All(ctx, fs...)
		use(vs, err)
	}
	//: anyOf(...) | Race takes the first to settle; Any takes the first value
	{
		v, err := async.Race(ctx, fs...)
		use(v, err)
	}
	//: orTimeout(1, SECONDS) | bounds this one wait, where Java settles the future for everybody; Cancel does that
	{
		v, err := async.AwaitTimeout(ctx, f, time.Second)
		use(v, err)
	}
	return nil
}

// javaRows3 goes on from there.
func javaRows3(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: completeOnTimeout(v, 1, SECONDS) | for this one wait, where Java settles the future for everybody
	{
		v, err := async.AwaitDefault(ctx, f, time.Second, 42)
		use(v, err)
	}
	//: StructuredTaskScope.open() |
	{
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			user, order := async.Go(s, fetch), startLoad(s, 1)
			v, text, err := async.Both(ctx, user, order)
			use(v, text)
			return err
		})
		use(err)
	}
	//: StructuredTaskScope, Joiner.anySuccessfulResultOrThrow() |
	{
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			v, err := async.Any(ctx, async.Go(s, fetch), async.Go(s, fetch))
			s.Stop()
			use(v)
			return err
		})
		use(err)
	}
	//: stream.parallel().map(f) |
	{
		ids := slices.Values([]int{1, 2, 3})
		texts, err := async.Collect(async.Map(ctx, ids, async.MapConfig{}, load))
		use(texts, err)
	}
	return nil
}
