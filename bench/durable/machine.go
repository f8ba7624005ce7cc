package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// machine is where it was measured.
type machine struct {
	OS         string  `json:"os"`
	Kernel     string  `json:"kernel"`
	Processors int     `json:"processors"`
	Model      string  `json:"model"`
	MemoryGB   float64 `json:"memory_gb"`
	FileSystem string  `json:"file_system"`
	FsyncP50   float64 `json:"fsync_p50_ms"`
	FsyncP99   float64 `json:"fsync_p99_ms"`
	RestedP50  float64 `json:"rested_fsync_p50_ms,omitempty"` // after a rest of 5 ms
	Load       float64 `json:"load"`                          // when it began
}

// loadMax is the load above which a machine is not quiet.
const loadMax = 0.5

func (m machine) warnings() (found []string) {
	if m.Load > loadMax {
		found = append(found, fmt.Sprintf("the load was %.2f when this began, above %.1f: others used the processors, and the figures mean little", m.Load, loadMax))
	}
	if m.FileSystem == "tmpfs" {
		found = append(found, "the folder is in memory: nothing was synced to a disk (-dir names another)")
	}
	return found
}

func machineOf(ctx context.Context, dir string, load float64) machine {
	m := machine{OS: osName(), Processors: runtime.NumCPU(), Load: load}
	m.Kernel = output(ctx, "uname", "-sr")
	m.FileSystem = output(ctx, "stat", "-f", "-c", "%T", dir)
	info, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
		m.Model, _, _ = strings.Cut(rest, "\n")
	}
	info, _ = os.ReadFile("/proc/meminfo")
	if fields := strings.Fields(string(info)); len(fields) > 1 {
		kilobytes, _ := strconv.ParseFloat(fields[1], 64)
		m.MemoryGB = kilobytes / 1e6
	}
	m.FsyncP50, m.FsyncP99 = fsyncLatency(dir, 0)
	m.RestedP50, _ = fsyncLatency(dir, 5*time.Millisecond)
	return m
}

func osName() string {
	release, _ := os.ReadFile("/etc/os-release")
	if _, rest, ok := strings.Cut(string(release), "PRETTY_NAME=\""); ok {
		name, _, _ := strings.Cut(rest, "\"")
		return name
	}
	return runtime.GOOS
}

// loadNow gives how many programs wanted a processor during the last minute, on average.
func loadNow() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	minute, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(minute, 64)
	return load
}

// awaitQuiet waits until the machine is quiet, as long as it may, and gives the load then: the compiler has just added to it.
func awaitQuiet(ctx context.Context, patience time.Duration) float64 {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for end := time.Now().Add(patience); loadNow() > loadMax && time.Now().Before(end) && ctx.Err() == nil; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	return loadNow()
}

// fsyncLatency appends 4 KiB and syncs, over and over, with a rest between: the price of every promise that follows.
func fsyncLatency(dir string, rest time.Duration) (p50, p99 float64) {
	file, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, 0
	}
	defer func() { _, _ = file.Close(), os.Remove(file.Name()) }() // it is thrown away
	took := make([]float64, 0, 200)
	for range cap(took) {
		time.Sleep(rest)
		begin := time.Now()
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			return 0, 0
		}
		if err := file.Sync(); err != nil {
			return 0, 0
		}
		took = append(took, float64(time.Since(begin))/1e6)
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// output gives what a program prints, on one line; nothing when it is not there.
func output(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

var dependency = regexp.MustCompile(`(?m)^\s+dep\s+(\S+)\s+(\S+)`)

// versions names what was measured, by module or program.
func (h *harness) versions(ctx context.Context, chosen []contender) map[string]string {
	found := map[string]string{"go": runtime.Version(), godwitModule: cmp.Or(output(ctx, "git", "describe", "--always", "--dirty"), "a version that git does not tell")}
	programs := map[string]bool{}
	for _, c := range chosen {
		programs[c.Program], programs[c.Server] = true, true
	}
	for _, program := range []string{"godwit", "peers"} {
		if !programs[program] {
			continue
		}
		for _, match := range dependency.FindAllStringSubmatch(verbatim(ctx, "go", "version", "-m", h.program(program)), -1) {
			if wanted(match[1], chosen) {
				found[program+": "+match[1]] = match[2]
			}
		}
	}
	if programs["redis"] || programs["redis-always"] {
		found["redis-server"] = output(ctx, "redis-server", "--version")
	}
	if programs["beanstalkd"] {
		found["beanstalkd"] = output(ctx, "beanstalkd", "-v")
	}
	if bin, err := postgresPrograms(); err == nil && programs["postgres"] {
		found["postgres"] = output(ctx, filepath.Join(bin, "postgres"), "--version")
	}
	if programs["node"] {
		for _, match := range nodePackage.FindAllStringSubmatch(verbatim(ctx, "npm", "ls", "--prefix", "node", "--depth=0"), -1) {
			found["node: "+match[1]] = match[2]
		}
	}
	return found
}

var nodePackage = regexp.MustCompile(`(?m)^\S+ ([a-z0-9-]+)@([0-9.]+)$`)

func verbatim(ctx context.Context, name string, args ...string) string {
	out, _ := exec.CommandContext(ctx, name, args...).Output() // what it printed counts
	return string(out)
}

// wanted picks the modules whose version a reader asks for: those measured, and what SQLite and PostgreSQL are reached by.
func wanted(module string, chosen []contender) bool {
	if slices.Contains([]string{"modernc.org/sqlite", "zombiezen.com/go/sqlite", "github.com/jackc/pgx/v5", "github.com/redis/go-redis/v9"}, module) {
		return true
	}
	return module != godwitModule && slices.ContainsFunc(chosen, func(c contender) bool { return c.Module == module })
}
