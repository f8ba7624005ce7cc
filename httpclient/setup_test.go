package httpclient_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/sqlite"
)

var (
	upper  = godwit.NewTask[string, string]("upper", godwit.Policy{MaxCrashes: 7, KeepSucceeded: time.Hour, Priority: 3, Deadline: 3 * time.Hour})
	broken = godwit.NewTask[string, string]("broken", godwit.Policy{})
	block  = godwit.NewTask[int, int]("block", godwit.Policy{})
	talk   = godwit.NewTask[int, int]("talk", godwit.Policy{})
	flood  = godwit.NewTask[int, int]("flood", godwit.Policy{})
)

// bundle is a server's client and one that reaches it over HTTP.
type bundle struct {
	local  *godwit.Client
	remote *httpclient.Client
	url    string        // of the server
	open   chan struct{} // closing it lets the jobs of block end
}

// setup makes a bundle. wrap, if any, stands between the network and the handler.
func setup(t *testing.T, store godwit.Store, wrap func(http.Handler) http.Handler) bundle {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := godwit.New(store, godwit.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	b := bundle{local: c, open: make(chan struct{})}
	godwit.Handle(c, upper, func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
	godwit.Handle(c, broken, func(_ context.Context, s string) (string, error) { return "", godwit.Permanent(errors.New(s)) })
	godwit.Handle(c, block, func(ctx context.Context, n int) (int, error) {
		select {
		case <-b.open:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
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
	godwit.Handle(c, flood, func(ctx context.Context, n int) (int, error) {
		large := strings.Repeat("x", godwit.ItemMax-2)
		for range n {
			if err := godwit.Emit(ctx, large); err != nil {
				return 0, err
			}
		}
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
	handler := httpapi.New(c, httpapi.Config{Logger: quiet})
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	b.url = server.URL
	b.remote = connect(t, httpclient.Config{URL: server.URL + "/", Token: "secret"})
	return b
}

func connect(t *testing.T, config httpclient.Config) *httpclient.Client {
	t.Helper()
	c, err := httpclient.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachStore runs a test on the model and on SQLite.
func eachStore(t *testing.T, test func(*testing.T, godwit.Store)) {
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		test(t, model.New(model.Config{}))
	})
	t.Run("sqlite", func(t *testing.T) {
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
		test(t, store)
	})
}
