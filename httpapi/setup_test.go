package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/builtin"
	"github.com/godwit-go/godwit/internal/model"
)

var (
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

	echo   = builtin.Echo
	broken = godwit.NewTask[string, string]("broken", godwit.Policy{})
	block  = godwit.NewTask[int, int]("block", godwit.Policy{})
	family = godwit.NewTask[int, int]("family", godwit.Policy{})
	talk   = godwit.NewTask[int, int]("talk", godwit.Policy{})
)

// bundle is a handler with its client, which runs the tasks of the binary and those above.
type bundle struct {
	http.Handler
	client *godwit.Client
	open   chan struct{} // closing it lets the jobs of block end
}

// setup makes a bundle on a model store, started and stopped with the test.
func setup(t *testing.T, config httpapi.Config) bundle {
	t.Helper()
	return setupOn(t, model.New(model.Config{}), config)
}

func setupOn(t *testing.T, store godwit.Store, config httpapi.Config) bundle {
	t.Helper()
	c, err := godwit.New(store, godwit.Config{Logger: quiet, Queues: map[string]godwit.QueueConfig{"default": {Concurrency: 8}, "mail": {}}})
	if err != nil {
		t.Fatal(err)
	}
	b := bundle{client: c, open: make(chan struct{})}
	builtin.Handle(c)
	godwit.Handle(c, broken, func(_ context.Context, why string) (string, error) { return "", godwit.Permanent(errors.New(why)) })
	godwit.Handle(c, block, func(ctx context.Context, n int) (int, error) {
		select {
		case <-b.open:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	godwit.Handle(c, family, func(ctx context.Context, n int) (int, error) {
		children, err := echo.SubmitMany(ctx, c, make([]json.RawMessage, n), godwit.SubmitOptions{})
		if err != nil {
			return 0, err
		}
		_, err = godwit.AwaitAll(ctx, children...)
		return n, err
	})
	godwit.Handle(c, talk, func(ctx context.Context, n int) (int, error) {
		for i := range n {
			godwit.Logger(ctx).Info("row", "n", i)
			if err := godwit.Emit(ctx, map[string]int{"row": i}); err != nil {
				return 0, err
			}
		}
		godwit.SetProgress(ctx, int64(n), int64(n), "done")
		return n, nil
	})
	if err := c.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if config.Logger == nil {
		config.Logger = quiet
	}
	b.Handler = httpapi.New(c, config)
	return b
}

// send makes a request without a network. Headers are "Name: value".
func (b bundle) send(ctx context.Context, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// want sends a request and checks the status of its answer, whose body it decodes.
func (b bundle) want(t *testing.T, status int, method, target, body string, headers ...string) map[string]any {
	t.Helper()
	w := b.send(t.Context(), method, target, body, headers...)
	if w.Code != status {
		t.Fatalf("%s %s: answered %d %s, want %d", method, target, w.Code, w.Body, status)
	}
	var v map[string]any
	if w.Body.Len() > 0 && strings.HasPrefix(strings.TrimSpace(w.Body.String()), "{") {
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// text gives a string of an answer.
func text(t *testing.T, v map[string]any, name string) string {
	t.Helper()
	s, ok := v[name].(string)
	if !ok {
		t.Fatalf("%q is %v in %v, want a string", name, v[name], v)
	}
	return s
}
