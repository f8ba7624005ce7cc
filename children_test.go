package godwit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

func oneSlot() godwit.Config {
	return godwit.Config{Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: 1}}}
}

func TestOneSlotIsEnoughForAnyDepth(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		nest := godwit.NewTask[int, int]("nest", godwit.Policy{})
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, nest, func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				return 0, nil
			}
			p, err := nest.Submit(ctx, b, n-1, godwit.SubmitOptions{})
			if err != nil {
				return 0, err
			}
			below, err := p.Await(ctx)
			return below + 1, err
		})
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[int]](t, "submit")(nest.Submit(t.Context(), b, 200, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); got != 200 || err != nil {
			t.Fatalf("got %d, %v", got, err)
		}
	})
}

func TestTenThousandChildrenAndOneFanIn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		fan := godwit.NewTask[int, int]("fan", godwit.Policy{})
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		godwit.Handle(b.Client, fan, func(ctx context.Context, n int) (sum int, err error) {
			args := make([]int, n)
			for i := range args {
				args[i] = i
			}
			promises, err := double.SubmitMany(ctx, b, args, godwit.SubmitOptions{})
			if err != nil {
				return 0, err
			}
			results, err := godwit.AwaitAll(ctx, promises...)
			for _, r := range results {
				sum += r
			}
			return sum, err
		})
		b.start(t)
		defer b.stop(t)
		n := 10_000
		p := must[*godwit.Promise[int]](t, "submit")(fan.Submit(t.Context(), b, n, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); got != n*(n-1) || err != nil {
			t.Fatalf("got %d, %v", got, err)
		}
		if j := b.job(t, p.ID()); j.Run != 1 || j.Attempt != 1 {
			t.Errorf("the parent ran %d times", j.Run)
		}
	})
}

func TestSleepWaitsWithoutASlot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		sleeper := godwit.NewTask[struct{}, struct{}]("sleeper", godwit.Policy{Timeout: time.Minute})
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, sleeper, func(ctx context.Context, _ struct{}) (struct{}, error) {
			return struct{}{}, godwit.Sleep(ctx, "nap", time.Hour)
		})
		b.start(t)
		defer b.stop(t)
		start := time.Now()
		promises := must[[]*godwit.Promise[struct{}]](t, "submit")(sleeper.SubmitMany(t.Context(), b, make([]struct{}, 5), godwit.SubmitOptions{}))
		if _, err := godwit.AwaitAll(t.Context(), promises...); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Hour || took > time.Hour+time.Second {
			t.Errorf("took %v, want an hour", took)
		}
	})
}

// pair is a parent that runs what it is given.
var pair = godwit.NewTask[string, string]("pair", godwit.Policy{MaxAttempts: 3})

func (b bundle) parent(t *testing.T, fn func(ctx context.Context, s string) (string, error)) (*godwit.Promise[string], func()) {
	t.Helper()
	godwit.Handle(b.Client, pair, fn)
	b.start(t)
	p, err := pair.Submit(t.Context(), b, "", godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p, func() { b.stop(t) }
}

func TestChildrenAreMetAgainWhenTheParentRunsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		runs := 0
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { runs++; return 2 * n, nil })
		var ids []godwit.ID
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			for i := range 3 {
				child, err := double.Submit(ctx, b, i, godwit.SubmitOptions{})
				if err != nil {
					return "", err
				}
				if got, err := child.Await(ctx); got != 2*i || err != nil {
					t.Errorf("child %d: got %d, %v", i, got, err)
				}
				ids = append(ids, child.ID())
			}
			if godwit.Info(ctx).Attempt == 1 {
				return "", errors.New("again")
			}
			return "done", nil
		})
		defer stop()
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		if runs != 3 || len(ids) != 6 || ids[0] != ids[3] || ids[2] != ids[5] {
			t.Errorf("children ran %d times as %v, want 3 met again", runs, ids)
		}
	})
}

func TestOtherChildUnderTheSameNameIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			_, err := double.Submit(ctx, b, godwit.Info(ctx).Attempt, godwit.SubmitOptions{Name: "kid"})
			if err == nil {
				err = errors.New("again")
			}
			return "", err
		})
		defer stop()
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodeChildMismatch)
		if j := b.job(t, p.ID()); j.Attempt != 2 {
			t.Errorf("got %d attempts, want 2: a mismatch is final", j.Attempt)
		}
	})
}

func TestAwaitOfSelfOrAncestorIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, block, func(ctx context.Context, id string) (string, error) {
			parent, err := godwit.ParseID(id)
			if err != nil {
				return "", err
			}
			return godwit.PromiseOf[string](b, parent).Await(ctx)
		})
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			_, err := godwit.PromiseOf[string](b, godwit.Info(ctx).ID).Await(ctx)
			wantCode(t, err, godwit.CodeAwaitCycle)
			child, err := block.Submit(ctx, b, godwit.Info(ctx).ID.String(), godwit.SubmitOptions{})
			if err != nil {
				return "", err
			}
			_, err = child.Await(ctx)
			wantCode(t, err, godwit.CodeAwaitCycle)
			_, err = godwit.PromiseOf[string](b, godwit.NewID()).Await(ctx)
			wantCode(t, err, godwit.CodeNotFound)
			return "done", nil
		})
		defer stop()
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestFailureOfAChildIsFinalAndRetriedWithItsParent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		broken, calls := true, 0
		godwit.Handle(b.Client, block, func(context.Context, string) (string, error) {
			if calls++; broken {
				return "", godwit.Permanent(errors.New("broken"))
			}
			return "mended", nil
		})
		good := 0
		godwit.Handle(b.Client, double, func(context.Context, int) (int, error) { good++; return good, nil })
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			d, err := double.Submit(ctx, b, 1, godwit.SubmitOptions{})
			if err != nil {
				return "", err
			}
			c, err := block.Submit(ctx, b, "x", godwit.SubmitOptions{})
			if err != nil {
				return "", err
			}
			if _, err := d.Await(ctx); err != nil {
				return "", err
			}
			return c.Await(ctx)
		})
		defer stop()
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodePermanent)
		if calls != 1 {
			t.Errorf("the child ran %d times, want once", calls)
		}
		broken = false
		if err := b.Retry(t.Context(), p.ID(), godwit.RetryOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Await(t.Context()); got != "mended" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if good != 1 {
			t.Errorf("the child that succeeded ran %d times", good)
		}
	})
}

func TestConcurrentAwaitsOfOneRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					o := godwit.SubmitOptions{Name: fmt.Sprint("kid ", i), Delay: time.Duration(i%5) * time.Second}
					c, err := double.Submit(ctx, b, i, o)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := c.Await(ctx); got != 2*i || err != nil {
						t.Errorf("got %d, %v", got, err)
					}
				})
			}
			group.Wait()
			if s := b.Stats(); s.Running != 1 || s.Waiting != 0 {
				t.Errorf("got %+v, want the run with its slot again", s)
			}
			return "done", nil
		})
		defer stop()
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestAwaitWithATimeoutOfItsOwnGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, block, func(context.Context, string) (string, error) { return "late", nil })
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			c, err := block.Submit(ctx, b, "", godwit.SubmitOptions{Delay: time.Hour})
			if err != nil {
				return "", err
			}
			short, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			if _, err := c.Await(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if j := b.job(t, godwit.Info(ctx).ID); j.State != godwit.StateRunning {
				t.Errorf("the parent is %s, want running again", j.State)
			}
			return "went on", nil
		})
		defer stop()
		if got, err := p.Await(t.Context()); got != "went on" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestTimeoutCountsWorkingTimeOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		task := godwit.NewTask[string, string]("worker", godwit.Policy{Timeout: time.Minute, MaxAttempts: 1})
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, task, func(ctx context.Context, _ string) (string, error) {
			wait(40 * time.Second)
			if err := godwit.Sleep(ctx, "nap", time.Hour); err != nil {
				return "", err
			}
			select {
			case <-time.After(40 * time.Second):
				return "too long", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		})
		b.start(t)
		defer b.stop(t)
		start := time.Now()
		p := must[*godwit.Promise[string]](t, "submit")(task.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodeTimeout)
		if took := time.Since(start) - time.Hour; took < time.Minute || took > time.Minute+time.Second {
			t.Errorf("worked for %v, want 1m", took)
		}
	})
}
