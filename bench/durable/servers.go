package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a server of one measurement, on a loopback port. It dies with the runner.
type server struct {
	url  string
	pid  int
	cmd  *exec.Cmd
	quit syscall.Signal
}

const serverPatience = 30 * time.Second

// stop ends the server at once: its files are thrown away.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(s.quit) // it may have ended by itself
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.cmd.Wait() // it was told to end; how does not matter
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill() // it may have ended just now
		<-ended
	}
}

// serve starts a server of a kind with its files in a folder.
func (h *harness) serve(ctx context.Context, kind, dir string) (*server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	switch kind {
	case "redis", "redis-always":
		fsync := map[string]string{"redis": "everysec", "redis-always": "always"}[kind]
		return launch(ctx, dir, "redis://"+address, address, nil, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction", "--loglevel", "warning")
	case "beanstalkd":
		return launch(ctx, dir, address, address, nil, "beanstalkd", "-l", "127.0.0.1", "-p", port, "-b", dir, "-f0")
	case "postgres":
		return servePostgres(ctx, dir, port)
	}
	return nil, fmt.Errorf("there is no server %q", kind)
}

// launch starts a program and returns when it takes connections.
func launch(ctx context.Context, dir, url, address string, as *syscall.Credential, argv ...string) (*server, error) {
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()        // the server has its own
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // stop ends it, also when the context has ended
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Credential: as}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{url, cmd.Process.Pid, cmd, syscall.SIGKILL}
	if filepath.Base(argv[0]) == "postgres" {
		s.quit = syscall.SIGQUIT // it ends its own children then
	}
	for end := time.Now().Add(serverPatience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return s, conn.Close()
		}
		if time.Now().After(end) || ctx.Err() != nil {
			s.stop()
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("it does not answer: %w: %s", err, lastLine(said))
		}
	}
}

func freePort(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// servePostgres makes a cluster and starts it. PostgreSQL refuses to be root, so root hands it to an account without rights.
func servePostgres(ctx context.Context, dir, port string) (*server, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	var as *syscall.Credential
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.Atoi(account.Uid) // numbers, on Linux
		gid, _ := strconv.Atoi(account.Gid)
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if output, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, lastLine(output))
	}
	url := "postgres://bench@127.0.0.1:" + port + "/postgres?sslmode=disable"
	s, err := launch(ctx, dir, url, "127.0.0.1:"+port, as, filepath.Join(bin, "postgres"), "-D", data, "-p", port, "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=200")
	if err != nil {
		return nil, err
	}
	return s, awaitPostgres(ctx, s)
}

// awaitPostgres waits until the server takes statements: it takes connections earlier.
func awaitPostgres(ctx context.Context, s *server) error {
	for end := time.Now().Add(serverPatience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := pgx.Connect(ctx, s.url)
		if err == nil {
			return conn.Close(ctx)
		}
		if time.Now().After(end) || ctx.Err() != nil {
			s.stop()
			return err
		}
	}
}

// postgresPrograms gives the folder of the newest PostgreSQL.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well formed
	newest, best := "", -1
	for _, path := range found {
		version, err := strconv.Atoi(strings.Split(path, "/")[4])
		if err == nil && version > best {
			newest, best = filepath.Dir(path), version
		}
	}
	if newest == "" {
		return "", errors.New("PostgreSQL is not installed")
	}
	return newest, nil
}

// holdSnapshot keeps a snapshot open on a server, as a long report or a backup does, until it is released. That is an error when it was lost
// before.
func holdSnapshot(ctx context.Context, url string) (release func() error, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class"); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return func() error {
		ctx := context.WithoutCancel(ctx)
		var level string
		err := conn.QueryRow(ctx, "SHOW transaction_isolation").Scan(&level)
		if err == nil && level != "repeatable read" {
			err = errors.New("the snapshot was not held to the end")
		}
		return errors.Join(err, conn.Close(ctx))
	}, nil
}
