package pgtest

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

//go:embed janitor.sh
var janitorScript string

// userName is that of the servers' superuser.
const userName = "godwit"

// host is where the servers of one test binary live: its programs, its folder,
// and a cluster to copy.
type host struct {
	account
	bin      string
	dir      string
	password string
	janitor  *os.File // held open: its end is the sign to clear up

	mu      sync.Mutex // guards what is below
	folders int        // made so far: each has a number
}

// theHost is made at its first use. When that fails it fails for all, so that
// a hundred tests do not look a hundred times.
var theHost = sync.OnceValues(func() (*host, error) { return newHost(context.Background()) })

func newHost(ctx context.Context) (*host, error) {
	bin, err := findPrograms()
	if err != nil {
		return nil, err
	}
	account, err := findAccount()
	if err != nil {
		return nil, err
	}
	dir, err := account.makeFolder()
	if err != nil {
		return nil, err
	}
	h := &host{account: account, bin: bin, dir: dir, password: rand.Text()}
	if err := h.startJanitor(); err != nil {
		return nil, err
	}
	return h, h.initialise(ctx)
}

// startJanitor starts the process that clears up when this one has ended. It is of
// a process group of its own, so that ^C does not reach it.
func (h *host) startJanitor() error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // the janitor has its own
	janitor := h.command(context.Background(), "/bin/sh", "-c", janitorScript, "janitor", h.bin, h.dir)
	janitor.Stdin = reader
	janitor.SysProcAttr.Setpgid = true
	h.janitor = writer
	return janitor.Start()
}

// initialise makes the cluster that servers begin as copies of: a copy takes a tenth
// of the time.
func (h *host) initialise(ctx context.Context) error {
	secret := filepath.Join(h.dir, "password")
	if err := os.WriteFile(secret, []byte(h.password), 0o600); err != nil {
		return err
	}
	if err := os.Chown(secret, h.uid, h.gid); err != nil {
		return err
	}
	return h.run(ctx, "initdb", "-D", filepath.Join(h.dir, "template"), "-U", userName, "--pwfile", secret,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
}

// run runs one of PostgreSQL's programs.
func (h *host) run(ctx context.Context, program string, args ...string) error {
	output, err := h.command(ctx, filepath.Join(h.bin, program), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, lastLines(output))
	}
	return nil
}

// command is a program run by the servers' account, and without the variables that
// would lead PostgreSQL's programs elsewhere.
func (h *host) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = h.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "PG") })
	cmd.Env = append(cmd.Env, "LC_ALL=C", "HOME="+h.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.credential}
	return cmd
}

// newServer gives a server a folder of its own; nothing is in it yet.
func (h *host) newServer() (*Server, error) {
	dir, err := h.newFolder("server")
	return &Server{host: h, dir: dir}, err
}

// newFolder makes a folder of the servers' account.
func (h *host) newFolder(kind string) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.folders++
	dir := filepath.Join(h.dir, fmt.Sprintf("%s%d", kind, h.folders))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	return dir, os.Chown(dir, h.uid, h.gid)
}
