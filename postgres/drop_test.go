package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

func TestDropRemovesWhatIsOursAlone(t *testing.T) {
	t.Parallel()
	ctx, cfg := t.Context(), Config{URL: pgtest.Database(t)}
	s, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Submit(ctx, []godwit.NewJob{newJob()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, cfg.URL)
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE VIEW public.theirs AS SELECT id FROM godwit.jobs")
	if _, err := Drop(ctx, cfg); !errors.Is(err, godwit.ErrWrongState) {
		t.Errorf("with a view on a table: %v", err)
	}
	exec("DROP VIEW public.theirs")
	exec("CREATE TABLE godwit.theirs (n int)")
	if d, err := Drop(ctx, cfg); err != nil || d.Jobs != 1 || len(d.Tables) < 20 || d.Schema {
		t.Errorf("with a table of theirs in the schema: %+v, %v", d, err)
	}
	exec("TABLE godwit.theirs")
	exec("DROP SCHEMA godwit CASCADE")
	if d, err := Drop(ctx, cfg); err != nil || len(d.Tables) > 0 || d.Schema {
		t.Errorf("of nothing: %+v, %v", d, err)
	}
}

func TestDropRefusesWhileASessionLives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cfg := Config{URL: b.url}
	if _, err := Drop(t.Context(), cfg); !errors.Is(err, godwit.ErrWrongState) {
		t.Fatalf("a session lives: %v", err)
	}
	id := b.submit(newJob())
	if got := b.state(id); got != godwit.StateReady {
		t.Errorf("after the refusal the job is %q", got)
	}
	if _, err := b.store.EndSession(t.Context(), b.session); err != nil {
		t.Fatal(err)
	}
	// A store that waits for the tables when they go finds none, and says so.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if d, err := Drop(ctx, cfg); err != nil || !d.Schema {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := b.store.Submit(ctx, []godwit.NewJob{newJob()}); !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("submit into nothing: %v", err)
	}
}
