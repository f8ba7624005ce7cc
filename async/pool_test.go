package async

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// inPool runs a test with a pool, and compares what Stop returns with wanted.
func inPool(t *testing.T, name string, cfg PoolConfig, wanted error, test func(t *testing.T, ctx context.Context, p *Pool)) {
	t.Helper()
	bubble(t, name, func(t *testing.T, ctx context.Context) {
		p, err := NewPool(cfg)
		wantNoErr(t, err)
		test(t, ctx, p)
		if err := p.Stop(context.WithoutCancel(ctx)); !errors.Is(err, wanted) {
			t.Fatalf("Stop returned %v, want %v", err, wanted)
		}
		want(t, "workers left", p.Stats().Workers, 0)
	})
}

func sleeping(context.Context) error { nap(time.Second); return nil }

func mustGo(t *testing.T, p *Pool, fn func(context.Context) error) {
	t.Helper()
	wantNoErr(t, p.Go(context.Background(), fn))
}

func TestPool(t *testing.T) {
	inPool(t, "does all work and gives its results", PoolConfig{Workers: 3}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		var fs []*Future[int]
		for i := range 3000 {
			f, err := Submit(ctx, p, func(context.Context) (int, error) { return i, nil })
			wantNoErr(t, err)
			fs = append(fs, f)
		}
		vs, err := All(ctx, fs...)
		wantNoErr(t, err)
		want(t, "values in order", slices.IsSorted(vs), true)
		wantNoErr(t, p.Drain(ctx)) // the last future is settled a moment before its worker counts it.
		want(t, "ended", p.Stats().Ended, 3000)
	})
	inPool(t, "never runs more at once than Workers", PoolConfig{Workers: 3}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		for range 10 {
			mustGo(t, p, sleeping)
		}
		synctest.Wait()
		want(t, "stats", fmt.Sprintf("%+v", p.Stats()), "{Workers:3 Running:3 Queued:7 Blocked:0 Ended:0 Failed:0 Dropped:0 Rejected:0}")
		wantNoErr(t, p.Drain(ctx))
		want(t, "stats", fmt.Sprintf("%+v", p.Stats()), "{Workers:3 Running:0 Queued:0 Blocked:0 Ended:10 Failed:0 Dropped:0 Rejected:0}")
	})
	inPool(t, "idle workers leave down to the minimum", PoolConfig{Workers: 5, WorkersMin: 2, IdleTimeout: time.Minute}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		want(t, "at first", p.Stats().Workers, 0)
		for range 10 {
			mustGo(t, p, sleeping)
		}
		wantNoErr(t, p.Drain(ctx))
		want(t, "busy", p.Stats().Workers, 5)
		nap(2 * time.Minute)
		synctest.Wait()
		want(t, "idle", p.Stats().Workers, 2)
	})
}

func TestPoolControl(t *testing.T) {
	inPool(t, "Resize changes the bounds at work", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		for range 20 {
			mustGo(t, p, sleeping)
		}
		synctest.Wait()
		wantNoErr(t, p.Resize(0, 4))
		synctest.Wait()
		want(t, "grown", p.Stats().Workers, 4)
		wantNoErr(t, p.Resize(1, 2))
		nap(1500 * time.Millisecond)
		want(t, "shrunk", p.Stats().Running, 2)
		want(t, "shrunk", p.Stats().Workers, 2)
		want(t, "text", p.Resize(3, 2).Error(), "async: WorkersMin must be at most 2, got 3")
		want(t, "text", p.Resize(0, 0).Error(), "async: Workers must be at least 1, got 0")
	})
	inPool(t, "Pause holds work back until Resume", PoolConfig{}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		p.Pause()
		f, err := Submit(ctx, p, value(7))
		wantNoErr(t, err)
		_, err = AwaitTimeout(ctx, f, time.Hour)
		wantErr(t, err, context.DeadlineExceeded)
		timed, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wantErr(t, p.Drain(timed), context.DeadlineExceeded)
		p.Resume()
		v, err := f.Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, 7)
	})
	inPool(t, "the more urgent goes first, and the less urgent is not forgotten", PoolConfig{Workers: 1, Queue: 100}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		var order []Priority
		p.Pause()
		for _, priority := range []Priority{PriorityLow, PriorityNormal, PriorityHigh} {
			for range 40 {
				wantNoErr(t, p.GoAt(ctx, priority, func(context.Context) error { order = append(order, priority); return nil }))
			}
		}
		p.Resume()
		wantNoErr(t, p.Drain(ctx))
		want(t, "first", order[0], PriorityHigh)
		want(t, "high in the first 40", count(order[:40], PriorityHigh) >= 37, true)
		want(t, "low in the first 40", count(order[:40], PriorityLow) >= 1, true)
		want(t, "all", len(order), 120)
	})
}

func TestPoolOnErrorEarly(t *testing.T) {
	reported := 0
	cfg := PoolConfig{Workers: 1, Queue: watchedMax, OnError: func(error) { reported++ }}
	inPool(t, "the oldest of many failures are told before Stop", cfg, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		for range watchedMax {
			_, err := Submit(ctx, p, failing[int](errBoom))
			wantNoErr(t, err)
		}
		wantNoErr(t, p.Drain(ctx))
		want(t, "told early", reported, watchedMax/2)
		wantNoErr(t, p.Stop(ctx))
		want(t, "told in all", reported, watchedMax)
	})
}

func TestNoPriorityStarves(t *testing.T) {
	inPool(t, "of three full queues", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		var order []Priority
		p.Pause()
		for _, priority := range []Priority{PriorityLow, PriorityNormal, PriorityHigh} {
			for range PoolQueueDefault {
				wantNoErr(t, p.GoAt(ctx, priority, func(context.Context) error { order = append(order, priority); return nil }))
			}
		}
		p.Resume()
		wantNoErr(t, p.Drain(ctx))
		first := order[:20*lowFirst]
		want(t, "high", count(first, PriorityHigh) >= 18*lowFirst, true)
		want(t, "normal", count(first, PriorityNormal), 10)
		want(t, "low", count(first, PriorityLow), 10)
	})
}

func count(order []Priority, p Priority) (n int) {
	for _, o := range order {
		if o == p {
			n++
		}
	}
	return n
}

func TestPoolOverflow(t *testing.T) {
	inPool(t, "Block waits for room, or for the end of the context", PoolConfig{Workers: 1, Queue: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		start := time.Now()
		for range 4 {
			mustGo(t, p, sleeping)
		}
		want(t, "waited", time.Since(start), 2*time.Second)
		timed, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err := Submit(timed, p, value(1))
		wantErr(t, err, context.DeadlineExceeded)
	})
	inPool(t, "Reject refuses", PoolConfig{Workers: 1, Queue: 3, Overflow: OverflowReject}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, sleeping)
		synctest.Wait()
		for range 3 {
			mustGo(t, p, sleeping)
		}
		_, err := Submit(ctx, p, value(1))
		want(t, "error", err, ErrPoolFull)
		want(t, "rejected", p.Stats().Rejected, 1)
	})
	inPool(t, "DropOldest makes room", PoolConfig{Workers: 1, Queue: 2, Overflow: OverflowDropOldest}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, sleeping)
		synctest.Wait()
		var fs []*Future[int]
		for i := range 4 {
			f, err := Submit(ctx, p, value(i))
			wantNoErr(t, err)
			fs = append(fs, f)
		}
		rs, err := AllSettled(ctx, fs...)
		wantNoErr(t, err)
		want(t, "first", rs[0].Err, ErrDropped)
		want(t, "second", rs[1].Err, ErrDropped)
		want(t, "last", rs[3].Value, 3)
		want(t, "dropped", p.Stats().Dropped, 2)
		want(t, "failed", p.Stats().Failed, 2)
	})
	inPool(t, "dropped work without a future is reported", PoolConfig{Workers: 1, Queue: 1, Overflow: OverflowDropOldest}, ErrDropped, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, sleeping)
		synctest.Wait()
		mustGo(t, p, sleeping)
		mustGo(t, p, sleeping)
	})
}

func TestPoolFailures(t *testing.T) {
	inPool(t, "errors and panics of work without a future come out of Stop", PoolConfig{}, errBoom, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, func(context.Context) error { panic(errBoom) })
	})
	inPool(t, "so do those of futures that nobody looked at", PoolConfig{}, errBoom, func(t *testing.T, ctx context.Context, p *Pool) {
		_, err := Submit(ctx, p, failing[int](errBoom))
		wantNoErr(t, err)
	})
	inPool(t, "and panics of callbacks", PoolConfig{}, errBoom, func(t *testing.T, ctx context.Context, p *Pool) {
		f, err := Submit(ctx, p, value(1))
		wantNoErr(t, err)
		f.OnSuccess(func(int) { panic(errBoom) })
	})
	var hooked atomic.Int32
	hook := PoolConfig{OnError: func(err error) { hooked.Add(1) }}
	inPool(t, "the hook gets them instead", hook, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, failingPlain)
		wantNoErr(t, p.Drain(ctx))
		want(t, "at once", hooked.Load(), 1)
		_, err := Submit(ctx, p, failing[int](errBoom))
		wantNoErr(t, err)
		wantNoErr(t, p.Stop(ctx))
		want(t, "by Stop", hooked.Load(), 2)
	})
	inPool(t, "a panic is the future's error and the worker goes on", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		f, _ := Submit(ctx, p, func(context.Context) (int, error) { panickingFunction(); return 0, nil })
		_, err := f.Await(ctx)
		var pe *PanicError
		want(t, "is a PanicError", errors.As(err, &pe), true)
		want(t, "has the stack", strings.Contains(string(pe.Stack), "panickingFunction"), true)
		f, _ = Submit(ctx, p, value(7))
		v, err := f.Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, 7)
	})
	inPool(t, "Goexit ends the work and not the worker", PoolConfig{Workers: 1}, ErrGoexit, func(t *testing.T, ctx context.Context, p *Pool) {
		f, _ := Submit(ctx, p, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		_, err := f.Await(ctx)
		want(t, "error", err, ErrGoexit)
		mustGo(t, p, func(context.Context) error { runtime.Goexit(); return nil })
		f, _ = Submit(ctx, p, value(7))
		v, _ := f.Await(ctx)
		want(t, "value", v, 7)
	})
	inPool(t, "many failures are bounded", PoolConfig{}, errBoom, func(t *testing.T, ctx context.Context, p *Pool) {
		for range 3 * watchedMax {
			_, err := Submit(ctx, p, failing[int](errBoom))
			wantNoErr(t, err)
		}
		wantNoErr(t, p.Drain(ctx))
		want(t, "errors", len(p.failures.errs), ErrorsMax)
		want(t, "watched", len(p.failures.watched) < watchedMax, true)
	})
}

func failingPlain(context.Context) error { return errBoom }

func TestPoolStop(t *testing.T) {
	inPool(t, "waits for accepted work and refuses new work", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		f, _ := Submit(ctx, p, after(time.Second, 7, nil))
		p.Pause()
		wantNoErr(t, p.Stop(ctx))
		v, ok := f.Result()
		want(t, "settled", ok, true)
		want(t, "value", v.Value, 7)
		_, err := Submit(ctx, p, value(1))
		want(t, "error", err, ErrPoolStopped)
		want(t, "error", p.Go(ctx, sleeping), ErrPoolStopped)
		wantNoErr(t, p.Drain(ctx))
		p.Resume()
		p.Pause()
		wantNoErr(t, p.Resize(1, 2))
	})
	bubble(t, "when its context ends it cancels the rest", func(t *testing.T, ctx context.Context) {
		p, err := NewPool(PoolConfig{Workers: 1})
		wantNoErr(t, err)
		running, _ := Submit(ctx, p, valueUntilCancelled)
		queued, _ := Submit(ctx, p, value(1))
		timed, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		stopped := make(chan error)
		go func() { stopped <- p.Stop(timed) }()
		synctest.Wait()
		second := p.Stop(ctx)
		wantErr(t, second, context.DeadlineExceeded)
		want(t, "both return the same", <-stopped, second)
		_, err = running.Await(ctx)
		wantErr(t, err, context.Canceled, ErrPoolStopped)
		_, err = queued.Await(ctx)
		want(t, "queued", err, ErrPoolStopped)
	})
	bubble(t, "a blocked submitter is refused", func(t *testing.T, ctx context.Context) {
		p, err := NewPool(PoolConfig{Workers: 1, Queue: 1})
		wantNoErr(t, err)
		mustGo(t, p, sleeping)
		synctest.Wait()
		mustGo(t, p, sleeping)
		refused := make(chan error, 1)
		go func() { refused <- p.Go(ctx, sleeping) }()
		synctest.Wait()
		want(t, "blocked", p.Stats().Blocked, 1)
		wantNoErr(t, p.Stop(ctx))
		want(t, "error", <-refused, ErrPoolStopped)
	})
	inPool(t, "a task that stops or drains its own pool is told", PoolConfig{}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		f, _ := Submit(ctx, p, func(ctx context.Context) (int, error) { return 0, errors.Join(p.Stop(ctx), p.Drain(ctx)) })
		_, err := f.Await(ctx)
		want(t, "text", strings.Count(err.Error(), ErrCycle.Error()), 2)
		f, _ = Submit(ctx, p, func(ctx context.Context) (int, error) {
			return 0, Run(ctx, func(ctx context.Context, s *Scope) error {
				_, err := Go(s, func(ctx context.Context) (int, error) { return 0, p.Drain(ctx) }).Await(ctx)
				return err
			})
		})
		_, err = f.Await(ctx)
		want(t, "in a scope of the task", err, ErrCycle)
	})
	inPool(t, "of a pool that was never used returns", PoolConfig{WorkersMin: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {})
}

func TestPoolContexts(t *testing.T) {
	inPool(t, "work ends with its submitter's context", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		own, cancel := context.WithCancelCause(ctx)
		running, _ := Submit(own, p, valueUntilCancelled)
		queued, _ := Submit(own, p, func(context.Context) (int, error) { t.Error("started"); return 0, nil })
		synctest.Wait()
		cancel(errBoom)
		_, err := running.Await(ctx)
		wantErr(t, err, context.Canceled, errBoom)
		_, err = queued.Await(ctx)
		wantErr(t, err, context.Canceled, errBoom)
		_, err = Submit(own, p, value(1))
		wantErr(t, err, errBoom)
	})
	inPool(t, "a queued future can be cancelled", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, sleeping)
		f, _ := Submit(ctx, p, func(context.Context) (int, error) { t.Error("started"); return 0, nil })
		f.Cancel(errBoom)
		_, err := f.Await(ctx)
		wantErr(t, err, errBoom, context.Canceled)
	})
	inPool(t, "it fails at once then, and its callbacks run once", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, func(context.Context) error { nap(time.Hour); return nil })
		start, calls := time.Now(), 0
		f, _ := Submit(ctx, p, func(context.Context) (int, error) { t.Error("started"); return 0, nil })
		f.OnEnd(func(int, error) { calls++ })
		f.Cancel(errBoom)
		_, err := f.Await(ctx)
		wantErr(t, err, errBoom)
		want(t, "waited", time.Since(start), 0)
		wantNoErr(t, p.Drain(ctx))
		want(t, "calls", calls, 1)
		want(t, "stats", fmt.Sprint(p.Stats().Ended, p.Stats().Failed), "2 1")
	})
	inPool(t, "work without a future that is cut short is reported", PoolConfig{Workers: 1}, errBoom, func(t *testing.T, ctx context.Context, p *Pool) {
		own, cancel := context.WithCancelCause(ctx)
		mustGo(t, p, sleeping)
		wantNoErr(t, p.Go(own, func(context.Context) error { t.Error("started"); return nil }))
		cancel(errBoom)
	})
}

func TestPoolBadInput(t *testing.T) {
	t.Parallel()
	for text, cfg := range map[string]PoolConfig{
		"async: PoolConfig.Workers must be at least 1, got -1":        {Workers: -1},
		"async: PoolConfig.WorkersMin must be at least 0, got -1":     {WorkersMin: -1},
		"async: PoolConfig.WorkersMin must be at most 2, got 3":       {Workers: 2, WorkersMin: 3},
		"async: PoolConfig.Queue must be at least 1, got -1":          {Queue: -1},
		"async: PoolConfig.IdleTimeout must be at least 0, got -1ns":  {IdleTimeout: -1},
		"async: PoolConfig.Overflow is none of the known ones, got 7": {Overflow: 7},
	} {
		_, err := NewPool(cfg)
		want(t, "text", fmt.Sprint(err), text)
	}
	inPool(t, "bad submissions", PoolConfig{}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		wantPanic(t, "Pool.Go was given", func() { _ = p.Go(ctx, nil) })
		wantPanic(t, "Submit was given", func() { _, _ = Submit[int](ctx, p, nil) })
		_, err := SubmitAt(ctx, p, 5, value(1))
		want(t, "text", err.Error(), "async: the priority must be PriorityLow, PriorityNormal or PriorityHigh, got 5")
	})
}
