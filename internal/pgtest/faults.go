package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Mode is how a server is stopped.
type Mode string

const (
	// Fast rolls transactions back, ends connections and writes everything down.
	Fast Mode = "fast"
	// Immediate ends at once, as a crash does: the next start recovers from the log.
	Immediate Mode = "immediate"
)

// Stop stops the server and returns when it has gone.
func (s *Server) Stop(t testing.TB, mode Mode) {
	t.Helper()
	s.must(t, "stop", func(ctx context.Context) error { return s.control(ctx, "stop", "-m", string(mode)) })
}

// Start starts a stopped server again, at the same address.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.must(t, "start", s.start)
}

// Restart stops the server and starts it again.
func (s *Server) Restart(t testing.TB, mode Mode) {
	t.Helper()
	s.Stop(t, mode)
	s.Start(t)
}

// Promote makes a standby a server that may be written to.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.must(t, "promote", func(ctx context.Context) error { return s.control(ctx, "promote") })
}

func (s *Server) must(t testing.TB, what string, f func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		t.Fatalf("%s PostgreSQL: %v", what, err)
	}
}

// Set changes a setting, as a line of postgresql.conf would. It is in force when Set
// returns; one that only a start can change needs a [Server.Restart].
func (s *Server) Set(t testing.TB, name, value string) {
	t.Helper()
	admin := s.socketURL("postgres")
	var before time.Time
	err := connected(admin, func(ctx context.Context, conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&before); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "ALTER SYSTEM SET "+pgx.Identifier{name}.Sanitize()+" = "+quoted(value)); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_reload_conf()")
		return err
	})
	if err != nil {
		t.Fatalf("set %s: %v", name, err)
	}
	// Only a connection made after the reload is sure to show it.
	s.await(t, "reload its settings", func(ctx context.Context, conn *pgx.Conn) (loaded bool, err error) {
		err = conn.QueryRow(ctx, "SELECT pg_conf_load_time() >= $1", before).Scan(&loaded)
		return loaded, err
	})
}

// await asks the server, each time over a new connection, until the answer is yes.
func (s *Server) await(t testing.TB, what string, ask func(context.Context, *pgx.Conn) (bool, error)) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		var done bool
		err := connected(s.socketURL("postgres"), func(ctx context.Context, conn *pgx.Conn) (err error) {
			done, err = ask(ctx, conn)
			return err
		})
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL did not %s within %v: %v", what, startTimeout, err)
		}
	}
}

// Terminate ends the connections of clients that a condition on pg_stat_activity
// selects, "datname = 'x'" or "application_name = 'y'", or all when it is empty. It
// returns how many there were, when they have gone.
func (s *Server) Terminate(t testing.TB, condition string) int {
	t.Helper()
	if condition == "" {
		condition = "true"
	}
	var n int
	err := connected(s.socketURL("postgres"), func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid, $1)) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND (`+condition+`)`,
			startTimeout.Milliseconds()).Scan(&n)
	})
	if err != nil {
		t.Fatalf("terminate connections: %v", err)
	}
	return n
}

// Pause stops all processes of the server with SIGSTOP: it keeps its connections and
// answers nothing, as a machine does that hangs.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
}

// Resume lets a paused server go on.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, resume)
}

const resume = syscall.SIGCONT

// signal sends a signal to the server and then to its children: stopped first, it
// makes no others meanwhile.
func (s *Server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	postmaster, err := s.pid()
	if err == nil {
		err = syscall.Kill(postmaster, signal)
	}
	if err != nil {
		t.Fatalf("send %v to PostgreSQL: %v", signal, err)
	}
	for _, child := range children(t, postmaster) {
		if err := syscall.Kill(child, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("send %v to a process of PostgreSQL: %v", signal, err)
		}
	}
}

func (s *Server) pid() (int, error) {
	content, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return strconv.Atoi(line)
}

// children returns the processes whose parent is the given one.
func children(t testing.TB, parent int) []int {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skipf("finding the processes of PostgreSQL needs /proc, which %s lacks", runtime.GOOS)
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, name := range stats {
		content, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var pid, ppid int
		var state string
		// The second field is a name in parentheses, which may hold anything.
		before, after, _ := strings.Cut(string(content), " (")
		after = after[strings.LastIndexByte(after, ')')+1:]
		if _, err := fmt.Sscan(before+after, &pid, &state, &ppid); err == nil && ppid == parent {
			found = append(found, pid)
		}
	}
	return found
}
