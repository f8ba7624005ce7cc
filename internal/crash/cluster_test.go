//go:build unix

package crash_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
)

// lease of the servers. A round that stops one waits for longer.
const lease = 2 * time.Second

// cluster is a database, the log beside it, and the processes that work on it: one at a time on a file of SQLite.
type cluster struct {
	t    *testing.T
	url  string // of the database
	file string // of SQLite; empty on another database
	path string // of the log
	log  *crash.Log

	fault    victim.Fault                       // of all its servers
	only     []string                           // the kinds of jobs that are submitted; none: all
	complain func(format string, values ...any) // of an answer that should not have come

	mu    sync.Mutex
	rng   *rand.Rand    // guarded by mu
	lives int           // guarded by mu: started so far
	live  []*server     // guarded by mu: those that answer
	more  chan struct{} // guarded by mu: closed when one more does
}

func newCluster(t *testing.T, url, file string, seed uint64) *cluster {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crash.log")
	log, err := crash.OpenLog(path, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() }) // what matters of it has been read
	return &cluster{
		t: t, url: url, file: file, path: path, log: log, complain: t.Errorf,
		rng: rand.New(rand.NewPCG(seed, 0)), more: make(chan struct{}),
	}
}

// newFileCluster has an SQLite file of its own.
func newFileCluster(t *testing.T, seed uint64) *cluster {
	t.Helper()
	file := filepath.Join(t.TempDir(), "crash.db")
	return newCluster(t, "sqlite:"+file, file, seed)
}

func (c *cluster) draw(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *cluster) write(e crash.Event) {
	if err := c.log.Write(e); err != nil {
		c.t.Error(err)
	}
}

// server is one life of the command.
type server struct {
	life   int
	cmd    *exec.Cmd
	client *httpclient.Client // set when it is ready; a worker has none
	ready  chan struct{}      // closed when it serves
	ended  chan struct{}      // closed when it has ended, in whatever way
	errors bytes.Buffer       // what it complained of; to be read when it has ended

	mu    sync.Mutex
	said  int // guarded by mu: lines
	marks []mark
}

// mark is closed when a server has said so many lines.
type mark struct {
	lines int
	done  chan struct{}
}

var (
	servesOn = regexp.MustCompile(`^godwit serves .* on (http://\S+)$`)
	worksFor = regexp.MustCompile(`^godwit works `)
)

// start starts a server, which ends at the latest with the test.
func (c *cluster) start(o victim.Orders) *server {
	c.t.Helper()
	return c.launch(o, nil, "serve", "--db", c.url, "--listen", "127.0.0.1:0", "--queues", "default=16,"+victim.PausedQueue+"=4", "--grace", "200ms")
}

// launch starts a process of the command with more variables in its environment.
func (c *cluster) launch(o victim.Orders, env []string, args ...string) *server {
	c.t.Helper()
	path, err := binary()
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.lives++
	o.Life, o.Seed = c.lives, c.rng.Uint64()
	c.mu.Unlock()
	o.Log, o.File, o.Fault = c.path, c.file, c.fault
	orders, err := json.Marshal(o)
	if err != nil {
		c.t.Fatal(err)
	}
	s := &server{life: o.Life, ready: make(chan struct{}), ended: make(chan struct{})}
	s.cmd = exec.CommandContext(c.t.Context(), path, args...)
	s.cmd.Env = append(os.Environ(), victim.Env+"="+string(orders),
		"GODWIT_LEASE="+lease.String(), "GODWIT_POLL_INTERVAL=20ms", "GODWIT_HARD_GRACE=1s", "GODWIT_PRUNE_INTERVAL=50ms")
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stderr = &s.errors
	if _, err := s.cmd.StdinPipe(); err != nil { // it ends when the harness does
		c.t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go c.listen(s, bufio.NewScanner(out))
	c.t.Cleanup(func() { <-s.ended })
	return s
}

// listen reads what a server says, to its end.
func (c *cluster) listen(s *server, lines *bufio.Scanner) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	for lines.Scan() {
		if found := servesOn.FindStringSubmatch(lines.Text()); found != nil {
			client, err := httpclient.New(httpclient.Config{
				URL: found[1], HTTPClient: &http.Client{Transport: transport}, RetryFor: -1, Wait: time.Second,
			})
			if err != nil {
				c.t.Error(err)
			}
			s.client = client
			c.publish(s)
			close(s.ready)
			continue
		}
		if worksFor.MatchString(lines.Text()) { // a worker, which nobody can ask
			close(s.ready)
			continue
		}
		s.count()
	}
	c.withdraw(s)
	_ = s.cmd.Wait() // who ended it looks at how it ended
	close(s.ended)
}

func (c *cluster) publish(s *server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = append(c.live, s)
	close(c.more)
	c.more = make(chan struct{})
}

func (c *cluster) withdraw(s *server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = slices.DeleteFunc(c.live, func(other *server) bool { return other == s })
}

// any gives a server that answers, when there is one.
func (c *cluster) any(ctx context.Context) (*server, error) {
	for {
		c.mu.Lock()
		if n := len(c.live); n > 0 {
			s := c.live[c.rng.IntN(n)]
			c.mu.Unlock()
			return s, nil
		}
		more := c.more
		c.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// count counts a line.
func (s *server) count() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said++
	s.marks = slices.DeleteFunc(s.marks, func(m mark) bool {
		if m.lines > s.said {
			return false
		}
		close(m.done)
		return true
	})
}

// roundMax is how long a server may take to say what it is to say, on a machine that is busy with other things.
const roundMax = 15 * time.Second

// after waits until the server has said so many more lines, or has had the time; false when it ended before.
func (s *server) after(lines int) bool {
	select {
	case <-s.mark(lines):
		return true
	case <-s.ended:
		return false
	case <-time.After(roundMax):
		return true
	}
}

// mark gives a channel that is closed when the server has said so many more lines.
func (s *server) mark(lines int) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := mark{lines: s.said + max(lines, 1), done: make(chan struct{})}
	s.marks = append(s.marks, m)
	return m.done
}

// isReady reports whether the server has begun to serve.
func (s *server) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// signal sends a signal to a server that may have ended meanwhile.
func (s *server) signal(signal syscall.Signal) { _ = s.cmd.Process.Signal(signal) }

// killedBy gives the signal that ended the server; 0 when none did. It has ended.
func (s *server) killedBy() syscall.Signal {
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0
	}
	return status.Signal()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
