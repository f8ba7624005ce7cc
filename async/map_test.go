package async

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// exhaust runs a Map to its end.
func exhaust[T any](results iter.Seq2[T, error]) error {
	_, err := Collect(results)
	return err
}

func double(_ context.Context, i int) (int, error) { return 2 * i, nil }

func TestMap(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		for _, n := range []int{0, 1, 3, 5000} {
			name := fmt.Sprintf("gives the result of every one of %d items once, unordered %v", n, unordered)
			bubble(t, name, func(t *testing.T, ctx context.Context) {
				got, err := Collect(Map(ctx, numbers(n), MapConfig{Concurrency: 4, Unordered: unordered}, double))
				wantNoErr(t, err)
				if unordered {
					slices.Sort(got)
				}
				want(t, "length", len(got), n)
				for i, v := range got {
					want(t, "value", v, 2*i)
				}
			})
		}
	}
	bubble(t, "runs as many at once as it may, and keeps the order", func(t *testing.T, ctx context.Context) {
		start := time.Now()
		got, err := Collect(Map(ctx, numbers(9), MapConfig{Concurrency: 3}, func(ctx context.Context, i int) (int, error) {
			nap(time.Duration(3-i%3) * time.Second)
			return i, nil
		}))
		wantNoErr(t, err)
		want(t, "values", fmt.Sprint(got), "[0 1 2 3 4 5 6 7 8]")
		if d := time.Since(start); d > 9*time.Second {
			t.Fatalf("took %v", d)
		}
	})
	bubble(t, "Unordered gives results as they are ready, past a slow one", func(t *testing.T, ctx context.Context) {
		var first []int
		for v, err := range Map(ctx, numbers(3000), MapConfig{Concurrency: 2, Unordered: true, Ahead: 8}, func(ctx context.Context, i int) (int, error) {
			if i == 0 {
				nap(time.Hour)
			}
			return i, nil
		}) {
			wantNoErr(t, err)
			first = append(first, v)
		}
		want(t, "the slow one comes last", first[len(first)-1], 0)
	})
}

func TestMapBackpressure(t *testing.T) {
	bubble(t, "is never further ahead of the loop than Ahead", func(t *testing.T, ctx context.Context) {
		for _, unordered := range []bool{false, true} {
			var taken, given atomic.Int64
			in := func(yield func(int) bool) {
				for i := range 500 {
					if ahead := taken.Add(1) - given.Load(); ahead > 8+1 { // One is on its way in, one on its way out.
						t.Errorf("ahead by %d", ahead)
					}
					if !yield(i) {
						return
					}
				}
			}
			for _, err := range Map(ctx, in, MapConfig{Concurrency: 3, Ahead: 7, Unordered: unordered}, double) {
				wantNoErr(t, err)
				given.Add(1)
				if given.Load()%50 == 0 {
					nap(time.Second)
				}
			}
		}
	})
	bubble(t, "by default it is not far ahead when the work is slow", func(t *testing.T, ctx context.Context) {
		var begun atomic.Int64
		for _, err := range Map(ctx, numbers(100), MapConfig{Concurrency: 3}, func(ctx context.Context, i int) (int, error) {
			begun.Add(1)
			nap(time.Second)
			return i, nil
		}) {
			wantNoErr(t, err)
			nap(time.Hour)
			break
		}
		if n := begun.Load(); n > 7 {
			t.Fatalf("%d calls were begun", n)
		}
	})
	bubble(t, "results come while the input is still open", func(t *testing.T, ctx context.Context) {
		items := make(chan int)
		in := func(yield func(int) bool) {
			for v := range items {
				if !yield(v) {
					return
				}
			}
		}
		items2 := 0
		go func() { items <- 1 }()
		for _, err := range Map(ctx, in, MapConfig{}, double) {
			wantNoErr(t, err)
			if items2++; items2 == 3 {
				close(items)
			} else {
				go func() { items <- 1 }()
			}
		}
		want(t, "items", items2, 3)
	})
	bubble(t, "each loop runs anew", func(t *testing.T, ctx context.Context) {
		m := Map(ctx, numbers(3), MapConfig{}, double)
		for range 2 {
			got, err := Collect(m)
			wantNoErr(t, err)
			want(t, "values", fmt.Sprint(got), "[0 2 4]")
		}
	})
}

func TestMapEnds(t *testing.T) {
	bubble(t, "the first failure ends it, with the index, after what is ready before it", func(t *testing.T, ctx context.Context) {
		for _, unordered := range []bool{false, true} {
			cancelled := false
			got, err := Collect(Map(ctx, numbers(100), MapConfig{Concurrency: 2, Unordered: unordered}, func(ctx context.Context, i int) (int, error) {
				switch i {
				case 5:
					nap(time.Second)
					return 0, errBoom
				case 6:
					cancelled = untilCancelled(ctx) != nil
					return 0, ctx.Err()
				}
				return i, nil
			}))
			var item *ItemError
			want(t, "is an ItemError", errors.As(err, &item), true)
			want(t, "index", item.Index, 5)
			wantErr(t, err, errBoom)
			want(t, "text", err.Error(), "item 5: boom")
			if unordered { // item 6 may stand behind item 5 with the same worker, while the other one does the rest
				want(t, "values before it, at least", max(len(got), 5), len(got))
				continue
			}
			want(t, "values before it", len(got), 5)
			want(t, "the other was cancelled", cancelled, true)
		}
	})
	bubble(t, "AllErrors gives every failure in its place", func(t *testing.T, ctx context.Context) {
		var got []string
		for v, err := range Map(ctx, numbers(4), MapConfig{AllErrors: true}, func(_ context.Context, i int) (int, error) {
			if i%2 == 1 {
				return 99, errBoom
			}
			return i, nil
		}) {
			got = append(got, fmt.Sprint(v, err))
		}
		want(t, "got", strings.Join(got, ", "), "0 <nil>, 0 item 1: boom, 2 <nil>, 0 item 3: boom")
	})
	bubble(t, "leaving the loop cancels what runs and lets go of the input", func(t *testing.T, ctx context.Context) {
		var let, cancelled atomic.Bool
		begun := make(chan struct{}, 1)
		in := func(yield func(int) bool) {
			defer let.Store(true)
			for i := 0; yield(i); i++ {
			}
		}
		for _, err := range Map(ctx, in, MapConfig{Concurrency: 2, Unordered: true}, func(ctx context.Context, i int) (int, error) {
			if i > 0 {
				select {
				case begun <- struct{}{}:
				default: // one is enough, and nobody takes a second after the loop was left
				}
				cancelled.Store(untilCancelled(ctx) != nil)
			}
			return i, nil
		}) {
			wantNoErr(t, err)
			<-begun
			break
		}
		want(t, "let go", let.Load(), true)
		want(t, "cancelled", cancelled.Load(), true)
	})
}

func TestMapEndsWithContext(t *testing.T) {
	bubble(t, "the loop ends after the goroutine that the end of the context starts", func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		m := newMapper(ctx, numbers(0), MapConfig{Concurrency: 1}, double, mapOrdered)
		slow := newSleeper()
		slow.woken <- struct{}{} // Whoever wakes it has to wait.
		m.wanted.enlist(slow)
		cancel()
		synctest.Wait()
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			defer m.close()
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed too early")
		default:
		}
		<-slow.woken
		<-closed
	})
	bubble(t, "the end of the context is the last thing given", func(t *testing.T, ctx context.Context) {
		for _, allErrors := range []bool{false, true} {
			ctx, cancel := context.WithTimeoutCause(ctx, time.Second, errBoom)
			defer cancel()
			got, err := Collect(Map(ctx, numbers(100), MapConfig{Concurrency: 2, AllErrors: allErrors}, func(ctx context.Context, i int) (int, error) {
				if i >= 4 {
					return 0, untilCancelled(ctx)
				}
				return i, nil
			}))
			wantErr(t, err, context.DeadlineExceeded, errBoom)
			want(t, "values", fmt.Sprint(got), "[0 1 2 3]")
			got, err = Collect(Map(ctx, numbers(3), MapConfig{}, double))
			wantErr(t, err, errBoom)
			want(t, "values", len(got), 0)
		}
	})
}

func TestMapPanics(t *testing.T) {
	bubble(t, "a panic of the function or the input goes on in the loop", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "ouch", func() {
			_ = exhaust(Map(ctx, numbers(100), MapConfig{}, func(ctx context.Context, i int) (int, error) {
				if i == 50 {
					panickingFunction()
				}
				return i, nil
			}))
		}, func(pe *PanicError) {
			want(t, "names the function", strings.Contains(string(pe.Stack), "panickingFunction"), true)
		})
		wantPanicError(t, "input", func() {
			_ = exhaust(Map(ctx, func(func(int) bool) { panic("input") }, MapConfig{}, double))
		})
		wantPanicError(t, "ouch", func() {
			_ = ForEach(ctx, numbers(3), MapConfig{}, func(context.Context, int) error { panickingFunction(); return nil })
		})
	})
	bubble(t, "a panic of the loop goes on when all calls have ended", func(t *testing.T, ctx context.Context) {
		want(t, "panic", panicOf(func() {
			for _, err := range Map(ctx, numbers(100), MapConfig{}, double) {
				wantNoErr(t, err)
				panic("loop")
			}
		}), any("loop"))
	})
	bubble(t, "panics and failures at the same time are all kept", func(t *testing.T, ctx context.Context) {
		errs := []error{errBoom, errors.New("second"), errors.New("third")}
		wantPanicError(t, errs[1], func() {
			_ = exhaust(Map(ctx, numbers(3), MapConfig{Concurrency: 3}, func(_ context.Context, i int) (int, error) {
				nap(time.Duration(1+i) * time.Second)
				if i == 0 {
					return 0, errBoom
				}
				panic(errs[i])
			}))
		}, func(pe *PanicError) { wantErr(t, pe.Also, errBoom, errs[2]) })
		wantPanicError(t, "loop", func() {
			for _, err := range Map(ctx, numbers(2), MapConfig{Concurrency: 2}, func(ctx context.Context, i int) (int, error) {
				if i == 0 {
					return 0, nil
				}
				<-ctx.Done()
				panic(errBoom)
			}) {
				wantNoErr(t, err)
				panic("loop")
			}
		}, func(pe *PanicError) { wantErr(t, pe.Also, errBoom) })
	})
	bubble(t, "Goexit of a call is a failure of the item", func(t *testing.T, ctx context.Context) {
		failed := 0
		for _, err := range Map(ctx, numbers(100), MapConfig{AllErrors: true}, func(ctx context.Context, i int) (int, error) {
			if i%10 == 0 {
				runtime.Goexit()
			}
			return i, nil
		}) {
			if errors.Is(err, ErrGoexit) {
				failed++
			}
		}
		want(t, "failed", failed, 10)
		wantErr(t, ForEach(ctx, numbers(3), MapConfig{}, func(context.Context, int) error { runtime.Goexit(); return nil }), ErrGoexit)
		_, err := Collect(Map(ctx, func(func(int) bool) { runtime.Goexit() }, MapConfig{}, double))
		wantErr(t, err, ErrGoexit)
	})
	bubble(t, "bad configurations are refused and nil functions panic", func(t *testing.T, ctx context.Context) {
		_, err := Collect(Map(ctx, numbers(3), MapConfig{Concurrency: -1}, double))
		want(t, "text", err.Error(), "async: MapConfig.Concurrency must be at least 0, got -1")
		err = ForEach(ctx, numbers(3), MapConfig{Ahead: AheadMax + 1}, func(context.Context, int) error { return nil })
		want(t, "text", err.Error(), "async: MapConfig.Ahead must be at most 1048576, got 1048577")
		wantPanic(t, "Map was given", func() { Map[int, int](ctx, numbers(1), MapConfig{}, nil) })
		wantPanic(t, "Map (as its input) was given", func() { Map(ctx, iter.Seq[int](nil), MapConfig{}, double) })
		wantPanic(t, "ForEach was given", func() { _ = ForEach(ctx, numbers(1), MapConfig{}, nil) })
	})
}

func TestMapManyAtOnce(t *testing.T) {
	bubble(t, "as many calls run as Concurrency says, though it begins with less memory", func(t *testing.T, ctx context.Context) {
		const most = 4 * windowStart
		running, highest := 0, 0
		var mu sync.Mutex
		for _, err := range Map(ctx, numbers(3*most), MapConfig{Concurrency: most}, func(context.Context, int) (int, error) {
			mu.Lock()
			running++
			highest = max(highest, running)
			mu.Unlock()
			nap(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return 0, nil
		}) {
			wantNoErr(t, err)
		}
		want(t, "at once", highest, most)
	})
}

func TestForEachInputPanics(t *testing.T) {
	bubble(t, "on the caller's goroutine, so it goes on as it is when the calls have returned", func(t *testing.T, ctx context.Context) {
		calls := 0
		in := func(yield func(int) bool) { yield(1); synctest.Wait(); panic(errBoom) }
		value := panicOf(func() {
			_ = ForEach(ctx, in, MapConfig{}, func(ctx context.Context, _ int) error { <-ctx.Done(); calls++; return ctx.Err() })
		})
		want(t, "panic", value, any(errBoom))
		want(t, "calls", calls, 1)
	})
	bubble(t, "with the failures that it would hide", func(t *testing.T, ctx context.Context) {
		failure := errors.New("failure")
		in := func(yield func(int) bool) { yield(1); synctest.Wait(); panic(errBoom) }
		wantPanicError(t, errBoom, func() {
			_ = ForEach(ctx, in, MapConfig{}, func(context.Context, int) error { return failure })
		}, func(pe *PanicError) { wantErr(t, pe.Also, failure) })
	})
}

func TestForEach(t *testing.T) {
	bubble(t, "calls the function once for every item", func(t *testing.T, ctx context.Context) {
		var mu sync.Mutex
		seen := map[int]int{}
		wantNoErr(t, ForEach(ctx, numbers(5000), MapConfig{Concurrency: 5}, func(_ context.Context, i int) error {
			mu.Lock()
			defer mu.Unlock()
			seen[i]++
			return nil
		}))
		want(t, "items", len(seen), 5000)
	})
	bubble(t, "returns the first failure, or all of them", func(t *testing.T, ctx context.Context) {
		odd := func(_ context.Context, i int) error {
			if i%2 == 1 {
				return errBoom
			}
			return nil
		}
		var item *ItemError
		want(t, "is an ItemError", errors.As(ForEach(ctx, numbers(100), MapConfig{}, odd), &item), true)
		err := ForEach(ctx, numbers(100), MapConfig{AllErrors: true}, odd)
		want(t, "failures", strings.Count(err.Error(), "boom"), ErrorsMax)
		want(t, "counts the rest", strings.Contains(err.Error(), "and 18 more errors"), true)
	})
	bubble(t, "an ended context is an error unless all was done", func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		wantNoErr(t, ForEach(ctx, numbers(3), MapConfig{}, func(_ context.Context, i int) error {
			if i == 2 {
				cancel(errBoom)
			}
			return nil
		}))
		wantErr(t, ForEach(ctx, numbers(3), MapConfig{}, func(context.Context, int) error { t.Error("called"); return nil }), errBoom)
		timed, cancelTimed := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancelTimed()
		wantErr(t, ForEach(timed, numbers(1), MapConfig{}, func(ctx context.Context, _ int) error { return untilCancelled(ctx) }), context.DeadlineExceeded)
	})
	bubble(t, "items may wait for one another up to the concurrency", func(t *testing.T, ctx context.Context) {
		pairs := make(chan struct{})
		wantNoErr(t, ForEach(ctx, numbers(1000), MapConfig{Concurrency: 2}, func(_ context.Context, i int) error {
			select {
			case pairs <- struct{}{}:
			case <-pairs:
			}
			return nil
		}))
	})
}

func TestDocumentedEdges(t *testing.T) {
	bubble(t, "one item is asked for and none is begun", func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		asked := 0
		in := func(yield func(int) bool) {
			for asked = 1; yield(asked); asked++ {
			}
		}
		wantErr(t, ForEach(ctx, in, MapConfig{}, func(context.Context, int) error { t.Error("begun"); return nil }), context.Canceled, errBoom)
		want(t, "asked for", asked, 1)
	})
	bubble(t, "work that ends with its submitter is reported where there is no future to tell of it", func(t *testing.T, ctx context.Context) {
		var reported []error
		p, err := NewPool(PoolConfig{Workers: 1, OnError: func(err error) { reported = append(reported, err) }})
		wantNoErr(t, err)
		p.Pause()
		own, cancel := context.WithCancelCause(ctx)
		wantNoErr(t, p.Go(own, func(context.Context) error { return nil }))
		f, err := Submit(own, p, value(1))
		wantNoErr(t, err)
		cancel(errBoom)
		wantNoErr(t, p.Stop(ctx))
		want(t, "reported", len(reported), 1)
		wantErr(t, reported[0], errBoom)
		_, err = f.Await(ctx)
		wantErr(t, err, errBoom)
	})
	inScope(t, "nobody is told of a Rejected that nobody looks at", nil, func(*testing.T, context.Context, *Scope) {
		_ = Rejected[int](errBoom)
	})
}
