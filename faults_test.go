package godwit_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// faulty is a store whose calls fail while it is told so.
type faulty struct {
	*model.Store
	mu   sync.Mutex
	fail map[string]error // guarded by mu: by method; carried out all the same with CodeOutcomeUnknown
	hang bool             // guarded by mu: heartbeats do not return
	n    map[string]int   // guarded by mu: calls
}

func (f *faulty) set(method string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[method] = err
}

func (f *faulty) calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n[method]
}

func (f *faulty) met(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n[method]++
	return f.fail[method]
}

func through[Q, A any](ctx context.Context, f *faulty, method string, q Q, call func(context.Context, Q) (A, error)) (A, error) {
	var none A
	err := f.met(method)
	switch {
	case errors.Is(err, godwit.ErrOutcomeUnknown):
		if _, err := call(ctx, q); err != nil {
			return none, err
		}
		return none, err
	case err != nil:
		return none, err
	}
	return call(ctx, q)
}

func (f *faulty) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	f.mu.Lock()
	hang := f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return godwit.HeartbeatAnswer{}, ctx.Err()
	}
	return through(ctx, f, "heartbeat", r, f.Store.Heartbeat)
}

func (f *faulty) Settle(ctx context.Context, s []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return through(ctx, f, "settle", s, f.Store.Settle)
}

func (f *faulty) Report(ctx context.Context, r []godwit.Report) ([]godwit.SettleAnswer, error) {
	return through(ctx, f, "report", r, f.Store.Report)
}

func (f *faulty) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	return through(ctx, f, "claim", r, f.Store.Claim)
}

func (f *faulty) Resume(ctx context.Context, r []godwit.Token) ([]godwit.SettleAnswer, error) {
	return through(ctx, f, "resume", r, f.Store.Resume)
}

func (f *faulty) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	return through(ctx, f, "outcomes", ids, f.Store.Outcomes)
}

func setupFaulty(t *testing.T, c godwit.Config) (*faulty, bundle) {
	t.Helper()
	f := &faulty{Store: model.New(model.Config{}), fail: map[string]error{}, n: map[string]int{}}
	l := &logs{}
	c.Logger = slog.New(slog.NewTextHandler(l, nil))
	client, err := godwit.New(f, c)
	if err != nil {
		t.Fatal(err)
	}
	return f, bundle{client, f.Store, l}
}

var errDown = &godwit.Error{Code: godwit.CodeUnavailable, Message: "disk full"}

func TestSettleIsRepeatedUntilTheStoreTakesIt(t *testing.T) {
	t.Parallel()
	for _, cause := range []*godwit.Error{errDown, godwit.ErrOutcomeUnknown} {
		t.Run(string(cause.Code), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f, b := setupFaulty(t, godwit.Config{})
				godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
				f.set("settle", cause)
				b.start(t)
				defer b.stop(t)
				p := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 21, godwit.SubmitOptions{}))
				wait(5 * time.Second)
				if f.calls("settle") < 3 {
					t.Errorf("tried %d times", f.calls("settle"))
				}
				f.set("settle", nil)
				if got, err := p.Await(t.Context()); got != 42 || err != nil {
					t.Errorf("got %d, %v", got, err)
				}
				if j := b.job(t, p.ID()); j.Run != 1 {
					t.Errorf("ran %d times", j.Run)
				}
			})
		})
	}
}

func TestWorkerThatCannotRenewEndsItsRunsBeforeItsLease(t *testing.T) {
	t.Parallel()
	cases := map[string]func(f *faulty){
		"heartbeats fail": func(f *faulty) { f.set("heartbeat", errDown) },
		"heartbeats hang": func(f *faulty) { f.mu.Lock(); defer f.mu.Unlock(); f.hang = true },
	}
	for name, breakIt := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f, b := setupFaulty(t, godwit.Config{DisableMaintenance: true})
				ended := make(chan time.Duration, 1)
				var start time.Time
				godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
					if godwit.Info(ctx).Run > 1 {
						return "second run", nil
					}
					<-ctx.Done()
					wantCode(t, context.Cause(ctx), godwit.CodeLeaseLost)
					ended <- time.Since(start)
					return "zombie", nil
				})
				b.start(t)
				defer b.stop(t)
				p := b.submit(t, "", godwit.SubmitOptions{})
				wait(time.Second)
				start = time.Now()
				breakIt(f)
				select {
				case took := <-ended:
					if took > godwit.LeaseDefault {
						t.Errorf("the run was ended after %v, its lease is %v", took, godwit.LeaseDefault)
					}
				case <-time.After(2 * godwit.LeaseDefault):
					t.Fatal("the run goes on, its lease does not")
				}
				if j := b.job(t, p.ID()); j.State != godwit.StateRunning {
					t.Errorf("the job is %s: the zombie settled it", j.State)
				}
				f.set("heartbeat", nil)
				f.mu.Lock()
				f.hang = false
				f.mu.Unlock()
				wait(godwit.LeaseDefault)
				if _, err := b.store.Rescue(t.Context(), 10); err != nil {
					t.Fatal(err)
				}
				if got, err := p.Await(t.Context()); got != "second run" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				if j := b.job(t, p.ID()); j.Crashes != 1 || j.Attempt != 1 {
					t.Errorf("crashes %d, attempt %d, want 1 and 1", j.Crashes, j.Attempt)
				}
			})
		})
	}
}

func TestEndedSessionIsFollowedByANewOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
			if godwit.Info(ctx).Run > 1 {
				return "second run", nil
			}
			<-ctx.Done()
			return "", ctx.Err()
		})
		b.start(t)
		defer b.stop(t)
		p := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		sessions, err := b.Sessions(t.Context())
		if err != nil || len(sessions) != 1 {
			t.Fatalf("got %v, %v", sessions, err)
		}
		if _, err := b.store.EndSession(t.Context(), sessions[0].ID); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Await(t.Context()); got != "second run" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestDeadWorkersJobsRunElsewhereWithin15Seconds(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, dead := setupFaulty(t, godwit.Config{})
		godwit.Handle(dead.Client, block, func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		dead.start(t)
		defer dead.stop(t)
		p := dead.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		f.set("heartbeat", errDown)
		f.set("claim", errDown)
		start := time.Now()

		b := setupOn(t, dead.store, godwit.Config{})
		godwit.Handle(b.Client, block, func(context.Context, string) (string, error) { return "elsewhere", nil })
		b.start(t)
		defer b.stop(t)
		if got, err := godwit.PromiseOf[string](b, p.ID()).Await(t.Context()); got != "elsewhere" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("took %v, want 15s at most", took)
		}
	})
}

func TestStoreWithoutEventsIsPolled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		mute := struct{ godwit.Store }{b.store} // hides Watch
		c, err := godwit.New(mute, godwit.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		godwit.Handle(c, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		fan := godwit.NewTask[int, int]("fan", godwit.Policy{})
		godwit.Handle(c, fan, func(ctx context.Context, n int) (int, error) {
			p, err := double.Submit(ctx, c, n, godwit.SubmitOptions{})
			if err != nil {
				return 0, err
			}
			return p.Await(ctx)
		})
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p := must[*godwit.Promise[int]](t, "submit")(fan.Submit(t.Context(), c, 4, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); got != 8 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %v, want a few polls", took)
		}
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestResumeAndAwaitBearTroubleOfTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, b := setupFaulty(t, oneSlot())
		fan := godwit.NewTask[int, int]("fan", godwit.Policy{})
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) {
			f.set("outcomes", errDown)
			f.set("resume", errDown)
			return 2 * n, nil
		})
		godwit.Handle(b.Client, fan, func(ctx context.Context, n int) (int, error) {
			p, err := double.Submit(ctx, b, n, godwit.SubmitOptions{Delay: time.Second})
			if err != nil {
				return 0, err
			}
			return p.Await(ctx)
		})
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[int]](t, "submit")(fan.Submit(t.Context(), b, 4, godwit.SubmitOptions{}))
		wait(4 * time.Second)
		f.set("outcomes", nil)
		wait(4 * time.Second)
		f.set("resume", nil)
		if got, err := p.Await(t.Context()); got != 8 || err != nil {
			t.Errorf("got %d, %v", got, err)
		}
		if j := b.job(t, p.ID()); j.Run != 1 {
			t.Errorf("ran %d times", j.Run)
		}
	})
}

func TestClosedStoreEndsWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		p := b.submit(t, "", godwit.SubmitOptions{})
		time.AfterFunc(time.Minute, func() {
			if err := b.store.Close(); err != nil {
				t.Error(err)
			}
		})
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodeClosed)
	})
}

func TestGoroutineThatAHandlerLeftBehindTakesNoSlot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		left := make(chan error, 2)
		godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) {
			c, err := double.Submit(ctx, b, 1, godwit.SubmitOptions{Delay: time.Hour})
			if err != nil {
				return "", err
			}
			for range 2 {
				go func() {
					_, err := c.Await(ctx)
					left <- err
				}()
			}
			wait(time.Second)
			return "done", nil
		})
		defer stop()
		if got, err := p.Await(t.Context()); got != "done" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if err := errors.Join(<-left, <-left); err == nil {
			t.Error("what was left behind got an outcome")
		}
		again := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 4, godwit.SubmitOptions{}))
		if got, err := again.Await(t.Context()); got != 8 || err != nil {
			t.Errorf("got %d, %v: the slot was lost", got, err)
		}
		if s := b.Stats(); s != (godwit.Stats{}) {
			t.Errorf("got %+v, want nothing at work", s)
		}
	})
}

// A report whose outcome is unknown is sent again as it was, and recorded once.
func TestReportWithUnknownOutcomeIsRecordedOnce(t *testing.T) {
	t.Parallel()
	for name, returns := range map[string]bool{"while the handler runs": false, "when the handler has returned": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f, b := setupFaulty(t, godwit.Config{})
				godwit.Handle(b.Client, double, func(ctx context.Context, n int) (int, error) {
					f.set("report", godwit.ErrOutcomeUnknown)
					log := godwit.Logger(ctx)
					log.Info("one")
					written := make(chan error, 1)
					go func() { written <- godwit.Emit(ctx, n) }()
					wait(3 * time.Second) // several calls, each of which is carried out
					log.Info("two")
					if returns {
						go func() {
							wait(3 * time.Second)
							f.set("report", nil)
						}()
						return n, nil
					}
					f.set("report", nil)
					return n, <-written
				})
				b.start(t)
				defer b.stop(t)
				p := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 21, godwit.SubmitOptions{}))
				if _, err := p.Await(t.Context()); err != nil {
					t.Fatal(err)
				}
				if f.calls("report") < 3 {
					t.Errorf("tried %d times", f.calls("report"))
				}
				lines := must[[]godwit.LogLine](t, "read logs")(b.Logs(t.Context(), p.ID(), 0, 0))
				items := must[[]godwit.Item](t, "read items")(b.Items(t.Context(), p.ID(), 0, 0))
				if len(lines) != 2 || len(items) != 1 {
					t.Errorf("there are %d lines and %d items, want 2 and 1", len(lines), len(items))
				}
			})
		})
	}
}

func TestStopDoesNotWaitForAReportThatNobodyTakes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, b := setupFaulty(t, godwit.Config{StopGrace: time.Second, HardGrace: time.Second})
		started := make(chan struct{})
		godwit.Handle(b.Client, double, func(ctx context.Context, n int) (int, error) {
			f.set("report", errDown)
			godwit.Logger(ctx).Info("never written")
			wait(time.Second)
			close(started)
			<-ctx.Done()
			return n, ctx.Err()
		})
		b.start(t)
		p := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 21, godwit.SubmitOptions{}))
		<-started
		if err := b.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if j := b.job(t, p.ID()); j.State != godwit.StateReady || j.Releases != 1 {
			t.Errorf("the job is %s after %d releases, want it to be given back", j.State, j.Releases)
		}
	})
}
