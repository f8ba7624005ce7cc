package godwit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
)

var block = godwit.NewTask[string, string]("block", godwit.Policy{Timeout: -1})

func (b bundle) submit(t *testing.T, args string, o godwit.SubmitOptions) *godwit.Promise[string] {
	t.Helper()
	p, err := block.Submit(t.Context(), b, args, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStopLetsRunningHandlersFinish(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, block, func(context.Context, string) (string, error) {
			wait(20 * time.Second)
			return "finished", nil
		})
		b.start(t)
		p := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		late := b.submit(t, "", godwit.SubmitOptions{Delay: time.Second})
		b.stop(t)
		if j := b.job(t, p.ID()); j.State != godwit.StateSucceeded {
			t.Errorf("got %s, want succeeded", j.State)
		}
		if j := b.job(t, late.ID()); j.Run != 0 {
			t.Errorf("claimed while stopping")
		}
		if sessions, err := b.Sessions(t.Context()); len(sessions) != 0 || err != nil {
			t.Errorf("got %v, %v, want the session ended", sessions, err)
		}
	})
}

func TestHardStopGivesRunsBack(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), godwit.ErrStopping) {
				t.Errorf("got cause %v", context.Cause(ctx))
			}
			return "", ctx.Err()
		})
		b.start(t)
		p := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		start := time.Now()
		b.stop(t)
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("stop took %v, want the grace of 30s", took)
		}
		j := b.job(t, p.ID())
		if j.State != godwit.StateReady || j.Attempt != 0 || j.Releases != 1 {
			t.Errorf("got %s, attempt %d, releases %d, want ready, 0, 1", j.State, j.Attempt, j.Releases)
		}
	})
}

func TestStopNamesHandlersThatIgnoreIt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		free := make(chan struct{})
		godwit.Handle(b.Client, block, func(context.Context, string) (string, error) {
			<-free
			return "too late", nil
		})
		b.start(t)
		p := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		err := b.Stop(context.WithoutCancel(t.Context()))
		wantCode(t, err, godwit.CodeStopping)
		if err == nil || !strings.Contains(err.Error(), "block (job "+p.ID().String()) {
			t.Errorf("got %v, want the handler named", err)
		}
		close(free)
		synctest.Wait()
		if j := b.job(t, p.ID()); j.State != godwit.StateReady || j.Releases != 1 {
			t.Errorf("got %s, releases %d, want it given back", j.State, j.Releases)
		}
	})
}

func TestStopLeavesWaitingJobsWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
			return "woke", godwit.Sleep(ctx, "nap", time.Hour)
		})
		b.start(t)
		p := b.submit(t, "", godwit.SubmitOptions{})
		wait(time.Minute)
		start := time.Now()
		b.stop(t)
		if took := time.Since(start); took > time.Second {
			t.Errorf("stop took %v, want no grace for what only waits", took)
		}
		if j := b.job(t, p.ID()); j.State != godwit.StateWaiting || j.Attempt != 0 {
			t.Errorf("got %s, attempt %d, want waiting, 0", j.State, j.Attempt)
		}

		next := setupOn(t, b.store, godwit.Config{})
		godwit.Handle(next.Client, block, func(ctx context.Context, _ string) (string, error) {
			return "woke again", godwit.Sleep(ctx, "nap", time.Hour)
		})
		next.start(t)
		defer next.stop(t)
		if got, err := p.Await(t.Context()); got != "woke again" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if took := time.Since(start); took > time.Hour {
			t.Errorf("took %v: the nap began anew", took)
		}
	})
}

func TestStopIsSafeInAnyOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		b.stop(t)
		b.stop(t)
		wantCode(t, b.Start(t.Context()), godwit.CodeClosed)

		b = setup(t, godwit.Config{})
		b.start(t)
		b.start(t)
		done := make(chan struct{})
		go func() { b.stop(t); close(done) }()
		b.stop(t)
		<-done
	})
}

func TestEndOfStartsContextStops(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
			wait(time.Second)
			return "finished", ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		if err := b.Start(ctx); err != nil {
			t.Fatal(err)
		}
		p := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		cancel()
		wait(2 * time.Second)
		if j := b.job(t, p.ID()); j.State != godwit.StateSucceeded {
			t.Errorf("got %s, want it finished although the context of Start ended", j.State)
		}
		b.stop(t)
	})
}
