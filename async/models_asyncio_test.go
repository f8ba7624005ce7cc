package async_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"time"

	"github.com/godwit-go/godwit/async"
)

// asyncioRows has the tasks and futures of asyncio.
func asyncioRows(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: asyncio.run(main()) | `main` is ordinary; a scope waits for what it starts
	{
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			return store(ctx, 1)
		})
		use(err)
	}
	//: async def f(): ... | every function may be run asynchronously; there is no colour
	{
		f := func(ctx context.Context) (int, error) { return 1, nil }
		use(f)
	}
	//: await f() | a plain call waits
	{
		v, err := fetch(ctx)
		use(v, err)
	}
	//: create_task(f()) |
	{
		task := async.Go(s, fetch)
		use(task)
	}
	//: await task |
	{
		v, err := f.Await(ctx)
		use(v, err)
	}
	//: async with TaskGroup() as tg | the first error cancels the rest here too
	{
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			s.Go(func(ctx context.Context) error { return store(ctx, 1) })
			s.Go(func(ctx context.Context) error { return store(ctx, 2) })
			return nil
		})
		use(err)
	}
	//: gather(*aws) |
	{
		vs, err := async.All(ctx, fs...)
		use(vs, err)
	}
	//: gather(*aws, return_exceptions=True) |
	{
		results, err := async.AllSettled(ctx, fs...)
		use(results, err)
	}
	//: wait_for(task, 5) | ends the waiting; asyncio cancels the task too
	{
		v, err := async.AwaitTimeout(ctx, f, 5*time.Second)
		if errors.Is(err, context.DeadlineExceeded) {
			f.Cancel(err)
		}
		use(v)
	}
	return nil
}

// asyncioRows2 goes on from there.
func asyncioRows2(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: async with timeout(5) | standard library
	{
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		use(ctx)
	}
	//: async with timeout_at(when) | standard library
	{
		ctx, cancel := context.WithDeadline(ctx, time.Now().Add(time.Minute))
		defer cancel()
		use(ctx)
	}
	//: wait(aws, return_when=FIRST_COMPLETED) |
	{
		v, err := async.Race(ctx, fs...)
		use(v, err)
	}
	//: wait(aws, return_when=FIRST_EXCEPTION) |
	{
		_, err := async.All(ctx, fs...)
		use(err)
	}
	//: wait(aws, return_when=ALL_COMPLETED) |
	{
		results, err := async.AllSettled(ctx, fs...)
		use(results, err)
	}
	//: as_completed(aws) |
	{
		for i, r := range async.AsCompleted(ctx, fs...) {
			fmt.Println(i, r.Value, r.Err)
		}
	}
	//: sleep(1) | standard library
	{
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	//: sleep(0) | standard library; rarely of use, as goroutines are preempted
	{
		runtime.Gosched()
	}
	//: shield(task) | awaiting never cancels what is awaited
	{
		v, err := f.Await(ctx)
		use(v, err)
	}
	//: shield(f()) | the waiting ends with ctx, the work goes on; the scope waits for it
	{
		task := async.Go(s, fetch)
		v, err := task.Await(ctx)
		use(v, err)
	}
	//: to_thread(f) | every goroutine may block
	{
		task := async.Go(s, func(ctx context.Context) (int, error) { return compute(), nil })
		use(task)
	}
	return nil
}

// asyncioRows3 goes on from there.
func asyncioRows3(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: run_coroutine_threadsafe(c, loop) | a scope may be used by any goroutine
	{
		task := async.Go(s, fetch)
		use(task)
	}
	//: loop.run_in_executor(pool, f) |
	{
		pool, err := async.NewPool(async.PoolConfig{Workers: 8})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		task, err := async.Submit(ctx, pool, fetch)
		use(task, err)
	}
	//: loop.call_soon(f) | on a goroutine that the scope waits for
	{
		s.Go(func(ctx context.Context) error { compute(); return nil })
	}
	//: loop.call_later(1, f) |
	{
		task := async.Delay(s, time.Second, fetch)
		use(task)
	}
	//: loop.call_at(when, f) |
	{
		task := async.Delay(s, time.Until(time.Now().Add(time.Hour)), fetch)
		use(task)
	}
	//: loop.call_later(1, f).cancel() |
	{
		task := async.Delay(s, time.Second, fetch)
		task.Cancel(nil)
	}
	//: loop.add_signal_handler(SIGINT, f) | standard library
	{
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		use(ctx)
	}
	//: loop.create_future() |
	{
		r := async.NewResolver[int](s)
		future := r.Future()
		use(future)
	}
	//: future.set_result(v) | false, where asyncio raises, if it was settled
	{
		r := async.NewResolver[int](s)
		first := r.Resolve(1)
		use(first)
	}
	//: future.set_exception(e) |
	{
		r := async.NewResolver[int](s)
		r.Reject(errors.New("no"))
	}
	return nil
}

// asyncioRows4 goes on from there.
func asyncioRows4(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: future.done() |
	{
		_, done := f.Result()
		use(done)
	}
	//: future.result() | ok is false while there is none
	{
		r, ok := f.Result()
		use(r, ok)
	}
	//: future.exception() |
	{
		r, _ := f.Result()
		err := r.Err
		use(err)
	}
	//: task.cancel(msg) | the cause is an error
	{
		f.Cancel(errors.New("not needed any more"))
	}
	//: task.cancelled() |
	{
		_, err := f.Await(ctx)
		cancelled := errors.Is(err, context.Canceled)
		use(cancelled)
	}
	//: except CancelledError: ... raise | in the task
	{
		if _, err := fetch(ctx); ctx.Err() != nil {
			return err
		}
	}
	//: task.uncancel() | there is no such thing; use a context that is not cancelled
	{
		ctx := context.WithoutCancel(ctx)
		use(ctx)
	}
	//: task.add_done_callback(f) |
	{
		f.OnEnd(handle)
	}
	//: task.remove_done_callback(f) |
	{
		stop := f.OnEnd(handle)
		removed := stop()
		use(removed)
	}
	//: current_task() | what belongs to a task goes through its context
	{
		type userKey struct{}
		user := ctx.Value(userKey{})
		use(user)
	}
	//: all_tasks() | a scope waits for all of its tasks, and runtime/pprof shows every goroutine
	{
		err := pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		use(err)
	}
	return nil
}

// asyncioRows5 goes on from there.
func asyncioRows5(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: contextvars.ContextVar | standard library
	{
		type userKey struct{}
		ctx := context.WithValue(ctx, userKey{}, "Ada")
		use(ctx)
	}
	//: loop.set_exception_handler(f) | for errors that nobody looked at
	{
		cfg := async.ScopeConfig{OnUnobserved: func(err error) { slog.Error("unobserved", "err", err) }}
		err := cfg.Run(ctx, func(ctx context.Context, s *async.Scope) error { return nil })
		use(err)
	}
	//: async for x in source | standard library: iterators
	{
		var source iter.Seq2[int, error]
		for x, err := range source {
			handle(x, err)
		}
	}
	//: pool.map(f, items) |
	{
		ids := slices.Values([]int{1, 2, 3})
		for text, err := range async.Map(ctx, ids, async.MapConfig{Concurrency: 8}, load) {
			fmt.Println(text, err)
		}
	}
	return nil
}

// asyncioRows6 has how the loop itself is run and looked at.
func asyncioRows6(ctx context.Context, s *async.Scope, m model) error {
	f, fs := m.f, m.fs
	use(f, fs)
	//: asyncio.Runner, loop.run_forever(), loop.stop() | a program that runs for long has its main function in a scope; Stop ends it
	{
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			s.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
			s.Stop()
			return nil
		})
		use(err)
	}
	//: loop.run_until_complete(task) |
	{
		v, err := f.Await(ctx)
		use(v, err)
	}
	//: ensure_future(aw), wrap_future(f) | anything with an Await becomes a future
	{
		var aw async.Awaitable[int] = f
		task := async.Go(s, aw.Await)
		use(task)
	}
	//: isfuture(x), iscoroutine(x) | every Await is awaited alike
	{
		var x any = f
		_, isAwaitable := x.(async.Awaitable[int])
		use(isAwaitable)
	}
	//: eager_task_factory | for a value that is there at once; Go always starts a goroutine
	{
		task := async.Resolved(compute())
		use(task)
	}
	//: loop.call_soon_threadsafe(f) | a scope may be used by any goroutine
	{
		s.Go(func(ctx context.Context) error { compute(); return nil })
	}
	//: loop.time(), time.monotonic() | standard library; times carry the monotonic clock
	{
		start := time.Now()
		elapsed := time.Since(start)
		use(elapsed)
	}
	//: timeout.reschedule(when), timeout.expired() | standard library
	{
		ctx, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(time.Second, func() { cancel(context.DeadlineExceeded) })
		defer timer.Stop()
		timer.Reset(time.Minute)
		expired := errors.Is(context.Cause(ctx), context.DeadlineExceeded)
		use(ctx, expired)
	}
	//: task.cancelling() | in the task
	{
		cancelling := ctx.Err() != nil
		use(cancelling)
	}
	//: task.get_name(), set_name() | standard library; profiles and traces show the label
	{
		pprof.Do(ctx, pprof.Labels("task", "resize"), func(ctx context.Context) { compute() })
	}
	//: task.get_coro(), get_context(), print_stack() | standard library; GOTRACEBACK=all and SIGQUIT show every stack too
	{
		debug.PrintStack()
	}
	//: InvalidStateError | settling twice answers false, and the first outcome stays
	{
		r := async.NewResolver[int](s)
		first, second := r.Resolve(1), r.Resolve(2)
		use(first, second)
	}
	//: loop.set_debug(True), slow_callback_duration | no callback can hold a loop up; go test -race and go tool trace look for the rest
	{
		err := trace.Start(os.Stderr)
		defer trace.Stop()
		use(err)
	}
	return nil
}

// asyncioRows7 has names that are seldom looked for.
func asyncioRows7(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: wait(aws, timeout=5), done and pending sets | what is pending is what has no result yet
	{
		timed, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		results, err := async.AllSettled(timed, fs...)
		if errors.Is(err, context.DeadlineExceeded) {
			for _, f := range fs {
				r, done := f.Result()
				use(r, done)
			}
		}
		use(results)
	}
	//: get_running_loop(), get_event_loop(), new_event_loop(), set_event_loop(), Future.get_loop() | there is no loop to get: pass the scope
	{
	}
	//: loop.set_default_executor(pool), shutdown_default_executor() | there is no default one: what blocks runs on a goroutine
	{
		task := async.Go(s, func(ctx context.Context) (int, error) { return compute(), nil })
		use(task)
	}
	//: loop.shutdown_asyncgens() | an iterator's own defer runs when the loop over it is left
	{
		source := func(yield func(int) bool) {
			defer fmt.Println("closed")
			_ = yield(1) && yield(2)
		}
		for v := range source {
			use(v)
			break
		}
	}
	//: loop.set_task_factory(f) | wrap Go in a function of your own
	{
		start := func(fn func(context.Context) (int, error)) *async.Future[int] { return async.Go(s, fn) }
		task := start(fetch)
		use(task)
	}
	//: iscoroutinefunction(f) | functions have no colour to ask for
	{
	}
	//: TimerHandle.when() | keep the time that you gave
	{
		when := time.Now().Add(time.Hour)
		task := async.Delay(s, time.Until(when), fetch)
		task.Cancel(nil)
	}
	//: loop.call_exception_handler(context) | a rejected future that nobody awaits goes to OnUnobserved
	{
		cfg := async.ScopeConfig{OnUnobserved: func(err error) { fmt.Println(err) }}
		err := cfg.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			async.NewResolver[int](s).Reject(errors.New("no"))
			return nil
		})
		use(err)
	}
	//: ExceptionGroup, except* | a joined error: errors.Is and errors.As look at all
	{
		_, err := async.Any(ctx, async.Rejected[int](io.EOF), async.Rejected[int](os.ErrNotExist))
		both := errors.Is(err, io.EOF) && errors.Is(err, os.ErrNotExist)
		use(both)
	}
	//: TimeoutError | standard library
	{
		_, err := async.AwaitTimeout(ctx, f, time.Second)
		late := errors.Is(err, context.DeadlineExceeded)
		use(late)
	}
	//: CancelledError | standard library, with the cause beside it
	{
		_, err := f.Await(ctx)
		cancelled := errors.Is(err, context.Canceled)
		use(cancelled)
	}
	return nil
}

// asyncioRows8 has names that are seldom looked for.
func asyncioRows8(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: loop.remove_signal_handler(SIGINT) | standard library: what NotifyContext gave
	{
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		stop()
		use(ctx)
	}
	//: Task.get_stack(), capture_call_graph(), print_call_graph() | standard library: every goroutine and where it waits
	{
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		use(stacks)
	}
	return nil
}
