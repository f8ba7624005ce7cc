package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/open"
	"github.com/godwit-go/godwit/postgres"
	"github.com/godwit-go/godwit/sqlite"
)

var (
	copyEcho   = godwit.NewTask[string, string]("copy.echo", godwit.Policy{})
	copyFail   = godwit.NewTask[string, string]("copy.fail", godwit.Policy{MaxAttempts: 1})
	copyRetry  = godwit.NewTask[string, string]("copy.retry", godwit.Policy{MaxAttempts: 9})
	copyStuck  = godwit.NewTask[string, string]("copy.stuck", godwit.Policy{})
	copyParent = godwit.NewTask[string, string]("copy.parent", godwit.Policy{})
	copyBrief  = godwit.NewTask[string, string]("copy.brief", godwit.Policy{KeepSucceeded: -1})
)

// copyHandle registers the handlers; stuck is what the handler of copy.stuck does.
func copyHandle(c *godwit.Client, stuck func(context.Context) error) {
	godwit.Handle(c, copyEcho, func(ctx context.Context, s string) (string, error) {
		godwit.SetProgress(ctx, 3, 4, "nearly")
		godwit.Logger(ctx).Info("a line", "of", s)
		return s, godwit.Emit(ctx, map[string]string{"item": s})
	})
	godwit.Handle(c, copyFail, func(context.Context, string) (string, error) { return "", errors.New("broken for good") })
	godwit.Handle(c, copyRetry, func(context.Context, string) (string, error) { return "", errors.New("broken for now") })
	godwit.Handle(c, copyStuck, func(ctx context.Context, s string) (string, error) { return s, stuck(ctx) })
	godwit.Handle(c, copyBrief, func(_ context.Context, s string) (string, error) { return s, nil })
	godwit.Handle(c, copyParent, func(ctx context.Context, s string) (string, error) {
		child, err := copyEcho.Submit(ctx, c, s, godwit.SubmitOptions{Queue: "paused", Name: "child"})
		if err != nil {
			return "", err
		}
		if _, err := copyEcho.Submit(ctx, c, "loose", godwit.SubmitOptions{Name: "loose", Detached: true}); err != nil {
			return "", err
		}
		return child.Await(ctx)
	})
}

// copyWorld is a file with jobs in every state, as a kill left it.
type copyWorld struct {
	path                           string
	parent, brief, stuck, idem, un godwit.ID
}

// makeCopyWorld lets a client work on a file, and takes a copy of the file while its jobs run: that is what is left by a kill.
func makeCopyWorld(t *testing.T) *copyWorld {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "live.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // the copy is what counts
	c, err := godwit.New(store, godwit.Config{
		Queues: map[string]godwit.QueueConfig{"default": {Concurrency: 4}, "paused": {Concurrency: 4}}, PollInterval: 5 * time.Millisecond,
		PruneInterval: 5 * time.Millisecond, StopGrace: -1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	copyHandle(c, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if err := errors.Join(c.PauseQueue(ctx, "paused"), c.PauseTask(ctx, "copy.nobody"), c.Start(ctx)); err != nil {
		t.Fatal(err)
	}
	defer c.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // likewise
	w := &copyWorld{path: filepath.Join(dir, "left.db")}
	submit := func(task *godwit.Task[string, string], args string, o godwit.SubmitOptions) godwit.ID {
		p, err := task.Submit(ctx, c, args, o)
		if err != nil {
			t.Fatal(err)
		}
		return p.ID()
	}
	for i := range 210 { // more than are handed over at a time
		submit(copyEcho, fmt.Sprint("done", i), godwit.SubmitOptions{Tags: []string{"a", "b"}, Headers: map[string]string{"h": "1"}, Priority: new(i % 3)})
	}
	submit(copyFail, "x", godwit.SubmitOptions{})
	submit(copyRetry, "x", godwit.SubmitOptions{Deadline: 24 * time.Hour})
	submit(copyEcho, "later", godwit.SubmitOptions{Delay: time.Hour})
	cancelled := submit(copyEcho, "never", godwit.SubmitOptions{Queue: "paused"})
	if err := c.Cancel(ctx, cancelled, "no more"); err != nil {
		t.Fatal(err)
	}
	w.brief = submit(copyBrief, "gone", godwit.SubmitOptions{})
	w.idem = submit(copyEcho, "once", godwit.SubmitOptions{IdempotencyKey: "k"})
	w.un = submit(copyEcho, "alone", godwit.SubmitOptions{Queue: "paused", Unique: godwit.Unique{Key: "u", While: godwit.UniqueUnstarted}})
	w.parent = submit(copyParent, "from child", godwit.SubmitOptions{})
	w.stuck = submit(copyStuck, "stuck", godwit.SubmitOptions{})
	var depth map[godwit.State]int
	var pruned error
	settled := func() bool {
		depth = map[godwit.State]int{}
		tasks, err := c.Tasks(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			for s, n := range task.Depth {
				depth[s] += n
			}
		}
		_, pruned = c.Get(ctx, w.brief)
		// Ready are the child and the unique job; scheduled the retry and the delayed one.
		return pruned != nil && depth[godwit.StateRunning] == 1 && depth[godwit.StateWaiting] == 1 && depth[godwit.StateReady] == 2 &&
			depth[godwit.StateScheduled] == 2
	}
	if !eventually(settled) {
		t.Fatalf("the file never came to hold what it should: %v, pruned: %v", depth, pruned)
	}
	if err := copySQLite(ctx, filepath.Join(dir, "live.db"), w.path); err != nil {
		t.Fatal(err)
	}
	return w
}

// everything reads all that a store says about its jobs.
func everything(t *testing.T, s godwit.Store, pruned godwit.ID) map[string]any {
	t.Helper()
	ctx, all := t.Context(), map[string]any{}
	note := func(name string, v any, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = v
	}
	filter := godwit.ListFilter{Limit: godwit.PageMax}
	for more := true; more; more = !filter.Before.IsZero() {
		page, err := s.List(ctx, filter)
		note("page", nil, err)
		for _, j := range page.Jobs {
			id := j.ID.String()
			full, err := s.Get(ctx, []godwit.ID{j.ID})
			note("job "+id, full, err)
			attempts, _, err := s.Attempts(ctx, j.ID)
			note("attempts "+id, attempts, err)
			logs, _, err := s.Logs(ctx, j.ID, 0, 100)
			note("logs "+id, logs, err)
			items, _, err := s.Items(ctx, j.ID, 0, 100)
			note("items "+id, items, err)
		}
		filter.Before = page.Next
	}
	gone, err := s.Get(ctx, []godwit.ID{pruned})
	note("pruned", gone, err)
	queues, err := s.Queues(ctx)
	note("queues", queues, err)
	tasks, err := s.Tasks(ctx)
	note("tasks", tasks, err)
	sessions, err := s.Sessions(ctx)
	note("sessions", len(sessions), err)
	return all
}

func TestCopyMovesEverythingToPostgreSQL(t *testing.T) {
	t.Parallel()
	w, db, dir := makeCopyWorld(t), pgtest.Database(t), t.TempDir()
	w.killedHalfWay(t, db)
	if out, err := program(t.Context(), t, dir, "job", "list", "--db", "sqlite:"+w.path).CombinedOutput(); err == nil || !strings.Contains(string(out), "when that was cut off") {
		t.Errorf("a file whose copy was killed: %v\n%s", err, out)
	}
	out, err := program(t.Context(), t, dir, "copy", "--from", "sqlite:"+w.path, "--to", db).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "jobs copied from") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := open.Store(t.Context(), "sqlite:"+w.path); !errors.Is(err, godwit.ErrWrongState) {
		t.Errorf("the file that was moved opens: %v", err)
	}
	from, err := sqlite.Open(t.Context(), sqlite.Config{Path: w.path, Moved: sqlite.MovedLook})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close() //nolint:errcheck // only read
	to, err := postgres.Open(t.Context(), postgres.Config{URL: db})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close() //nolint:errcheck // what is read from it counts
	want, got := everything(t, from, w.brief), everything(t, to, w.brief)
	if len(want) < 800 {
		t.Fatalf("the file holds only %d things", len(want))
	}
	differences := 0
	for name, v := range want {
		if !reflect.DeepEqual(v, got[name]) {
			if differences++; differences < 5 {
				t.Errorf("%s\n  was %+v\n  is  %+v", name, v, got[name])
			}
		}
	}
	if len(got) != len(want) || differences > 0 {
		t.Errorf("%d things became %d, of which %d differ", len(want), len(got), differences)
	}
	if err := to.Check(t.Context()); err != nil {
		t.Error(err)
	}

	out, err = program(t.Context(), t, dir, "copy", "--from", "sqlite:"+w.path, "--to", db, "--schema", "other").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "holds "+w.path) {
		t.Errorf("a file that is in use: %v\n%s", err, out)
	}
	if err := from.Close(); err != nil {
		t.Fatal(err)
	}
	out, err = program(t.Context(), t, dir, "copy", "--from", "sqlite:"+w.path, "--to", db).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "already copied from") {
		t.Errorf("the same copy again: %v\n%s", err, out)
	}
	w.goesOn(t, to)
}

// killedHalfWay kills a copy when all rows have been written and nothing is committed: a lock on the sequence of lanes, which comes last,
// keeps it there. Nothing is left behind.
func (w *copyWorld) killedHalfWay(t *testing.T, db string) {
	t.Helper()
	ctx := t.Context()
	if _, err := postgres.Migrate(ctx, postgres.Config{URL: db}); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // its transaction is over
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, "ALTER SEQUENCE godwit.lanes_id_seq INCREMENT BY 1")
	}
	if err != nil {
		t.Fatal(err)
	}
	cut := program(ctx, t, t.TempDir(), "copy", "--from", "sqlite:"+w.path, "--to", db)
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() (waits bool) {
		err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'godwit.lanes_id_seq'::regclass)").Scan(&waits)
		return err == nil && waits
	}) {
		t.Fatal("the copy never came to its end")
	}
	if err := cut.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if cut.Wait() == nil {
		t.Fatal("the copy ended before it could be killed")
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM godwit.jobs) + (SELECT count(*) FROM godwit.lanes)").Scan(&left); err != nil || left != 0 {
		t.Errorf("the copy that was killed left %d rows, %v", left, err)
	}
}

// goesOn lets a client work with what came: keys hold, and what waited and ran comes to its end.
func (w *copyWorld) goesOn(t *testing.T, store godwit.Store) {
	t.Helper()
	ctx := t.Context()
	c, err := godwit.New(store, godwit.Config{
		Queues: map[string]godwit.QueueConfig{"default": {Concurrency: 4}, "paused": {Concurrency: 4}}, PollInterval: 5 * time.Millisecond, StopGrace: -1,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	copyHandle(c, func(context.Context) error { return nil })
	once, err := copyEcho.Submit(ctx, c, "once", godwit.SubmitOptions{IdempotencyKey: "k"})
	if err != nil || once.ID() != w.idem {
		t.Errorf("the idempotency key gives %v, %v, want %v", once, err, w.idem)
	}
	alone, err := copyEcho.Submit(ctx, c, "alone", godwit.SubmitOptions{Queue: "paused", Unique: godwit.Unique{Key: "u", While: godwit.UniqueUnstarted}})
	if err != nil || alone.ID() != w.un {
		t.Errorf("the unique key gives %v, %v, want %v", alone, err, w.un)
	}
	if err := errors.Join(c.ResumeQueue(ctx, "paused"), c.Start(ctx)); err != nil {
		t.Fatal(err)
	}
	defer c.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // the answers count
	for id, want := range map[godwit.ID]string{w.parent: "from child", w.stuck: "stuck", w.un: "alone", w.idem: "once"} {
		if got, err := godwit.PromiseOf[string](c, id).Await(ctx); err != nil || got != want {
			t.Errorf("job %s gives %q, %v, want %q", id, got, err, want)
		}
	}
	if _, err := copyEcho.Submit(ctx, c, "more", godwit.SubmitOptions{Queue: "new"}); err != nil {
		t.Errorf("a job of a new lane: %v", err)
	}
	stuck, err := c.Attempts(ctx, w.stuck)
	if err != nil || !slices.ContainsFunc(stuck, func(a godwit.Attempt) bool { return a.Outcome == "crash" }) {
		t.Errorf("the job that ran at the kill has the attempts %+v, %v", stuck, err)
	}
}
