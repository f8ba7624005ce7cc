package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
)

func TestWaitForAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{})
		id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=10m", "1"), "id")
		tag := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "").Header().Get("ETag")

		start := time.Now()
		w := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "", "If-None-Match: "+tag, "Prefer: wait=20")
		if took := time.Since(start); w.Code != http.StatusNotModified || w.Body.Len() > 0 || took != 20*time.Second {
			t.Errorf("without a change: %d %s after %v", w.Code, w.Body, took)
		}

		time.AfterFunc(3*time.Second, func() {
			if err := b.client.Cancel(t.Context(), parse(t, id), ""); err != nil {
				t.Error(err)
			}
		})
		start = time.Now()
		w = b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "", "If-None-Match: W/"+tag, "Prefer: wait=20")
		if took := time.Since(start); w.Code != http.StatusOK || took != 3*time.Second || w.Header().Get("ETag") == tag {
			t.Errorf("with a change: %d after %v", w.Code, took)
		}
		tag = w.Header().Get("ETag")
		start = time.Now()
		w = b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "", "If-None-Match: "+tag, "Prefer: wait=20")
		if took := time.Since(start); w.Code != http.StatusNotModified || took != 0 {
			t.Errorf("of a final job: %d after %v", w.Code, took)
		}
	})
}

func parse(t *testing.T, id string) godwit.ID {
	t.Helper()
	v, err := godwit.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWaitsAreBounded(t *testing.T) {
	t.Parallel()
	for prefer, want := range map[string]time.Duration{
		"wait=5":                           5 * time.Second,
		"wait=100000":                      30 * time.Second,
		`respond-async;x=1, WAIT="7"; y=2`: 7 * time.Second,
		"wait=3, wait=9":                   3 * time.Second,
		"wait=-1":                          0,
		"wait=soon, handling=lenient":      0,
		"wait=99999999999999999999":        30 * time.Second,
		"wait=0":                           0,
		"respond-async":                    0,
	} {
		t.Run(prefer, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, httpapi.Config{WaitMax: 30 * time.Second})
				start := time.Now()
				w := b.send(t.Context(), http.MethodPost, "/v1/tasks/block", "1", "Prefer: "+prefer)
				if took := time.Since(start); w.Code != http.StatusAccepted || took != want {
					t.Errorf("answered %d after %v, want %v", w.Code, took, want)
				}
			})
		})
	}
}

// Who finds no place is answered at once; a server that stops answers those who wait.
func TestWaitersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{WaitersMax: 1})
		id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/block", "1"), "id")
		ctx, stop := context.WithCancel(t.Context())
		answered := make(chan *httptest.ResponseRecorder, 1)
		go func() { answered <- b.send(ctx, http.MethodGet, "/v1/jobs/"+id, "", "Prefer: wait=20") }()
		synctest.Wait()

		start := time.Now()
		for _, headers := range [][]string{{"Prefer: wait=20"}, {"Prefer: wait=20", "If-None-Match: *"}} {
			w := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "", headers...)
			if took := time.Since(start); took != 0 || w.Header().Get("Retry-After") == "" || w.Header().Get("Preference-Applied") != "" {
				t.Errorf("%v: %d after %v, %v", headers, w.Code, took, w.Header())
			}
		}
		stop()
		if w := <-answered; w.Code != http.StatusOK || w.Header().Get("Retry-After") == "" || w.Header().Get("Preference-Applied") != "" {
			t.Errorf("stopping: answered %d, %v", w.Code, w.Header())
		}
		if n := httpapi.Waiters(b.Handler); n != 0 {
			t.Errorf("%d places are still taken", n)
		}
	})
}

// eventually asks until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(time.Minute)
	for !so() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never came true: %s", what)
		}
	}
}

// Two thousand connections wait, half for the end and half for a change: what one costs is bounded, and all are answered.
func TestTwoThousandWaiters(t *testing.T) {
	const waiters, bytesEach = 2000, 150 << 10 // both ends of a connection, the race detector's share too
	b := setup(t, httpapi.Config{})
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/block", "1"), "id")
	eventually(t, "the job runs", func() bool {
		job, err := b.client.Get(t.Context(), parse(t, id))
		return err == nil && job.State == godwit.StateRunning
	})
	tag := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "").Header().Get("ETag")
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)

	before := memory()
	var wg sync.WaitGroup
	fail := make(chan error, waiters)
	for i := range waiters {
		wg.Go(func() {
			if err := waitOver(t.Context(), transport, server.URL+"/v1/jobs/"+id, tag, i%2 == 0); err != nil {
				fail <- err
			}
		})
	}
	eventually(t, "all wait", func() bool { return httpapi.Waiters(b.Handler) == waiters || len(fail) > 0 })
	used := memory() - before
	t.Logf("%d waiters use %d MiB", waiters, used>>20)
	if used > waiters*bytesEach {
		t.Errorf("%d waiters use %d KiB each", waiters, used/waiters>>10)
	}
	close(b.open)
	wg.Wait()
	close(fail)
	for err := range fail {
		t.Fatal(err)
	}
	eventually(t, "the places are free", func() bool { return httpapi.Waiters(b.Handler) == 0 })
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func waitOver(ctx context.Context, transport http.RoundTripper, url, tag string, change bool) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Prefer", "wait=60")
	if change {
		r.Header.Set("If-None-Match", tag)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	if closed := res.Body.Close(); err == nil {
		err = closed
	}
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %d %s", res.StatusCode, body)
	}
	return err
}
