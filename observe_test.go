package godwit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
)

// watcher collects what is observed.
type watcher struct {
	mu   sync.Mutex
	seen []godwit.Observation // guarded by mu
}

func (w *watcher) observe(o godwit.Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, o)
}

// words gives what was observed as "outcome code".
func (w *watcher) words() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	words := make([]string, 0, len(w.seen))
	for _, o := range w.seen {
		words = append(words, word(o.Outcome, o.Failure))
	}
	return words
}

func word(outcome godwit.RunOutcome, f *godwit.Failure) string {
	if f == nil {
		return string(outcome)
	}
	return string(outcome) + " " + string(f.Code)
}

// recorded gives what the store kept of the runs of a job, in the same words.
func (b bundle) recorded(t *testing.T, id godwit.ID) []string {
	t.Helper()
	attempts, err := b.Attempts(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	words := make([]string, 0, len(attempts)+1)
	for _, a := range attempts {
		words = append(words, word(godwit.RunOutcome(a.Outcome), a.Failure))
	}
	if b.job(t, id).State == godwit.StateSucceeded {
		words = append(words, string(godwit.RunSucceeded))
	}
	return words
}

// fine reports whether a run did not fail.
func fine(word string) bool { return !strings.Contains(word, " ") }

// failures gives the failed runs that were logged, in the same words, and checks that each is as loud as what became of its job.
func (l *logs) failures(t *testing.T) []string {
	t.Helper()
	levels := map[string]string{"retry": "WARN", "failed": "ERROR", "cancelled": "INFO"}
	var words []string
	for _, m := range regexp.MustCompile(`level=(\w+) msg="godwit: run failed".* outcome=(\w+) code=(\w+)`).FindAllStringSubmatch(l.String(), -1) {
		if m[1] != levels[m[2]] {
			t.Errorf("the outcome %s was logged at level %s", m[2], m[1])
		}
		words = append(words, m[2]+" "+m[3])
	}
	return words
}

type handlerOf = func(ctx context.Context, c *godwit.Client) error

// endings are handlers and what is to be observed of their runs.
var endings = map[string]struct {
	policy godwit.Policy
	fn     handlerOf
	want   []string
}{
	"success": {fn: func(context.Context, *godwit.Client) error { return nil }, want: []string{"succeeded"}},
	"an error, and again": {
		policy: godwit.Policy{MaxAttempts: 2},
		fn:     func(context.Context, *godwit.Client) error { return errors.New("oops") },
		want:   []string{"retry failed", "failed failed"},
	},
	"a panic": {
		policy: godwit.Policy{MaxAttempts: 1},
		fn:     func(context.Context, *godwit.Client) error { panic("ouch") },
		want:   []string{"failed panic"},
	},
	"runtime.Goexit": {
		policy: godwit.Policy{MaxAttempts: 1},
		fn:     func(context.Context, *godwit.Client) error { runtime.Goexit(); return nil },
		want:   []string{"failed panic"},
	},
	"a permanent error": {
		fn:   func(context.Context, *godwit.Client) error { return godwit.Permanent(errors.New("oops")) },
		want: []string{"failed permanent"},
	},
	"a snooze, then success": {
		fn: func(ctx context.Context, _ *godwit.Client) error {
			if godwit.Info(ctx).Run == 1 {
				return godwit.Snooze(time.Hour)
			}
			return nil
		},
		want: []string{"snooze", "succeeded"},
	},
	"a snooze past the deadline": {
		policy: godwit.Policy{Deadline: time.Minute},
		fn:     func(context.Context, *godwit.Client) error { return godwit.Snooze(time.Hour) },
		want:   []string{"failed deadline_exceeded"},
	},
	"a retry past the deadline": {
		policy: godwit.Policy{Deadline: time.Minute},
		fn:     func(context.Context, *godwit.Client) error { return godwit.RetryAfter(time.Hour, errors.New("oops")) },
		want:   []string{"failed failed"},
	},
	"a timeout": {
		policy: godwit.Policy{MaxAttempts: 1, Timeout: time.Minute},
		fn:     func(ctx context.Context, _ *godwit.Client) error { <-ctx.Done(); return ctx.Err() },
		want:   []string{"failed timeout"},
	},
	"a cancel": {
		fn: func(ctx context.Context, c *godwit.Client) error {
			return errors.Join(c.Cancel(context.WithoutCancel(ctx), godwit.Info(ctx).ID, "enough"), <-ended(ctx))
		},
		want: []string{"cancelled cancelled"},
	},
	"a snooze after a cancel": {
		fn: func(ctx context.Context, c *godwit.Client) error {
			if err := c.Cancel(context.WithoutCancel(ctx), godwit.Info(ctx).ID, "enough"); err != nil {
				return err
			}
			<-ctx.Done()
			return godwit.Snooze(time.Hour)
		},
		want: []string{"cancelled cancelled"},
	},
}

// ended gives the end of a context.
func ended(ctx context.Context) <-chan error {
	c := make(chan error, 1)
	context.AfterFunc(ctx, func() { c <- ctx.Err() })
	return c
}

func TestObservedIsWhatTheStoreRecorded(t *testing.T) {
	t.Parallel()
	for name, c := range endings {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var w, foretold watcher
				foresee := func(next godwit.HandlerFunc) godwit.HandlerFunc {
					return func(ctx context.Context) error {
						err := next(ctx)
						outcome, failure := godwit.VerdictOf(ctx, err)
						foretold.observe(godwit.Observation{Outcome: outcome, Failure: failure})
						return err
					}
				}
				b := setup(t, godwit.Config{Observers: []godwit.Observer{w.observe}, Middleware: []godwit.Middleware{foresee}})
				task := godwit.NewTask[string, string]("ending", c.policy)
				godwit.Handle(b.Client, task, func(ctx context.Context, _ string) (string, error) { return "", c.fn(ctx, b.Client) })
				b.start(t)
				defer b.stop(t)
				p := must[*godwit.Promise[string]](t, "submit")(task.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
				_, _ = p.Await(t.Context())
				got, stored := w.words(), b.recorded(t, p.ID())
				if !slices.Equal(got, c.want) || !slices.Equal(stored, c.want) {
					t.Errorf("observed %q, recorded %q, want %q", got, stored, c.want)
				}
				if name != "runtime.Goexit" && !slices.Equal(foretold.words(), c.want) {
					t.Errorf("middleware was told %q, want %q", foretold.words(), c.want)
				}
				if logged, want := b.log.failures(t), slices.DeleteFunc(slices.Clone(stored), fine); !slices.Equal(logged, want) {
					t.Errorf("logged %q, want %q", logged, want)
				}
				last := w.seen[len(w.seen)-1]
				if last.Job.ID != p.ID() || last.Job.Run != int64(len(c.want)) || last.Job.StartedAt.Before(last.Job.RunAt) {
					t.Errorf("got the job %+v", last.Job)
				}
			})
		})
	}
}

func TestObservedOfRunsGivenBackAndLost(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() }
	t.Run("a release by the stop", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			var w watcher
			b := setup(t, godwit.Config{Observers: []godwit.Observer{w.observe}})
			godwit.Handle(b.Client, block, hang)
			b.start(t)
			p := b.submit(t, "", godwit.SubmitOptions{})
			synctest.Wait()
			b.stop(t)
			if got, stored := w.words(), b.recorded(t, p.ID()); !slices.Equal(got, []string{"release"}) || !slices.Equal(stored, got) {
				t.Errorf("observed %q, recorded %q", got, stored)
			}
			if d := w.seen[0].Duration; d != 30*time.Second {
				t.Errorf("the run took %v, want the grace", d)
			}
		})
	})
	t.Run("a waiting run at the stop", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			var w watcher
			b := setup(t, godwit.Config{Observers: []godwit.Observer{w.observe}})
			p, _ := b.parent(t, func(ctx context.Context, _ string) (string, error) { return "", godwit.Sleep(ctx, "nap", time.Hour) })
			synctest.Wait()
			b.stop(t)
			if got, stored := w.words(), b.recorded(t, p.ID()); !slices.Equal(got, []string{"release"}) || !slices.Equal(stored, got) {
				t.Errorf("observed %q, recorded %q", got, stored)
			}
		})
	})
	t.Run("a lost session", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			var w watcher
			b := setup(t, godwit.Config{Observers: []godwit.Observer{w.observe}})
			godwit.Handle(b.Client, block, hang)
			b.start(t)
			defer b.stop(t)
			b.submit(t, "", godwit.SubmitOptions{})
			synctest.Wait()
			sessions := must[[]godwit.SessionInfo](t, "sessions")(b.Sessions(t.Context()))
			must[godwit.SessionAnswer](t, "end")(b.store.EndSession(t.Context(), sessions[0].ID))
			wait(10 * time.Second)
			if got := w.words(); !slices.Equal(got, []string{"lost"}) {
				t.Errorf("observed %q", got)
			}
		})
	})
}

func TestMiddlewareSeesWhatGoesWrongAroundTheHandler(t *testing.T) {
	t.Parallel()
	type odd struct{ C chan int }
	cases := map[string]struct {
		args json.RawMessage
		fn   func(context.Context, int) (any, error)
		want string
	}{
		"undecodable arguments":  {json.RawMessage(`"three"`), func(context.Context, int) (any, error) { return 0, nil }, "failed undecodable_args"},
		"an unencodable result":  {json.RawMessage(`3`), func(context.Context, int) (any, error) { return odd{}, nil }, "failed unencodable_result"},
		"a panic with its stack": {json.RawMessage(`3`), func(context.Context, int) (any, error) { panic("ouch") }, "failed panic"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var got string
				var failure *godwit.Failure
				see := func(next godwit.HandlerFunc) godwit.HandlerFunc {
					return func(ctx context.Context) error {
						err := next(ctx)
						var outcome godwit.RunOutcome
						outcome, failure = godwit.VerdictOf(ctx, err)
						got = word(outcome, failure)
						return err
					}
				}
				b := setup(t, godwit.Config{Middleware: []godwit.Middleware{see}})
				godwit.Handle(b.Client, godwit.NewTask[int, any]("odd", godwit.Policy{MaxAttempts: 1}), c.fn)
				b.start(t)
				defer b.stop(t)
				p := must[*godwit.Promise[json.RawMessage]](t, "submit")(b.SubmitRaw(t.Context(), "odd", c.args, godwit.SubmitOptions{}))
				_, _ = p.Await(t.Context())
				if got != c.want {
					t.Errorf("middleware saw %q, want %q", got, c.want)
				}
				if stored := b.recorded(t, p.ID()); !slices.Equal(stored, []string{c.want}) {
					t.Errorf("recorded %q, want %q", stored, c.want)
				}
				if logged := b.log.failures(t); !slices.Equal(logged, []string{c.want}) {
					t.Errorf("logged %q, want %q", logged, c.want)
				}
				if hasStack := failure != nil && strings.Contains(failure.Stack, "observe_test.go"); hasStack != (name == "a panic with its stack") {
					t.Errorf("got %+v", failure)
				}
			})
		})
	}
}

func TestMiddlewareMayForgive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		forgive := func(next godwit.HandlerFunc) godwit.HandlerFunc {
			return func(ctx context.Context) error { _ = next(ctx); return nil }
		}
		b := setup(t, godwit.Config{Middleware: []godwit.Middleware{forgive}})
		p, stop := b.parent(t, func(context.Context, string) (string, error) { return "half", errors.New("oops") })
		defer stop()
		if got, err := p.Await(t.Context()); got != "" || err != nil {
			t.Errorf("got %q, %v, want the zero result", got, err)
		}
	})
}

func TestVerdictOutsideAHandlerIsEmpty(t *testing.T) {
	t.Parallel()
	if outcome, failure := godwit.VerdictOf(t.Context(), errors.New("oops")); outcome != "" || failure != nil {
		t.Errorf("got %q, %v", outcome, failure)
	}
}

func TestSubmitMiddlewareWrapsSubmissionsInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var seen []string
		wrap := func(name string) godwit.SubmitMiddleware {
			return func(next godwit.SubmitFunc) godwit.SubmitFunc {
				return func(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
					for i, s := range jobs {
						seen = append(seen, fmt.Sprint(name, " ", s.Task, " ", s.Options.ID.IsZero()))
						jobs[i] = s.WithHeader(name, "yes")
					}
					answers, err := next(ctx, jobs)
					seen = append(seen, fmt.Sprint(name, " after ", len(answers), " ", err != nil))
					return answers, err
				}
			}
		}
		b := setup(t, godwit.Config{SubmitMiddleware: []godwit.SubmitMiddleware{wrap("a"), wrap("b")}})
		headers := map[string]string{"given": "yes"}
		jobs := []godwit.Submission{block.Job("", godwit.SubmitOptions{Headers: headers}), block.Job("", godwit.SubmitOptions{Headers: headers})}
		answers := must[[]godwit.SubmitAnswer](t, "submit")(b.SubmitAll(t.Context(), jobs))
		if len(headers) != 1 || !jobs[0].Options.ID.IsZero() {
			t.Errorf("the caller's submissions were changed: %v, %v", headers, jobs[0].Options)
		}
		if got := b.job(t, answers[1].ID).Headers; len(got) != 3 || got["a"] != "yes" || got["b"] != "yes" {
			t.Errorf("got headers %v", got)
		}
		want := []string{"a block false", "a block false", "b block false", "b block false", "b after 2 false", "a after 2 false"}
		if !slices.Equal(seen, want) {
			t.Errorf("got %q, want %q", seen, want)
		}
		seen = nil
		_, err := b.SubmitAll(t.Context(), []godwit.Submission{block.Job("", godwit.SubmitOptions{Delay: -1})})
		wantCode(t, err, godwit.CodeInvalid)
		if want := []string{"a block false", "b block false", "b after 0 true", "a after 0 true"}; !slices.Equal(seen, want) {
			t.Errorf("got %q of a refused one, want %q", seen, want)
		}
	})
}

func TestSubmitMiddlewareSeesChildren(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var parents []string
		see := func(next godwit.SubmitFunc) godwit.SubmitFunc {
			return func(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
				mu.Lock()
				defer mu.Unlock()
				parents = append(parents, godwit.Info(ctx).Task+" > "+jobs[0].Task)
				return next(ctx, jobs)
			}
		}
		b := setup(t, godwit.Config{SubmitMiddleware: []godwit.SubmitMiddleware{see}})
		p, stop := b.parent(t, func(ctx context.Context, _ string) (string, error) { return "", godwit.Sleep(ctx, "nap", time.Second) })
		defer stop()
		if _, err := p.Await(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []string{" > pair", "pair > godwit.timer"}; !slices.Equal(parents, want) {
			t.Errorf("got %q, want %q", parents, want)
		}
	})
}

func TestSubmitMiddlewareThatLosesAnswersIsNamed(t *testing.T) {
	t.Parallel()
	lose := func(next godwit.SubmitFunc) godwit.SubmitFunc {
		return func(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
			_, err := next(ctx, jobs)
			return nil, err
		}
	}
	b := setup(t, godwit.Config{SubmitMiddleware: []godwit.SubmitMiddleware{lose}})
	_, err := block.Submit(t.Context(), b, "", godwit.SubmitOptions{})
	var e *godwit.Error
	if !errors.As(err, &e) || e.Field != "SubmitMiddleware" {
		t.Errorf("got %v, want one that names SubmitMiddleware", err)
	}
}

func TestSlotsTellHowBusyAClientIs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{Queues: map[string]godwit.QueueConfig{"default": {Concurrency: 3}, "mail": {Concurrency: 1}}})
		if got := b.Slots(); got != nil {
			t.Errorf("got %v before the start", got)
		}
		godwit.Handle(b.Client, block, func(ctx context.Context, how string) (string, error) {
			if how == "sleep" {
				return "", godwit.Sleep(ctx, "nap", time.Minute)
			}
			wait(20 * time.Second) // less than the grace
			return "", nil
		})
		b.start(t)
		defer b.stop(t)
		for _, how := range []string{"work", "work", "sleep"} {
			b.submit(t, how, godwit.SubmitOptions{})
		}
		synctest.Wait()
		want := []godwit.QueueSlots{{Queue: "default", Total: 3, InUse: 2}, {Queue: "mail", Total: 1}}
		if got := b.Slots(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
