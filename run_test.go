package godwit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

var double = godwit.NewTask[int, int]("double", godwit.Policy{})

func TestJobRunsAndItsPromiseGivesTheResult(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 21, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); got != 42 || err != nil {
			t.Fatalf("got %d, %v", got, err)
		}
		if got, err := godwit.PromiseOf[int](b, p.ID()).Await(t.Context()); got != 42 || err != nil {
			t.Fatalf("a second time got %d, %v", got, err)
		}
		if j := b.job(t, p.ID()); j.State != godwit.StateSucceeded || j.Attempt != 1 || j.Run != 1 {
			t.Errorf("got %+v", j)
		}
	})
}

func TestFailedRunIsRetriedAfterItsBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		flaky := godwit.NewTask[int, string]("flaky", godwit.Policy{Backoff: godwit.Backoff{Base: time.Minute, Jitter: -1}})
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, flaky, func(ctx context.Context, n int) (string, error) {
			if godwit.Info(ctx).Attempt <= n {
				return "", errors.New("not yet")
			}
			return "done", nil
		})
		b.start(t)
		defer b.stop(t)
		start := time.Now()
		p := must[*godwit.Promise[string]](t, "submit")(flaky.Submit(t.Context(), b, 2, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		if took := time.Since(start); took < 3*time.Minute || took > 3*time.Minute+time.Second {
			t.Errorf("took %v, want 1m + 2m", took)
		}
		if j := b.job(t, p.ID()); j.Attempt != 3 {
			t.Errorf("got %d attempts, want 3", j.Attempt)
		}
	})
}
