package async

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCycles(t *testing.T) {
	inScope(t, "a task that awaits itself is told", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		var f *Future[int]
		ready := make(chan struct{})
		f = Go(s, func(ctx context.Context) (int, error) { <-ready; return f.Await(ctx) })
		close(ready)
		_, err := f.Await(ctx)
		want(t, "error", err, ErrCycle)
	})
	inScope(t, "tasks in a ring are told, through All and Then as well", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		ready := make(chan struct{})
		var a, b, c *Future[int]
		a = Go(s, func(ctx context.Context) (int, error) { <-ready; return b.Await(ctx) })
		b = Go(s, func(ctx context.Context) (int, error) {
			<-ready
			_, err := All(ctx, Resolved(1), c)
			return 0, err
		})
		c = Then(s, a, func(context.Context, int) (int, error) { return 1, nil })
		close(ready)
		_, err := AllSettled(ctx, a, b, c)
		wantNoErr(t, err)
		_, err = c.Await(ctx)
		wantErr(t, err, ErrCycle)
		want(t, "left on the list", listed(a, b, c), 0)
	})
	inScope(t, "tasks of a nested scope that await the task outside are told", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		var outer *Future[int]
		nested := func(ctx context.Context, await func(ctx context.Context) (int, error)) (int, error) {
			return 1, Run(ctx, func(ctx context.Context, s *Scope) error {
				_, err := Go(s, await).Await(ctx)
				return err
			})
		}
		ready := make(chan struct{})
		outer = Go(s, func(ctx context.Context) (int, error) {
			<-ready
			return nested(ctx, func(ctx context.Context) (int, error) {
				return nested(ctx, func(ctx context.Context) (int, error) { return AwaitTimeout(ctx, outer, time.Hour) })
			})
		})
		other := Go(s, func(ctx context.Context) (int, error) { <-ready; return outer.Await(ctx) })
		close(ready)
		_, err := other.Await(ctx)
		wantErr(t, err, ErrCycle)
		want(t, "left on the list", listed(outer, other), 0)
	})
	inScope(t, "a ring through a nested scope is told, whoever comes last", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		for _, first := range []time.Duration{time.Second, 3 * time.Second} {
			var a, b *Future[int]
			ready := make(chan struct{})
			a = Go(s, func(ctx context.Context) (int, error) {
				<-ready
				return 1, Run(ctx, func(_ context.Context, s *Scope) error {
					s.Go(func(ctx context.Context) error {
						_, err := Go(s, func(ctx context.Context) (int, error) { nap(first); return AwaitTimeout(ctx, b, time.Hour) }).Await(ctx)
						return err
					})
					return nil
				})
			})
			b = Go(s, func(ctx context.Context) (int, error) { nap(2 * time.Second); return AwaitTimeout(ctx, a, time.Hour) })
			close(ready)
			rs, err := AllSettled(ctx, a, b)
			wantNoErr(t, err)
			wantErr(t, errors.Join(rs[0].Err, rs[1].Err), ErrCycle)
		}
	})
	inScope(t, "Race, Any and AsCompleted of nothing but the task itself are told", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		var f *Future[int]
		ready := make(chan struct{})
		f = Go(s, func(ctx context.Context) (int, error) {
			<-ready
			_, err := Race(ctx, f, f)
			want(t, "Race", err, ErrCycle)
			_, err = Any(ctx, f)
			want(t, "Any", err, ErrCycle)
			for _, r := range AsCompleted(ctx, f) {
				want(t, "AsCompleted", r.Err, ErrCycle)
			}
			return Race(ctx, f, Resolved(7))
		})
		close(ready)
		v, err := f.Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, 7)
	})
	inScope(t, "to wait for what waits for others is no cycle", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		slow := Go(s, after(time.Second, 1, nil))
		var fs []*Future[int]
		for range 5 {
			previous := append([]*Future[int]{slow}, fs...)
			fs = append(fs, Go(s, func(ctx context.Context) (int, error) {
				_, err := All(ctx, previous...)
				return 1, err
			}))
		}
		_, err := All(ctx, fs...)
		wantNoErr(t, err)
	})
}

// listed counts the waits of the futures' tasks that are on the list, where other tests have theirs too.
func listed(futures ...*Future[int]) (n int) {
	waits.mu.Lock()
	defer waits.mu.Unlock()
	for _, w := range waits.all {
		for _, f := range futures {
			if w.task == f.task.Load() {
				n++
			}
		}
	}
	return n
}

// circle starts tasks and lets each wait, after its own pause, with what its wait function does. It gives their outcomes.
func circle(t *testing.T, ctx context.Context, s *Scope, names string, pauses []time.Duration, wait func(ctx context.Context, name byte, f func(name byte) *Future[int]) error) map[byte]error {
	t.Helper()
	fs := map[byte]*Future[int]{}
	f := func(name byte) *Future[int] { return fs[name] }
	ready := make(chan struct{})
	for i := range len(names) {
		fs[names[i]] = Go(s, func(ctx context.Context) (int, error) {
			<-ready
			nap(pauses[i])
			return 0, wait(ctx, names[i], f)
		})
	}
	close(ready)
	errs := map[byte]error{}
	for i := range len(names) {
		_, errs[names[i]] = fs[names[i]].Await(ctx)
	}
	return errs
}

func TestCyclesOfAny(t *testing.T) {
	for name, combine := range combinators {
		for _, order := range [][]time.Duration{{time.Second, 0}, {0, time.Second}, {0, 0}} {
			inScope(t, fmt.Sprint(name, " of a task that awaits it is told, after ", order), nil, func(t *testing.T, ctx context.Context, s *Scope) {
				errs := circle(t, ctx, s, "ab", order, func(ctx context.Context, name byte, f func(byte) *Future[int]) error {
					if name == 'a' {
						return combine(ctx, f('b'), f('b'))
					}
					_, err := f('a').Await(ctx)
					return err
				})
				wantErr(t, errors.Join(errs['a'], errs['b']), ErrCycle)
			})
		}
	}
	for name, combine := range combinators {
		if name == "All" || name == "Both" || name == "AllSettled" {
			continue
		}
		inScope(t, name+" is not told while there is a way out", nil, func(t *testing.T, ctx context.Context, s *Scope) {
			slow := Go(s, after(time.Hour, 1, nil))
			errs := circle(t, ctx, s, "abc", make([]time.Duration, 3), func(ctx context.Context, name byte, f func(byte) *Future[int]) error {
				switch name {
				case 'a':
					return combine(ctx, f('b'), f('c'))
				case 'b':
					_, err := f('a').Await(ctx)
					return err
				}
				_, err := slow.Await(ctx)
				return err
			})
			wantNoErr(t, errors.Join(errs['a'], errs['b'], errs['c']))
		})
	}
	inScope(t, "nor where something that is no future may end the wait", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		errs := circle(t, ctx, s, "ab", make([]time.Duration, 2), func(ctx context.Context, name byte, f func(byte) *Future[int]) error {
			if name == 'a' {
				_, err := Race[Awaitable[int]](ctx, f('b'), foreign[int]{after: time.Hour})
				return err
			}
			_, err := f('a').Await(ctx)
			return err
		})
		wantNoErr(t, errors.Join(errs['a'], errs['b']))
	})
	inScope(t, "Any is told when the last way out has failed", errBoom, func(t *testing.T, ctx context.Context, s *Scope) {
		way := Go(s, after(time.Hour, 0, errBoom))
		start := time.Now()
		errs := circle(t, ctx, s, "ab", make([]time.Duration, 2), func(ctx context.Context, name byte, f func(byte) *Future[int]) error {
			if name == 'a' {
				_, err := Any(ctx, f('b'), way)
				return err
			}
			_, err := f('a').Await(ctx)
			return err
		})
		wantErr(t, errs['a'], ErrCycle)
		want(t, "told late", time.Since(start) > time.Hour, true)
	})
}

// wrapped is a future behind an awaitable that the package does not know.
type wrapped struct{ future *Future[int] }

func (w wrapped) Await(ctx context.Context) (int, error) { return w.future.Await(ctx) }

// TestWaysOut has waits of parts of a task, which end in another way than by the future that they are for.
func TestWaysOut(t *testing.T) {
	// pair gives the errors of two tasks: what a does, given b, and b, which awaits a.
	pair := func(ctx context.Context, s *Scope, do func(ctx context.Context, b *Future[int]) error) (a, b error) {
		var fa, fb *Future[int]
		ready := make(chan struct{})
		fa = Go(s, func(ctx context.Context) (int, error) { <-ready; return 0, do(ctx, fb) })
		fb = Go(s, func(ctx context.Context) (int, error) { return fa.Await(ctx) })
		close(ready)
		_, a = fa.Await(ctx)
		_, b = fb.Await(ctx)
		return a, b
	}
	way := func(name string, told error, do func(ctx context.Context, b *Future[int]) error) {
		inScope(t, name, nil, func(t *testing.T, ctx context.Context, s *Scope) {
			a, b := pair(ctx, s, do)
			if told == nil {
				wantNoErr(t, errors.Join(a, b))
			}
			wantErr(t, errors.Join(a, b), told)
		})
	}
	nested := func(task func(s *Scope, b *Future[int]), body func(s *Scope)) func(context.Context, *Future[int]) error {
		return func(ctx context.Context, b *Future[int]) error {
			return Run(ctx, func(_ context.Context, s *Scope) error {
				task(s, b)
				body(s)
				return nil
			})
		}
	}
	plain := func(s *Scope, b *Future[int]) {
		s.Go(func(ctx context.Context) error { _, err := b.Await(ctx); return err })
	}
	withFuture := func(s *Scope, b *Future[int]) { Go(s, b.Await) }
	stops := func(s *Scope) { nap(time.Hour); s.Stop() }
	waits := func(*Scope) { nap(time.Hour) }

	way("another input of Race ends the wait of one that is no future", nil, func(ctx context.Context, b *Future[int]) error {
		_, err := Race[Awaitable[int]](ctx, wrapped{b}, foreign[int]{after: time.Hour})
		return err
	})
	way("Race is told when all inputs wait for the task", ErrCycle, func(ctx context.Context, b *Future[int]) error {
		_, err := Race(ctx, wrapped{b}, wrapped{b})
		return err
	})
	way("All is told when one does", ErrCycle, func(ctx context.Context, b *Future[int]) error {
		_, err := All[Awaitable[int]](ctx, foreign[int]{after: time.Hour}, wrapped{b})
		return err
	})
	way("AsCompleted is told when those that are left do", ErrCycle, func(ctx context.Context, b *Future[int]) (err error) {
		for _, r := range AsCompleted[Awaitable[int]](ctx, foreign[int]{after: time.Hour}, wrapped{b}) {
			err = r.Err
		}
		return err
	})
	way("a body that runs may stop its scope", nil, nested(plain, stops))
	way("and its tasks with futures", nil, nested(withFuture, stops))
	way("a body that has returned may not", ErrCycle, nested(plain, waits))
	way("nor where the task has a future", ErrCycle, nested(withFuture, waits))
	way("nor where the task does not look at its context", ErrCycle, nested(func(s *Scope, b *Future[int]) {
		s.Go(func(ctx context.Context) error { _, err := b.Await(context.WithoutCancel(ctx)); return err })
	}, waits))
}

func TestKnots(t *testing.T) {
	tell := func(name, names, waits string, told string) {
		inScope(t, name, nil, func(t *testing.T, ctx context.Context, s *Scope) {
			pauses := make([]time.Duration, len(names))
			for i := range pauses {
				pauses[i] = time.Duration(i) * time.Millisecond // So they come on the list in the order of their names.
			}
			var mu sync.Mutex
			var cycles []byte // guarded by mu: two may be told at the same time.
			circle(t, ctx, s, names, pauses, func(ctx context.Context, name byte, f func(byte) *Future[int]) error {
				var kind byte
				var err error
				var fs []*Future[int]
				for _, rule := range []byte(waits) {
					switch {
					case rule == name-'a'+'A':
						kind = rule
					case rule < 'a':
						kind = 0
					case kind != 0:
						fs = append(fs, f(rule))
					}
				}
				if name < 'n' {
					_, err = AllSettled(ctx, fs...)
				} else {
					_, err = Race(ctx, fs...)
				}
				if errors.Is(err, ErrCycle) {
					mu.Lock()
					cycles = append(cycles, name)
					mu.Unlock()
				}
				return nil
			})
			slices.Sort(cycles)
			want(t, "told", string(cycles), told)
		})
	}
	// A capital letter is followed by what that task waits for. Those from n on wait for any, the others for all.
	tell("one that waits for a ring is not told", "abc", "AbBcCb", "c")
	tell("of two rings that share a task, the last of each is told", "abc", "AbcBaCa", "bc")
	tell("rings that wait for each other are told", "abcd", "AbcBaCdDca", "bd")
	tell("three that wait for any of one another", "nop", "NopOnpPno", "p")
	tell("any of two rings waits until the nearer one is told", "abno", "AbBaNaoOn", "b")
	tell("a ring that one of any leads out of", "abn", "AnBaNab", "n")
}

func TestCyclesOfPools(t *testing.T) {
	twoPools := func(t *testing.T, ctx context.Context, name string, test func(t *testing.T, ctx context.Context, p1, p2 *Pool)) {
		bubble(t, name, func(t *testing.T, ctx context.Context) {
			p1, err := NewPool(PoolConfig{Workers: 1})
			wantNoErr(t, err)
			p2, err := NewPool(PoolConfig{Workers: 1})
			wantNoErr(t, err)
			test(t, ctx, p1, p2)
			_, _ = p1.Stop(ctx), p2.Stop(ctx)
		})
	}
	across := func(t *testing.T, ctx context.Context, p1, p2 *Pool, wait func(ctx context.Context) error) error {
		f, err := Submit(ctx, p1, func(ctx context.Context) (int, error) {
			g, err := Submit(ctx, p2, func(ctx context.Context) (int, error) { nap(time.Second); return 0, wait(ctx) })
			wantNoErr(t, err)
			return g.Await(ctx)
		})
		wantNoErr(t, err)
		_, err = f.Await(ctx)
		return err
	}
	ctx := t.Context()
	twoPools(t, ctx, "work that drains the pool of what awaits it is told", func(t *testing.T, ctx context.Context, p1, p2 *Pool) {
		want(t, "error", across(t, ctx, p1, p2, p1.Drain), ErrCycle)
	})
	twoPools(t, ctx, "work that stops the pool of what awaits it gives that up", func(t *testing.T, ctx context.Context, p1, p2 *Pool) {
		stopped := make(chan error, 1)
		wantErr(t, across(t, ctx, p1, p2, func(ctx context.Context) error { stopped <- p1.Stop(context.WithoutCancel(ctx)); return nil }), ErrPoolStopped)
		wantErr(t, p1.Stop(ctx), ErrCycle)
		wantErr(t, <-stopped, ErrCycle)
	})
	twoPools(t, ctx, "as does work that waits for another Stop", func(t *testing.T, ctx context.Context, p1, p2 *Pool) {
		wantErr(t, across(t, ctx, p1, p2, func(ctx context.Context) error {
			go func() { _ = p1.Stop(t.Context()) }()
			synctest.Wait()
			return p1.Stop(ctx)
		}), ErrCycle)
	})
	twoPools(t, ctx, "a scope does not wait for pool work that was given its context", func(t *testing.T, ctx context.Context, p, _ *Pool) {
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			var other *Future[int]
			ready := make(chan struct{})
			f := Go(s, func(ctx context.Context) (int, error) {
				<-ready
				return 1, Run(ctx, func(ctx context.Context, _ *Scope) error {
					_, err := Submit(ctx, p, func(ctx context.Context) (int, error) { return other.Await(ctx) })
					nap(time.Hour)
					return err
				})
			})
			other = Go(s, func(ctx context.Context) (int, error) { return f.Await(ctx) })
			close(ready)
			_, err := other.Await(ctx)
			return err
		}))
	})
}

func TestWaitList(t *testing.T) {
	t.Parallel()
	t.Run("one look is enough for all that have come before it", func(t *testing.T) {
		t.Parallel()
		var l waitList
		ws := []*wait{{task: &taskContext{}}, {task: &taskContext{}}, {task: &taskContext{}}}
		for i, w := range ws {
			want(t, "pause", l.add(w), time.Duration(i+1)*lookPause)
		}
		_, pause := l.look(ws[1])
		want(t, "pause", pause, 0)
		l.all[2] = nil // To look at this would panic.
		for _, w := range ws {
			knot, _ := l.look(w)
			want(t, "knot", knot, false)
		}
	})
	t.Run("nobody waits for who looks", func(t *testing.T) {
		t.Parallel()
		var l waitList
		w := &wait{task: &taskContext{}}
		l.add(w)
		l.looking.Lock()
		_, pause := l.look(w)
		want(t, "pause", pause, lookPause)
		l.looking.Unlock()
		l.remove(w)
		want(t, "left", len(l.all), 0)
	})
	inScope(t, "a wait that is over soon does not come on it", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		slow := Go(s, after(time.Second, 1, nil))
		f := Go(s, func(ctx context.Context) (int, error) { return slow.Await(ctx) })
		nap(cycleAfter / 2)
		want(t, "at first", listed(f), 0)
		nap(cycleAfter)
		want(t, "later", listed(f), 1)
		<-f.Done()
		want(t, "in the end", listed(f), 0)
	})
}
