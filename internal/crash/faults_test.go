//go:build unix

package crash_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
	"github.com/godwit-go/godwit/sqlite"
)

// kind is what is done to a server.
type kind string

const (
	kill     kind = "kill"      // kill -9, by the harness or at a point by the server itself
	power    kind = "power"     // then what was not synced is lost
	freeze   kind = "freeze"    // SIGSTOP past the lease, SIGCONT, and kill -9 a while after
	handover kind = "hand over" // the same, while a second server waits to take over
	stop     kind = "stop"      // SIGTERM
	drain    kind = "drain"     // SIGTERM, when all work is done
)

// round is one life of a server and how it ends.
type round struct {
	kind  kind
	point string // where the server kills itself; empty: the harness does it
	nth   int    // ... at the how many-th time
	lines int    // that the server says before it is done; if it has not come to the point by then the harness kills it
	lie   bool   // the disk that loses power has synced nothing
}

// harness runs the rounds.
type harness struct {
	c      *cluster
	driver *driver
	ctx    context.Context // of the driver
	cancel context.CancelFunc

	dropped int   // bytes that lost power took
	damage  error // what a disk that lies about syncing did to the file
}

func killPoints() []string { return victim.Points(true) }

// linesMax is how long a life may last that does not come to the point where it is to die.
func linesMax() int {
	if long() {
		return 4800
	}
	return 400
}

// timesOf bounds how often a server passes a point before it dies there: what a life does seldom kills it soon.
func timesOf(point string) int {
	switch point {
	case "after-rescue", "after-retry":
		return 1
	case "after-cancel", "after-resume", "after-heartbeat", "before-sync-db", "after-sync-db", "after-pause", "after-reschedule", "after-delete", "after-prune":
		return 2
	case "write-wal":
		return 300
	case "write-db":
		return 30
	}
	return 12
}

// plan draws the rounds. The first one makes the file, and does not lose power.
func plan(rng *rand.Rand, n int) []round {
	points := killPoints()
	rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	random := func(k kind) round { return round{kind: k, lines: 1 + rng.IntN(linesMax()/5)} }
	var all []round
	for i := range n {
		r := random(kill)
		if i%2 == 1 {
			r.point, r.lines = points[i/2%len(points)], linesMax()
			r.nth = 1 + rng.IntN(timesOf(r.point))
		}
		all = append(all, r)
	}
	for i := range max(n/4, 2) {
		r := random(power)
		if i%2 == 1 {
			r.point, r.lines = []string{"write-wal", "write-db"}[i/2%2], linesMax()
			r.nth = 1 + rng.IntN(timesOf(r.point))
		}
		all = append(all, r)
	}
	for i := range max(n/10, 2) { // at least one of each kind, in the shortest run too
		r := round{kind: handover, lines: linesMax()/16 + rng.IntN(linesMax()/16)}
		if i%2 == 1 {
			r.kind = freeze
		}
		all = append(all, r, random(stop))
	}
	rng.Shuffle(len(all)-1, func(i, j int) { all[i+1], all[j+1] = all[j+1], all[i+1] })
	return all
}

// TestPlanHasEveryKind holds the shortest run, too, to every way in which a server ends.
func TestPlanHasEveryKind(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 5, 30, 200} {
		counts := map[kind]int{}
		for _, r := range plan(rand.New(rand.NewPCG(*seed, 2)), n) {
			counts[r.kind]++
		}
		for _, k := range []kind{kill, power, freeze, handover, stop} {
			if counts[k] == 0 {
				t.Errorf("a plan of %d rounds has none of kind %q: %v", n, k, counts)
			}
		}
		if counts[kill] != n {
			t.Errorf("a plan of %d rounds has %d of kind %q", n, counts[kill], kill)
		}
	}
}

// start starts the server of a round.
func (h *harness) start(r round) *server {
	h.c.t.Helper()
	return h.c.start(victim.Orders{
		Point: r.point, Nth: r.nth, Shadow: r.kind == power, Lie: r.lie,
		Checkpoint: strings.HasSuffix(r.point, "-db") || r.kind == power && h.c.draw(2) == 0,
	})
}

// run lives one life to its end.
func (h *harness) run(r round) {
	h.c.t.Helper()
	if r.kind == power {
		h.must(beginShadow(h.c.file))
	}
	s := h.start(r)
	reached := s.after(r.lines)
	switch {
	case reached && r.kind == stop:
		h.stopInOrder(s, r)
	case reached && r.kind == freeze:
		h.freeze(s)
		s.after(linesMax() / 8)
		h.kill(s, r, "random, "+crash.StoppedMark+" before")
	case reached && r.kind == handover:
		h.handOver(s, r)
	case reached && r.point != "":
		h.kill(s, r, "random instead of "+r.point)
	case reached && r.kind == power:
		h.kill(s, r, "random, "+crash.PowerMark)
	case reached:
		pause(h.c.t.Context(), time.Duration(h.c.draw(3000))*time.Microsecond)
		h.kill(s, r, "random")
	case r.kind == power:
		h.kill(s, r, r.point+", "+crash.PowerMark)
	default:
		h.kill(s, r, r.point)
	}
	if r.kind == power {
		h.losePower(s, r)
	}
}

// kill kills a server, which may have done it itself, and tells of its end.
func (h *harness) kill(s *server, r round, end string) {
	h.c.t.Helper()
	s.signal(syscall.SIGKILL)
	<-s.ended
	h.note(s, r, end)
	if s.killedBy() != syscall.SIGKILL {
		h.c.t.Fatal("ended by itself: ", describe(s, r))
	}
}

// stopInOrder tells a server to end, as whoever replaces it by a new version does.
func (h *harness) stopInOrder(s *server, r round) {
	h.c.t.Helper()
	<-s.ready
	s.signal(syscall.SIGTERM)
	<-s.ended
	end := crash.EndOrderly
	if strings.Contains(s.errors.String(), "the lease was not renewed in time") { // the machine was too busy
		end = crash.EndLapsed
	}
	h.note(s, r, end)
	if s.cmd.ProcessState.ExitCode() != 0 {
		h.c.t.Error("was to end in good order: ", describe(s, r))
	}
}

// freeze stops a server for longer than its lease.
func (h *harness) freeze(s *server) {
	s.signal(syscall.SIGSTOP)
	pause(h.c.t.Context(), lease*5/4)
	s.signal(syscall.SIGCONT)
}

// handOver starts a second server while the first one is stopped. It must wait, for as long as the first one lives, and
// take over then.
func (h *harness) handOver(s *server, r round) {
	t := h.c.t
	t.Helper()
	s.signal(syscall.SIGSTOP)
	next := h.c.start(victim.Orders{})
	pause(t.Context(), lease*5/4)
	if next.isReady() {
		t.Errorf("life %d works on the file while life %d, which is stopped, holds it", next.life, s.life)
	}
	s.signal(syscall.SIGCONT)
	s.after(linesMax() / 8)
	if next.isReady() {
		t.Errorf("life %d works on the file while life %d does", next.life, s.life)
	}
	h.kill(s, round{kind: freeze}, "random, "+crash.StoppedMark+" before a hand-over")
	select {
	case <-next.ready:
		next.after(r.lines)
		h.kill(next, r, "random, after a hand-over")
	case <-next.ended: // it does not wait for ever, and says why
		h.note(next, r, "refused the file")
		if next.killedBy() != 0 || !strings.Contains(next.errors.String(), "another process") {
			t.Error("was to wait for the file: ", describe(next, r))
		}
	}
}

// note writes the end of a life into the log.
func (h *harness) note(s *server, r round, end string) {
	h.c.write(crash.Event{Kind: crash.Life, Life: s.life, Point: end, Round: string(r.kind)})
}

// losePower drops what the last life has not synced.
func (h *harness) losePower(s *server, r round) {
	t := h.c.t
	t.Helper()
	h.c.mu.Lock()
	dropped, err := losePower(h.c.rng, h.c.file)
	h.c.mu.Unlock()
	h.must(err)
	h.dropped += dropped
	err = h.examine()
	switch {
	case err != nil && r.lie:
		h.damage = err
	case err != nil:
		t.Fatalf("after life %d: %v", s.life, err)
	}
}

// examine checks a copy of the file, as opening the file itself would change what the next life finds.
func (h *harness) examine() error {
	h.c.t.Helper()
	copied := filepath.Join(filepath.Dir(h.c.file), "copy.db")
	h.must(copyFile(h.c.file, copied))
	h.must(copyFile(h.c.file+"-wal", copied+"-wal"))
	store, err := sqlite.Open(h.c.t.Context(), sqlite.Config{Path: copied, QuickCheck: true})
	if err != nil {
		return err
	}
	return errors.Join(store.Check(h.c.t.Context()), store.Close())
}
