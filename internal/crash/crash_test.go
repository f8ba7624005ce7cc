//go:build unix

package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godwit-go/godwit/sqlite"
)

var (
	rounds = flag.Int("rounds", 7, "rounds of kill -9; a quarter as many lose power, a tenth as many are stopped past the lease")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the rounds; what happens in them is up to the scheduler")
)

// linesMax is how long a life may last that does not come to the point where it is to die. A short run has no time to wait for
// what is rare.
func linesMax(rounds int) int {
	if rounds < 100 {
		return 800
	}
	return 6000
}

// round is one life of the program and how it ends.
type round struct {
	point string // where the program kills itself; empty: the harness does it
	nth   int
	lines int  // of the log, after which the harness kills it all the same
	power bool // then power is lost
	stop  bool // before that it is stopped past its lease
	lie   bool // the disk that loses power has synced nothing
}

// killPoints are the points of which every long run meets each, the likeliest first.
func killPoints() []string {
	return append([]string{
		"mid-job", "after-effect", "write-wal", "before-sync-wal", "after-sync-wal", "write-db", "before-sync-db", "after-sync-db",
	}, storePoints...)
}

// timesOf bounds how often the program passes a point before it dies there: what a life does seldom kills it soon.
func timesOf(point string) int {
	switch point {
	case "after-rescue", "after-retry":
		return 1
	case "after-cancel", "after-resume", "after-heartbeat", "before-sync-db", "after-sync-db":
		return 2
	case "write-wal":
		return 300
	case "write-db":
		return 30
	}
	return 12
}

// plan draws the rounds. The first one makes the file, and neither stops nor loses power.
func plan(rng *rand.Rand, n int) []round {
	points := killPoints()
	rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	var all []round
	for i := range n {
		r := round{lines: 1 + rng.IntN(linesMax(n)/4)}
		if i%2 == 1 {
			r.point, r.lines = points[i/2%len(points)], linesMax(n)
			r.nth = 1 + rng.IntN(timesOf(r.point))
		}
		all = append(all, r)
	}
	for i := range max(n/4, 2) {
		r := round{lines: 1 + rng.IntN(linesMax(n)/4), power: true}
		if i%2 == 1 {
			r.point, r.lines = []string{"write-wal", "write-db"}[i/2%2], linesMax(n)
			r.nth = 1 + rng.IntN(timesOf(r.point))
		}
		all = append(all, r)
	}
	for range max(n/10, 1) {
		all = append(all, round{lines: 50 + rng.IntN(150), stop: true})
	}
	rng.Shuffle(len(all)-1, func(i, j int) { all[i+1], all[j+1] = all[j+1], all[i+1] })
	return all
}

// harness runs the rounds on one file.
type harness struct {
	t   *testing.T
	dir string
	rng *rand.Rand
	n   int // lives so far

	dropped int   // bytes that lost power took
	damage  error // what a disk that lies about syncing did to the file
}

func TestCrash(t *testing.T) {
	t.Parallel()
	t.Logf("-rounds=%d -seed=%d", *rounds, *seed)
	h := &harness{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(*seed, 0))}
	for _, r := range plan(h.rng, *rounds) {
		h.run(r)
	}
	h.drain()
	events, err := ReadLog(logIn(h.dir), 0)
	if err != nil {
		t.Fatal(err)
	}
	report := Check(events, finals(t, databaseIn(h.dir)))
	for i, v := range report.Violations {
		if i == 50 {
			t.Errorf("... %d violations in all", len(report.Violations))
			break
		}
		t.Error(v)
		h.show(events, v)
	}
	t.Logf("\n%s%-34s %d bytes written and not synced\n", report.Figures, "lost power took", h.dropped)
	h.meetPoints(report.Figures)
	if report.Figures.Acknowledged == 0 || report.Figures.Runs == 0 {
		t.Error("nothing happened")
	}
}

// meetPoints wants each point met in a run that is long enough.
func (h *harness) meetPoints(f Figures) {
	for _, point := range killPoints() {
		if *rounds >= 200 && f.Ends[point] == 0 {
			h.t.Errorf("no life ended at %s", point)
		}
	}
}

// TestLyingDiskIsCaught plants a fault: the disk says that it has synced, and has not. Either the file is found damaged, or what
// was acknowledged is found lost.
func TestLyingDiskIsCaught(t *testing.T) {
	t.Parallel()
	h := &harness{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(*seed, 1))}
	h.run(round{lines: 50})
	h.run(round{lines: 200, power: true, lie: true})
	if h.damage != nil {
		t.Log("caught:", h.damage)
		return
	}
	h.drain()
	events, err := ReadLog(logIn(h.dir), 0)
	h.must(err)
	report := Check(events, finals(t, databaseIn(h.dir)))
	if report.Figures.Lost == 0 {
		t.Errorf("nothing was lost; found %v", report.Violations)
	}
}

// show logs what the log says of a violation's job.
func (h *harness) show(events []Event, v Violation) {
	for _, e := range events {
		if e.Job == v.Job || e.Asked == v.Job {
			line, _ := json.Marshal(e)
			h.t.Logf("    %s", line)
		}
	}
}

// life starts the program.
func (h *harness) life(ctx context.Context, o orders) (*exec.Cmd, *bufio.Scanner, *strings.Builder) {
	h.t.Helper()
	h.n++
	o.Dir, o.Life, o.Seed = h.dir, h.n, h.rng.Uint64()
	given, err := json.Marshal(o)
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), ordersEnv+"="+string(given))
	complaints := &strings.Builder{}
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out), complaints
}

// run lives one life to its violent end.
func (h *harness) run(r round) {
	h.t.Helper()
	if r.power {
		h.must(beginShadow(databaseIn(h.dir)))
	}
	checkpoint := strings.HasSuffix(r.point, "-db") || r.power && h.rng.IntN(2) == 0
	cmd, lines, complaints := h.life(h.t.Context(), orders{
		Point: r.point, Nth: r.nth, Shadow: r.power, Checkpoint: checkpoint, Lie: r.lie,
	})
	n, killed, stopped := 0, false, r.stop
	for ; lines.Scan(); n++ {
		if n != r.lines {
			continue
		}
		if r.stop && !killed {
			h.must(cmd.Process.Signal(syscall.SIGSTOP))
			pause(h.t.Context(), lease+lease/4)
			h.must(cmd.Process.Signal(syscall.SIGCONT))
			r.stop, r.lines = false, n+300
			continue
		}
		killed = true
		pause(h.t.Context(), time.Duration(h.rng.IntN(3000))*time.Microsecond)
		h.must(cmd.Process.Kill())
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !errors.As(err, &exit) || !ok || status.Signal() != syscall.SIGKILL {
		h.t.Fatalf("life %d (%+v) ended by itself after %d lines: %v\n%s", h.n, r, n, err, complaints)
	}
	h.note(endOf(r, killed, stopped))
	if r.power {
		dropped, err := losePower(h.rng, databaseIn(h.dir))
		h.must(err)
		h.dropped += dropped
		if err := h.examine(); err != nil && r.lie {
			h.damage = err
		} else if err != nil {
			h.t.Fatalf("after life %d: %v", h.n, err)
		}
	}
}

// endOf names how a life ended.
func endOf(r round, killed, stopped bool) string {
	end := r.point
	if killed {
		end = "random"
		if r.point != "" {
			end = "random instead of " + r.point
		}
	}
	if r.power {
		end += ", power lost"
	}
	if stopped {
		end += ", " + StoppedMark + " before"
	}
	return end
}

// note writes the end of a life into the log.
func (h *harness) note(end string) {
	h.t.Helper()
	log, err := OpenLog(logIn(h.dir), h.n, nil)
	h.must(err)
	h.must(log.Write(Event{Kind: Life, Point: end}))
	h.must(log.Close())
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// examine checks a copy of the file, as opening the file itself would change what the next life finds.
func (h *harness) examine() error {
	h.t.Helper()
	copied := filepath.Join(h.dir, "copy.db")
	h.must(copyFile(databaseIn(h.dir), copied))
	h.must(copyFile(databaseIn(h.dir)+"-wal", copied+"-wal"))
	store, err := sqlite.Open(h.t.Context(), sqlite.Config{Path: copied, QuickCheck: true})
	if err != nil {
		return err
	}
	return errors.Join(store.Check(h.t.Context()), store.Close())
}

// drain lives the last life, which ends in good order.
func (h *harness) drain() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	cmd, lines, complaints := h.life(ctx, orders{Drain: true})
	for lines.Scan() { // its lines are in the log
	}
	if err := cmd.Wait(); err != nil {
		h.t.Fatal(fmt.Errorf("drain: %w: %s", err, complaints))
	}
	h.note("drained")
}
