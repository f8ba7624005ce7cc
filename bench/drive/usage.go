package drive

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// clockTick is the unit of processor time in /proc: USER_HZ, which Linux fixes at 100.
const clockTick = 10 * time.Millisecond

// meter measures one phase: the clock, and the processor time of this process and of the contender's server.
type meter struct {
	server      int
	clock       time.Time
	own, others time.Duration
}

func newMeter(server int) meter {
	return meter{server, time.Now(), ownTime(), treeTime(server)}
}

// stop adds the phase to the values: NAME_per_s, and the processor time of each job.
func (m meter) stop(values map[string]float64, name string, jobs int) time.Duration {
	wall := time.Since(m.clock)
	values[name+"_per_s"] = float64(jobs) / wall.Seconds()
	values[name+"_cpu_us"] = float64(ownTime()-m.own) / 1e3 / float64(jobs)
	if m.server != 0 {
		values[name+"_server_cpu_us"] = float64(treeTime(m.server)-m.others) / 1e3 / float64(jobs)
	}
	return wall
}

func ownTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it cannot fail for the process itself
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// treeTime is the processor time of a process with its children, those too that have ended and were waited for.
func treeTime(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0 // it has just ended; its parent counts it from now on
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the name before it may hold anything
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime: proc(5)
		n, _ := strconv.ParseInt(field, 10, 64) // the kernel writes numbers
		ticks += n
	}
	total := time.Duration(ticks) * clockTick
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is well formed
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(children)) {
			n, _ := strconv.Atoi(child)
			total += treeTime(n)
		}
	}
	return total
}

// memory gives the resident size of this process in bytes.
func memory() float64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.ParseFloat(strings.Fields(string(statm))[1], 64)
	return pages * float64(os.Getpagesize())
}

// FilesSize gives the bytes of the files that patterns name. A file that goes away meanwhile does not count.
func FilesSize(patterns ...string) (bytes int64, err error) {
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return 0, err
		}
		for _, name := range names {
			switch info, err := os.Stat(name); {
			case err == nil:
				bytes += info.Size()
			case !os.IsNotExist(err):
				return 0, err
			}
		}
	}
	return bytes, nil
}

// quantile gives a quantile by the nearest rank; it sorts what it is given.
func quantile(all []float64, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
}
