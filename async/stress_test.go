package async

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests of this file run outside bubbles, on all processors at once, for the race detector and for interleavings that a fake
// clock does not make.

func TestRingUnderLoad(t *testing.T) {
	t.Parallel()
	const producers, each = 4, 5000
	for _, limit := range []int{1, 2, 3, 64} {
		r := newRing[int](limit)
		var sum, taken atomic.Int64
		var wg sync.WaitGroup
		for range producers {
			wg.Go(func() {
				for i := 1; i <= each; {
					if r.push(i) {
						i++
					} else if v, ok := r.pop(); ok {
						sum.Add(int64(v))
						taken.Add(1)
					}
					if n := r.len(); n > limit {
						t.Errorf("a ring of %d holds %d", limit, n)
					}
				}
			})
		}
		wg.Wait()
		for v, ok := r.pop(); ok; v, ok = r.pop() {
			sum.Add(int64(v))
			taken.Add(1)
		}
		want(t, "items", taken.Load(), producers*each)
		want(t, "sum", sum.Load(), producers*each*(each+1)/2)
	}
}

// TestRingsUnderLoad makes rings larger while items go in and out: none is lost and none comes twice.
func TestRingsUnderLoad(t *testing.T) {
	t.Parallel()
	const producers, each = 3, 10_000
	for range 20 {
		var q rings[int]
		q.init(1)
		var sum, taken atomic.Int64
		var wg sync.WaitGroup
		wg.Go(func() {
			for limit := 2; limit <= 1<<10; limit *= 2 {
				q.grow(limit)
				runtime.Gosched()
			}
		})
		for range producers {
			wg.Go(func() {
				for i := 1; i <= each; {
					if q.push(i) {
						i++
					} else {
						runtime.Gosched()
					}
				}
			})
			wg.Go(func() {
				last := int64(0)
				for taken.Load() < producers*each {
					if v, ok := q.pop(); ok {
						sum.Add(int64(v))
						taken.Add(1)
					} else {
						runtime.Gosched()
					}
					popped := q.popped()
					want(t, "counts up", popped >= last, true)
					last = popped
				}
			})
		}
		wg.Wait()
		want(t, "sum", sum.Load(), producers*each*(each+1)/2)
		want(t, "popped", q.popped(), producers*each)
		want(t, "left", q.len(), 0)
	}
}

func TestPoolUnderLoad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, overflow := range []Overflow{OverflowBlock, OverflowReject, OverflowDropOldest} {
		p, err := NewPool(PoolConfig{Workers: 4, Queue: 8, Overflow: overflow, IdleTimeout: 1, OnError: func(error) {}})
		wantNoErr(t, err)
		var accepted, ended atomic.Int64
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			for range 4 {
				s.Go(func(ctx context.Context) error {
					for i := range 2000 {
						f, err := SubmitAt(ctx, p, Priority(i%3-1), value(i))
						if err != nil {
							continue
						}
						accepted.Add(1)
						f.OnEnd(func(int, error) { ended.Add(1) })
						if i%100 == 0 {
							p.Pause()
							wantNoErr(t, p.Resize(i%2, 1+i%5))
							p.Resume()
						}
					}
					return p.Drain(ctx)
				})
			}
			return nil
		}))
		wantNoErr(t, p.Stop(ctx))
		want(t, "ended", ended.Load(), accepted.Load())
		want(t, "counted", p.Stats().Ended, accepted.Load())
	}
}

// TestCancelUnderLoad cancels work of a pool while workers take it: each future settles once, and what was cancelled in time is not
// begun.
func TestCancelUnderLoad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, err := NewPool(PoolConfig{Workers: 4, Queue: 16})
	wantNoErr(t, err)
	var begun, ended, succeeded atomic.Int64
	const submitters, each = 4, 2000
	wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
		for range submitters {
			s.Go(func(ctx context.Context) error {
				for range each {
					f, err := Submit(ctx, p, func(context.Context) (int, error) { begun.Add(1); return 7, nil })
					if err != nil {
						return err
					}
					f.OnEnd(func(int, error) { ended.Add(1) })
					f.Cancel(errBoom)
					switch v, err := f.Await(ctx); {
					case err == nil && v == 7:
						succeeded.Add(1)
					case !errors.Is(err, errBoom):
						t.Errorf("got %d and the error %v", v, err)
					}
				}
				return nil
			})
		}
		return nil
	}))
	wantNoErr(t, p.Stop(ctx))
	want(t, "callbacks", ended.Load(), submitters*each)
	want(t, "begun and succeeded", begun.Load(), succeeded.Load())
	want(t, "counted", p.Stats().Ended, submitters*each)
}

// TestMapLeftAnywhere leaves the loop at every place, in every way: by break, panic and Goexit, and by the end of the context.
func TestMapLeftAnywhere(t *testing.T) {
	t.Parallel()
	const n = 40
	ways := []func(cancel context.CancelFunc) bool{
		func(context.CancelFunc) bool { return false },
		func(context.CancelFunc) bool { panic(errBoom) },
		func(context.CancelFunc) bool { runtime.Goexit(); return false },
		func(cancel context.CancelFunc) bool { cancel(); return true },
	}
	for _, cfg := range []MapConfig{{}, {Concurrency: 4, Unordered: true}, {Concurrency: 3, Ahead: 1}, {AllErrors: true}} {
		for place := range n {
			for _, leave := range ways {
				var running, inputs atomic.Int64
				var wg sync.WaitGroup
				wg.Go(func() {
					defer func() { _ = recover() }()
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					in := func(yield func(int) bool) {
						inputs.Add(1)
						defer inputs.Add(-1)
						numbers(n)(yield)
					}
					given := 0
					for range Map(ctx, in, cfg, func(ctx context.Context, i int) (int, error) { //nolint:errcheck // The end is what is looked at.
						running.Add(1)
						defer running.Add(-1)
						return i, nil
					}) {
						if given++; given > place && !leave(cancel) {
							break
						}
					}
				})
				wg.Wait()
				want(t, "calls and inputs that run", running.Load()+inputs.Load(), 0)
			}
		}
	}
}

// TestRetiringWorkers submits while the only worker is about to leave because it has found nothing to do.
func TestRetiringWorkers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, err := NewPool(PoolConfig{Workers: 1, IdleTimeout: 1})
	wantNoErr(t, err)
	for i := range 5000 {
		f, err := Submit(ctx, p, value(i))
		wantNoErr(t, err)
		v, err := f.Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, i)
	}
	wantNoErr(t, p.Stop(ctx))
}

func TestMapUnderLoad(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, cfg := range []MapConfig{{Concurrency: 4}, {Concurrency: 4, Unordered: true}, {Concurrency: 3, Ahead: 2, Unordered: true}, {Concurrency: 2, Ahead: 1}} {
		sum, next := 0, 0
		for v, err := range Map(ctx, numbers(30_000), cfg, double) {
			wantNoErr(t, err)
			if !cfg.Unordered {
				want(t, "value", v, 2*next)
			}
			sum += v
			next++
		}
		want(t, "results", next, 30_000)
		want(t, "sum", sum, 30_000*29_999)
	}
	for range 200 {
		for _, err := range Map(ctx, numbers(100), MapConfig{Concurrency: 4}, double) {
			wantNoErr(t, err)
			break
		}
	}
}

func TestFuturesUnderLoad(t *testing.T) {
	t.Parallel()
	wantNoErr(t, Run(context.Background(), func(ctx context.Context, s *Scope) error {
		for range 300 {
			r := NewResolver[int](s)
			var called atomic.Int64
			for i := range 4 {
				s.Go(func(ctx context.Context) error {
					r.Future().OnEnd(func(int, error) { called.Add(1) })
					if i == 0 {
						r.Resolve(7)
					}
					v, err := Race(ctx, r.Future(), r.Future())
					want(t, "value", v, 7)
					return err
				})
			}
			if _, err := r.Future().Await(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
}

// TestGateLooksAgain has what is waited for come about, and its wake-up go by, after the last look before the sleep.
func TestGateLooksAgain(t *testing.T) {
	bubble(t, "once enlisted", func(t *testing.T, ctx context.Context) {
		var g gate
		looks := 0
		g.wait(newSleeper(), func() bool { looks++; return looks > spinsMax })
		want(t, "looks", looks, spinsMax+1)
		want(t, "left", len(g.sleepers), 0)
	})
}

// TestGateWakesAllOnce has goroutines that go to sleep again as soon as they are woken.
func TestGateWakesAllOnce(t *testing.T) {
	t.Parallel()
	const sleepers, rounds = 200, 50
	var g gate
	var wakes atomic.Int64
	var over atomic.Bool
	var running sync.WaitGroup
	for range sleepers {
		running.Go(func() {
			for s := newSleeper(); !over.Load(); wakes.Add(1) {
				g.enlist(s)
				<-s.woken
			}
		})
	}
	for i := range rounds {
		for g.sleeping.Load() < sleepers {
			runtime.Gosched()
		}
		over.Store(i == rounds-1)
		g.wakeAll()
	}
	running.Wait()
	want(t, "wakes", wakes.Load(), sleepers*rounds)
}

// TestSearchingWorkers looks for work that is left to a worker which has found other work. Pairs of calls wait for one another,
// so a call that is not begun while there is a worker to spare makes the bubble fail.
func TestSearchingWorkers(t *testing.T) {
	pair := func(c chan struct{}) func(context.Context) error {
		return func(context.Context) error {
			select {
			case c <- struct{}{}:
			case <-c:
			}
			return nil
		}
	}
	bubble(t, "of a pool", func(t *testing.T, ctx context.Context) {
		for range 500 {
			p, err := NewPool(PoolConfig{Workers: 2})
			wantNoErr(t, err)
			for range 4 {
				c := make(chan struct{})
				f, err := Submit(ctx, p, value(1))
				wantNoErr(t, err)
				_, err = f.Await(ctx)
				wantNoErr(t, err)
				mustGo(t, p, pair(c))
				mustGo(t, p, pair(c))
				wantNoErr(t, p.Drain(ctx))
			}
			wantNoErr(t, p.Stop(ctx))
		}
	})
	bubble(t, "of Map", func(t *testing.T, ctx context.Context) {
		for range 500 {
			call := pair(make(chan struct{}))
			in := func(yield func(int) bool) {
				_ = yield(0)
				runtime.Gosched() // The worker does that item and searches for the next.
				_ = yield(1) && yield(2)
			}
			wantNoErr(t, ForEach(ctx, in, MapConfig{Concurrency: 2}, func(ctx context.Context, i int) error {
				if i == 0 {
					return nil
				}
				return call(ctx)
			}))
		}
	})
}

// TestLongChain lets the waits of a long chain last, so that each of them comes on the list. The race detector bounds the length.
func TestLongChain(t *testing.T) {
	inScope(t, "is no cycle", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		const n = 5000
		r := NewResolver[int](s)
		f := r.Future()
		for range n {
			f = Then(s, f, func(_ context.Context, v int) (int, error) { return v + 1, nil })
		}
		nap(time.Minute)
		r.Resolve(0)
		v, err := f.Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, n)
	})
}
