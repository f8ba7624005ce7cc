package async

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inScope runs a test in the body of a scope. What Run returns is compared with wanted.
func inScope(t *testing.T, name string, wanted error, test func(t *testing.T, ctx context.Context, s *Scope)) {
	t.Helper()
	bubble(t, name, func(t *testing.T, ctx context.Context) {
		err := Run(ctx, func(ctx context.Context, s *Scope) error { test(t, ctx, s); return nil })
		if !errors.Is(err, wanted) {
			t.Fatalf("Run returned %v, want %v", err, wanted)
		}
	})
}

func after[T any](d time.Duration, v T, err error) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		if sleepErr := sleep(ctx, d); sleepErr != nil {
			var zero T
			return zero, sleepErr
		}
		return v, err
	}
}

func TestFuture(t *testing.T) {
	inScope(t, "gives every reader the same outcome, any number of times", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		f := Go(s, after(time.Second, 7, nil))
		for range 3 {
			s.Go(func(ctx context.Context) error {
				for range 2 {
					v, err := f.Await(ctx)
					want(t, "value", v, 7)
					wantNoErr(t, err)
				}
				return nil
			})
		}
		_, ok := f.Result()
		want(t, "settled", ok, false)
		<-f.Done()
		<-f.Done()
		r, ok := f.Result()
		want(t, "settled", ok, true)
		want(t, "value", r.Value, 7)
	})
	inScope(t, "a failure has no value", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		v, err := Go(s, func(context.Context) (int, error) { return 7, errBoom }).Await(ctx)
		want(t, "value", v, 0)
		want(t, "error", err, errBoom)
	})
	inScope(t, "Await ends with its context, but a settled future answers all the same", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		f := Go(s, after(time.Second, 7, nil))
		ended, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		_, err := f.Await(ended)
		wantErr(t, err, context.Canceled, errBoom)
		<-f.Done()
		v, err := f.Await(ended)
		wantNoErr(t, err)
		want(t, "value", v, 7)
	})
}

func TestFutureCancel(t *testing.T) {
	inScope(t, "Cancel gives the cause to the work and to the outcome", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		f := Go(s, func(ctx context.Context) (int, error) {
			err := untilCancelled(ctx)
			want(t, "cause", context.Cause(ctx), errBoom)
			return 0, err
		})
		synctest.Wait()
		f.Cancel(errBoom)
		_, err := f.Await(ctx)
		wantErr(t, err, context.Canceled, errBoom)
		f.Cancel(errors.New("too late"))
		want(t, "text", err.Error(), "context canceled: boom")
	})
	inScope(t, "a cancelled future that nobody awaits is no failure", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		Go(s, valueUntilCancelled).Cancel(nil)
	})
	bubble(t, "work cancelled before it starts does not start", func(t *testing.T, ctx context.Context) {
		wantNoErr(t, ScopeConfig{Limit: 1}.Run(ctx, func(ctx context.Context, s *Scope) error {
			s.Go(func(context.Context) error { nap(time.Second); return nil })
			f := Delay(s, 0, func(context.Context) (int, error) { t.Error("started"); return 0, nil })
			synctest.Wait()
			f.Cancel(nil)
			_, err := f.Await(ctx)
			wantErr(t, err, context.Canceled)
			return nil
		}))
	})
	inScope(t, "work may succeed though it is cancelled", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		f := Go(s, func(ctx context.Context) (int, error) { <-ctx.Done(); return 7, nil })
		f.Cancel(nil)
		synctest.Wait()
		if v, err := f.Await(ctx); err != nil && !errors.Is(err, context.Canceled) || err == nil && v != 7 {
			t.Fatal(v, err)
		}
	})
}

func TestFutureKinds(t *testing.T) {
	inScope(t, "Goexit in the work is an error", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		_, err := Go(s, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }).Await(ctx)
		want(t, "error", err, ErrGoexit)
	})
	inScope(t, "Resolved and Rejected are settled", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		v, err := Resolved(7).Await(ctx)
		want(t, "value", v, 7)
		wantNoErr(t, err)
		<-Resolved(7).Done()
		_, err = Rejected[int](errBoom).Await(ctx)
		want(t, "error", err, errBoom)
		wantPanic(t, "nil error", func() { Rejected[int](nil) })
		Resolved(7).Cancel(nil)
	})
	inScope(t, "Delay waits, and Cancel ends the wait", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		start := time.Now()
		_, err := Delay(s, time.Minute, value(1)).Await(ctx)
		wantNoErr(t, err)
		want(t, "waited", time.Since(start), time.Minute)
		f := Delay(s, time.Hour, value(1))
		f.Cancel(errBoom)
		_, err = f.Await(ctx)
		wantErr(t, err, errBoom)
		want(t, "waited", time.Since(start), time.Minute)
	})
	inScope(t, "timeouts end the waiting only", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		f := Go(s, after(time.Minute, 7, nil))
		_, err := AwaitTimeout(ctx, f, time.Second)
		wantErr(t, err, context.DeadlineExceeded)
		v, err := AwaitDefault(ctx, f, time.Second, 42)
		want(t, "fallback", v, 42)
		wantNoErr(t, err)
		v, _ = AwaitDefault(ctx, f, time.Hour, 42)
		want(t, "value", v, 7)
		_, err = AwaitDefault(ctx, Rejected[int](fmt.Errorf("query: %w", context.DeadlineExceeded)), 0, 42)
		wantErr(t, err, context.DeadlineExceeded)
		_, err = AwaitDefault(ctx, Rejected[int](context.DeadlineExceeded), time.Second, 42)
		wantErr(t, err, context.DeadlineExceeded)
		v, err = AwaitTimeout(ctx, Resolved(7), -1)
		want(t, "value", v, 7)
		wantNoErr(t, err)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = AwaitDefault(ended, Go(s, after(time.Second, 7, nil)), time.Minute, 42)
		wantErr(t, err, context.Canceled)
	})
}

func TestTaskContext(t *testing.T) {
	type key struct{}
	bubble(t, "has its parent's values and deadline, and ends with the task", func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithValue(ctx, key{}, 7), time.Minute)
		defer cancel()
		var kept, child context.Context
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			_, err := Go(s, func(ctx context.Context) (int, error) {
				kept = ctx
				want(t, "value", ctx.Value(key{}), any(7))
				var cancel context.CancelFunc
				child, cancel = context.WithCancel(ctx)
				_ = cancel // The end of the task cancels it.
				want(t, "value", child.Value(key{}), any(7))
				_, ok := ctx.Deadline()
				want(t, "deadline", ok, true)
				return 0, ctx.Err()
			}).Await(ctx)
			<-child.Done() // Though the scope goes on.
			return err
		}))
		want(t, "value", kept.Value(key{}), any(7))
		want(t, "error", kept.Err(), context.Canceled)
		<-kept.Done()
		<-child.Done()
	})
	bubble(t, "a scope that is cancelled cancels children of its tasks with the cause", func(t *testing.T, ctx context.Context) {
		err := Run(ctx, func(ctx context.Context, s *Scope) error {
			f := Go(s, func(ctx context.Context) (int, error) {
				child, cancel := context.WithCancel(ctx)
				defer cancel()
				<-child.Done()
				return 0, context.Cause(child)
			})
			synctest.Wait()
			s.Cancel(errBoom)
			_, err := f.Await(context.WithoutCancel(ctx))
			return err
		})
		wantErr(t, err, errBoom)
	})
}

func TestResolver(t *testing.T) {
	inScope(t, "only the first settling counts", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		want(t, "Resolve", r.Resolve(7), true)
		want(t, "again", r.Resolve(8), false)
		want(t, "Reject", r.Reject(errBoom), false)
		v, err := r.Future().Await(ctx)
		want(t, "value", v, 7)
		wantNoErr(t, err)
		wantPanic(t, "nil error", func() { r.Reject(nil) })
	})
	inScope(t, "of many at once exactly one wins", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		wins := make(chan int, 10)
		for i := range 10 {
			s.Go(func(context.Context) error {
				if r.Settle(i, nil) {
					wins <- i
				}
				return nil
			})
		}
		v, err := r.Future().Await(ctx)
		wantNoErr(t, err)
		synctest.Wait()
		want(t, "winners", len(wins), 1)
		want(t, "winner", <-wins, v)
	})
	inScope(t, "Cancel settles at once", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		r.Future().Cancel(errBoom)
		_, err := r.Future().Await(ctx)
		wantErr(t, err, context.Canceled, errBoom)
		want(t, "Resolve", r.Resolve(1), false)
		want(t, "no longer listed", s.resolvers == nil, true)
	})
	inScope(t, "Cancel does not hide the failure that settles it just before", errBoom, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		r.future.owner = &trapOwner{s, func() { r.Reject(errBoom) }}
		r.future.Cancel(nil)
	})
	bubble(t, "what is pending at the end of the scope fails, and its callbacks run", func(t *testing.T, ctx context.Context) {
		var f *Future[int]
		var got error
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			want(t, "context", NewResolver[int](s).Context(), ctx)
			f = NewResolver[int](s).Future()
			f.OnError(func(err error) { got = err })
			return nil
		}))
		_, err := f.Await(ctx)
		want(t, "error", err, ErrScopeEnded)
		want(t, "callback", got, ErrScopeEnded)
	})
	inScope(t, "an unobserved rejection is reported", errBoom, func(t *testing.T, ctx context.Context, s *Scope) {
		NewResolver[int](s).Settle(7, errBoom)
	})
	bubble(t, "and once, though it is settled again", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(ctx context.Context, s *Scope) error {
			r := NewResolver[int](s)
			r.Reject(errBoom)
			r.Reject(errors.New("too late"))
			return nil
		}), errBoom)
	})
}

func TestCallbacks(t *testing.T) {
	inScope(t, "run one at a time, in order, on the settling goroutine", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		var order []string
		f := Go(s, after(time.Second, 7, nil))
		f.OnEnd(func(v int, err error) { order = append(order, fmt.Sprint("end ", v, err)) })
		f.OnError(func(error) { order = append(order, "error") })
		f.OnSuccess(func(v int) {
			order = append(order, fmt.Sprint("success ", v))
			f.OnSuccess(func(int) { order = append(order, "registered in a callback") })
		})
		f.OnEnd(func(int, error) { order = append(order, "last") })
		nap(2 * time.Second)
		f.OnSuccess(func(int) { order = append(order, "late") })
		wanted := []string{"end 7 <nil>", "success 7", "last", "registered in a callback", "late"}
		if !slices.Equal(order, wanted) {
			t.Fatalf("got %q", order)
		}
	})
	inScope(t, "a late one waits its turn behind one that runs", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		var mu sync.Mutex
		var order []int
		add := func(i int) { mu.Lock(); order = append(order, i); mu.Unlock() }
		f := Go(s, value(1))
		f.OnEnd(func(int, error) { nap(time.Second); add(1) })
		synctest.Wait()
		f.OnEnd(func(int, error) { add(2) })
		add(0)
		nap(2 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(order, []int{0, 1, 2}) {
			t.Fatal(order)
		}
	})
	inScope(t, "and so it does when the future has settled long ago", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		order := make(chan int, 3)
		f := Resolved(1)
		go f.OnEnd(func(int, error) { nap(time.Second); order <- 1 })
		synctest.Wait()
		f.OnEnd(func(int, error) { order <- 2 })
		order <- 0
		for i := range 3 {
			want(t, "in order", <-order, i)
		}
	})
	inScope(t, "stop takes one back", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		stop := r.Future().OnEnd(func(int, error) { t.Error("called") })
		want(t, "stop", stop(), true)
		want(t, "again", stop(), false)
		r.Resolve(1)
		want(t, "after the call", r.Future().OnEnd(func(int, error) {})(), false)
	})
	inScope(t, "and one taken back has not looked at an error", errBoom, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		r.Future().OnEnd(func(int, error) { t.Error("called") })()
		r.Future().OnError(func(error) { t.Error("called") })()
		r.Reject(errBoom)
	})
	for name, register := range map[string]func(f *Future[int]) func() bool{
		"OnEnd":   func(f *Future[int]) func() bool { return f.OnEnd(func(int, error) {}) },
		"OnError": func(f *Future[int]) func() bool { return f.OnError(func(error) {}) },
	} {
		inScope(t, name+" looks at an error, before it comes and after", nil, func(t *testing.T, ctx context.Context, s *Scope) {
			for range 2 {
				r := NewResolver[int](s)
				register(r.Future())
				r.Reject(errBoom)
				r = NewResolver[int](s)
				r.Reject(errBoom)
				register(r.Future())
			}
		})
	}
}

// trapOwner calls a function when somebody enters, where other goroutines could do the same.
type trapOwner struct {
	owner
	onEnter func()
}

func (o *trapOwner) enter() bool {
	o.onEnter()
	return o.owner.enter()
}

// toldFunc is a listener that calls a function.
type toldFunc func()

func (fn toldFunc) told(int) { fn() }

// goroutineID gives what tells this goroutine from others in a stack.
func goroutineID() string {
	stack := make([]byte, 64)
	return strings.Fields(string(stack[:runtime.Stack(stack, false)]))[1]
}

func TestCallbackGoroutine(t *testing.T) {
	inScope(t, "one that is registered while the future settles does not take the others over", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		var first, second string
		r.Future().OnEnd(func(int, error) { first = goroutineID() })
		r.Future().watch(&watcher{listener: toldFunc(func() {
			registered := make(chan struct{})
			go func() {
				r.Future().OnEnd(func(int, error) { second = goroutineID() })
				close(registered)
			}()
			<-registered
		})})
		r.Resolve(1)
		want(t, "goroutine of the first", first, goroutineID())
		want(t, "goroutine of the second", second, goroutineID())
	})
}

func TestCallbackPanics(t *testing.T) {
	bubble(t, "panics of several are all kept", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "one", func() {
			_ = Run(ctx, func(ctx context.Context, s *Scope) error {
				f := Go(s, after(time.Second, 7, nil))
				f.OnEnd(func(int, error) { panic("one") })
				f.OnEnd(func(int, error) { panic(errBoom) })
				return nil
			})
		}, func(pe *PanicError) { wantErr(t, pe.Also, errBoom) })
	})
	bubble(t, "a panic lets the others run and reaches the scope", func(t *testing.T, ctx context.Context) {
		ran := false
		wantPanicError(t, "callback", func() {
			_ = Run(ctx, func(ctx context.Context, s *Scope) error {
				f := Go(s, after(time.Second, 7, nil))
				f.OnEnd(func(int, error) { panic("callback") })
				f.OnEnd(func(int, error) { ran = true })
				v, err := f.Await(ctx)
				want(t, "value", v, 7)
				wantNoErr(t, err)
				return nil
			})
		})
		want(t, "the other ran", ran, true)
	})
	inScope(t, "a panic on a future without owner goes to the caller", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		wantPanicError(t, "callback", func() { Resolved(1).OnEnd(func(int, error) { panic("callback") }) })
	})
	bubble(t, "a panic after the scope has ended goes to the caller", func(t *testing.T, ctx context.Context) {
		var f *Future[int]
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { f = Go(s, value(1)); return nil }))
		wantPanicError(t, "callback", func() { f.OnSuccess(func(int) { panic("callback") }) })
	})
	inScope(t, "Goexit in one lets the others run", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		ran := false
		f := Go(s, after(time.Second, 7, nil))
		f.OnEnd(func(int, error) { runtime.Goexit() })
		f.OnEnd(func(int, error) { ran = true })
		nap(2 * time.Second)
		synctest.Wait()
		want(t, "the other ran", ran, true)
	})
	inScope(t, "nil functions panic", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		wantPanic(t, "OnEnd was given", func() { Resolved(1).OnEnd(nil) })
		wantPanic(t, "OnError was given", func() { Resolved(1).OnError(nil) })
		wantPanic(t, "OnSuccess was given", func() { Resolved(1).OnSuccess(nil) })
	})
}
