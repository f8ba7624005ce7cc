package godwit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/async"
)

// The combinators of package async take promises.
var _ async.Awaitable[int] = (*godwit.Promise[int])(nil)

func TestProgressLogsAndItemsOfARunningJob(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			log := godwit.Logger(ctx).With("city", "Oslo").WithGroup("g")
			log.Info("begin", "n", 1, "text", "two words")
			log.Debug("not kept")
			godwit.SetProgress(ctx, 1, 3, "one")
			for i := range 3 {
				if err := godwit.Emit(ctx, i); err != nil {
					return "", err
				}
				items, err := b.Items(ctx, godwit.Info(ctx).ID, 0, 0)
				if err != nil || len(items) != i+1 {
					t.Errorf("after Emit there are %d items, %v", len(items), err)
				}
			}
			wait(time.Second)
			if j := b.job(t, godwit.Info(ctx).ID); j.Progress == nil || j.Progress.Done != 1 {
				t.Errorf("got progress %v", j.Progress)
			}
			godwit.SetProgress(ctx, 3, 3, "all")
			log.Warn("end")
			return "done", nil
		})
		defer stop()
		if _, err := p.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j := b.job(t, p.ID()); j.Progress.Done != 3 || j.Progress.Message != "all" {
			t.Errorf("got progress %v, want that of the end", j.Progress)
		}
		lines, err := b.Logs(t.Context(), p.ID(), 0, 0)
		if err != nil || len(lines) != 2 {
			t.Fatalf("got %v, %v", lines, err)
		}
		if lines[0].Message != `begin city=Oslo g.n=1 g.text="two words"` || lines[1].Level != "WARN" {
			t.Errorf("got %+v", lines)
		}
		if !strings.Contains(b.log.String(), "begin") || !strings.Contains(b.log.String(), p.ID().String()) {
			t.Errorf("the client logged %s", b.log)
		}
	})
}

func TestItemsOfManyGoroutinesShareWrites(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			var group sync.WaitGroup
			for i := range 500 {
				group.Go(func() {
					if err := godwit.Emit(ctx, i); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			return "", nil
		})
		defer stop()
		if _, err := p.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		items, err := b.Items(t.Context(), p.ID(), 0, 1000)
		if err != nil || len(items) != 500 {
			t.Errorf("got %d items, %v", len(items), err)
		}
	})
}

func TestOutsideAHandler(t *testing.T) {
	t.Parallel()
	wantCode(t, godwit.Emit(t.Context(), 1), godwit.CodeInvalid)
	wantCode(t, godwit.Sleep(t.Context(), "x", time.Second), godwit.CodeInvalid)
	godwit.SetProgress(t.Context(), 1, 2, "")
	if godwit.Logger(t.Context()) != slog.Default() || !godwit.Info(t.Context()).ID.IsZero() {
		t.Error("there is a run")
	}
}

func TestTooManyLogLinesDoNotFailTheJob(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			for i := range 30 {
				for range 500 {
					godwit.Logger(ctx).Info("again")
				}
				godwit.SetProgress(ctx, int64(i), 30, "")
				wait(time.Second)
				if j := b.job(t, godwit.Info(ctx).ID); j.Progress == nil || j.Progress.Done != int64(i) {
					t.Errorf("round %d: got progress %v", i, j.Progress)
				}
			}
			return "done", nil
		})
		defer stop()
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestMiddlewareWrapsHandlersInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var seen []string
		wrap := func(name string) godwit.Middleware {
			return func(next godwit.HandlerFunc) godwit.HandlerFunc {
				return func(ctx context.Context) error {
					seen = append(seen, name+" "+godwit.Info(ctx).Task)
					err := next(ctx)
					seen = append(seen, name+" after")
					return err
				}
			}
		}
		b := setup(t, godwit.Config{Middleware: []godwit.Middleware{wrap("a"), wrap("b")}})
		p, stop := b.parent(t, func(context.Context, string) (string, error) { return "done", nil })
		defer stop()
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if want := []string{"a pair", "b pair", "b after", "a after"}; !slices.Equal(seen, want) {
			t.Errorf("got %q, want %q", seen, want)
		}
	})
}

func TestRenamedTaskRunsUnderItsOldName(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		old := godwit.NewTask[int, int]("old-name", godwit.Policy{Version: 2})
		renamed := godwit.NewTask[int, int]("new-name", godwit.Policy{Version: 3, MinVersion: 2, Aliases: []string{"old-name"}})
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, renamed, func(ctx context.Context, _ int) (int, error) { return godwit.Info(ctx).Version, nil })
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[int]](t, "submit")(old.Submit(t.Context(), b, 1, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); got != 2 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
	})
}

func TestExplainSaysWhyAJobDoesNotRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		ask := func(id godwit.ID, kind godwit.ReasonKind, words string) {
			t.Helper()
			e, err := b.Explain(t.Context(), id)
			if err != nil || len(e.Reasons) == 0 || e.Reasons[0].Kind != kind || !strings.Contains(e.Reasons[0].Message, words) {
				t.Errorf("got %+v, %v, want %s: %s", e.Reasons, err, kind, words)
			}
		}
		blog := godwit.NewTask[string, string]("blok", godwit.Policy{})
		newer := godwit.NewTask[string, string]("block", godwit.Policy{Version: 2})
		free := make(chan struct{})
		godwit.Handle(b.Client, block, func(ctx context.Context, s string) (string, error) {
			switch s {
			case "fail":
				return "", godwit.RetryAfter(time.Hour, errors.New("no luck"))
			case "sleep":
				return "", godwit.Sleep(ctx, "nap", time.Hour)
			}
			<-free
			return "", nil
		})
		b.start(t)
		defer b.stop(t)
		ask(b.submit(t, "", godwit.SubmitOptions{Delay: time.Hour}).ID(), godwit.ReasonScheduled, "due at")
		failed := b.submit(t, "fail", godwit.SubmitOptions{})
		sleeping := b.submit(t, "sleep", godwit.SubmitOptions{})
		wait(time.Second)
		ask(failed.ID(), godwit.ReasonRetry, "attempt 1 of 20 failed (no luck)")
		ask(sleeping.ID(), godwit.ReasonWaiting, "sleeps until")
		running := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		ask(running.ID(), godwit.ReasonRunning, "runs since")
		first, second := b.submit(t, "", godwit.SubmitOptions{}), b.submit(t, "", godwit.SubmitOptions{})
		ask(second.ID(), godwit.ReasonSlots, "1 jobs of queue \"default\" run and 2 are ready")
		ask(b.submit(t, "", godwit.SubmitOptions{Queue: "other"}).ID(), godwit.ReasonUnservedQueue, `serves queue "other"`)
		odd := must[*godwit.Promise[string]](t, "submit")(blog.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
		ask(odd.ID(), godwit.ReasonUnknownTask, `did you mean "block"?`)
		ahead := must[*godwit.Promise[string]](t, "submit")(newer.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
		ask(ahead.ID(), godwit.ReasonUnknownVersion, "not version 2")
		if err := b.PauseTask(t.Context(), "block"); err != nil {
			t.Fatal(err)
		}
		ask(first.ID(), godwit.ReasonTaskPaused, `task "block" is paused`)
		if err := b.PauseQueue(t.Context(), godwit.QueueDefault); err != nil {
			t.Fatal(err)
		}
		ask(first.ID(), godwit.ReasonQueuePaused, `queue "default" is paused`)
		if e, err := b.Explain(t.Context(), first.ID()); err != nil || len(e.Reasons) != 2 || e.Reasons[1].Kind != godwit.ReasonTaskPaused {
			t.Errorf("got %+v, %v; want both pauses", e.Reasons, err)
		}
		close(free)
		if err := errors.Join(b.ResumeTask(t.Context(), "block"), b.ResumeQueue(t.Context(), godwit.QueueDefault)); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask(second.ID(), godwit.ReasonFinished, "the job succeeded at")
	})
}

func TestSubscriptionsCountWhatASlowReaderMissed(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	s, err := b.Subscribe(godwit.EventFilter{Task: "double", Kinds: []godwit.EventKind{godwit.EventSubmitted}, Buffer: 2})
	if err != nil {
		t.Fatal(err)
	}
	b.submit(t, "", godwit.SubmitOptions{})
	for i := range 5 {
		if _, err := double.Submit(t.Context(), b, i, godwit.SubmitOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s.Close()
	n := 0
	for e := range s.Events() {
		n++
		if e.Task != "double" || e.Kind != godwit.EventSubmitted {
			t.Errorf("got %+v", e)
		}
	}
	if n != 2 || s.Dropped() != 3 {
		t.Errorf("got %d events, %d dropped, want 2 and 3", n, s.Dropped())
	}
}

func TestPromisesAreAwaitedByManyWithoutStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) {
			wait(time.Second)
			return 2 * n, nil
		})
		b.start(t)
		defer b.stop(t)
		submitter := setupOn(t, b.store, godwit.Config{})
		var group sync.WaitGroup
		for i := range 100 {
			p := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), submitter, i%10, godwit.SubmitOptions{IdempotencyKey: fmt.Sprint(i % 10)}))
			group.Go(func() {
				if got, err := p.Await(t.Context()); got != 2*(i%10) || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
			})
		}
		group.Wait()
		p := submitter.submit(t, "", godwit.SubmitOptions{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Await(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
