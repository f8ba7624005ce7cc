package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit/internal/pgtest"
)

// proxied returns a proxy, the URL of the database behind it, and a connection
// through it, with an empty table t.
func proxied(t *testing.T) (p *pgtest.Proxy, direct string, conn *pgx.Conn) {
	t.Helper()
	direct = pgtest.Database(t)
	p = pgtest.NewProxy(t, direct)
	conn = connect(t, p.URL())
	exec1(t, conn, "CREATE TABLE t (n int)")
	return p, direct, conn
}

// insert begins a transaction through a connection, inserts a row and commits: the
// answer is what the client knows of it.
func insert(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO t VALUES (1)"); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

const rows = "SELECT count(*)::text FROM t"

func TestProxyPassesWhatIsSent(t *testing.T) {
	t.Parallel()
	p, direct, conn := proxied(t)
	for range 3 {
		if err := insert(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	if got := show(t, direct, rows); got != "3" {
		t.Errorf("%s rows, want 3", got)
	}
	if got := len(show(t, p.URL(), "SELECT repeat('x', 1000000)")); got != 1000000 {
		t.Errorf("%d bytes came, want 1000000", got)
	}
}

func TestProxyLosesTheAnswerOfACommitThatHappened(t *testing.T) {
	t.Parallel()
	p, direct, conn := proxied(t)
	lost := p.LoseAnswer("commit")
	if err := insert(t.Context(), conn); err == nil {
		t.Error("the commit was answered")
	}
	<-lost
	if got := show(t, direct, rows); got != "1" {
		t.Errorf("%s rows, want 1: the commit has happened", got)
	}
	if err := insert(t.Context(), connect(t, p.URL())); err != nil {
		t.Errorf("it goes on losing: %v", err)
	}
}

func TestProxyLosesACommitBeforeItHappens(t *testing.T) {
	t.Parallel()
	p, direct, conn := proxied(t)
	lost := p.LoseQuery("commit")
	if err := insert(t.Context(), conn); err == nil {
		t.Error("the commit was answered")
	}
	<-lost
	if got := show(t, direct, rows); got != "0" {
		t.Errorf("%s rows, want 0: the commit has not happened", got)
	}
}

func TestProxyCutsAfterBytes(t *testing.T) {
	t.Parallel()
	p, _, conn := proxied(t)
	other := connect(t, p.URL())
	cut := p.CutAfter(100000)
	show(t, p.URL(), "SELECT repeat('x', 50000)")
	select {
	case <-cut:
		t.Error("cut after 50000 of 100000 bytes")
	default:
	}
	var got string
	if err := conn.QueryRow(t.Context(), "SELECT repeat('x', 70000)").Scan(&got); err == nil {
		t.Errorf("%d bytes came", len(got))
	}
	<-cut
	if err := other.Ping(t.Context()); err != nil {
		t.Errorf("another connection was cut: %v", err)
	}
}

func TestProxyCutsAllConnections(t *testing.T) {
	t.Parallel()
	p, _, conn := proxied(t)
	other := connect(t, p.URL())
	if n := p.Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	if n := p.Cut(); n != 2 {
		t.Errorf("cut %d connections, want 2", n)
	}
	if conn.Ping(t.Context()) == nil || other.Ping(t.Context()) == nil {
		t.Error("a connection outlived the cut")
	}
	exec1(t, connect(t, p.URL()), "SELECT 1")
}

func TestProxyRefusesNewConnectionsAlone(t *testing.T) {
	t.Parallel()
	p, _, conn := proxied(t)
	p.Refuse(true)
	if refused, err := pgx.Connect(t.Context(), p.URL()); err == nil {
		_ = refused.Close(t.Context())
		t.Error("a new connection was taken")
	}
	exec1(t, conn, "SELECT 1")
	p.Refuse(false)
	exec1(t, connect(t, p.URL()), "SELECT 1")
}

func TestProxyHoldsUntilReleased(t *testing.T) {
	t.Parallel()
	p, direct, conn := proxied(t)
	p.Hold()
	done := make(chan error, 1)
	go func() { done <- insert(t.Context(), conn) }()

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if refused, err := pgx.Connect(ctx, p.URL()); err == nil {
		_ = refused.Close(ctx)
		t.Error("a new connection came through")
	}
	select {
	case err := <-done:
		t.Errorf("answered while held: %v", err)
	default:
	}
	p.Release()
	if err := <-done; err != nil {
		t.Errorf("answered %v after the release", err)
	}
	if got := show(t, direct, rows); got != "1" {
		t.Errorf("%s rows, want 1", got)
	}

	p.Hold()
	go func() { done <- insert(t.Context(), conn) }()
	p.Cut()
	if err := <-done; err == nil {
		t.Error("a held connection outlived the cut")
	}
}

func TestProxyDelays(t *testing.T) {
	t.Parallel()
	p, _, conn := proxied(t)
	const delay = 50 * time.Millisecond
	p.Delay(delay)
	began := time.Now()
	exec1(t, conn, ";")
	if took := time.Since(began); took < 2*delay {
		t.Errorf("there and back took %v, want at least %v", took, 2*delay)
	}
	p.Delay(0)
	exec1(t, conn, ";")
}

func TestProxyLeadsElsewhereAndPassesForAPooler(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Start(t, pgtest.Config{Unsynced: true}), pgtest.Start(t, pgtest.Config{Unsynced: true})
	proxy := pgtest.NewProxy(t, a.URL("postgres"))
	const pid, port = "SELECT pg_backend_pid()", "SELECT current_setting('port')"
	var backend uint32
	direct := connect(t, proxy.URL())
	if err := direct.QueryRow(t.Context(), pid).Scan(&backend); err != nil || backend != direct.PgConn().PID() {
		t.Errorf("the number of the process is %d, told as %d, %v", backend, direct.PgConn().PID(), err)
	}
	proxy.Disguise()
	pooled := connect(t, proxy.URL())
	if err := pooled.QueryRow(t.Context(), pid).Scan(&backend); err != nil || backend == pooled.PgConn().PID() {
		t.Errorf("a pooler tells the number of the process: %d, %v", backend, err)
	}
	before := show(t, proxy.URL(), port)
	proxy.Lead(t, b.URL("postgres"))
	if after := show(t, proxy.URL(), port); after == before || after != show(t, b.URL("postgres"), port) {
		t.Errorf("it leads to port %s, before to %s", after, before)
	}
}
