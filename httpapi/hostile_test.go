package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/sqlite"
)

func wantCode(t *testing.T, w *httptest.ResponseRecorder, status int, code godwit.Code) {
	t.Helper()
	if w.Code != status || !strings.Contains(w.Body.String(), `"code":"`+string(code)+`"`) {
		t.Errorf("answered %d %.300s, want %d %s", w.Code, w.Body, status, code)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("the problem is %s", kind)
	}
}

func TestHugeInputIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	ctx := t.Context()
	huge := `"` + strings.Repeat("x", godwit.PayloadMax) + `"`
	line := `{"task":"echo","args":1}` + "\n"
	for name, send := range map[string]func() *httptest.ResponseRecorder{
		"an argument": func() *httptest.ResponseRecorder { return b.send(ctx, http.MethodPost, "/v1/tasks/echo", huge) },
		"a reason": func() *httptest.ResponseRecorder {
			return b.send(ctx, http.MethodPost, "/v1/jobs:cancel?all=true&reason="+huge, "")
		},
		"a body": func() *httptest.ResponseRecorder {
			return b.send(ctx, http.MethodPost, "/v1/jobs/"+godwit.NewID().String()+"/cancel", huge+huge)
		},
		"a line": func() *httptest.ResponseRecorder { return b.send(ctx, http.MethodPost, "/v1/jobs", line+huge+huge) },
		"too many lines": func() *httptest.ResponseRecorder {
			return b.send(ctx, http.MethodPost, "/v1/jobs", strings.Repeat(line, godwit.BatchMax+1))
		},
		"a key": func() *httptest.ResponseRecorder {
			return b.send(ctx, http.MethodPost, "/v1/tasks/echo", "1", "Idempotency-Key: "+strings.Repeat("k", godwit.KeyMax+1))
		},
		"a task's name": func() *httptest.ResponseRecorder {
			return b.send(ctx, http.MethodPost, "/v1/tasks/"+strings.Repeat("n", godwit.NameMax+1), "1")
		},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, send(), http.StatusRequestEntityTooLarge, godwit.CodeTooLarge) })
	}
	if page, err := b.client.List(ctx, godwit.ListFilter{}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("%d jobs were made of what was refused, %v", len(page.Jobs), err)
	}
	if n := httpapi.BodyBytes(b.Handler); n != 0 {
		t.Errorf("%d bytes of bodies still count", n)
	}
}

func TestBodiesAreBoundedTogether(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{BodyBytesMax: 1000})
	w := b.send(t.Context(), http.MethodPost, "/v1/tasks/echo", `"`+strings.Repeat("x", 2000)+`"`)
	wantCode(t, w, http.StatusTooManyRequests, httpapi.CodeTooBusy)
	if w.Header().Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo", `1`)
}

// What a client sends half of changes nothing, and holds nothing.
func TestCutAndSlowConnections(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	server := httptest.NewUnstartedServer(b)
	server.Config.ReadTimeout = 100 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	half := "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + `{"task":"echo","args":1}` + "\n"
	for name, cut := range map[string]bool{"cut": true, "slow": false} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, half); err != nil {
			t.Fatal(err)
		}
		if tcp, ok := conn.(*net.TCPConn); ok && cut {
			if err := tcp.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(answer, "400") {
			t.Errorf("%s: answered %q, %v", name, answer, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "no bytes of bodies are held", func() bool { return httpapi.BodyBytes(b.Handler) == 0 })
	if page, err := b.client.List(t.Context(), godwit.ListFilter{}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("%d jobs were made of halves, %v", len(page.Jobs), err)
	}
}

func TestFaultsAreNotShown(t *testing.T) {
	t.Parallel()
	store := model.New(model.Config{})
	var seen []httpapi.Observation
	c, err := godwit.New(store, godwit.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	mood := errors.New("secret")
	b := bundle{client: c, Handler: httpapi.New(c, httpapi.Config{
		Logger: quiet, Observe: func(o httpapi.Observation) { seen = append(seen, o) },
		Ready: func(context.Context) error {
			if mood == nil {
				panic("secret")
			}
			return mood
		},
	})}
	w := b.send(t.Context(), http.MethodGet, "/readyz", "")
	wantCode(t, w, http.StatusServiceUnavailable, godwit.CodeUnavailable)
	mood = nil
	w2 := b.send(t.Context(), http.MethodGet, "/readyz", "")
	wantCode(t, w2, http.StatusInternalServerError, httpapi.CodeInternal)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w3 := b.send(t.Context(), http.MethodGet, "/v1/queues", "")
	wantCode(t, w3, http.StatusServiceUnavailable, godwit.CodeClosed)
	if text := w.Body.String() + w2.Body.String() + w3.Body.String(); strings.Contains(text, "secret") {
		t.Errorf("shown: %s", text)
	}
	b.want(t, http.StatusOK, http.MethodGet, "/healthz", "")
	if len(seen) != 4 || seen[2].Route != "GET /v1/queues" || seen[2].Status != 503 || seen[2].Code != godwit.CodeClosed || seen[3].Code != "" {
		t.Errorf("observed %+v", seen)
	}
}

// The life of a job on a real database.
func TestOnSQLite(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jobs.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	b := setupOn(t, store, httpapi.Config{})
	id := text(t, b.want(t, http.StatusOK, http.MethodPost, "/v1/tasks/family", "3", "Prefer: wait=30"), "id")
	b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id+"/result", "")
	children := b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id+"/children", "")
	if list, ok := children["jobs"].([]any); !ok || len(list) != 3 {
		t.Errorf("children: %v", children)
	}
	late := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=1h", "3"), "id")
	if form := b.want(t, http.StatusOK, http.MethodPost, "/v1/jobs:cancel?all=true", ""); form["done"] != 1.0 {
		t.Errorf("cancelled: %v", form)
	}
	job := b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+late, "", "Prefer: wait=5")
	if job["state"] != "cancelled" {
		t.Errorf("got %v", job)
	}
	b.want(t, http.StatusNoContent, http.MethodDelete, "/v1/jobs/"+late, "")
	b.want(t, http.StatusGone, http.MethodGet, "/v1/jobs/"+late, "")
}

// fullStore answers reads and, while it is full, refuses submissions.
type fullStore struct {
	godwit.Store
	full atomic.Bool
}

func (s *fullStore) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	if s.full.Load() {
		return nil, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the disk is full"}
	}
	return s.Store.Submit(ctx, jobs)
}

func TestAStoreThatTakesNothingMoreIsNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &fullStore{Store: model.New(model.Config{})}
		b := setupOn(t, store, httpapi.Config{})
		b.want(t, http.StatusOK, http.MethodGet, "/readyz", "")
		store.full.Store(true)
		b.want(t, http.StatusServiceUnavailable, http.MethodPost, "/v1/tasks/echo", "1")
		b.want(t, http.StatusUnprocessableEntity, http.MethodPost, "/v1/tasks/echo?delay=-1s", "1")
		b.want(t, http.StatusOK, http.MethodGet, "/v1/jobs", "")
		problem := b.want(t, http.StatusServiceUnavailable, http.MethodGet, "/readyz", "")
		if detail := text(t, problem, "detail"); !strings.Contains(detail, "does not write") {
			t.Errorf("it says %q", detail)
		}
		time.Sleep(httpapi.WriteFailureKept) // of virtual time
		b.want(t, http.StatusOK, http.MethodGet, "/readyz", "")
		b.want(t, http.StatusServiceUnavailable, http.MethodPost, "/v1/tasks/echo", "1")
		store.full.Store(false)
		b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo", "1")
		b.want(t, http.StatusOK, http.MethodGet, "/readyz", "")
	})
}

// A body whose length is not told is read into memory that doubles: what counts is that memory.
func TestTheMemoryOfBodiesCountsNotTheirLength(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{BodyBytesMax: 1000})
	for size, want := range map[int]int{400: http.StatusAccepted, 600: http.StatusTooManyRequests} {
		body := io.MultiReader(strings.NewReader(`"` + strings.Repeat("x", size) + `"`)) // whose length net/http does not know
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/tasks/echo", body))
		if w.Code != want {
			t.Errorf("%d bytes: answered %d, want %d", size, w.Code, want)
		}
	}
	if n := httpapi.BodyBytes(b.Handler); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}
