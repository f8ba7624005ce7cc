package pgtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config is what a server is started with.
type Config struct {
	// Unsynced turns fsync off, for tests of semantics: several times faster, and
	// as safe as long as the machine stays up.
	Unsynced bool
	// Settings are lines of postgresql.conf: "max_connections": "20". They may be changed
	// later by [Server.Set].
	Settings map[string]string
}

// Server is a PostgreSQL server of one test. Its methods are for one goroutine
// at a time; what happens to its clients is the point of most of them.
type Server struct {
	host *host
	dir  string // its folder: data, log and socket
	port int
}

const (
	startTimeout = 60 * time.Second
	portAttempts = 10
)

// Start starts a server, which is stopped and removed when the test ends.
func Start(t testing.TB, config Config) *Server {
	t.Helper()
	h, err := theHost()
	if err != nil {
		unavailable(t, err)
	}
	s, err := h.start(config)
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(func() { s.remove(t) })
	return s
}

// start copies the template and starts it as a new server.
func (h *host) start(config Config) (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := h.newServer()
	if err != nil {
		return nil, err
	}
	if output, err := h.command(ctx, "cp", "-R", "-p", filepath.Join(h.dir, "template"), s.data()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy the cluster: %w\n%s", err, output)
	}
	settings := map[string]string{
		"unix_socket_directories": s.dir,
		"listen_addresses":        "127.0.0.1",
		"max_connections":         "200",
		"timezone":                "UTC",
		"log_line_prefix":         "%m [%p] %a ",
	}
	if config.Unsynced {
		settings["fsync"], settings["full_page_writes"] = "off", "off"
	}
	for name, value := range config.Settings {
		settings[name] = value
	}
	if err := s.configure(settings); err != nil {
		return nil, err
	}
	return s, s.startOnFreePort(ctx)
}

// startOnFreePort tries ports below those that the system hands out to others,
// so that the server finds its own free when it is started again.
func (s *Server) startOnFreePort(ctx context.Context) error {
	var err error
	for range portAttempts {
		s.port = 20000 + rand.IntN(12000)
		if !portIsFree(ctx, s.port) {
			continue
		}
		if err = s.configure(map[string]string{"port": strconv.Itoa(s.port)}); err != nil {
			return err
		}
		if err = s.start(ctx); err == nil {
			return nil
		}
		if !strings.Contains(err.Error(), "in use") {
			return err
		}
	}
	return fmt.Errorf("no free port in %d attempts: %w", portAttempts, err)
}

func portIsFree(ctx context.Context, port int) bool {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// configure adds lines to postgresql.conf; the last of a name counts.
func (s *Server) configure(settings map[string]string) error {
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for name, value := range settings {
		if _, err := fmt.Fprintf(file, "%s = %s\n", name, quoted(value)); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return file.Close()
}

func quoted(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// start starts the server and returns when it answers. An error ends with
// what the server logged.
func (s *Server) start(ctx context.Context) error {
	log := filepath.Join(s.dir, "log")
	err := s.control(ctx, "start", "-l", log)
	if err != nil {
		if logged, readErr := os.ReadFile(log); readErr == nil {
			err = fmt.Errorf("%w\n%s", err, lastLines(logged))
		}
	}
	return err
}

// control runs pg_ctl and waits for what it does.
func (s *Server) control(ctx context.Context, action string, args ...string) error {
	args = append([]string{action, "-D", s.data(), "-s", "-w", "-t", strconv.Itoa(int(startTimeout.Seconds()))}, args...)
	return s.host.run(ctx, "pg_ctl", args...)
}

// remove stops the server, if it runs, and removes what it wrote.
func (s *Server) remove(t testing.TB) {
	t.Helper()
	if s.running() {
		s.signal(t, resume)
		s.Stop(t, Immediate)
	}
	if err := os.RemoveAll(s.dir); err != nil {
		t.Errorf("remove the server: %v", err)
	}
}

// running reports whether the server was started and not stopped.
func (s *Server) running() bool {
	_, err := os.Stat(filepath.Join(s.data(), "postmaster.pid"))
	return err == nil
}

// URL is that of a database of the server, over TCP.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(userName, s.host.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// socketURL is that of the same over the server's socket, which no other server
// can have taken. What is sent to it may write whatever the server is set to.
func (s *Server) socketURL(database string) string {
	query := url.Values{"host": {s.dir}, "port": {strconv.Itoa(s.port)}, "user": {userName}, "application_name": {"pgtest"}, "default_transaction_read_only": {"off"}}
	return "postgres:///" + database + "?" + query.Encode()
}

// Database makes an empty database and returns its URL. It goes with the
// server, or, if that still runs, at the end of the test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := newDatabase(t, s.socketURL("postgres"))
	t.Cleanup(func() {
		if s.running() {
			dropDatabase(t, s.socketURL("postgres"), name)
		}
	})
	return s.URL(name)
}

// Exec runs statements in the database "postgres" of the server, each in a
// transaction of its own.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := execute(s.socketURL("postgres"), statements...); err != nil {
		t.Fatal(err)
	}
}

func execute(url string, statements ...string) error {
	return connected(url, func(ctx context.Context, conn *pgx.Conn) error {
		for _, statement := range statements {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}

// connected calls f with a connection, which ends with it.
func connected(url string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, conn), conn.Close(ctx))
}
