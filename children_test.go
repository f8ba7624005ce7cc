package godwit_test

import (
	"context"
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
