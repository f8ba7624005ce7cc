package async_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/godwit-go/godwit/async"
)

// javaStateRows has what CompletableFuture is asked and told, and executors.
func javaStateRows(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: new CompletableFuture<>(), newIncompleteFuture() |
	{
		r := async.NewResolver[int](s)
		cf := r.Future()
		use(cf)
	}
	//: complete(v) |
	{
		r := async.NewResolver[int](s)
		first := r.Resolve(1)
		use(first)
	}
	//: completeExceptionally(e) |
	{
		r := async.NewResolver[int](s)
		first := r.Reject(errors.New("no"))
		use(first)
	}
	//: completeAsync(f) |
	{
		r := async.NewResolver[int](s)
		s.Go(func(ctx context.Context) error {
			r.Settle(fetch(ctx))
			return nil
		})
	}
	//: obtrudeValue, obtrudeException | left out: an outcome that can change is none; make a new future
	{
		cf := async.Resolved(2)
		use(cf)
	}
	//: cancel(true) | the work is asked, and it is waited for
	{
		f.Cancel(nil)
	}
	//: get() |
	{
		v, err := f.Await(ctx)
		use(v, err)
	}
	//: get(1, SECONDS) |
	{
		v, err := async.AwaitTimeout(ctx, f, time.Second)
		use(v, err)
	}
	//: join() | a panic in place of an error
	{
		v, err := f.Await(ctx)
		if err != nil {
			panic(err)
		}
		use(v)
	}
	return nil
}

// javaStateRows2 goes on from there.
func javaStateRows2(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: getNow(v) |
	{
		v := 42
		if r, ok := f.Result(); ok && r.Err == nil {
			v = r.Value
		}
		use(v)
	}
	//: resultNow(), exceptionNow() |
	{
		r, ok := f.Result()
		use(r.Value, r.Err, ok)
	}
	//: isDone(), toString() |
	{
		_, done := f.Result()
		use(done)
	}
	//: isCompletedExceptionally() |
	{
		r, done := f.Result()
		failed := done && r.Err != nil
		use(failed)
	}
	//: isCancelled(), state() |
	{
		r, done := f.Result()
		cancelled := done && errors.Is(r.Err, context.Canceled)
		use(cancelled)
	}
	//: copy(), minimalCompletionStage() | a future is read-only already; as an interface it is only awaitable
	{
		var stage async.Awaitable[int] = f
		use(stage)
	}
	//: toCompletableFuture() | any Await becomes a future
	{
		var stage async.Awaitable[int] = f
		cf := async.Go(s, stage.Await)
		use(cf)
	}
	//: getNumberOfDependents() | left out: for display only, and runtime/pprof shows who waits
	{
		err := pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		use(err)
	}
	//: defaultExecutor() | goroutines need none; a limit belongs to a scope
	{
		cfg := async.ScopeConfig{Limit: runtime.GOMAXPROCS(0)}
		use(cfg)
	}
	//: Executors.newFixedThreadPool(8) |
	{
		pool, err := async.NewPool(async.PoolConfig{Workers: 8, WorkersMin: 8})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		use(pool, err)
	}
	return nil
}

// javaStateRows3 goes on from there.
func javaStateRows3(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: ThreadPoolExecutor(2, 8, 1, MINUTES, queue, policy) |
	{
		pool, err := async.NewPool(async.PoolConfig{
			WorkersMin: 2, Workers: 8, IdleTimeout: time.Minute,
			Queue: 100, Overflow: async.OverflowReject,
		})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		use(pool, err)
	}
	//: executor.execute(f), executor.submit(f) |
	{
		pool, err := async.NewPool(async.PoolConfig{})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		err = pool.Go(ctx, func(ctx context.Context) error { return store(ctx, 1) })
		future, err2 := async.Submit(ctx, pool, fetch)
		use(err, future, err2)
	}
	//: executor.invokeAll(tasks) |
	{
		err := async.ForEach(ctx, slices.Values([]int{1, 2}), async.MapConfig{Concurrency: 8}, store)
		use(err)
	}
	//: executor.shutdown(), awaitTermination(1, MINUTES) |
	{
		pool, err := async.NewPool(async.PoolConfig{})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		err = pool.Stop(ctx)
		use(err)
	}
	//: ScheduledExecutorService.scheduleAtFixedRate(f) | standard library
	{
		s.Go(func(ctx context.Context) error {
			ticker := time.NewTicker(time.Second)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
					compute()
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
	return nil
}

// javaStateRows4 has names that are seldom looked for.
func javaStateRows4(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: CompletionException, ExecutionException, CancellationException | no wrapper: errors.Is finds context.Canceled, and the error is the task's own; a panic is a *PanicError
	{
		_, err := f.Await(ctx)
		var panicked *async.PanicError
		isPanic := errors.As(err, &panicked)
		use(isPanic)
	}
	//: executor.invokeAny(tasks) | Stop ends the others
	{
		var first int
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) (err error) {
			defer s.Stop()
			first, err = async.Any(ctx, async.Go(s, fetch), async.Go(s, fetch))
			return err
		})
		use(first, err)
	}
	//: executor.shutdownNow() | a Stop whose context has ended; the queued work fails with ErrPoolStopped
	{
		pool, err := async.NewPool(async.PoolConfig{})
		if err != nil {
			return err
		}
		now, cancel := context.WithCancel(ctx)
		cancel()
		err = pool.Stop(now)
		use(err)
	}
	//: executor.isShutdown(), isTerminated() | a stopped pool refuses work
	{
		pool, err := async.NewPool(async.PoolConfig{})
		if err != nil {
			return err
		}
		_ = pool.Stop(ctx)
		_, err = async.Submit(ctx, pool, fetch)
		isShutdown := errors.Is(err, async.ErrPoolStopped)
		use(isShutdown)
	}
	//: Executors.newVirtualThreadPerTaskExecutor() | goroutines are such threads, and the scope is the executor
	{
		task := async.Go(s, fetch)
		use(task)
	}
	//: ExecutorCompletionService | results as they come
	{
		for i, r := range async.AsCompleted(ctx, fs...) {
			use(i, r.Value, r.Err)
		}
	}
	return nil
}
