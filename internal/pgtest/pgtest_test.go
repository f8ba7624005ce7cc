package pgtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godwit-go/godwit/internal/pgtest"
)

// connect returns a connection that ends with the test.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) }) // it may have been cut
	return conn
}

func exec1(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// show returns the one value that a query gives over a new connection.
func show(t *testing.T, url, query string) string {
	t.Helper()
	var value string
	if err := connect(t, url).QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func TestDatabasesAreEmptyAndApart(t *testing.T) {
	t.Parallel()
	a, b := pgtest.Database(t), pgtest.Database(t)
	exec1(t, connect(t, a), "CREATE TABLE here (n int)")
	const tables = "SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
	if inA, inB := show(t, a, tables), show(t, b, tables); inA != "1" || inB != "0" {
		t.Errorf("the databases have %s and %s tables, want 1 and 0", inA, inB)
	}
	if collation := show(t, a, "SELECT datcollate FROM pg_database WHERE datname = current_database()"); collation != "C" {
		t.Errorf("sorts by %s, want C", collation)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	t.Parallel()
	var url string
	var held *pgx.Conn
	t.Run("uses one", func(t *testing.T) {
		url = pgtest.Database(t)
		var err error
		if held, err = pgx.Connect(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	})
	defer func() { _ = held.Close(t.Context()) }()
	_, err := pgx.Connect(t.Context(), url)
	if refused := new(pgconn.PgError); !errors.As(err, &refused) || refused.Code != "3D000" {
		t.Errorf("connecting to it afterwards: %v, want 3D000 (no such database)", err)
	}
}

func TestServerAsksForAPassword(t *testing.T) {
	t.Parallel()
	config, err := pgx.ParseConfig(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "guessed"
	if conn, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		_ = conn.Close(t.Context())
		t.Error("any password will do")
	}
}

func TestServerSyncsUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	durable := pgtest.Start(t, pgtest.Config{Settings: map[string]string{"max_connections": "23"}})
	if got := show(t, durable.URL("postgres"), "SELECT current_setting('fsync') || current_setting('max_connections')"); got != "on23" {
		t.Errorf("got %s, want on23", got)
	}
	if got := show(t, pgtest.Database(t), "SHOW fsync"); got != "off" {
		t.Errorf("the shared server has fsync %s, want off", got)
	}
}

func TestServerStopsAndComesBackAtItsAddress(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Config{Unsynced: true})
	url := s.Database(t)
	for _, mode := range []pgtest.Mode{pgtest.Fast, pgtest.Immediate} {
		conn := connect(t, url)
		exec1(t, conn, "CREATE TABLE kept_"+string(mode)+" AS SELECT 1")
		s.Stop(t, mode)
		if err := conn.Ping(t.Context()); err == nil {
			t.Errorf("%s: a connection outlived its server", mode)
		}
		if _, err := pgx.Connect(t.Context(), url); err == nil {
			t.Errorf("%s: a stopped server answers", mode)
		}
		s.Start(t)
		show(t, url, "SELECT count(*)::text FROM kept_"+string(mode))
	}
	before := connect(t, url)
	s.Restart(t, pgtest.Immediate)
	if err := before.Ping(t.Context()); err == nil {
		t.Error("a connection outlived a restart")
	}
	show(t, url, "SELECT count(*)::text FROM kept_immediate")
}

func TestSetIsInForceWhenItReturns(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Config{Unsynced: true})
	for _, value := range []string{"1min", "2min", "3min"} {
		s.Set(t, "statement_timeout", value)
		if got := show(t, s.URL("postgres"), "SHOW statement_timeout"); got != value {
			t.Errorf("statement_timeout is %s, want %s", got, value)
		}
	}
	s.Set(t, "max_connections", "31")
	s.Restart(t, pgtest.Fast)
	if got := show(t, s.URL("postgres"), "SHOW max_connections"); got != "31" {
		t.Errorf("max_connections is %s after a restart, want 31", got)
	}
}

func TestTerminateEndsWhatItSelects(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Config{Unsynced: true})
	one, other := s.Database(t), s.Database(t)
	a, b, c := connect(t, one), connect(t, one+"&application_name=b"), connect(t, other)
	if n := s.Terminate(t, "application_name = 'b'"); n != 1 {
		t.Errorf("terminated %d, want 1", n)
	}
	if a.Ping(t.Context()) != nil || b.Ping(t.Context()) == nil || c.Ping(t.Context()) != nil {
		t.Error("terminated others than the selected one")
	}
	if n := s.Terminate(t, ""); n != 2 {
		t.Errorf("terminated %d, want the 2 others", n)
	}
}

func TestPausedServerAnswersNothingUntilResumed(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Config{Unsynced: true})
	conn := connect(t, s.URL("postgres"))
	s.Pause(t)
	answered := make(chan error, 1)
	go func() { answered <- conn.Ping(t.Context()) }()
	select {
	case err := <-answered:
		t.Errorf("a paused server answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	s.Resume(t)
	if err := <-answered; err != nil {
		t.Errorf("a resumed server answered %v", err)
	}
	s.Pause(t) // the end of the test has to cope with it
}

func TestStandbyHasEveryCommitAndTakesOver(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Config{})
	url := s.Database(t)
	standby := s.Standby(t)
	conn := connect(t, url)
	exec1(t, conn, "CREATE TABLE kept AS SELECT 1")
	s.Stop(t, pgtest.Immediate)

	name := conn.Config().Database
	if got := show(t, standby.URL(name), "SELECT pg_is_in_recovery()::text"); got != "true" {
		t.Error("the standby takes writes before its promotion")
	}
	if _, err := connect(t, standby.URL(name)).Exec(t.Context(), "INSERT INTO kept VALUES (2)"); err == nil {
		t.Error("a standby was written to")
	}
	standby.Promote(t)
	exec1(t, connect(t, standby.URL(name)), "INSERT INTO kept VALUES (2)")
	if got := show(t, standby.URL(name), "SELECT count(*)::text FROM kept"); got != "2" {
		t.Errorf("%s rows, want 2", got)
	}
}

func TestAStoppedServerFollowsItsSuccessor(t *testing.T) {
	t.Parallel()
	first := pgtest.Start(t, pgtest.Config{Unsynced: true})
	first.Exec(t, "CREATE TABLE t (n int)")
	second := first.Standby(t)
	for i, pair := range [][2]*pgtest.Server{{first, second}, {second, first}, {first, second}} {
		old, successor := pair[0], pair[1]
		old.Exec(t, "INSERT INTO t VALUES (1)")
		old.Stop(t, pgtest.Fast)
		successor.Promote(t)
		old.Follow(t, successor)
		successor.Exec(t, "INSERT INTO t VALUES (1)") // waits until the other has it
		if got, want := show(t, successor.URL("postgres"), rows), strconv.Itoa(2*i+2); got != want {
			t.Errorf("switch %d: %s rows, want %s", i, got, want)
		}
		if got := show(t, old.URL("postgres"), "SELECT pg_is_in_recovery()::text"); got != "true" {
			t.Errorf("switch %d: the old server takes writes", i)
		}
	}
}

// TestServersDieWithTheirTestBinary kills a test binary that has a server, and one
// that is paused besides: the worst case for who clears up.
func TestServersDieWithTheirTestBinary(t *testing.T) {
	t.Parallel()
	pgtest.Database(t) // skips where there is no server
	if os.Getenv(pgtest.Variable) != "" {
		t.Skip("the environment's server stays")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	victim := exec.CommandContext(t.Context(), self, "-test.run=^TestVictim$")
	victim.Env = append(os.Environ(), "GODWIT_PGTEST_VICTIM=1")
	output, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 4096)
	n, err := output.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	folder := strings.TrimSpace(string(line[:n]))
	if servers, err := filepath.Glob(filepath.Join(folder, "*", "data", "postmaster.pid")); err != nil || len(servers) != 2 {
		t.Fatalf("%q has the servers %v, %v; want 2", folder, servers, err)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := victim.Wait(); err == nil {
		t.Error("the victim ended well")
	}
	awaitGone(t, folder)
}

// One connection serves two clients, of which neither goes.
func TestAPoolerHandsOutConnectionsByTheTransaction(t *testing.T) {
	t.Parallel()
	through := pgtest.Pooler(t, pgtest.Database(t), 1)
	first, second := connect(t, through), connect(t, through)
	for range 3 {
		for _, conn := range []*pgx.Conn{first, second} {
			var backend uint32
			if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()", pgx.QueryExecModeExec).Scan(&backend); err != nil {
				t.Fatal(err)
			}
			if backend == conn.PgConn().PID() {
				t.Error("a pooler tells the number of the server's process")
			}
		}
	}
}

// awaitGone waits until a folder, and so the servers that lived there, are no more.
func awaitGone(t *testing.T, folder string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("%s is still there", folder)
		}
	}
}

// TestVictim is the program of the test above: it starts two servers and waits to be
// killed.
func TestVictim(t *testing.T) {
	if os.Getenv("GODWIT_PGTEST_VICTIM") == "" {
		t.Skip("the program of another test")
	}
	url := pgtest.Database(t)
	pgtest.Start(t, pgtest.Config{Unsynced: true}).Pause(t)
	sockets := show(t, url, "SHOW unix_socket_directories")
	if _, err := os.Stdout.WriteString(filepath.Dir(sockets) + "\n"); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done()
}

func TestDatabaseUsesTheServerOfTheEnvironment(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Config{Unsynced: true})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	before := show(t, s.URL("postgres"), "SELECT pg_current_wal_lsn()::text")
	run := exec.CommandContext(t.Context(), self, "-test.v", "-test.run=^TestDatabasesAreEmptyAndApart$")
	run.Env = append(os.Environ(), pgtest.Variable+"="+s.URL("postgres"))
	if output, err := run.CombinedOutput(); err != nil || !strings.Contains(string(output), "--- PASS") {
		t.Errorf("%v:\n%s", err, output)
	}
	// It has dropped what it made; the log has grown all the same.
	if got := show(t, s.URL("postgres"), "SELECT (pg_current_wal_lsn() > '"+before+"')::text"); got != "true" {
		t.Error("it wrote nothing there")
	}
}
