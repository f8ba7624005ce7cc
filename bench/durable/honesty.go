package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

// ackCount is how many submissions are watched.
const ackCount = 20

// honesty watches the system calls of submissions: was a file synced between the call and its answer?
func (h *harness) honesty(ctx context.Context, contenders []contender, r *report) {
	if _, err := exec.LookPath("strace"); err != nil {
		r.Synced = append(r.Synced, synced{Name: "all", Why: "strace is not installed"})
		return
	}
	s := scenario{name: "acked", spec: drive.Spec{Scenario: "acked", Jobs: ackCount}, timeout: 2 * time.Minute}
	for _, c := range contenders {
		if c.Apart || c.Like != "" {
			continue
		}
		n, err := h.watch(ctx, c, s)
		found := synced{Name: c.Name, Submissions: ackCount, Synced: n}
		if err != nil {
			found.Why = err.Error()
		}
		fmt.Fprintf(os.Stderr, "%-16s %-24s a sync before %d of %d answers %s\n", s.name, c.Name, n, ackCount, found.Why)
		r.Synced = append(r.Synced, found)
	}
}

// watch runs a contender under strace, its server too, and counts the answers that a sync came before.
func (h *harness) watch(ctx context.Context, c contender, s scenario) (count int, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, err = h.inPlace(ctx, c, s, func(spec drive.Spec) (drive.Outcome, error) {
		argv, err := h.command(c, spec)
		if err != nil {
			return drive.Outcome{}, err
		}
		trace := filepath.Join(spec.Dir, "trace")
		if spec.Server != 0 {
			stop, err := traceServer(ctx, spec.Server, trace+"-server")
			if err != nil {
				return drive.Outcome{}, err
			}
			defer stop()
		}
		outcome, err := child(ctx, append([]string{"strace", "-f", "-y", "-ttt", "-T", "-s", "64", "-e", "trace=write,fsync,fdatasync,sync_file_range", "-o", trace}, argv...))
		if err != nil {
			return outcome, err
		}
		count, err = syncedAnswers(spec.Dir, trace, trace+"-server")
		return outcome, err
	})
	return count, err
}

// traceServer attaches to a server and to what it starts.
func traceServer(ctx context.Context, pid int, trace string) (stop func(), err error) {
	cmd := exec.CommandContext(ctx, "strace", "-f", "-y", "-ttt", "-T", "-e", "trace=fsync,fdatasync", "-o", trace, "-p", strconv.Itoa(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it lets go of the server
		_ = cmd.Wait()
	}
	status := fmt.Sprintf("/proc/%d/status", pid)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		text, _ := os.ReadFile(status)
		if !strings.Contains(string(text), "TracerPid:\t0\n") {
			return stop, nil
		}
	}
	stop()
	return nil, fmt.Errorf("strace did not attach to the server")
}

var (
	markLine   = regexp.MustCompile(`([0-9]+\.[0-9]+) write\([0-9]+(?:<[^>]*>)?, "submit (begins|acknowledged) ([0-9]+)"`)
	syncBegins = regexp.MustCompile(`^([0-9]+) +([0-9]+\.[0-9]+) (?:fsync|fdatasync)\([0-9]+<([^>]*)>`)
	syncEnds   = regexp.MustCompile(`^([0-9]+) +[0-9]+\.[0-9]+ (?:(?:fsync|fdatasync)\([0-9]+<[^>]*>\)|<\.\.\. (?:fsync|fdatasync) resumed>\)) += 0 <([0-9.]+)>`)
)

// span is a time between two others, in seconds.
type span struct{ begin, end float64 }

// syncedAnswers counts the submissions within which a whole sync of a file in the folder lies: one that began after the call and returned
// before the answer.
func syncedAnswers(dir string, traces ...string) (int, error) {
	var syncs []span
	calls := map[string]span{}
	for _, trace := range traces {
		text, err := os.ReadFile(trace)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		open := map[string]float64{} // by thread
		for line := range strings.Lines(string(text)) {
			if match := markLine.FindStringSubmatch(line); match != nil {
				call := calls[match[3]]
				if match[2] == "begins" {
					call.begin = seconds(match[1])
				} else {
					call.end = seconds(match[1])
				}
				calls[match[3]] = call
			}
			if match := syncBegins.FindStringSubmatch(line); match != nil {
				open[match[1]] = 0
				if strings.HasPrefix(match[3], dir+"/") {
					open[match[1]] = seconds(match[2])
				}
			}
			if match := syncEnds.FindStringSubmatch(line); match != nil {
				if begin := open[match[1]]; begin > 0 {
					syncs = append(syncs, span{begin, begin + seconds(match[2])})
				}
			}
		}
	}
	if len(calls) != ackCount {
		return 0, fmt.Errorf("strace saw %d of %d submissions", len(calls), ackCount)
	}
	count := 0
	for _, call := range calls {
		if slices.ContainsFunc(syncs, func(s span) bool { return s.begin > call.begin && s.end < call.end }) {
			count++
		}
	}
	return count, nil
}

func seconds(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64) // the pattern takes numbers alone
	return n
}
