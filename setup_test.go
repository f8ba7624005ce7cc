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

// bundle is a client on a fresh store.
type bundle struct {
	*godwit.Client
	store *model.Store
	log   *logs
}

// logs collects what a client logs.
type logs struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// setup makes a client that is not started.
func setup(t *testing.T, config godwit.Config) bundle {
	t.Helper()
	return setupOn(t, model.New(model.Config{}), config)
}

func setupOn(t *testing.T, store *model.Store, config godwit.Config) bundle {
	t.Helper()
	l := &logs{}
	config.Logger = slog.New(slog.NewTextHandler(l, nil))
	c, err := godwit.New(store, config)
	if err != nil {
		t.Fatal(err)
	}
	return bundle{c, store, l}
}

// start starts the client, and stops it before the test ends.
func (b bundle) start(t *testing.T) {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (b bundle) stop(t *testing.T) {
	t.Helper()
	if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// inBubble runs f with virtual time; the bubble fails when a goroutine is left.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func must[T any](t *testing.T, what string) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
}

// job reads a job.
func (b bundle) job(t *testing.T, id godwit.ID) godwit.Job {
	t.Helper()
	answers, err := b.store.Get(t.Context(), []godwit.ID{id})
	if err != nil || answers[0].Code != "" {
		t.Fatalf("get %s: %v, %s", id, err, answers[0].Code)
	}
	return answers[0].Job
}

// wantCode checks that err is of a code.
func wantCode(t *testing.T, err error, code godwit.Code) {
	t.Helper()
	if !errors.Is(err, &godwit.Error{Code: code}) {
		t.Errorf("got error %v, want one with code %s", err, code)
	}
}

// wait lets virtual time pass.
func wait(d time.Duration) { <-time.After(d) }
