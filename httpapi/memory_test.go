package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/model"
)

// large is an argument of a MiB, in JSON.
var large = `"` + strings.Repeat("x", godwit.PayloadMax-2) + `"`

// held fails the test unless so many bytes are set aside for answers.
func (b bundle) held(t *testing.T, making, sending int64) {
	t.Helper()
	if m, s := httpapi.AnswerBytes(b.Handler); m != making || s != sending {
		t.Errorf("%d bytes are held to make answers and %d to send them, want %d and %d", m, s, making, sending)
	}
}

// serveOn serves the bundle on connections without a network and its buffers: dial makes one, and stop ends the server.
func (b bundle) serveOn(t *testing.T) (dial func() net.Conn, stop func()) {
	t.Helper()
	server, l := &http.Server{Handler: b}, pipe{make(chan net.Conn)} //nolint:gosec // nobody is slow to send
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	dial = func() net.Conn {
		near, far := net.Pipe()
		l.conns <- far
		return near
	}
	return dial, func() {
		close(l.conns)
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		_ = server.Close() // of what the test left open
	}
}

// status reads the first line of an answer.
func status(t *testing.T, c net.Conn) string {
	t.Helper()
	line, err := bufio.NewReaderSize(c, 16).ReadSlice('\r')
	if err != nil && len(line) < 12 {
		t.Fatalf("read %q, %v", line, err)
	}
	return string(line[9:12])
}

// Those who do not read hold no more than the bound, keep nobody from a small answer, and are let go.
func TestAnswersAreBoundedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{AnswerBytesMax: 16 << 20})
		id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=1h", large), "id")
		small := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=1h", "1"), "id")
		dial, stop := b.serveOn(t)
		answers := map[string]int{}
		var conns []net.Conn
		for range 30 {
			c := dial()
			if _, err := io.WriteString(c, "GET /v1/jobs/"+id+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answers[status(t, c)]++
			conns = append(conns, c)
		}
		if answers["200"] != 6 || answers["503"] != 24 { // of 8 MiB seven eighths
			t.Errorf("answered %v", answers)
		}
		if _, sending := httpapi.AnswerBytes(b.Handler); sending < 6<<20 || sending > 7<<20 {
			t.Errorf("%d bytes are held", sending)
		}
		w := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "")
		wantCode(t, w, http.StatusServiceUnavailable, httpapi.CodeOverloaded)
		if w.Header().Get("Retry-After") == "" {
			t.Error("it does not say when to come back")
		}
		b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+small, "")

		synctest.Wait()
		stop()
		for _, c := range conns {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		b.held(t, 0, 0)
		b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id, "")
	})
}

// slowStore has reads of jobs wait.
type slowStore struct {
	godwit.Store
	open chan struct{}
}

func (s slowStore) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	select {
	case <-s.open:
		return s.Store.Get(ctx, ids)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Answers are made in memory that is waited for, in turn and for a while.
func TestMemoryToMakeAnswersIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := slowStore{model.New(model.Config{}), make(chan struct{})}
		b := setupOn(t, store, httpapi.Config{AnswerBytesMax: 20 << 20}) // one job at a time
		id := godwit.NewID()
		if _, err := echo.Submit(t.Context(), b.client, []byte("1"), godwit.SubmitOptions{ID: id, Delay: godwit.DelayMax}); err != nil {
			t.Fatal(err)
		}
		answers := make(chan int, 3)
		get := func() { answers <- b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id.String(), "").Code }
		go get()
		synctest.Wait()
		b.held(t, 8<<20, 0)
		wantCode(t, b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id.String(), ""), http.StatusServiceUnavailable, httpapi.CodeOverloaded)
		b.want(t, http.StatusOK, http.MethodGet, "/healthz", "") // which needs none
		go get()
		synctest.Wait()
		close(store.open)
		if first, second := <-answers, <-answers; first != http.StatusOK || second != http.StatusOK {
			t.Errorf("those who waited were answered %d and %d", first, second)
		}
		b.held(t, 0, 0)
	})
}

// stuckStore has reads of one job take as long as they may.
type stuckStore struct {
	godwit.Store
	job godwit.ID
}

func (s stuckStore) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	if slices.Contains(ids, s.job) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.Store.Get(ctx, ids)
}

// Those who read hold up nobody who submits or changes something: a submitter that is told nothing would submit again.
func TestReadersDoNotHoldUpChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := stuckStore{model.New(model.Config{}), godwit.NewID()}
		b := setupOn(t, store, httpapi.Config{AnswerBytesMax: 20 << 20}) // one job at a time
		if _, err := echo.Submit(t.Context(), b.client, []byte("1"), godwit.SubmitOptions{ID: store.job, Delay: godwit.DelayMax}); err != nil {
			t.Fatal(err)
		}
		reads := make(chan int, 3)
		for range cap(reads) {
			go func() { reads <- b.send(t.Context(), http.MethodGet, "/v1/jobs/"+store.job.String(), "").Code }()
		}
		synctest.Wait()
		start := time.Now()
		w := b.send(t.Context(), http.MethodPost, "/v1/tasks/echo?delay=1h", "1")
		if w.Code != http.StatusAccepted || time.Since(start) > 0 {
			t.Errorf("a submission was answered %d after %v: %s", w.Code, time.Since(start), w.Body)
		}
		b.want(t, http.StatusOK, http.MethodPost, w.Header().Get("Location")+"/cancel", "")
		for range cap(reads) {
			if code := <-reads; code != http.StatusServiceUnavailable {
				t.Errorf("a read was answered %d", code)
			}
		}
		b.held(t, 0, 0)
	})
}

// Who waits for a change of a job holds nothing meanwhile.
func TestWhoWaitsHoldsNoMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{})
		w := b.send(t.Context(), http.MethodPost, "/v1/tasks/echo?delay=1h", large)
		target := w.Header().Get("Location")
		changed := make(chan int)
		go func() {
			changed <- b.send(t.Context(), http.MethodGet, target, "", "Prefer: wait=60", "If-None-Match: "+w.Header().Get("ETag")).Code
		}()
		synctest.Wait()
		b.held(t, 0, 0)
		b.want(t, http.StatusOK, http.MethodPost, target+"/cancel", "")
		if code := <-changed; code != http.StatusOK {
			t.Errorf("answered %d", code)
		}
		b.held(t, 0, 0)
	})
}

// What was changed and cannot be answered for is said to be so, and the store is not blamed.
func TestChangesWithoutRoomForTheirAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{AnswerBytesMax: 2 << 20})
		id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=1h", large), "id")
		dial, stop := b.serveOn(t)
		c := dial()
		if _, err := io.WriteString(c, "GET /v1/jobs/"+id+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if answered := status(t, c); answered != "200" { // which is alone
			t.Errorf("answered %s", answered)
		}
		wantCode(t, b.send(t.Context(), http.MethodPost, "/v1/jobs/"+id+"/cancel", ""), http.StatusServiceUnavailable, godwit.CodeOutcomeUnknown)
		b.want(t, http.StatusOK, http.MethodGet, "/readyz", "")
		stop()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if v := b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id, ""); v["state"] != "cancelled" {
			t.Errorf("the job is %v", v["state"])
		}
	})
}
