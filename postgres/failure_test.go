package postgres

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// keyed is a submission that takes a unique key.
func keyed() godwit.NewJob {
	n := newJob()
	n.Unique = godwit.UniqueKey{Scope: "s", Key: n.ID.String(), While: godwit.UniqueUnfinished, OnClash: godwit.ClashRefuse}
	return n
}

func TestARestartedServerIsFoundAgain(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{})
	b := setupOn(t, Config{URL: server.Database(t)})
	before := b.submit(newJob())
	for _, mode := range []pgtest.Mode{pgtest.Immediate, pgtest.Fast} {
		server.Restart(t, mode)
		b.state(before)
		b.submit(keyed())
	}
	if got := b.state(before); got != godwit.StateReady {
		t.Errorf("what was answered before the crash is %q", got)
	}
	tokens := b.claim(b.store, 3)
	if answers, err := b.store.Settle(t.Context(), []godwit.Settlement{succeed(tokens[0])}); err != nil || answers[0].Code != "" {
		t.Errorf("settle after the restarts: %+v, %v", answers, err)
	}
}

func TestAServerThatIsGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true})
	b := setupOn(t, Config{URL: server.Database(t)})
	server.Stop(t, pgtest.Fast)
	_, err := b.store.Submit(t.Context(), []godwit.NewJob{keyed()})
	if !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("submit without a server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.store.Queues(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a read that was cancelled: %v", err)
	}
	server.Start(t)
	b.submit(newJob())
}

func TestTerminatedConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true})
	b := setupOn(t, Config{URL: server.Database(t), Conns: 4})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				n := keyed()
				answers, err := b.store.Submit(t.Context(), []godwit.NewJob{n})
				if errors.Is(err, godwit.ErrOutcomeUnknown) {
					answers, err = b.store.Submit(t.Context(), []godwit.NewJob{n})
				}
				if err != nil || answers[0].Code != "" {
					t.Errorf("submit: %+v, %v", answers, err)
				}
			}
		})
	}
	for range 5 {
		server.Terminate(t, "application_name = 'godwit'")
	}
	wg.Wait()
	queues, err := b.store.Queues(t.Context())
	if err != nil || len(queues) != 1 || queues[0].Depth[godwit.StateReady] != 80 {
		t.Errorf("80 jobs were submitted, there are %+v, %v", queues, err)
	}
}

// TestASubmissionWithoutAnAnswerIsAnUnknownOutcome loses the answer of a transaction that is sent at once. It was carried out, so to make it
// again would be wrong; a driver that finds the connection closed must not be believed that nothing was sent.
func TestASubmissionWithoutAnAnswerIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	for _, pooler := range []bool{false, true} {
		proxy := pgtest.NewProxy(t, pgtest.Database(t))
		b := setupOn(t, Config{URL: proxy.URL(), Pooler: pooler})
		b.submit(newJob())
		n := newJob()
		text := string(n.ID[:]) // among the arguments of what is prepared
		if pooler {
			text = "INSERT INTO godwit.places"
		}
		lost := proxy.LoseAnswer(text)
		_, err := b.store.Submit(t.Context(), []godwit.NewJob{n})
		<-lost
		if !errors.Is(err, godwit.ErrOutcomeUnknown) {
			t.Errorf("pooler %t: the answer was lost: %v", pooler, err)
		}
		answers, err := b.store.Submit(t.Context(), []godwit.NewJob{n})
		if err != nil || answers[0].Code != "" || answers[0].ID != n.ID {
			t.Errorf("pooler %t: submitted once more: %+v, %v", pooler, answers, err)
		}
	}
}

func TestACommitWithoutAnAnswerIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL()})
	n := keyed()
	lost := proxy.LoseAnswer("commit\x00")
	_, err := b.store.Submit(t.Context(), []godwit.NewJob{n})
	<-lost
	if !errors.Is(err, godwit.ErrOutcomeUnknown) {
		t.Errorf("the answer was lost: %v", err)
	}
	answers, err := b.store.Submit(t.Context(), []godwit.NewJob{n})
	if err != nil || answers[0].Code != "" || answers[0].Created || answers[0].ID != n.ID {
		t.Errorf("the same submission again: %+v, %v", answers, err)
	}
}

func TestWhatIsLostBeforeTheCommitIsDoneAnew(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL()})
	b.submit(keyed()) // its statements are prepared
	for range 3 {
		proxy.Cut()
		b.submit(keyed())
	}
	if got := len(b.claim(b.store, 4)); got != 4 {
		t.Errorf("%d jobs", got)
	}
}

func TestASilentNetworkHoldsNoCallForEver(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL(), CallTimeout: time.Second})
	proxy.Hold()
	_, err := b.store.Submit(t.Context(), []godwit.NewJob{keyed()})
	if !errors.Is(err, godwit.ErrUnavailable) && !errors.Is(err, godwit.ErrOutcomeUnknown) {
		t.Errorf("submit into the silence: %v", err)
	}
	proxy.Release()
	b.submit(keyed())
}

func TestAPoolThatIsUsedUpEndsNoLease(t *testing.T) {
	t.Parallel()
	b := setupOn(t, Config{URL: pgtest.Database(t), Conns: 2})
	var taken []*pgxpool.Conn
	for range 2 {
		conn, err := b.store.conns.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	a, err := b.store.Heartbeat(t.Context(), godwit.HeartbeatRequest{Session: b.session})
	if err != nil || a.Code != "" {
		t.Errorf("heartbeat: %+v, %v", a, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.store.Submit(ctx, []godwit.NewJob{newJob()}); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that waits for a connection and is cancelled: %v", err)
	}
	for _, conn := range taken {
		conn.Release()
	}
	b.submit(newJob())
}

func TestAPromotedStandbyIsFollowed(t *testing.T) {
	t.Parallel()
	primary, standby, both := pair(t, pgtest.Config{})
	b := setupOn(t, Config{URL: both})
	id := b.submit(newJob())
	primary.Stop(t, pgtest.Immediate)
	standby.Promote(t)
	if got := b.state(id); got != godwit.StateReady {
		t.Errorf("after the failover the job is %q", got)
	}
	b.submit(keyed())
	b.claim(b.store, 2)
}

func TestStoreTimeIsTheServers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var server time.Time
	before := b.store.Now()
	if err := connect(t, b.url).QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&server); err != nil {
		t.Fatal(err)
	}
	after := b.store.Now()
	const slack = 50 * time.Millisecond // half a round trip on a busy machine
	if server.Before(before.Add(-slack)) || server.After(after.Add(slack)) {
		t.Errorf("the server says %v, the store %v to %v", server, before, after)
	}
	b.store.clock.mu.Lock()
	b.store.clock.anchor -= time.Hour.Microseconds() // the server's clock was set back
	b.store.clock.mu.Unlock()
	if now := b.store.Now(); now.Before(after) {
		t.Errorf("store time went back from %v to %v", after, now)
	}
}
