// Command async measures package async beside plain goroutines, channel workers and the usual libraries, in one process and
// interleaved: every round runs every contender once, in an order that moves on by one from round to round. One contender of
// each group runs a second time as the A/A control: what those two differ by is what a difference means nothing below.
//
// What pending work takes up in memory is measured in processes of its own, one for each number. Every contender checks its results.
// The output is a Markdown report.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// contender is one way of doing the work of a group. run does n pieces and panics when the results are wrong.
type contender struct {
	name string
	n    int
	run  func(n int)
}

// group is work that several contenders do.
type group struct {
	title      string
	repeats    int // how often a round runs each contender: more often where one run is too short to be timed.
	contenders []contender
}

// sample is one run of a contender.
type sample struct {
	nanos, cpu, allocs, bytes float64 // for each piece of work.
}

func main() {
	rounds := flag.Int("rounds", 5, "how often every contender runs")
	scale := flag.Float64("scale", 1, "the share of the work to do, for a quick look")
	only := flag.String("only", "", "a part of the titles of the groups to run")
	pending := flag.String("memory", "", "print what one row of the memory table takes up, in this process, and nothing else")
	flag.Parse()
	if *rounds < 1 || *scale <= 0 {
		fmt.Fprintf(os.Stderr, "async: -rounds must be at least 1 and -scale above 0, got %d and %v\n", *rounds, *scale)
		os.Exit(2)
	}
	if *pending != "" {
		memoryOf(*pending, *scale)
		return
	}
	start := time.Now()
	head(*rounds, *scale)
	outcomes := map[string]outcome{}
	for _, g := range []group{plainTasks(), resultTasks(), mapping(), joining(), chaining()} {
		if strings.Contains(g.title, *only) {
			samples := g.measure(*rounds, *scale)
			g.report(samples, *scale)
			g.keep(outcomes, samples)
		}
	}
	if *only == "" {
		memory(*rounds, *scale)
	}
	judge(outcomes)
	fmt.Printf("\nIt took %v. %s\n", time.Since(start).Round(time.Second), load("at the end"))
}

// head says what was measured, where and with what.
func head(rounds int, scale float64) {
	fmt.Printf("# Package async beside its peers\n\n")
	fmt.Printf("Made by `go run ./async -rounds %d -scale %v` in bench/. The contenders of a group take turns, once a round; the numbers are ", rounds, scale)
	fmt.Printf("medians, with the lowest and the highest in parentheses.\n\n")
	fmt.Printf("- %s, %s/%s, GOMAXPROCS %d, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, workers, time.Now().UTC().Format(time.DateOnly))
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ := strings.Cut(rest, "\n")
			fmt.Printf("- %d processors, %s\n", runtime.NumCPU(), model)
		}
	}
	fmt.Printf("- %s\n", versions())
	fmt.Printf("- %s The clock means little when others use the processors too; processor time is steadier.\n", load("at the start"))
}

// versions names what this program is linked from.
func versions() string {
	var names []string
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		names = append(names, "godwit "+strings.TrimSpace(string(out)))
	}
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return strings.Join(names, ", ")
	}
	for _, peer := range []string{"github.com/alitto/pond/v2", "github.com/panjf2000/ants/v2", "github.com/sourcegraph/conc", "golang.org/x/sync"} {
		for _, dep := range info.Deps {
			if dep.Path == peer {
				names = append(names, dep.Path+" "+dep.Version)
			}
		}
	}
	return strings.Join(names, ", ")
}

// load gives the machine's load: how many programs wanted a processor during the last minute, on average.
func load(when string) string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "The load " + when + " is not known."
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return "The load " + when + " was " + minute + "."
}

func (g group) measure(rounds int, scale float64) [][]sample {
	samples := make([][]sample, len(g.contenders))
	for round := range rounds {
		for i := range g.contenders {
			i = (i + round) % len(g.contenders)
			c := g.contenders[i]
			samples[i] = append(samples[i], c.sample(pieces(c.n, scale), g.repeats))
		}
	}
	return samples
}

func pieces(n int, scale float64) int { return max(1, int(float64(n)*scale)) }

func (c contender) sample(n, repeats int) sample {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	for range repeats {
		c.run(n)
	}
	nanos, cpu := time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	per := func(total uint64) float64 { return float64(total) / float64(n*repeats) }
	return sample{per(uint64(nanos)), per(uint64(cpu)), per(after.Mallocs - before.Mallocs), per(after.TotalAlloc - before.TotalAlloc)}
}

func (g group) report(samples [][]sample, scale float64) {
	fmt.Printf("\n## %s\n\n| | pieces | ns each | processor ns each | allocations | bytes |\n| --- | ---: | ---: | ---: | ---: | ---: |\n", g.title)
	for i, c := range g.contenders {
		s := samples[i]
		allocs, bytes := middle(s, allocsOf), middle(s, bytesOf)
		fmt.Printf("| %s | %d | %s | %s | %.1f | %.0f |\n", c.name, pieces(c.n, scale)*g.repeats, spread(s, nanosOf), spread(s, cpuOf), allocs, bytes)
	}
	// The first two contenders are the same.
	clock, cpu := apart(samples[0], samples[1], nanosOf), apart(samples[0], samples[1], cpuOf)
	fmt.Printf("\nThe control differs from its twin by %.0f %% on the clock and by %.0f %% in processor time.\n", clock, cpu)
}

func nanosOf(s sample) float64  { return s.nanos }
func cpuOf(s sample) float64    { return s.cpu }
func allocsOf(s sample) float64 { return s.allocs }
func bytesOf(s sample) float64  { return s.bytes }

// sorted gives one number of the samples, in order.
func sorted(samples []sample, number func(sample) float64) []float64 {
	all := make([]float64, 0, len(samples))
	for _, s := range samples {
		all = append(all, number(s))
	}
	slices.Sort(all)
	return all
}

// middle gives the median of one number of the samples.
func middle(samples []sample, number func(sample) float64) float64 {
	all := sorted(samples, number)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}

// apart gives by how many percent of the lower one two medians differ.
func apart(a, b []sample, number func(sample) float64) float64 {
	x, y := middle(a, number), middle(b, number)
	return 100 * (max(x, y)/min(x, y) - 1)
}

// spread gives the median, the lowest and the highest of one number of the samples.
func spread(samples []sample, number func(sample) float64) string {
	all := sorted(samples, number)
	return fmt.Sprintf("%.0f (%.0f to %.0f)", middle(samples, number), all[0], all[len(all)-1])
}

// cpuTime gives the processor time that this process has used. On a shared machine it says more than the clock.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func check(got, want int) {
	if got != want {
		panic(fmt.Sprintf("wrong result: got %d, want %d", got, want))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func numbers(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// sumTo is the sum of 0 to n-1.
func sumTo(n int) int { return n * (n - 1) / 2 }
