package async

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestScope(t *testing.T) {
	bubble(t, "waits for every task, also for those that tasks start", func(t *testing.T, ctx context.Context) {
		var done atomic.Int32
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			for range 3 {
				s.Go(func(context.Context) error {
					nap(time.Second)
					s.Go(func(context.Context) error {
						nap(time.Second)
						done.Add(1)
						return nil
					})
					return nil
				})
			}
			return nil
		}))
		want(t, "tasks done", done.Load(), 3)
	})
	bubble(t, "the first error cancels the rest with that cause", func(t *testing.T, ctx context.Context) {
		var cause error
		err := Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(func(ctx context.Context) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return ctx.Err()
			})
			s.Go(func(context.Context) error { return errBoom })
			return nil
		})
		want(t, "error", err, errBoom)
		want(t, "cause", cause, errBoom)
	})
	bubble(t, "an error of the body cancels the tasks", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(untilCancelled)
			return errBoom
		}), errBoom)
	})
}

func TestScopeFailures(t *testing.T) {
	bubble(t, "later failures of their own are joined", func(t *testing.T, ctx context.Context) {
		errLater := errors.New("later")
		err := Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(func(ctx context.Context) error {
				<-ctx.Done()
				return errLater
			})
			return errBoom
		})
		wantErr(t, err, errBoom, errLater)
	})
	bubble(t, "failures beyond ErrorsMax are counted", func(t *testing.T, ctx context.Context) {
		err := Run(ctx, func(_ context.Context, s *Scope) error {
			for range ErrorsMax + 9 {
				s.Go(func(context.Context) error {
					nap(time.Second)
					return errors.New("one of many")
				})
			}
			return nil
		})
		want(t, "errors", strings.Count(err.Error(), "one of many"), ErrorsMax)
		want(t, "says how many more", strings.Contains(err.Error(), "and 9 more errors"), true)
	})
	bubble(t, "Stop ends it early and successfully", func(t *testing.T, ctx context.Context) {
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(untilCancelled)
			f := Go(s, valueUntilCancelled)
			s.Stop()
			s.Go(func(context.Context) error { t.Error("a task started after Stop"); return nil })
			_, err := f.Await(context.WithoutCancel(ctx))
			wantErr(t, err, ErrStopped, context.Canceled)
			return ctx.Err()
		}))
	})
	bubble(t, "a failure after Stop still counts", func(t *testing.T, ctx context.Context) {
		wantErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			s.Stop()
			return errBoom
		}), errBoom)
	})
	bubble(t, "Cancel gives its cause to tasks and to Run", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(untilCancelled)
			s.Cancel(errBoom)
			return nil
		}), errBoom)
		wantErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			s.Cancel(nil)
			return nil
		}), context.Canceled)
	})
}

func TestScopeLimit(t *testing.T) {
	bubble(t, "scopes nest, and the inner one ends with the outer", func(t *testing.T, ctx context.Context) {
		err := Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(func(ctx context.Context) error {
				return Run(ctx, func(_ context.Context, inner *Scope) error {
					inner.Go(untilCancelled)
					return nil
				})
			})
			s.Go(func(context.Context) error { nap(time.Second); return errBoom })
			return nil
		})
		want(t, "error", err, errBoom)
	})
	bubble(t, "the limit holds and Go waits for a place", func(t *testing.T, ctx context.Context) {
		var running, most atomic.Int32
		wantNoErr(t, ScopeConfig{Limit: 3}.Run(ctx, func(_ context.Context, s *Scope) error {
			for range 10 {
				s.Go(func(context.Context) error {
					most.Store(max(most.Load(), running.Add(1)))
					nap(time.Second)
					running.Add(-1)
					return nil
				})
			}
			return nil
		}))
		want(t, "most at once", most.Load(), 3)
	})
	bubble(t, "what is made of a future needs a place when its function is called", func(t *testing.T, ctx context.Context) {
		wantNoErr(t, ScopeConfig{Limit: 1}.Run(ctx, func(ctx context.Context, s *Scope) error {
			_, err := Go(s, func(ctx context.Context) (int, error) {
				// The task holds the only place, so this ends by its timeout.
				return AwaitTimeout(ctx, Then(s, Resolved(1), double), time.Second)
			}).Await(ctx)
			wantErr(t, err, context.DeadlineExceeded)
			v, err := Then(s, Resolved(1), double).Await(ctx)
			want(t, "in the body", v, 2)
			return err
		}))
	})
	bubble(t, "TryGo refuses at the limit and after the end", func(t *testing.T, ctx context.Context) {
		var kept *Scope
		wantNoErr(t, ScopeConfig{Limit: 1}.Run(ctx, func(_ context.Context, s *Scope) error {
			kept = s
			sleeping := func(context.Context) error { nap(time.Second); return nil }
			want(t, "first", s.TryGo(sleeping), true)
			want(t, "second", s.TryGo(sleeping), false)
			return nil
		}))
		want(t, "after the end", kept.TryGo(untilCancelled), false)
	})
}

func TestScopePanics(t *testing.T) {
	bubble(t, "a panic of a task reaches the caller with its stack and value", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "ouch", func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(untilCancelled)
				s.Go(func(context.Context) error { panickingFunction(); return nil })
				return nil
			})
		}, func(pe *PanicError) {
			want(t, "names the function", strings.Contains(string(pe.Stack), "panickingFunction"), true)
			want(t, "Error has the stack", strings.Contains(pe.Error(), "panickingFunction"), true)
		})
	})
	bubble(t, "a panic of a future's task cannot be swallowed", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "ouch", func() {
			_ = Run(ctx, func(ctx context.Context, s *Scope) error {
				_, err := Go(s, func(context.Context) (int, error) { panic("ouch") }).Await(context.WithoutCancel(ctx))
				var pe *PanicError
				want(t, "Await gives it", errors.As(err, &pe), true)
				return nil
			})
		})
	})
	bubble(t, "a panic keeps its first stack through nested scopes and the errors beside it", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, errBoom, func() {
			_ = Run(ctx, func(ctx context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); return errors.New("beside") })
				s.Go(func(ctx context.Context) error {
					return Run(ctx, func(ctx context.Context, s *Scope) error {
						s.Go(func(context.Context) error { panic(errBoom) })
						return nil
					})
				})
				return nil
			})
		}, func(pe *PanicError) {
			want(t, "also", pe.Also.Error(), "beside")
			wantErr(t, pe, errBoom)
		})
	})
	bubble(t, "a second panic is not lost", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "one", func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); panic("one") })
				s.Go(func(context.Context) error { panic("one") })
				return nil
			})
		}, func(pe *PanicError) {
			var second *PanicError
			want(t, "second", errors.As(pe.Also, &second), true)
		})
	})
}

func TestScopePanicsTogether(t *testing.T) {
	bubble(t, "a panic of the body and those of tasks are all kept", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "ouch", func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); panic(errBoom) })
				panickingFunction()
				return nil
			})
		}, func(pe *PanicError) {
			want(t, "names the function", strings.Contains(string(pe.Stack), "panickingFunction"), true)
			wantErr(t, pe.Also, errBoom)
		})
	})
	bubble(t, "a panic of the body keeps the errors beside it", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "body", func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); return errBoom })
				panic("body")
			})
		}, func(pe *PanicError) { want(t, "also", pe.Also, errBoom) })
	})
	bubble(t, "each panic of a future is kept once", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "ouch", func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				for range 2 {
					Go(s, func(context.Context) (int, error) { nap(time.Second); panickingFunction(); return 0, nil })
				}
				return nil
			})
		}, func(pe *PanicError) {
			var second *PanicError
			want(t, "a second one", errors.As(pe.Also, &second), true)
			want(t, "and no third", strings.Count(pe.Also.Error(), "task panicked"), 1)
		})
	})
	bubble(t, "what was beside a panic goes with it through the outer scope", func(t *testing.T, ctx context.Context) {
		wantPanicError(t, "inner", func() {
			_ = Run(ctx, func(ctx context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error {
					return Run(ctx, func(_ context.Context, s *Scope) error {
						s.Go(func(ctx context.Context) error { <-ctx.Done(); return errBoom })
						s.Go(func(context.Context) error { panic("inner") })
						return nil
					})
				})
				return nil
			})
		}, func(pe *PanicError) { want(t, "also", pe.Also, errBoom) })
	})
	bubble(t, "a panic of the hook goes on in Run", func(t *testing.T, ctx context.Context) {
		cfg := ScopeConfig{OnUnobserved: func(error) { panic("hook") }}
		wantPanicError(t, "hook", func() {
			_ = cfg.Run(ctx, func(_ context.Context, s *Scope) error { Go(s, failing[int](errBoom)); return nil })
		})
		wantPanicError(t, "hook", func() {
			_ = cfg.Run(ctx, func(_ context.Context, s *Scope) error {
				for range watchedMax {
					s.Go(func(context.Context) error { <-Go(s, failing[int](errBoom)).Done(); return nil })
				}
				return nil
			})
		})
	})
}

func TestScopeBodyEnds(t *testing.T) {
	bubble(t, "a panic of the body goes on as it is when the tasks have ended", func(t *testing.T, ctx context.Context) {
		ended := false
		want(t, "panic", panicOf(func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); ended = true; return nil })
				panic("body")
			})
		}), any("body"))
		want(t, "the task has ended", ended, true)
	})
	bubble(t, "Goexit of a task is an error", func(t *testing.T, ctx context.Context) {
		wantErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			s.Go(func(context.Context) error { runtime.Goexit(); return nil })
			return nil
		}), ErrGoexit)
	})
	bubble(t, "Goexit of the body ends the tasks and goes on", func(t *testing.T, ctx context.Context) {
		ended := false
		var reported error
		cfg := ScopeConfig{OnUnobserved: func(err error) { reported = err }}
		go func() {
			_ = cfg.Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); ended = true; return errBoom })
				runtime.Goexit()
				return nil
			})
			t.Error("Goexit did not go on")
		}()
		synctest.Wait()
		want(t, "the task has ended", ended, true)
		want(t, "reported", reported, errBoom)
	})
}

//go:noinline
func panickingFunction() { panic("ouch") }

func TestScopeBadInput(t *testing.T) {
	bubble(t, "a negative limit is refused", func(t *testing.T, ctx context.Context) {
		err := ScopeConfig{Limit: -3}.Run(ctx, func(context.Context, *Scope) error { t.Error("body called"); return nil })
		want(t, "text", err.Error(), "async: ScopeConfig.Limit must be at least 0, got -3")
	})
	bubble(t, "nil functions panic", func(t *testing.T, ctx context.Context) {
		wantPanic(t, "Run was given a nil function", func() { _ = Run(ctx, nil) })
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			wantPanic(t, "Scope.Go was given", func() { s.Go(nil) })
			wantPanic(t, "Scope.TryGo was given", func() { s.TryGo(nil) })
			wantPanic(t, "Go was given", func() { Go[int](s, nil) })
			wantPanic(t, "Delay was given", func() { Delay[int](s, 0, nil) })
			wantPanic(t, "Then was given", func() { Then[int, int](s, Resolved(1), nil) })
			wantPanic(t, "Compose was given", func() { Compose[int, int](s, Resolved(1), nil) })
			wantPanic(t, "Catch was given", func() { Catch(s, Resolved(1), nil) })
			wantPanic(t, "Finally was given", func() { Finally(s, Resolved(1), nil) })
			wantPanic(t, "awaitable 0 is nil", func() { Finally[int](s, nil, func() {}) })
			return nil
		}))
	})
	bubble(t, "an ended context keeps the body from being called", func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		wantErr(t, Run(ctx, func(context.Context, *Scope) error { t.Error("body called"); return nil }), errBoom, context.Canceled)
	})
	bubble(t, "tasks that a cancelled context keeps from starting are not a success", func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		wantErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			cancel(errBoom)
			s.Go(func(context.Context) error { t.Error("started"); return nil })
			return nil
		}), errBoom, context.Canceled)
		wantErr(t, Run(context.WithoutCancel(ctx), func(ctx context.Context, s *Scope) error {
			ctx, cancel := context.WithCancel(ctx)
			return Run(ctx, func(_ context.Context, s *Scope) error {
				cancel()
				Go(s, value(1))
				return nil
			})
		}), context.Canceled)
	})
	bubble(t, "use after the end is answered", func(t *testing.T, ctx context.Context) {
		var kept *Scope
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { kept = s; return nil }))
		wantPanic(t, "after the scope has ended", func() { kept.Go(untilCancelled) })
		for name, f := range map[string]*Future[int]{
			"Go":       Go(kept, value(1)),
			"Delay":    Delay(kept, 0, value(1)),
			"Then":     Then(kept, Resolved(1), func(context.Context, int) (int, error) { return 1, nil }),
			"Resolver": NewResolver[int](kept).Future(),
		} {
			if _, err := f.Await(ctx); !errors.Is(err, ErrScopeEnded) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		want(t, "Resolve", NewResolver[int](kept).Resolve(1), false)
		kept.Stop()
		kept.Cancel(errBoom)
	})
}

func TestUnobserved(t *testing.T) {
	bubble(t, "Run returns an error that nobody looked at", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(_ context.Context, s *Scope) error {
			Go(s, failing[int](errBoom))
			return nil
		}), errBoom)
	})
	bubble(t, "the hook gets it instead", func(t *testing.T, ctx context.Context) {
		var got []error
		cfg := ScopeConfig{OnUnobserved: func(err error) { got = append(got, err) }}
		wantNoErr(t, cfg.Run(ctx, func(_ context.Context, s *Scope) error {
			Go(s, failing[int](errBoom))
			NewResolver[int](s).Reject(errBoom)
			return nil
		}))
		want(t, "errors", len(got), 2)
	})
	bubble(t, "an error that somebody looked at is settled", func(t *testing.T, ctx context.Context) {
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			_, err := Go(s, failing[int](errBoom)).Await(ctx)
			want(t, "error", err, errBoom)
			Go(s, failing[int](errBoom)).OnError(func(error) {})
			f := Go(s, failing[int](errBoom))
			<-f.Done()
			_, ok := f.Result()
			want(t, "settled", ok, true)
			_, err = All(ctx, Go(s, failing[int](errBoom)), Go(s, failing[int](errBoom)))
			want(t, "error of All", err, errBoom)
			return nil
		}))
	})
	bubble(t, "OnSuccess does not look at errors", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(_ context.Context, s *Scope) error {
			Go(s, failing[int](errBoom)).OnSuccess(func(int) {})
			return nil
		}), errBoom)
	})
	bubble(t, "an error that comes just when its only waiter gives up is not lost", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(ctx context.Context, s *Scope) error {
			r := NewResolver[int](s)
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := r.Future().Await(&trapContext{Context: ended, onErr: func() { r.Reject(errBoom) }})
			wantErr(t, err, context.Canceled)
			return nil
		}), errBoom)
	})
	bubble(t, "nor is one that a combinator did not wait for because its context ended", func(t *testing.T, ctx context.Context) {
		want(t, "error", Run(ctx, func(ctx context.Context, s *Scope) error {
			timed, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, err := All(timed, Go(s, after(time.Minute, 0, errBoom)))
			wantErr(t, err, context.DeadlineExceeded)
			return nil
		}), errBoom)
	})
	inScope(t, "an error that somebody waits for is not reported early", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		fs := []*Future[int]{Go(s, after(time.Minute, 1, nil))}
		for range watchedMax + watchedMax/8 {
			fs = append(fs, Go(s, after(time.Second, 0, errBoom)))
		}
		_, err := AllSettled(ctx, fs...)
		wantNoErr(t, err)
	})
	bubble(t, "but it is, when the wait for it is cut short", func(t *testing.T, ctx context.Context) {
		reported := 0
		cfg := ScopeConfig{OnUnobserved: func(error) { reported++ }}
		const failures = watchedMax + watchedMax/8
		wantNoErr(t, cfg.Run(ctx, func(ctx context.Context, s *Scope) error {
			fs := []*Future[int]{Go(s, after(time.Hour, 1, nil))}
			for range failures {
				fs = append(fs, Go(s, after(time.Second, 0, errBoom)))
			}
			timed, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			_, err := AllSettled(timed, fs...)
			wantErr(t, err, context.DeadlineExceeded)
			return nil
		}))
		want(t, "reported", reported, failures)
	})
	inScope(t, "one that AsCompleted has given is looked at, though its context ends", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		timed, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		given := 0
		for range AsCompleted(timed, Go(s, failing[int](errBoom)), NewResolver[int](s).Future()) {
			given++
		}
		want(t, "given", given, 2)
	})
	inScope(t, "errors that somebody has looked at are let go of", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		for range 10 * watchedSweep {
			_, err := Go(s, failing[int](errBoom)).Await(ctx)
			want(t, "error", err, errBoom)
		}
		synctest.Wait()
		want(t, "watched", len(s.failures.watched) <= watchedSweep, true)
	})
	bubble(t, "the list of failures is bounded", func(t *testing.T, ctx context.Context) {
		reported := 0
		var s1 *Scope
		cfg := ScopeConfig{OnUnobserved: func(err error) { reported++ }}
		wantNoErr(t, cfg.Run(ctx, func(ctx context.Context, s *Scope) error {
			s1 = s
			for range watchedMax {
				f := Go(s, failing[int](errBoom))
				<-f.Done()
			}
			synctest.Wait()
			s.mu.Lock()
			want(t, "watched", len(s.failures.watched), watchedMax/2)
			s.mu.Unlock()
			want(t, "reported early", reported, watchedMax/2)
			return nil
		}))
		want(t, "reported", reported, watchedMax)
		want(t, "nothing kept", len(s1.failures.watched), 0)
	})
}
