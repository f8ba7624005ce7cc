package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// process is a client with a store of its own.
type process struct {
	*godwit.Client
	store *Store
}

// process starts a client that would hardly ever ask by itself. Its handler tells that it began, and returns its arguments, or with
// arguments below zero waits to be cancelled.
func (b *bundle) process(cfg Config, begun chan<- int) *process {
	b.Helper()
	p := &process{store: b.open(cfg)}
	var err error
	p.Client, err = godwit.New(p.store, godwit.Config{
		PollInterval: time.Minute, Lease: time.Hour, Queues: map[string]godwit.QueueConfig{"queue": {}}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	if begun == nil {
		return p
	}
	godwit.Handle(p.Client, ship, func(ctx context.Context, n int) (int, error) {
		begun <- n
		if n < 0 {
			<-ctx.Done()
			begun <- 2 * n
			return 0, ctx.Err()
		}
		return n, nil
	})
	if err := p.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Errorf("stop: %v", err)
		}
	})
	return p
}

// hearing waits until a store hears, or does not.
func (b *bundle) hearing(s *Store, want bool) {
	b.Helper()
	changed := make(chan struct{}, 1)
	defer s.Hints(func(godwit.Hint) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	for s.Hears() != want {
		select {
		case <-changed:
		case <-b.patience():
			b.Fatalf("the store hears: %v", !want)
		}
	}
}

// patience ends before anything is found by asking; no passing test waits for it.
func (b *bundle) patience() <-chan time.Time { return time.After(25 * time.Second) }

func (b *bundle) begins(begun <-chan int, want int) {
	b.Helper()
	select {
	case got := <-begun:
		if got != want {
			b.Fatalf("the handler says %d, want %d", got, want)
		}
	case <-b.patience():
		b.Fatalf("the handler does not say %d", want)
	}
}

// submits submits by way of one process, and expects the other to run it and the first to learn of it.
func (b *bundle) submits(from *process, begun <-chan int, n int) {
	b.Helper()
	b.submitsWith(from, begun, n, godwit.SubmitOptions{})
}

func (b *bundle) submitsWith(from *process, begun <-chan int, n int, o godwit.SubmitOptions) {
	b.Helper()
	promise, err := ship.Submit(b.Context(), from.Client, n, o)
	if err != nil {
		b.Fatal(err)
	}
	b.begins(begun, n)
	ctx, cancel := context.WithTimeout(b.Context(), 25*time.Second)
	defer cancel()
	if got, err := promise.Await(ctx); err != nil || got != n {
		b.Fatalf("await: %d, %v", got, err)
	}
}

func TestWhatOneProcessDoesWakesAnother(t *testing.T) {
	t.Parallel()
	b := setup(t)
	begun := make(chan int, 10)
	worker, client := b.process(Config{URL: b.url}, begun), b.process(Config{URL: b.url}, nil)
	b.hearing(worker.store, true)
	b.hearing(client.store, true)
	for n := range 5 {
		b.submits(client, begun, n)
	}
	promise, err := ship.Submit(t.Context(), client.Client, -1, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.begins(begun, -1)
	if err := client.Cancel(t.Context(), promise.ID(), "enough"); err != nil {
		t.Fatal(err)
	}
	b.begins(begun, -2)
	if _, err := promise.Await(t.Context()); !errors.Is(err, godwit.ErrCancelled) {
		t.Errorf("await: %v", err)
	}
}

func TestATransactionsJobsWakeWorkersWhenItCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	begun := make(chan int, 10)
	b.hearing(b.process(Config{URL: b.url}, begun).store, true)
	tx, err := connect(t, b.url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.SubmitTx(t.Context(), tx, ship.Job(7, godwit.SubmitOptions{})); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.begins(begun, 7)
}

func TestLostNotificationsAreMadeUpFor(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL()})
	begun := make(chan int, 10)
	worker, client := b.process(Config{URL: b.url}, begun), b.process(Config{URL: b.url}, nil)
	b.hearing(worker.store, true)
	lost := proxy.LoseQuery(`"queues":`)
	b.submitsWith(client, begun, 1, godwit.SubmitOptions{IdempotencyKey: "its notification goes by itself"})
	<-lost
	for n := range 3 {
		proxy.Cut()
		b.submits(client, begun, n)
		b.hearing(worker.store, true)
	}
}

func TestAStoreWhoseListenerIsTerminatedSaysSoAndListensAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	begun := make(chan int, 10)
	worker, client := b.process(Config{URL: b.url}, begun), b.process(Config{URL: b.url}, nil)
	b.hearing(worker.store, true)
	heard := make(chan bool, 100)
	defer worker.store.Hints(func(h godwit.Hint) {
		if h.Any {
			heard <- worker.store.Hears()
		}
	})()
	var n int
	row := connect(t, b.url).QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
	if err := row.Scan(&n); err != nil || n == 0 {
		t.Fatalf("terminate what listens: %d, %v", n, err)
	}
	for _, want := range []bool{false, true} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("the store hears: %v", got)
			}
		case <-b.patience():
			t.Fatalf("the store does not say that it hears: %v", want)
		}
	}
	b.submits(client, begun, 1)
}

func TestAStoreBehindAPoolerDoesNotHear(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pooled := b.open(Config{URL: b.url, Pooler: true})
	defer pooled.Hints(func(godwit.Hint) {})()
	if pooled.listener.over != nil {
		t.Error("a store listens through a pooler")
	}
	b.hearing(b.open(Config{URL: b.url, Pooler: true, ListenURL: b.url}), true)
	other := pgtest.Database(t) // notifications do not pass between databases, as they do not pass an unnoticed pooler
	deaf := b.open(Config{URL: b.url, ListenURL: other})
	conn, err := deaf.listener.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := deaf.listener.echo(t.Context(), conn); !errors.Is(err, errDeaf) || deaf.Hears() {
		t.Errorf("echo: %v", err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Config{URL: b.url, ListenURL: "mysql://"}); err == nil || !strings.Contains(err.Error(), "ListenURL must begin") {
		t.Errorf("open: %v", err)
	}
}

func TestNewsStayShort(t *testing.T) {
	t.Parallel()
	n := news{}
	events := func(k godwit.EventKind, s godwit.State, many int, queue string) []godwit.Event {
		list := make([]godwit.Event, many)
		for i := range list {
			list[i] = godwit.Event{Kind: k, State: s, Job: godwit.NewID(), Queue: queue, Run: 1}
		}
		return list
	}
	n.add(events(godwit.EventSucceeded, godwit.StateSucceeded, 1000, "q"))
	n.add(events(godwit.EventSubmitted, godwit.StateReady, 1000, "q"))
	n.add(events(godwit.EventStarted, godwit.StateRunning, 1000, "other"))
	if n.Any || !n.Settled || len(n.Jobs) != newsSucceeds || len(n.Queues) != 1 || len(n.payload()) > newsMax {
		t.Errorf("after many successes: %+v", n)
	}
	n.add(events(godwit.EventCancelRequested, godwit.StateRunning, 100, "q"))
	if text := n.payload(); text != `{"any":true}` {
		t.Errorf("news that do not fit are told as %.200s", text)
	}
}

func TestAConnectionThatWasSilentIsTriedAndHeardAgain(t *testing.T) {
	t.Parallel()
	l := setup(t).store.listener
	conn, err := l.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.listen(t.Context(), conn, 10*time.Millisecond, func(*news) bool { return false }); !errors.Is(err, errDeaf) {
			t.Errorf("after a silence: %v", err)
		}
		if err := l.echo(t.Context(), conn); err != nil {
			t.Errorf("echo after a silence: %v", err)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
