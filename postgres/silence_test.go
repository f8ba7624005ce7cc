package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// pair is a primary with a synchronous standby, and a URL that names both.
func pair(t *testing.T, c pgtest.Config) (primary, standby *pgtest.Server, both string) {
	t.Helper()
	primary = pgtest.Start(t, c)
	database := primary.Database(t)
	standby = primary.Standby(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	second, err := url.Parse(standby.URL("x"))
	if err != nil {
		t.Fatal(err)
	}
	u.Host += "," + second.Host
	return primary, standby, u.String()
}

// fleet is a worker and those that submit to it, without a pause.
type fleet struct {
	b      *bundle
	client *godwit.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	acked []*godwit.Promise[int] // guarded by mu
}

func newFleet(b *bundle, cfg Config) *fleet {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	f := &fleet{b: b, stop: cancel}
	f.client = client(b, b.open(cfg), 10)
	godwit.Handle(f.client, ship, func(_ context.Context, n int) (int, error) { return n, nil })
	if err := f.client.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.client.Stop(context.WithoutCancel(b.Context())) }) // the server may be gone
	for range 4 {
		f.done.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				p, err := ship.Submit(ctx, f.client, n, godwit.SubmitOptions{})
				if err == nil {
					f.mu.Lock()
					f.acked = append(f.acked, p)
					f.mu.Unlock()
				}
			}
		})
	}
	b.Cleanup(func() {
		cancel()
		f.done.Wait()
	})
	return f
}

// client makes a client as a program would, with many slots.
func client(b *bundle, s *Store, slots int) *godwit.Client {
	b.Helper()
	c, err := godwit.New(s, godwit.Config{
		Queues: map[string]godwit.QueueConfig{"queue": {Concurrency: slots}}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// newest waits until there are so many acknowledged submissions, and gives the newest.
func (f *fleet) newest(ctx context.Context, n int) *godwit.Promise[int] {
	f.b.Helper()
	for tick := time.NewTicker(time.Millisecond); ; {
		f.mu.Lock()
		if len(f.acked) >= n {
			defer f.mu.Unlock()
			tick.Stop()
			return f.acked[len(f.acked)-1]
		}
		f.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.b.Fatalf("%d submissions were not acknowledged in time", n)
		}
	}
}

func TestAFailoverFromAServerThatHangsTakesSeconds(t *testing.T) {
	t.Parallel()
	primary, standby, both := pair(t, pgtest.Config{Unsynced: true})
	b := setupOn(t, Config{URL: both})
	f := newFleet(b, Config{URL: both})
	f.newest(t.Context(), 100)

	primary.Pause(t)
	t.Cleanup(func() {
		primary.Resume(t)
		primary.Stop(t, pgtest.Immediate) // it would wait for its standby
	})
	standby.Promote(t)
	began := time.Now()
	// Less than a call may take; a dead worker's jobs would go on after twelve seconds.
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	f.mu.Lock()
	n := len(f.acked)
	f.mu.Unlock()
	if _, err := f.newest(ctx, n+100).Await(ctx); err != nil { // four of them may have been under way
		t.Fatalf("a job that was submitted after the failover: %v", err)
	}
	t.Logf("a job was submitted and run %v after the failover", time.Since(began).Round(100*time.Millisecond))
	f.stop()
	f.done.Wait()
	// Those that were claimed by a call whose answer was lost are given back by the second heartbeat from then on.
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for part := range slices.Chunk(f.acked, godwit.BatchMax) {
		ids := make([]godwit.ID, len(part))
		for i, p := range part {
			ids[i] = p.ID()
		}
		outcomes, err := f.client.AwaitOutcomes(ctx, ids)
		if err != nil {
			t.Fatalf("acknowledged jobs: %v", err)
		}
		for i := range outcomes {
			if outcomes[i].State != godwit.StateSucceeded {
				t.Errorf("an acknowledged job is %q %s", outcomes[i].State, outcomes[i].Code)
			}
		}
	}
}

func TestAHeartbeatIsNotWaitedForLongerThanItsCallerSays(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL()})
	proxy.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := b.store.Heartbeat(ctx, godwit.HeartbeatRequest{Session: b.session}); err == nil {
		t.Error("a heartbeat was answered by a silent server")
	}
	if took := time.Since(began); took > CallTimeoutDefault/2 {
		t.Errorf("it was waited for %v", took)
	}
	proxy.Release()
	if a, err := b.store.Heartbeat(t.Context(), godwit.HeartbeatRequest{Session: b.session}); err != nil || a.Code != "" {
		t.Errorf("the next one: %+v, %v", a, err)
	}
}

func TestIdleConnectionsToASilentServerAreGivenUpTogether(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL(), Conns: 8})
	var taken []*pgxpool.Conn
	for range 8 {
		conn, err := b.store.acquire(t.Context(), b.store.conns)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	for _, conn := range taken {
		release(conn)
	}
	for _, conn := range b.store.conns.AcquireAllIdle(t.Context()) {
		conn.Conn().PgConn().CustomData()[usedKey] = time.Now().Add(-time.Minute)
		conn.Release()
	}
	proxy.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), pingTimeout+pingTimeout/2)
	defer cancel()
	_, err := b.store.acquire(ctx, b.store.conns)
	if err == nil {
		t.Error("a connection to a silent server was thought to work")
	}
	if left := b.store.conns.Stat().IdleConns(); left != 0 {
		t.Errorf("%d connections are still thought to work", left)
	}
	proxy.Release()
	b.submit(newJob())
}

func TestOnlyAServerThatDoesNotAnswerIsSilent(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL()})
	conn, err := b.store.acquire(t.Context(), b.store.conns)
	if err != nil {
		t.Fatal(err)
	}
	call := callOf(conn.Conn(), false)
	for range 3 {
		if call.unknown(t.Context()) {
			t.Error("a server is said not to know its own process")
		}
	}
	release(conn)
	for tries := 1; call.silent(t.Context()); tries++ { // a machine that is busy may answer late
		if tries == 10 {
			t.Fatal("a server that answers is said to be silent")
		}
	}
	proxy.Hold()
	if !call.silent(t.Context()) {
		t.Error("a server that does not answer is said to do so")
	}
	proxy.Release()
	call.peer = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	if !call.silent(t.Context()) {
		t.Error("a machine on which no server runs is said to answer")
	}
}

// The address of a server that hangs is given to another one, which answers there, while the connections to the first stay as they are.
func TestACallIsCutOffWhoseAddressLeadsElsewhereNow(t *testing.T) {
	t.Parallel()
	first := pgtest.Start(t, pgtest.Config{Unsynced: true})
	second := pgtest.Start(t, pgtest.Config{Unsynced: true}).URL("postgres")
	proxy := pgtest.NewProxy(t, first.URL("postgres"))
	b := setupOn(t, Config{URL: proxy.URL(), CallTimeout: time.Hour})
	other := b.open(Config{URL: second})
	conn, err := b.store.conns.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Conn().PgConn().CustomData()[usedKey] = time.Now().Add(time.Hour) // it is not tried before it is used
	conn.Release()

	first.Pause(t)
	t.Cleanup(func() { first.Resume(t) })
	proxy.Lead(t, second)
	n := keyed() // of which nothing was committed when it is cut off
	b.submit(n)
	jobs, err := other.Get(t.Context(), []godwit.ID{n.ID})
	if err != nil || jobs[0].Code != "" {
		t.Errorf("the job is not at the server that the address leads to: %q, %v", jobs[0].Code, err)
	}
}

func TestACallThatTheStoreCutsOffIsNotItsCallersDoing(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cut := fmt.Errorf("read: %w", context.Canceled)
	for name, c := range map[string]struct {
		caller context.Context
		err    error
		want   error
	}{
		"the caller waits":       {t.Context(), cut, godwit.ErrUnavailable},
		"during the commit":      {t.Context(), &unknownError{cut}, godwit.ErrOutcomeUnknown},
		"the caller has left":    {gone, cut, context.Canceled},
		"another error of pgx's": {t.Context(), errors.New("broken pipe"), godwit.ErrUnavailable},
	} {
		got := toError(notCancelled(c.caller, c.err))
		if !errors.Is(got, c.want) {
			t.Errorf("%s: %v, and should be %v", name, got, c.want)
		}
		if c.caller.Err() == nil && c.want == godwit.ErrUnavailable && errors.Is(got, context.Canceled) {
			t.Errorf("%s: %v is said to be cancelled", name, got)
		}
	}
}
