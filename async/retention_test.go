package async

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// burden is what the tests of this file see to be let go of.
type burden struct{ bytes [1 << 10]byte }

type burdenKey struct{}

// burdened gives a context that holds a burden.
func burdened() (context.Context, weak.Pointer[burden]) {
	b := &burden{}
	return context.WithValue(context.Background(), burdenKey{}, b), weak.Make(b)
}

// wantFreed collects garbage until the burden is gone, also where a goroutine has yet to go to sleep that held it.
func wantFreed(t *testing.T, what string, b weak.Pointer[burden]) {
	t.Helper()
	for range 1000 {
		runtime.GC()
		if b.Value() == nil {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("%s is kept", what)
}

func TestRetention(t *testing.T) {
	t.Parallel()
	p, err := NewPool(PoolConfig{Workers: 1})
	wantNoErr(t, err)
	settled := map[string]func(ctx context.Context) *Future[int]{
		"Go": func(ctx context.Context) (f *Future[int]) {
			wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { f = Go(s, value(1)); return nil }))
			return f
		},
		"Then": func(ctx context.Context) (f *Future[int]) {
			wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { f = Then(s, Resolved(1), double); return nil }))
			return f
		},
		"Finally": func(ctx context.Context) (f *Future[int]) {
			wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { f = Finally(s, Resolved(1), func() {}); return nil }))
			return f
		},
		"a resolver": func(ctx context.Context) (f *Future[int]) {
			wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { f = NewResolver[int](s).Future(); return nil }))
			return f
		},
		"Submit": func(ctx context.Context) *Future[int] {
			f, err := Submit(ctx, p, value(1))
			wantNoErr(t, err)
			_, err = f.Await(ctx)
			wantNoErr(t, err)
			return f
		},
	}
	for name, make := range settled {
		ctx, b := burdened()
		f := make(ctx)
		wantFreed(t, "the context that a settled future of "+name+" began with", b)
		runtime.KeepAlive(f)
	}
	t.Run("work whose context ended before it could start", func(t *testing.T) {
		ctx, b := burdened()
		f := func() *Future[int] {
			ctx, cancel := context.WithCancel(ctx)
			p.Pause()
			f, err := Submit(ctx, p, value(1))
			wantNoErr(t, err)
			cancel()
			p.Resume()
			_, err = f.Await(t.Context())
			wantErr(t, err, context.Canceled)
			return f
		}()
		for range contextsMade { // The worker keeps the contexts that it has made at once.
			_, err := Submit(t.Context(), p, value(1))
			wantNoErr(t, err)
		}
		wantNoErr(t, p.Drain(t.Context()))
		wantFreed(t, "its context", b)
		runtime.KeepAlive(f)
	})
	p.Pause()
	f, b := func() (*Future[int], weak.Pointer[burden]) {
		b := &burden{}
		f, err := Submit(t.Context(), p, func(context.Context) (int, error) { return int(b.bytes[0]), nil })
		wantNoErr(t, err)
		f.Cancel(nil)
		return f, weak.Make(b)
	}()
	wantFreed(t, "the function of cancelled work", b)
	runtime.KeepAlive(f)
	wantNoErr(t, p.Stop(t.Context()))
}

// allocated gives the bytes that fn allocates. No other test may run meanwhile.
func allocated(fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

func TestMemoryFollowsUse(t *testing.T) {
	ctx := t.Context()
	few := func(name string, bytes int, fn func()) {
		t.Helper()
		if got := allocated(fn); got > bytes {
			t.Errorf("%s takes %d bytes, more than %d", name, got, bytes)
		}
	}
	big := func(context.Context, int) (b burden, _ error) { return b, nil }
	for _, cfg := range []MapConfig{{Concurrency: 2}, {Concurrency: 2, Ahead: AheadMax}, {Concurrency: 2, Unordered: true}, {Concurrency: 2, Ahead: AheadMax, Unordered: true}} {
		few("Map over ten items", 48<<10, func() {
			for _, err := range Map(ctx, numbers(10), cfg, big) {
				wantNoErr(t, err)
			}
		})
	}
	for _, cfg := range []MapConfig{{}, {Unordered: true}, {Ahead: AheadMax}} {
		cfg.Concurrency = ConcurrencyMax
		few("Map with the largest Concurrency", 96<<10, func() {
			for _, err := range Map(ctx, numbers(3), cfg, double) {
				wantNoErr(t, err)
			}
		})
	}
	few("a pool that is not used", 8<<10, func() {
		p, err := NewPool(PoolConfig{Queue: PoolQueueMax})
		wantNoErr(t, err)
		wantNoErr(t, p.Stop(ctx))
	})
	p, err := NewPool(PoolConfig{Queue: 1 << 12})
	wantNoErr(t, err)
	few("the queue of one priority", 256<<10, func() {
		_, err := Submit(ctx, p, value(1))
		wantNoErr(t, err)
	})
	wantNoErr(t, p.Stop(ctx))
}

func TestCancelIsWaitedFor(t *testing.T) {
	slow := func(int, error) { nap(time.Hour) }
	bubble(t, "by Run, where a callback of what it cancels goes on", func(t *testing.T, ctx context.Context) {
		start := time.Now()
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			f := NewResolver[int](s).Future()
			f.OnEnd(slow)
			go f.Cancel(nil)
			synctest.Wait()
			return nil
		}))
		want(t, "waited", time.Since(start), time.Hour)
	})
	inPool(t, "and by Drain", PoolConfig{Workers: 1}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		p.Pause()
		start := time.Now()
		f, err := Submit(ctx, p, value(1))
		wantNoErr(t, err)
		f.OnEnd(slow)
		go f.Cancel(nil)
		synctest.Wait()
		p.Resume()
		wantNoErr(t, p.Drain(ctx))
		want(t, "waited", time.Since(start), time.Hour)
	})
	bubble(t, "and does nothing to a future whose scope has ended", func(t *testing.T, ctx context.Context) {
		var f *Future[int]
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { f = NewResolver[int](s).Future(); return nil }))
		f.Cancel(errBoom)
		_, err := f.Await(ctx)
		want(t, "error", err, ErrScopeEnded)
	})
}
