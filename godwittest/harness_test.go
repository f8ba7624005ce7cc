package godwittest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/godwittest"
)

var (
	welcome = godwit.NewTask[string, struct{}]("welcome", godwit.Policy{})
	signUp  = godwit.NewTask[string, int]("sign-up", godwit.Policy{MaxAttempts: 3})
)

func TestRunDoesAJobToItsEndOverBackoffs(t *testing.T) {
	t.Parallel()
	h := godwittest.New(t, godwit.Config{})
	godwit.Handle(h.Client, signUp, func(ctx context.Context, _ string) (int, error) {
		attempt := godwit.Info(ctx).Attempt
		if attempt < 3 {
			return 0, errors.New("not yet")
		}
		return attempt, nil
	})
	before := h.Now()
	if got, err := godwittest.Run(t, h, signUp, "ann"); got != 3 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if moved := h.Now().Sub(before); moved < 2*time.Second {
		t.Errorf("the clock moved %v, want the back-offs of about 3s", moved)
	}
}

func TestAssertSubmittedFindsWhatAHandlerSubmitted(t *testing.T) {
	t.Parallel()
	h := godwittest.New(t, godwit.Config{})
	godwit.Handle(h.Client, signUp, func(ctx context.Context, name string) (int, error) {
		_, err := welcome.Submit(ctx, h, "hello "+name, godwit.SubmitOptions{Delay: time.Hour, Detached: true})
		return 1, err
	})
	if _, err := godwittest.Run(t, h, signUp, "ann"); err != nil {
		t.Fatal(err)
	}
	job := godwittest.AssertSubmitted(t, h, welcome, func(s string) bool { return s == "hello ann" })
	if got := job.RunAt.Sub(job.CreatedAt); got != time.Hour {
		t.Errorf("delayed by %v, want 1h", got)
	}
	godwittest.AssertNotSubmitted(t, h, welcome, func(s string) bool { return s == "hello bob" })
	if got := godwittest.Submitted(t, h, welcome); !slices.Equal(got, []string{"hello ann"}) {
		t.Errorf("submitted %q", got)
	}
}

func TestAdvanceMakesDelayedJobsRun(t *testing.T) {
	t.Parallel()
	h := godwittest.New(t, godwit.Config{})
	ran := make(chan time.Time, 1)
	godwit.Handle(h.Client, welcome, func(context.Context, string) (struct{}, error) {
		ran <- h.Now()
		return struct{}{}, nil
	})
	due := h.Now().Add(3 * time.Hour)
	if _, err := welcome.Submit(t.Context(), h, "x", godwit.SubmitOptions{RunAt: due}); err != nil {
		t.Fatal(err)
	}
	h.Drain()
	h.Advance(2 * time.Hour)
	if len(ran) != 0 {
		t.Fatal("ran before its time")
	}
	h.Advance(time.Hour)
	if len(ran) != 1 {
		t.Fatal("did not run in its time")
	}
}

func TestFinishWakesSleepers(t *testing.T) {
	t.Parallel()
	h := godwittest.New(t, godwit.Config{})
	godwit.Handle(h.Client, signUp, func(ctx context.Context, _ string) (int, error) {
		for _, name := range []string{"first", "second"} {
			if err := godwit.Sleep(ctx, name, 24*time.Hour); err != nil {
				return 0, err
			}
		}
		return 2, nil
	})
	before := h.Now()
	p, err := signUp.Submit(t.Context(), h, "ann", godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h.Finish()
	if got, err := p.Await(t.Context()); got != 2 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if moved := h.Now().Sub(before); moved != 48*time.Hour {
		t.Errorf("the clock moved %v, want 48h", moved)
	}
}

func TestSubmitWithoutHandlersIsSeen(t *testing.T) {
	t.Parallel()
	h := godwittest.New(t, godwit.Config{})
	if _, err := welcome.Submit(t.Context(), h, "x", godwit.SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	godwittest.AssertSubmitted(t, h, welcome, nil)
}

func TestHarnessWorksInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := godwittest.New(t, godwit.Config{})
		slow := godwit.NewTask[int, int]("slow", godwit.Policy{Timeout: time.Hour, MaxAttempts: 1})
		godwit.Handle(h.Client, slow, func(ctx context.Context, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		start := time.Now()
		if _, err := godwittest.Run(t, h, slow, 1); !errors.Is(err, godwit.ErrTimeout) {
			t.Errorf("got %v, want a timeout", err)
		}
		if took := time.Since(start); took < time.Hour || took > time.Hour+time.Minute {
			t.Errorf("took %v of virtual time", took)
		}
	})
}
