package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/model"
)

// cutter serves every request and cuts the connection before the answer, as often as it is told to.
type cutter struct {
	next http.Handler
	only string // the method of the requests that count; empty: all
	cuts atomic.Int32
	seen atomic.Int32
}

func (c *cutter) wrap(next http.Handler) http.Handler {
	c.next = next
	return c
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.only != "" && r.Method != c.only {
		c.next.ServeHTTP(w, r)
		return
	}
	c.seen.Add(1)
	if c.cuts.Add(-1) < 0 {
		c.next.ServeHTTP(w, r)
		return
	}
	c.next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

func TestSubmissionsSurviveCutConnections(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		var c cutter
		b := setup(t, store, c.wrap)
		c.cuts.Store(3)
		promises, err := upper.SubmitMany(t.Context(), b.remote, []string{"a", "b"}, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c.cuts.Store(2)
		if _, err := godwit.AwaitAll(t.Context(), promises...); err != nil {
			t.Fatal(err)
		}
		page, err := b.local.List(t.Context(), godwit.ListFilter{})
		if err != nil || len(page.Jobs) != 2 {
			t.Errorf("%d jobs were made, want 2 (%v)", len(page.Jobs), err)
		}
	})
}

func TestWhatCannotBeRepeatedSaysSo(t *testing.T) {
	t.Parallel()
	var c cutter
	b := setup(t, model.New(model.Config{}), c.wrap)
	p, err := upper.Submit(t.Context(), b.remote, "x", godwit.SubmitOptions{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c.cuts.Store(1)
	if err := b.remote.Cancel(t.Context(), p.ID(), ""); err != nil {
		t.Errorf("cancel, which may be repeated: %v", err)
	}
	c.seen.Store(0)
	c.cuts.Store(1)
	if err := b.remote.RunNow(t.Context(), p.ID()); !errors.Is(err, godwit.ErrOutcomeUnknown) {
		t.Errorf("run now: %v, want an unknown outcome", err)
	}
	if n := c.seen.Load(); n != 1 {
		t.Errorf("run now was sent %d times", n)
	}
	c.cuts.Store(1 << 20)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = upper.Submit(ctx, b.remote, "y", godwit.SubmitOptions{})
	if !errors.Is(err, godwit.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("submit: %v, want an unknown outcome for the end of the context", err)
	}
}

// A retry and a delete whose answers are lost are repeated, and are done once.
func TestRetryAndDeleteSurviveCutConnections(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, store godwit.Store) {
		c := cutter{only: http.MethodPost}
		b := setup(t, store, c.wrap)
		p, err := broken.Submit(t.Context(), b.local, "always", godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		retried := func(o godwit.RetryOptions) godwit.Job {
			t.Helper()
			if _, err := b.local.AwaitOutcomes(t.Context(), []godwit.ID{p.ID()}); err != nil {
				t.Fatal(err)
			}
			c.seen.Store(0)
			c.cuts.Store(2)
			if err := b.remote.Retry(t.Context(), p.ID(), o); err != nil {
				t.Errorf("retry: %v", err)
			}
			if n := c.seen.Load(); n != 3 {
				t.Errorf("retry was sent %d times", n)
			}
			if _, err := b.local.AwaitOutcomes(t.Context(), []godwit.ID{p.ID()}); err != nil {
				t.Fatal(err)
			}
			job, err := b.local.Get(t.Context(), p.ID())
			if err != nil {
				t.Fatal(err)
			}
			return job
		}
		if job := retried(godwit.RetryOptions{}); job.Retries != 1 || job.Run != 2 {
			t.Errorf("retried %d times, ran %d times", job.Retries, job.Run)
		}
		if job := retried(godwit.RetryOptions{Run: 2, Args: json.RawMessage(`"<b>"`)}); job.Retries != 2 || job.Run != 3 || string(job.Args.Data) != `"<b>"` {
			t.Errorf("retried %d times, ran %d times with %s", job.Retries, job.Run, job.Args.Data)
		}
		if err := b.remote.Retry(t.Context(), p.ID(), godwit.RetryOptions{Run: 2}); !errors.Is(err, &godwit.Error{Code: godwit.CodeStaleRun}) {
			t.Errorf("retry of an older run: %v", err)
		}

		c.only = http.MethodDelete
		c.cuts.Store(1)
		if err := b.remote.Delete(t.Context(), p.ID()); err != nil {
			t.Errorf("delete: %v", err)
		}
		if err := b.remote.Delete(t.Context(), p.ID()); !errors.Is(err, godwit.ErrExpired) {
			t.Errorf("delete of what was deleted before: %v", err)
		}
	})
}

func TestServersThatDoNotServe(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	c := connect(t, httpclient.Config{URL: closed.URL, RetryFor: -1})
	if err := c.RunNow(t.Context(), godwit.NewID()); !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}

	var answers atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if answers.Add(1) < 3 {
			http.Error(w, "<html>bad gateway</html>", http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		if _, err := w.Write([]byte(`<html>hello</html>`)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(proxy.Close)
	c = connect(t, httpclient.Config{URL: proxy.URL})
	if _, err := c.Queues(t.Context()); !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), "godwit server") {
		t.Errorf("a server of something else: %v", err)
	}
	if n := answers.Load(); n != 3 {
		t.Errorf("asked %d times, want 3: a bad gateway passes", n)
	}
}

// A server without a place for those who wait is asked again.
func TestAwaitOutlivesShortWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Prefer")
			next.ServeHTTP(w, r)
		})
	})
	p, err := block.Submit(t.Context(), b.remote, 9, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(30*time.Millisecond, func() { close(b.open) })
	if v, err := p.Await(t.Context()); err != nil || v != 9 {
		t.Errorf("awaited %d, %v", v, err)
	}
}

// A try that was surely not served does not make one before it undone.
func TestAnEarlierTryIsNotForgotten(t *testing.T) {
	t.Parallel()
	var c cutter
	down := atomic.Bool{}
	b := setup(t, model.New(model.Config{}), func(next http.Handler) http.Handler {
		cut := c.wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Swap(true) {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusServiceUnavailable)
				if _, err := w.Write([]byte(`{"status":503,"code":"unavailable","detail":"not now"}`)); err != nil {
					t.Error(err)
				}
				return
			}
			cut.ServeHTTP(w, r)
		})
	})
	c.cuts.Store(1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := upper.Submit(ctx, b.remote, "once", godwit.SubmitOptions{}); !errors.Is(err, godwit.ErrOutcomeUnknown) {
		t.Errorf("submit: %v, want an unknown outcome", err)
	}
}

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A long poll that is cut off after longer than RetryFor is repeated all the same: the server restarts, and the job is still there.
func TestAwaitSurvivesARestartLateInItsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries, began := 0, time.Now()
		transport := roundTrip(func(r *http.Request) (*http.Response, error) {
			tries++
			switch {
			case tries == 1, tries == 4: // waits, and is cut off
				<-time.After(20 * time.Second)
				return nil, io.ErrUnexpectedEOF
			case tries < 6:
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}
			body := io.NopCloser(strings.NewReader(`"done"`))
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
		})
		c, err := httpclient.New(httpclient.Config{URL: "http://godwit.test", HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := godwit.PromiseOf[string](c, godwit.NewID()).Await(t.Context())
		if got != "done" || err != nil || tries != 6 {
			t.Errorf("got %q, %v after %d tries in %v", got, err, tries, time.Since(began))
		}

		tries = -1 << 30 // nobody is there any more
		began = time.Now()
		if _, err := godwit.PromiseOf[string](c, godwit.NewID()).Await(t.Context()); !errors.Is(err, godwit.ErrUnavailable) {
			t.Errorf("without a server: %v", err)
		}
		if took := time.Since(began); took < 10*time.Second || took > 15*time.Second {
			t.Errorf("gave up after %v, want about 15 s", took)
		}
	})
}
