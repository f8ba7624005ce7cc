package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler starts a PgBouncer before a database, which hands out so many connections to the server by the transaction, and gives the
// URL through it. It ends with the test.
func Pooler(t testing.TB, database string, conns int) string {
	t.Helper()
	program, err := findPooler()
	if err != nil {
		unavailable(t, err)
	}
	h, err := theHost()
	if err != nil {
		unavailable(t, err)
	}
	dir, err := h.newFolder("pooler")
	if err != nil {
		t.Fatal(err)
	}
	for range portAttempts {
		port := 20000 + rand.IntN(12000)
		if !portIsFree(t.Context(), port) {
			continue
		}
		if err = h.configurePooler(dir, database, port, conns); err != nil {
			t.Fatal(err)
		}
		through := throughPooler(t, database, port)
		if err = h.startPooler(t, program, dir, through); err == nil {
			return through
		}
	}
	t.Fatalf("start PgBouncer: no success in %d attempts: %v", portAttempts, err)
	return ""
}

func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("pgbouncer is neither on PATH nor in /usr/sbin (make postgres installs it)")
}

// throughPooler gives the URL of a database through a pooler at a port.
func throughPooler(t testing.TB, database string, port int) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.RawQuery = net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), "sslmode=disable"
	return u.String()
}

// configurePooler writes the pooler's files. It has the password that the URL has, and asks for none.
func (h *host) configurePooler(dir, database string, port, conns int) error {
	target, err := pgx.ParseConfig(database)
	if err != nil {
		return err
	}
	users := filepath.Join(dir, "users")
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
pidfile = %s
pool_mode = transaction
default_pool_size = %d
max_client_conn = 1000
`, target.Host, target.Port, port, users, filepath.Join(dir, "pooler.pid"), conns)
	for path, content := range map[string]string{
		users: fmt.Sprintf("%q %q\n", target.User, target.Password), filepath.Join(dir, "pooler.ini"): settings,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		if err := os.Chown(path, h.uid, h.gid); err != nil {
			return err
		}
	}
	return nil
}

// startPooler starts the pooler and returns when it answers, or has ended.
func (h *host) startPooler(t testing.TB, program, dir, through string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var log strings.Builder
	cmd := h.command(context.WithoutCancel(ctx), program, filepath.Join(dir, "pooler.ini"))
	cmd.Stdout, cmd.Stderr = io.Discard, &log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // however it ends, it is over
	}()
	end := func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	}
	for ticker := time.NewTicker(10 * time.Millisecond); ; {
		err := connected(through, func(context.Context, *pgx.Conn) error { return nil })
		if err == nil {
			ticker.Stop()
			t.Cleanup(end)
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it has ended: %s", lastLines([]byte(log.String())))
		case <-ctx.Done():
			end()
			return errors.Join(err, errors.New(lastLines([]byte(log.String()))))
		case <-ticker.C:
		}
	}
}
