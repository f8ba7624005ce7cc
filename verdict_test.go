package godwit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
)

// once runs one handler of the task block with at most two attempts and gives the job when it is final.
func once(t *testing.T, p godwit.Policy, fn func(ctx context.Context, s string) (string, error)) (godwit.Job, bundle) {
	t.Helper()
	task := godwit.NewTask[string, string]("once", p)
	b := setup(t, godwit.Config{})
	godwit.Handle(b.Client, task, fn)
	b.start(t)
	defer b.stop(t)
	promise, err := task.Submit(t.Context(), b, "", godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, awaited := promise.Await(t.Context())
	j := b.job(t, promise.ID())
	if j.Failure != nil {
		wantCode(t, awaited, j.Failure.Code)
		var failed *godwit.JobError
		if !errors.As(awaited, &failed) || failed.Job != j.ID || failed.Code != j.Failure.Code {
			t.Errorf("got %#v, want a JobError of the job", awaited)
		}
	}
	return j, b
}

func TestErrorsOfHandlersEndTheRun(t *testing.T) {
	t.Parallel()
	oops := errors.New("oops")
	cases := map[string]struct {
		fn       func(ctx context.Context, s string) (string, error)
		attempts int
		code     godwit.Code
		message  string
	}{
		"an error is retried":          {func(context.Context, string) (string, error) { return "", oops }, 2, godwit.CodeFailed, "oops"},
		"a permanent one is not":       {func(context.Context, string) (string, error) { return "", godwit.Permanent(oops) }, 1, godwit.CodePermanent, "oops"},
		"nor is a wrapped one":         {func(context.Context, string) (string, error) { return "", fmt.Errorf("x: %w", godwit.Permanent(oops)) }, 1, godwit.CodePermanent, "x: oops"},
		"nor is a joined one":          {func(context.Context, string) (string, error) { return "", errors.Join(oops, godwit.Permanent(oops)) }, 1, godwit.CodePermanent, "oops"},
		"a panic is retried":           {func(context.Context, string) (string, error) { panic("ouch") }, 2, godwit.CodePanic, "panic: ouch"},
		"so is runtime.Goexit":         {func(context.Context, string) (string, error) { runtime.Goexit(); return "", nil }, 2, godwit.CodePanic, "Goexit"},
		"so is a timeout":              {func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }, 2, godwit.CodeTimeout, "longer than its timeout of 1m0s"},
		"an error of more than 16 KiB": {func(context.Context, string) (string, error) { return "", errors.New(strings.Repeat("x", 1<<20)) }, 2, godwit.CodeFailed, "... (cut)"},
		"an error that is not UTF-8":   {func(context.Context, string) (string, error) { return "", errors.New("a\xffb") }, 2, godwit.CodeFailed, "a?b"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				j, b := once(t, godwit.Policy{MaxAttempts: 2, Timeout: time.Minute}, c.fn)
				if j.State != godwit.StateFailed || j.Attempt != c.attempts || j.Failure.Code != c.code {
					t.Errorf("got %s after %d attempts: %v, want %d and %s", j.State, j.Attempt, j.Failure, c.attempts, c.code)
				}
				if !strings.Contains(j.Failure.Message, c.message) || len(j.Failure.Message) > godwit.MessageMax {
					t.Errorf("got message of %d bytes %.100q, want %q in it", len(j.Failure.Message), j.Failure.Message, c.message)
				}
				if n := len(b.log.String()); n > 3*godwit.MessageMax {
					t.Errorf("two attempts logged %d bytes", n)
				}
				if hasStack := strings.Contains(j.Failure.Stack, "verdict_test.go"); hasStack != (c.code == godwit.CodePanic && name != "so is runtime.Goexit") && c.code != godwit.CodePanic {
					t.Errorf("got stack %q", j.Failure.Stack)
				}
			})
		})
	}
}

func TestStackOfAPanicIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		j, _ := once(t, godwit.Policy{MaxAttempts: 1}, func(context.Context, string) (string, error) { panic(errors.New("ouch")) })
		if !strings.Contains(j.Failure.Stack, "TestStackOfAPanicIsKept") {
			t.Errorf("got stack %s", j.Failure.Stack)
		}
	})
}

func TestSnoozeCostsNoAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		start := time.Now()
		j, _ := once(t, godwit.Policy{MaxAttempts: 1}, func(ctx context.Context, _ string) (string, error) {
			if godwit.Info(ctx).Run < 5 {
				return "", fmt.Errorf("not yet: %w", godwit.Snooze(time.Hour))
			}
			return "done", nil
		})
		if j.State != godwit.StateSucceeded || j.Attempt != 1 || j.Releases != 4 || time.Since(start) < 4*time.Hour {
			t.Errorf("got %s, attempt %d, releases %d after %v", j.State, j.Attempt, j.Releases, time.Since(start))
		}
	})
}

func TestRetryAfterTakesThePlaceOfTheBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		start := time.Now()
		j, _ := once(t, godwit.Policy{MaxAttempts: 2}, func(ctx context.Context, _ string) (string, error) {
			if godwit.Info(ctx).Attempt == 1 {
				return "", godwit.RetryAfter(time.Hour, errors.New("429"))
			}
			return "done", nil
		})
		if took := time.Since(start); j.State != godwit.StateSucceeded || took < time.Hour || took > time.Hour+time.Second {
			t.Errorf("got %s after %v", j.State, took)
		}
	})
}

func TestDeadlineEndsTheJob(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var cause error
		start := time.Now()
		j, _ := once(t, godwit.Policy{Deadline: time.Minute}, func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return "", ctx.Err()
		})
		if j.State != godwit.StateFailed || j.Failure.Code != godwit.CodeDeadlineExceeded || time.Since(start) > time.Minute+time.Second {
			t.Errorf("got %s %v after %v", j.State, j.Failure, time.Since(start))
		}
		wantCode(t, cause, godwit.CodeDeadlineExceeded)
	})
}

func TestResultsThatCannotBeKeptFailForGood(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		result any
		code   godwit.Code
	}{
		"not encodable": {make(chan int), godwit.CodeUnencodable},
		"too large":     {strings.Repeat("x", godwit.PayloadMax), godwit.CodeResultTooLarge},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				task := godwit.NewTask[int, any]("odd", godwit.Policy{})
				b := setup(t, godwit.Config{})
				godwit.Handle(b.Client, task, func(context.Context, int) (any, error) { return c.result, nil })
				b.start(t)
				defer b.stop(t)
				p := must[*godwit.Promise[any]](t, "submit")(task.Submit(t.Context(), b, 1, godwit.SubmitOptions{}))
				_, err := p.Await(t.Context())
				wantCode(t, err, c.code)
				if j := b.job(t, p.ID()); j.Attempt != 1 {
					t.Errorf("tried %d times, want once", j.Attempt)
				}
			})
		})
	}
}

func TestUndecodableArgumentsCostNoAttemptAndCanBeMended(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		b.start(t)
		defer b.stop(t)
		p, err := b.SubmitRaw(t.Context(), "double", []byte(`"twenty"`), godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Await(t.Context())
		wantCode(t, err, godwit.CodeUndecodable)
		if j := b.job(t, p.ID()); j.Attempt != 0 {
			t.Errorf("attempt %d, want 0", j.Attempt)
		}
		if err := b.Retry(t.Context(), p.ID(), godwit.RetryOptions{Args: 20}); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Await(t.Context()); string(got) != "40" || err != nil {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

func TestStuckHandlersKeepTheirSlotAndAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		task := godwit.NewTask[string, string]("stubborn", godwit.Policy{Timeout: time.Second})
		b := setup(t, oneSlot())
		godwit.Handle(b.Client, task, func(context.Context, string) (string, error) {
			wait(time.Hour)
			return "all the same", nil
		})
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[string]](t, "submit")(task.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
		other := must[*godwit.Promise[string]](t, "submit")(task.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
		wait(time.Minute)
		if s := b.Stats(); s.Stuck != 1 || s.Running != 1 {
			t.Errorf("got %+v, want one stuck", s)
		}
		if !strings.Contains(b.log.String(), "ignores the end of its context") {
			t.Error("nothing was logged")
		}
		if j := b.job(t, other.ID()); j.State != godwit.StateReady {
			t.Errorf("the other job is %s: the stuck one gave up its slot", j.State)
		}
		if got, err := p.Await(t.Context()); got != "all the same" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if err := b.Cancel(t.Context(), other.ID(), ""); err != nil {
			t.Error(err)
		}
		if _, err := other.Await(t.Context()); err != nil {
			t.Errorf("got %v, want the success of a handler that ignores its cancel", err)
		}
	})
}
