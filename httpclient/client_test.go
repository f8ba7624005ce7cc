package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/model"
)

func TestTasksAndPromisesWorkOverHTTP(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		ctx := t.Context()
		p, err := upper.Submit(ctx, b.remote, "cat", godwit.SubmitOptions{Tags: []string{"<b>"}})
		if err != nil || !p.Created() {
			t.Fatalf("submit: created %v, %v", p.Created(), err)
		}
		if v, err := p.Await(ctx); err != nil || v != "CAT" {
			t.Errorf("awaited %q, %v", v, err)
		}
		job, err := b.local.Get(ctx, p.ID())
		if err != nil || job.MaxCrashes != 7 || job.KeepSucceeded != time.Hour || job.Priority != 3 || job.Deadline.IsZero() || job.Tags[0] != "<b>" {
			t.Errorf("the policy did not come with the job: %+v, %v", job, err)
		}

		words := strings.Fields(strings.Repeat("ape bee cow ", 60))
		many, err := upper.SubmitMany(ctx, b.remote, words, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		results, err := godwit.AwaitAll(ctx, many...)
		if err != nil || len(results) != len(words) || results[len(words)-1] != "COW" {
			t.Errorf("awaited %d results, %v", len(results), err)
		}

		p, err = broken.Submit(ctx, b.remote, "no way", godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Await(ctx)
		var failed *godwit.JobError
		if !errors.As(err, &failed) || failed.Code != godwit.CodePermanent || failed.Message != "no way" || failed.State != godwit.StateFailed {
			t.Errorf("awaited %v", err)
		}
		if _, err := godwit.PromiseOf[string](b.remote, godwit.NewID()).Await(ctx); !errors.Is(err, godwit.ErrNotFound) {
			t.Errorf("awaited what was never there: %v", err)
		}
	})
}

func TestRawSubmissionTakesTheServersPolicy(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		p, err := b.remote.SubmitRaw(t.Context(), "upper", json.RawMessage(`"dog"`), godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := p.Await(t.Context()); err != nil || string(v) != `"DOG"` {
			t.Errorf("awaited %s, %v", v, err)
		}
		if job, err := b.remote.Get(t.Context(), p.ID()); err != nil || job.MaxCrashes != 7 {
			t.Errorf("got %+v, %v", job, err)
		}
		if _, err := b.remote.SubmitRaw(t.Context(), "uper", json.RawMessage(`1`), godwit.SubmitOptions{}); !errors.Is(err, godwit.ErrUnknownTask) {
			t.Errorf("submitted an unknown task: %v", err)
		}
	})
}

// The same id may be submitted by either way: it is one submission.
func TestSubmissionsHaveOneFingerprint(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		o := godwit.SubmitOptions{
			ID: godwit.NewID(), Delay: time.Hour, Priority: new(0), Timeout: -1, Deadline: 2 * time.Hour, Tags: []string{"x", "y"}, MaxAttempts: 2,
			Unique: godwit.Unique{ByArgs: true, Scope: godwit.ScopeQueue}, IdempotencyKey: "k", Caller: "me", Detached: true,
		}
		first, err := upper.Submit(t.Context(), b.local, "<fox> & co", o)
		if err != nil {
			t.Fatal(err)
		}
		again, err := upper.Submit(t.Context(), b.remote, "<fox> & co", o)
		if err != nil || again.Created() || again.ID() != first.ID() {
			t.Errorf("submitted again: %v, %v", again, err)
		}
	})
}

// Every read answers over HTTP what it answers locally.
func TestReadsAreThoseOfTheLocalClient(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		ctx := t.Context()
		said, err := talk.Submit(ctx, b.local, 3, godwit.SubmitOptions{Tags: []string{"a"}, Headers: map[string]string{"h": "v"}})
		if err != nil {
			t.Fatal(err)
		}
		failed, err := broken.Submit(ctx, b.local, "why", godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		later, err := upper.Submit(ctx, b.local, "z", godwit.SubmitOptions{Delay: time.Hour, IdempotencyKey: "i", Unique: godwit.Unique{Key: "u"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.local.AwaitOutcomes(ctx, []godwit.ID{said.ID(), failed.ID()}); err != nil {
			t.Fatal(err)
		}
		unknown := godwit.NewID()
		reads := map[string]func(godwit.Admin) (any, error){
			"queues": func(a godwit.Admin) (any, error) { return a.Queues(ctx) },
			"tasks":  func(a godwit.Admin) (any, error) { return a.Tasks(ctx) },
			"list":   func(a godwit.Admin) (any, error) { return a.List(ctx, godwit.ListFilter{Limit: 2}) },
			"list by all": func(a godwit.Admin) (any, error) {
				return a.List(ctx, godwit.ListFilter{State: godwit.StateSucceeded, Task: "talk", Queue: "default", Tag: "a", Before: unknown})
			},
			"list by parent":   func(a godwit.Admin) (any, error) { return a.List(ctx, godwit.ListFilter{Parent: said.ID()}) },
			"list too long":    func(a godwit.Admin) (any, error) { return a.List(ctx, godwit.ListFilter{Limit: -1}) },
			"list by nonsense": func(a godwit.Admin) (any, error) { return a.List(ctx, godwit.ListFilter{State: "done"}) },
			"log page":         func(a godwit.Admin) (any, error) { return a.Logs(ctx, said.ID(), 1, 1) },
			"item page":        func(a godwit.Admin) (any, error) { return a.Items(ctx, said.ID(), 1, 1) },
		}
		for name, id := range map[string]godwit.ID{"said": said.ID(), "failed": failed.ID(), "later": later.ID(), "unknown": unknown} {
			reads["get "+name] = func(a godwit.Admin) (any, error) { return a.Get(ctx, id) }
			reads["attempts "+name] = func(a godwit.Admin) (any, error) { return a.Attempts(ctx, id) }
			reads["logs "+name] = func(a godwit.Admin) (any, error) { return a.Logs(ctx, id, 0, 0) }
			reads["items "+name] = func(a godwit.Admin) (any, error) { return a.Items(ctx, id, 0, 0) }
			reads["explain "+name] = func(a godwit.Admin) (any, error) { return a.Explain(ctx, id) }
		}
		for name, read := range reads {
			want, wantErr := read(b.local)
			got, gotErr := read(b.remote)
			if !reflect.DeepEqual(plain(t, want), plain(t, got)) {
				t.Errorf("%s: over HTTP\n%+v\nlocally\n%+v", name, got, want)
			}
			sameError(t, name, gotErr, wantErr)
		}
		sessions, err := b.remote.Sessions(ctx)
		if err != nil || len(sessions) != 1 || len(sessions[0].Tasks) == 0 || sessions[0].Lease == 0 || sessions[0].LeaseUntil.IsZero() {
			t.Errorf("sessions: %+v, %v", sessions, err)
		}
	})
}

// plain makes values comparable in which nil and empty lists are the same, and which hold what JSON leaves out of a job.
func plain(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if j, ok := v.(godwit.Job); ok {
		hidden, err := json.Marshal([]any{j.Args, j.Result, j.Timeout, j.KeepFailed, j.KeepSucceeded})
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, hidden...)
	}
	return strings.NewReplacer("[]", "null", "{}", "null").Replace(string(text))
}

func sameError(t *testing.T, name string, got, want error) {
	t.Helper()
	if (got == nil) != (want == nil) {
		t.Errorf("%s: over HTTP %v, locally %v", name, got, want)
		return
	}
	var g, w *godwit.Error
	if want != nil && (!errors.As(got, &g) || !errors.As(want, &w) || g.Code != w.Code || g.Field != w.Field) {
		t.Errorf("%s: over HTTP %v, locally %v", name, got, want)
	}
}

func TestActsAreThoseOfTheLocalClient(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		ctx, a := t.Context(), b.remote
		p, err := upper.Submit(ctx, a, "late", godwit.SubmitOptions{Delay: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		id := p.ID()
		must := func(what string, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		state := func(want godwit.State, held godwit.Held) {
			t.Helper()
			if job, err := b.local.Get(ctx, id); err != nil || job.State != want || job.Held != held {
				t.Fatalf("the job is %s %s (%v), want %s %s", job.State, job.Held, err, want, held)
			}
		}
		must("pause the queue", a.PauseQueue(ctx, "default"))
		must("run now", a.RunNow(ctx, id))
		state(godwit.StateReady, godwit.HeldQueuePaused)
		must("reschedule", a.Reschedule(ctx, id, b.local.Now().Add(time.Hour)))
		state(godwit.StateScheduled, "")
		must("cancel", a.Cancel(ctx, id, "not wanted"))
		must("cancel again", a.Cancel(ctx, id, ""))
		state(godwit.StateCancelled, "")
		must("pause the task", a.PauseTask(ctx, "upper"))
		must("resume the queue", a.ResumeQueue(ctx, "default"))
		must("retry", a.Retry(ctx, id, godwit.RetryOptions{Args: "early"}))
		state(godwit.StateReady, godwit.HeldTaskPaused)
		must("resume the task", a.ResumeTask(ctx, "upper"))
		if v, err := p.Await(ctx); err != nil || v != "EARLY" {
			t.Errorf("awaited %q, %v", v, err)
		}
		must("delete", a.Delete(ctx, id))
		for name, act := range map[string]func(godwit.Admin) error{
			"cancel":     func(a godwit.Admin) error { return a.Cancel(ctx, id, "") },
			"retry":      func(a godwit.Admin) error { return a.Retry(ctx, godwit.NewID(), godwit.RetryOptions{}) },
			"version":    func(a godwit.Admin) error { return a.Retry(ctx, id, godwit.RetryOptions{Version: -1}) },
			"channel":    func(a godwit.Admin) error { return a.Retry(ctx, id, godwit.RetryOptions{Args: make(chan int)}) },
			"never":      func(a godwit.Admin) error { return a.Reschedule(ctx, id, time.Time{}) },
			"bad queue":  func(a godwit.Admin) error { return a.PauseQueue(ctx, "a/b") },
			"no queue":   func(a godwit.Admin) error { return a.PauseQueue(ctx, "") },
			"dots":       func(a godwit.Admin) error { return a.PauseTask(ctx, "a b..") },
			"big reason": func(a godwit.Admin) error { return a.Cancel(ctx, id, strings.Repeat("x", godwit.MessageMax+1)) },
			"batch": func(a godwit.Admin) error {
				_, err := upper.SubmitMany(ctx, a, []string{"a", "b"}, godwit.SubmitOptions{Priority: new(5000)})
				return err
			},
			"huge": func(a godwit.Admin) error {
				_, err := upper.Submit(ctx, a, strings.Repeat("x", godwit.PayloadMax), godwit.SubmitOptions{})
				return err
			},
		} {
			sameError(t, name, act(a), act(b.local))
		}
	})
}

// Calls about many jobs answer for each, in order.
func TestActsOnManyAreThoseOfTheLocalClient(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		ctx := t.Context()
		for _, a := range []godwit.Admin{b.local, b.remote} {
			promises, err := upper.SubmitMany(ctx, a, []string{"a", "b"}, godwit.SubmitOptions{Delay: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			ids := []godwit.ID{promises[1].ID(), godwit.NewID(), promises[0].ID()}
			check := func(what string, state godwit.State, first godwit.Code) func([]godwit.SettleAnswer, error) {
				return func(got []godwit.SettleAnswer, err error) {
					t.Helper()
					want := []godwit.SettleAnswer{{Code: first, State: state}, {Code: godwit.CodeNotFound}, {State: state}}
					if err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("%s on %T: %+v, %v; want %+v", what, a, got, err, want)
					}
				}
			}
			check("cancel", godwit.StateCancelled, "")(a.CancelAll(ctx, ids, "why"))
			if err := a.PauseQueue(ctx, "default"); err != nil {
				t.Fatal(err)
			}
			check("retry", godwit.StateReady, "")(a.RetryAll(ctx, ids))
			check("cancel again", godwit.StateCancelled, "")(a.CancelAll(ctx, ids, "again"))
			check("delete", "", "")(a.DeleteAll(ctx, ids))
			if got, err := a.DeleteAll(ctx, nil); err != nil || len(got) != 0 {
				t.Errorf("nothing: %v, %v", got, err)
			}
			_, err = a.RetryAll(ctx, make([]godwit.ID, godwit.BatchMax+1))
			var e *godwit.Error
			if !errors.As(err, &e) || e.Code != godwit.CodeTooLarge || e.Field != "ids" {
				t.Errorf("too many: %v", err)
			}
			if _, err := a.CancelAll(ctx, ids, strings.Repeat("x", godwit.MessageMax+1)); !errors.As(err, &e) || e.Field != "reason" {
				t.Errorf("too long a reason: %v", err)
			}
		}
	})
}

// A page of large items is not larger than the server can hold for many; the client reads on.
func TestLargeItemsComeInParts(t *testing.T) {
	t.Parallel()
	sent := make(chan int64, 16)
	b := setup(t, model.New(model.Config{}), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			sent <- int64(answer.Body.Len())
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			if _, err := answer.Body.WriteTo(w); err != nil {
				t.Error(err)
			}
		})
	})
	p, err := flood.Submit(t.Context(), b.local, 300, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	items, err := b.remote.Items(t.Context(), p.ID(), 1, 290)
	if err != nil || len(items) != 290 || items[0].Seq != 2 || items[289].Seq != 291 {
		t.Fatalf("read %d items, %v", len(items), err)
	}
	close(sent)
	calls := 0
	for size := range sent {
		if calls++; size > 9<<20 {
			t.Errorf("an answer had %d bytes", size)
		}
	}
	if calls != 3 {
		t.Errorf("it took %d calls, want 3", calls)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]httpclient.Config{
		"URL":   {URL: "localhost:8080"},
		"Wait":  {URL: "http://localhost", Wait: time.Millisecond},
		"Token": {URL: "http://localhost", Token: "a\r\nb"},
	} {
		_, err := httpclient.New(config)
		var e *godwit.Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestAwaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		b := setup(t, store, nil)
		p, err := block.Submit(t.Context(), b.remote, 1, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("enough"))
		defer cancel()
		if _, err := p.Await(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "enough") {
			t.Errorf("awaited %v", err)
		}
		close(b.open)
		if v, err := p.Await(t.Context()); err != nil || v != 1 {
			t.Errorf("awaited %d, %v", v, err)
		}
	})
}

// A proxy that leads elsewhere, to https for one, would have a client make a read of a submission, and take the jobs that it lists for those
// that were submitted.
func TestRedirectsAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), nil)
	ahead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, b.url+r.URL.Path, http.StatusMovedPermanently)
	}))
	t.Cleanup(ahead.Close)
	if _, err := upper.Submit(t.Context(), b.local, "there before", godwit.SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, httpclient.Config{URL: ahead.URL, HTTPClient: &http.Client{}})
	p, err := upper.Submit(t.Context(), c, "new", godwit.SubmitOptions{})
	if !errors.Is(err, godwit.ErrInvalid) || !strings.Contains(err.Error(), "301 Moved Permanently, which leads to \""+b.url) {
		t.Errorf("a submission that was led elsewhere gave %v, %v", p, err)
	}
	if _, err := c.List(t.Context(), godwit.ListFilter{}); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("a read that was led elsewhere gave %v", err)
	}
}
