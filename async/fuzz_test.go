package async

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The fuzz tests read a program from bytes and run it in a bubble, where the fake clock makes an interleaving of the program's
// sleeps. A bubble fails by itself when goroutines are left or wait for one another; beyond that, the tests check what must hold
// in every interleaving.

// tape gives the bytes of a program one by one, and zeros after its end.
type tape []byte

func (p *tape) next(n int) int {
	if len(*p) == 0 || n == 0 {
		return 0
	}
	b := (*p)[0]
	*p = (*p)[1:]
	return int(b) % n
}

func (p *tape) pause() time.Duration { return time.Duration(p.next(5)) * time.Millisecond }

var fuzzSeeds = [][]byte{
	{},
	{1, 2, 3, 4, 5, 6, 7, 8, 9},
	{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6},
	{0, 0, 4, 0, 3, 3, 3, 2, 1, 0, 9, 9, 9, 1, 1, 1, 2, 2, 2, 200, 100, 50},
	{255, 254, 253, 7, 7, 7, 0, 1, 0, 1, 0, 1, 0, 1},
	{2, 5, 2, 4, 2, 3, 2, 2, 2, 1, 2, 0, 5, 5, 5, 5, 4, 4, 4, 4, 3, 3, 3, 3},
	{9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
}

func fuzzBubble(f *testing.F, test func(t *testing.T, ctx context.Context, p *tape)) {
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		synctest.Test(t, func(t *testing.T) {
			p := tape(program[:min(len(program), 400)])
			test(t, t.Context(), &p)
		})
	})
}

// FuzzMap runs Map with every setting and checks that the results are those of a loop.
func FuzzMap(f *testing.F) {
	fuzzBubble(f, func(t *testing.T, ctx context.Context, p *tape) {
		cfg := MapConfig{Concurrency: p.next(6), Ahead: p.next(9), Unordered: p.next(2) == 1, AllErrors: p.next(2) == 1}
		leave := p.next(40)
		program := slices.Clone(*p)
		var running, most atomic.Int64
		got := map[int]bool{}
		last := -1
		for v, err := range Map(ctx, slices.Values(program), cfg, func(ctx context.Context, b byte) (int, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			_ = sleep(ctx, time.Duration(b%4)*time.Millisecond)
			if b == 77 {
				return 0, errBoom
			}
			return int(b), ctx.Err()
		}) {
			if err != nil {
				var item *ItemError
				if !errors.As(err, &item) || !errors.Is(err, errBoom) || program[item.Index] != 77 {
					t.Errorf("got the error %v", err)
				}
				continue
			}
			last++
			if !cfg.Unordered && !cfg.AllErrors && v != int(program[last]) {
				t.Errorf("item %d: got %d, want %d", last, v, program[last])
			}
			got[v] = true
			if leave--; leave == 0 {
				break
			}
		}
		if running.Load() != 0 || cfg.Concurrency > 0 && most.Load() > int64(cfg.Concurrency) {
			t.Errorf("%d calls are running, at most %d were", running.Load(), most.Load())
		}
		if leave > 0 && !slices.Contains(program, 77) && last+1 != len(program) {
			t.Errorf("got %d results of %d", last+1, len(program))
		}
	})
}

// FuzzPool submits, pauses, resizes, cancels and stops, and checks that every accepted piece of work ends exactly once.
func FuzzPool(f *testing.F) {
	fuzzBubble(f, func(t *testing.T, ctx context.Context, p *tape) {
		cfg := PoolConfig{Workers: 1 + p.next(4), Queue: 1 + p.next(5), Overflow: Overflow(p.next(3)), IdleTimeout: 3 * time.Millisecond}
		cfg.OnError = func(err error) {
			if !errors.Is(err, ErrDropped) && !errors.Is(err, ErrPoolStopped) && !errors.Is(err, errBoom) {
				t.Errorf("reported: %v", err)
			}
		}
		pool, err := NewPool(cfg)
		wantNoErr(t, err)
		var accepted, settled atomic.Int64
		for len(*p) > 0 {
			fuzzPoolStep(t, ctx, p, pool, &accepted, &settled)
			nap(p.pause())
		}
		timed, cancel := context.WithTimeout(ctx, p.pause())
		defer cancel()
		if err := pool.Stop(timed); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop returned %v", err)
		}
		if accepted.Load() != settled.Load() {
			t.Errorf("%d were accepted and %d have ended", accepted.Load(), settled.Load())
		}
		if s := pool.Stats(); s.Ended != accepted.Load() || s.Queued+s.Running+s.Workers != 0 {
			t.Errorf("accepted %d, %+v", accepted.Load(), s)
		}
	})
}

func fuzzPoolStep(t *testing.T, ctx context.Context, p *tape, pool *Pool, accepted, settled *atomic.Int64) {
	d := p.pause()
	timed, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	switch p.next(8) {
	case 0:
		pool.Pause()
	case 1:
		pool.Resume()
	case 2:
		wantNoErr(t, pool.Resize(p.next(2), 1+p.next(5)))
	case 3:
		_ = pool.Drain(timed)
	default:
		// The wait for room may end with the context; the work itself must not.
		submitted := make(chan *Future[int], 1)
		go func() {
			f, err := SubmitAt(ctx, pool, Priority(p2(d)), after(d, 1, errorAt(d)))
			if err == nil {
				accepted.Add(1)
				f.OnEnd(func(int, error) { settled.Add(1) })
			}
			submitted <- f
		}()
		synctest.Wait()
		select {
		case f := <-submitted:
			if f != nil && d == 4*time.Millisecond {
				f.Cancel(nil)
			}
		default: // It waits for room.
		}
	}
}

func p2(d time.Duration) int { return int(d/time.Millisecond)%3 - 1 }

func errorAt(d time.Duration) error {
	if d == time.Millisecond {
		return errBoom
	}
	return nil
}

// FuzzBroadcast publishes to subscribers of every kind that read at their own pace, and checks that each sees the values in order, and
// all of them or that it has missed some.
func FuzzBroadcast(f *testing.F) {
	fuzzBubble(f, func(t *testing.T, ctx context.Context, p *tape) {
		var b Broadcast[int]
		var published []int
		var readers sync.WaitGroup
		for len(*p) > 0 {
			if p.next(4) == 0 {
				cfg := SubscriptionConfig{Buffer: 1 + p.next(4), Overflow: Overflow(p.next(3))}
				sub, err := b.Subscribe(cfg)
				wantNoErr(t, err)
				pace, leave, from := p.pause(), p.next(20), len(published)
				readers.Go(func() {
					var got []int
					for v := range sub.Values(ctx) {
						nap(pace)
						if got = append(got, v); len(got) == leave {
							return
						}
					}
					if !slices.IsSorted(got) || len(got)+int(sub.Missed()) != len(published)-from {
						t.Errorf("%+v: got %v, missed %d of %v", cfg, got, sub.Missed(), published[from:])
					}
				})
			} else {
				published = append(published, len(published))
				wantNoErr(t, b.Publish(ctx, len(published)))
			}
			nap(p.pause())
		}
		b.Close()
		wantErr(t, b.Publish(ctx, 0), ErrBroadcastClosed)
		readers.Wait()
	})
}

// FuzzRing compares the ring with a slice.
func FuzzRing(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		p := tape(program)
		limit := 1 + p.next(9)
		r := newRing[int](limit)
		var model []int
		for i := 0; len(p) > 0; i++ {
			if p.next(2) == 0 {
				want(t, "full", r.full(), len(model) == limit)
				want(t, "push", r.push(i), len(model) < limit)
				if len(model) < limit {
					model = append(model, i)
				}
			} else {
				v, ok := r.pop()
				want(t, "pop", ok, len(model) > 0)
				if ok {
					want(t, "item", v, model[0])
					model = model[1:]
				}
			}
			want(t, "len", r.len(), len(model))
		}
	})
}
