// Command async measures package async beside plain goroutines, channel workers and the usual libraries, in one process and
// interleaved: every round runs every contender once, in an order that moves on by one from round to round. One contender of
// each group runs a second time as the A/A control: what those two differ by is what a difference means nothing below.
//
// Every contender checks its results. The output is a Markdown report.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
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
	flag.Parse()
	head(*rounds, *scale)
	for _, g := range []group{plainTasks(), resultTasks(), mapping(), joining()} {
		if strings.Contains(g.title, *only) {
			g.report(g.measure(*rounds, *scale), *scale)
		}
	}
	if *only == "" {
		memory()
	}
}

func head(rounds int, scale float64) {
	fmt.Printf("# Package async beside its peers\n\nMade by `go run ./async -rounds %d -scale %v` in bench/: interleaved rounds; median (lowest to highest).\n\n", rounds, scale)
	fmt.Printf("- %s, %s/%s, GOMAXPROCS %d, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), time.Now().UTC().Format(time.DateOnly))
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(info), "model name\t: "); ok {
			model, _, _ := strings.Cut(rest, "\n")
			fmt.Printf("- %s\n", model)
		}
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Version}}", "github.com/alitto/pond/v2", "github.com/panjf2000/ants/v2", "github.com/sourcegraph/conc", "golang.org/x/sync").Output()
	if err == nil {
		fmt.Printf("- %s\n", strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", ", "))
	}
	fmt.Println("- The machine was shared with other work while this ran.")
}

func (g group) measure(rounds int, scale float64) [][]sample {
	samples := make([][]sample, len(g.contenders))
	for round := range rounds {
		for i := range g.contenders {
			i = (i + round) % len(g.contenders)
			c := g.contenders[i]
			samples[i] = append(samples[i], c.sample(pieces(c.n, scale)))
		}
	}
	return samples
}

func pieces(n int, scale float64) int { return max(1, int(float64(n)*scale)) }

func (c contender) sample(n int) sample {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	c.run(n)
	nanos, cpu := time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	per := func(total uint64) float64 { return float64(total) / float64(n) }
	return sample{per(uint64(nanos)), per(uint64(cpu)), per(after.Mallocs - before.Mallocs), per(after.TotalAlloc - before.TotalAlloc)}
}

func (g group) report(samples [][]sample, scale float64) {
	fmt.Printf("\n## %s\n\n| | pieces | ns each | processor ns each | allocations | bytes |\n| --- | ---: | ---: | ---: | ---: | ---: |\n", g.title)
	for i, c := range g.contenders {
		s := samples[i]
		m := s[len(s)/2]
		nanos := spread(s, func(s sample) float64 { return s.nanos })
		cpu := spread(s, func(s sample) float64 { return s.cpu })
		fmt.Printf("| %s | %d | %s | %s | %.1f | %.0f |\n", c.name, pieces(c.n, scale), nanos, cpu, m.allocs, m.bytes)
	}
}

// spread gives the median, the lowest and the highest of one number of the samples.
func spread(samples []sample, number func(sample) float64) string {
	var all []float64
	for _, s := range samples {
		all = append(all, number(s))
	}
	slices.Sort(all)
	return fmt.Sprintf("%.0f (%.0f to %.0f)", all[len(all)/2], all[0], all[len(all)-1])
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
