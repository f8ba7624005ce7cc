package async_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/godwit-go/godwit/async"
)

// jsRows has promises, timers and AbortSignal of JavaScript.
func jsRows(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: new Promise((resolve, reject) => ...) |
	{
		r := async.NewResolver[int](s)
		time.AfterFunc(time.Second, func() { r.Resolve(1) })
		promise := r.Future()
		use(promise)
	}
	//: Promise.withResolvers() |
	{
		r := async.NewResolver[int](s)
		promise, resolve, reject := r.Future(), r.Resolve, r.Reject
		use(promise, resolve, reject)
	}
	//: Promise.resolve(v) |
	{
		promise := async.Resolved(1)
		use(promise)
	}
	//: Promise.reject(e) |
	{
		promise := async.Rejected[int](errors.New("no"))
		use(promise)
	}
	//: Promise.try(f) | a panic is kept too, with its stack
	{
		promise := async.Go(s, fetch)
		use(promise)
	}
	//: p.then(f) |
	{
		promise := async.Then(s, f, func(ctx context.Context, v int) (string, error) { return strconv.Itoa(v), nil })
		use(promise)
	}
	//: p.then(f), where f gives a promise |
	{
		promise := async.Compose(s, f, func(ctx context.Context, id int) (async.Awaitable[string], error) {
			return startLoad(s, id), nil
		})
		use(promise)
	}
	//: p.then(f, g) |
	{
		f.OnSuccess(func(v int) { fmt.Println(v) })
		f.OnError(func(err error) { fmt.Println(err) })
	}
	//: p.catch(f) |
	{
		promise := async.Catch(s, f, func(ctx context.Context, err error) (int, error) { return 0, nil })
		use(promise)
	}
	//: p.finally(f) |
	{
		promise := async.Finally(s, f, func() { fmt.Println("done") })
		use(promise)
	}
	return nil
}

// jsRows2 goes on from there.
func jsRows2(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: await p |
	{
		v, err := f.Await(ctx)
		use(v, err)
	}
	//: await f() | a plain call waits
	{
		v, err := fetch(ctx)
		use(v, err)
	}
	//: async () => { ... } | every function may be run asynchronously
	{
		promise := async.Go(s, func(ctx context.Context) (int, error) { return 1, nil })
		use(promise)
	}
	//: try { await p } catch (e) { } |
	{
		if _, err := f.Await(ctx); err != nil {
			fmt.Println(err)
		}
	}
	//: Promise.all(ps) |
	{
		vs, err := async.All(ctx, fs...)
		use(vs, err)
	}
	//: Promise.all([p, q]) of different types |
	{
		v, text, err := async.Both(ctx, f, startLoad(s, 1))
		use(v, text, err)
	}
	//: Promise.allSettled(ps) |
	{
		results, err := async.AllSettled(ctx, fs...)
		use(results, err)
	}
	//: Promise.any(ps), AggregateError |
	{
		v, err := async.Any(ctx, fs...)
		use(v, err)
	}
	//: Promise.race(ps) | leaves nothing behind in the promises that stay pending
	{
		v, err := async.Race(ctx, fs...)
		use(v, err)
	}
	//: Promise.all(ps).then(f) |
	{
		promise := async.Go(s, func(ctx context.Context) (int, error) {
			vs, err := async.All(ctx, fs...)
			return len(vs), err
		})
		use(promise)
	}
	return nil
}

// jsRows3 goes on from there.
func jsRows3(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: for await (const x of source) | standard library: iterators
	{
		var source iter.Seq2[int, error]
		for x, err := range source {
			handle(x, err)
		}
	}
	//: Array.fromAsync(source) |
	{
		var source iter.Seq2[int, error]
		xs, err := async.Collect(source)
		use(xs, err)
	}
	//: setTimeout(f, 1000) |
	{
		timer := async.Delay(s, time.Second, fetch)
		use(timer)
	}
	//: clearTimeout(timer) |
	{
		timer := async.Delay(s, time.Second, fetch)
		timer.Cancel(nil)
	}
	//: setInterval(f, 1000) | standard library
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
	//: setImmediate(f), queueMicrotask(f), process.nextTick(f) | there is no event loop to put off work on
	{
		s.Go(func(ctx context.Context) error { compute(); return nil })
	}
	//: new AbortController() | standard library
	{
		ctx, abort := context.WithCancelCause(ctx)
		abort(errors.New("the user has left"))
		use(ctx)
	}
	//: signal.aborted, signal.reason | standard library
	{
		aborted, reason := ctx.Err() != nil, context.Cause(ctx)
		use(aborted, reason)
	}
	//: signal.throwIfAborted() | standard library
	{
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	//: signal.addEventListener('abort', f) | standard library
	{
		stop := context.AfterFunc(ctx, func() { fmt.Println("aborted") })
		defer stop()
	}
	return nil
}

// jsRows4 goes on from there.
func jsRows4(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: AbortSignal.abort(reason) | standard library
	{
		ctx, abort := context.WithCancelCause(ctx)
		abort(errors.New("already"))
		use(ctx)
	}
	//: AbortSignal.timeout(1000) | standard library
	{
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		use(ctx)
	}
	//: AbortSignal.any([a, b]) | standard library
	{
		a, abortA := context.WithCancelCause(ctx)
		b, abortB := context.WithCancelCause(ctx)
		either, abort := context.WithCancelCause(a)
		stop := context.AfterFunc(b, func() { abort(context.Cause(b)) })
		defer stop()
		abortB(errors.New("b"))
		<-either.Done()
		use(abortA)
	}
	//: fetch(url, { signal }) | standard library
	{
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com", nil)
		use(req, err)
	}
	return nil
}

// jsRows5 has the rest of timers and signals.
func jsRows5(ctx context.Context, s *async.Scope, m model) error {
	f, fs := m.f, m.fs
	use(f, fs)
	//: clearInterval(timer) | standard library
	{
		ticker := time.NewTicker(time.Second)
		ticker.Stop()
	}
	//: timers/promises: setTimeout(1000, v), scheduler.wait(1000) |
	{
		promise := async.Delay(s, time.Second, func(context.Context) (int, error) { return 1, nil })
		use(promise)
	}
	//: timers/promises: setInterval(1000) | standard library
	{
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for ctx.Err() == nil {
			select {
			case now := <-ticker.C:
				notify(now.Second())
			case <-ctx.Done():
			}
		}
	}
	//: events.addAbortListener(signal, f) | standard library
	{
		stop := context.AfterFunc(ctx, func() { fmt.Println("aborted") })
		stop()
	}
	//: a thenable | any type with this method goes into every combinator
	{
		var thenable async.Awaitable[int] = f
		v, err := thenable.Await(ctx)
		use(v, err)
	}
	return nil
}

// jsRows6 has names that are seldom looked for.
func jsRows6(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: signal.onabort, signal.removeEventListener('abort', f) | standard library
	{
		stop := context.AfterFunc(ctx, func() { fmt.Println("aborted") })
		removed := stop()
		use(removed)
	}
	//: signal.dispatchEvent(e) | standard library: the cause says why
	{
		ctx, abort := context.WithCancelCause(ctx)
		abort(errors.New("why"))
		use(context.Cause(ctx))
	}
	//: timer.refresh() | standard library
	{
		timer := time.AfterFunc(time.Second, func() { fmt.Println("late") })
		timer.Reset(time.Second)
		timer.Stop()
	}
	//: timer.ref(), unref(), hasRef() | a task of the scope keeps it open; a time.AfterFunc does not
	{
		timer := time.AfterFunc(time.Second, func() { fmt.Println("late") })
		defer timer.Stop()
	}
	//: timer.close(), clearImmediate(immediate) |
	{
		immediate := async.Delay(s, 0, fetch)
		immediate.Cancel(nil)
	}
	//: timers/promises: scheduler.yield() | standard library; rarely of use, as goroutines are preempted
	{
		runtime.Gosched()
	}
	return nil
}
