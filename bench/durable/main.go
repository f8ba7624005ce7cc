// Command durable measures Godwit's durable jobs beside its peers, on one machine and in one run.
//
// Each measurement is made by a process of its own, on files and servers of its own, and the contenders take turns: every round of a
// scenario runs each of them once, in an order that moves on by one from round to round. Godwit runs a second time under another name,
// the A/A control: what those two differ by is what a difference means nothing below. Every job is counted as it
// runs, and every kept result is read back and compared, or the measurement fails.
//
// It writes what it found as JSON, and makes a report in Markdown and plots in SVG from that.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	rounds    int
	scale     float64
	only      string
	scenarios string
	smoke     bool
	big       bool
	peers     bool
	dir       string
	quiet     time.Duration
	out       string
	render    string
	compare   bool
	tolerance float64
	profile   string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often every contender runs in each scenario")
	flag.Float64Var(&o.scale, "scale", 0, "the share of the work to do, for a quick look; 0: all, and with -compare as much as the report did")
	flag.StringVar(&o.only, "only", "", "contenders to run, by parts of their names, separated by commas")
	flag.StringVar(&o.scenarios, "scenarios", "", "scenarios to run, by their names, separated by commas")
	flag.BoolVar(&o.smoke, "smoke", false, "see that all works that needs nothing installed, or a PostgreSQL that is, with next to no work; nothing is written")
	flag.BoolVar(&o.big, "big", true, "also the scenarios of a million jobs")
	flag.BoolVar(&o.peers, "peers", true, "run the peers too")
	flag.StringVar(&o.dir, "dir", "/var/tmp", "the folder whose disk is measured") // /tmp is in memory on many systems
	flag.DurationVar(&o.quiet, "quiet", 3*time.Minute, "how long to wait at most until the load of installing and compiling is over")
	flag.StringVar(&o.out, "out", "results", "the folder for the report")
	flag.StringVar(&o.render, "render", "", "make report and plots anew from this JSON, and measure nothing")
	flag.BoolVar(&o.compare, "compare", false, "measure Godwit alone and fail if it is slower than in the newest report in -out")
	flag.Float64Var(&o.tolerance, "tolerance", 0.15, "with -compare: the share by which a median may be worse; the spread of the control counts where it is more")
	flag.StringVar(&o.profile, "profile", "", "a folder for a CPU profile of each measurement of a Go contender; profiling costs some of what is measured")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "durable: %q is no flag: scenarios are named by -scenarios, contenders by -only\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		stop()
		fmt.Fprintf(os.Stderr, "durable: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	switch {
	case o.rounds < 1 || !(o.scale >= 0 && o.scale <= scaleMax):
		return fmt.Errorf("-rounds must be at least 1 and -scale from 0 to %d, got %d and %v", scaleMax, o.rounds, o.scale)
	case !(o.tolerance >= 0 && o.tolerance < 1):
		return fmt.Errorf("-tolerance must be at least 0 and below 1, got %v", o.tolerance)
	case o.render != "":
		r, err := readReport(o.render)
		if err != nil {
			return err
		}
		return r.write(filepath.Dir(o.render), strings.TrimSuffix(filepath.Base(o.render), ".json"))
	case o.smoke:
		o.rounds = 1
	case o.compare:
		return compare(ctx, o)
	}
	o.scale = cmp.Or(o.scale, 1)
	if !o.smoke {
		if err := writable(o.out); err != nil {
			return err
		}
	}
	r, err := measure(ctx, o)
	if o.smoke || r == nil {
		return err
	}
	return errors.Join(err, r.writeNew(o.out), r.ours())
}

// scaleMax keeps a slip of the finger from taking days.
const scaleMax = 10

// writable makes the folder for the report, and sees that it can be written to, before hours are spent.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder for the report (-out): %w", err)
	}
	f, err := os.CreateTemp(dir, ".durable-")
	if err != nil {
		return fmt.Errorf("write to the folder for the report (-out): %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// measure runs the plan. What was measured before it was interrupted is a report too.
func measure(ctx context.Context, o options) (*report, error) {
	dir, err := filepath.Abs(o.dir) // children and servers have folders of their own
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(dir, "godwit-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(work) }() // it is temporary; what is left harms nobody
	if err := os.Chmod(work, 0o755); err != nil {
		return nil, err // PostgreSQL's account must reach its folder
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return nil, err
		}
	}
	h := &harness{work: work, options: o}
	if err := h.build(ctx); err != nil {
		return nil, err
	}
	contenders, err := h.chosen()
	if err != nil {
		return nil, err
	}
	plan, err := scenariosOf(o)
	if err != nil {
		return nil, err
	}
	load := loadNow()
	if !o.smoke {
		load = awaitQuiet(ctx, o.quiet)
	}
	r := &report{Made: time.Now().UTC(), Command: strings.Join(os.Args[1:], " "), Rounds: o.rounds, Scale: o.scale, Machine: machineOf(ctx, work, load)}
	for _, warning := range r.Machine.warnings() {
		fmt.Fprintln(os.Stderr, "durable: warning:", warning)
	}
	contenders = h.probe(ctx, contenders, r)
	if len(contenders) == 0 {
		return nil, errors.New("no contender works")
	}
	if o.smoke && len(r.Absent) > 0 {
		return nil, fmt.Errorf("%s: %s", r.Absent[0].Name, r.Absent[0].Why)
	}
	for _, s := range plan {
		if err := h.scenario(ctx, s, contenders, r); err != nil && len(r.Scenarios) > 0 {
			r.Interrupted = true
			r.finish(context.WithoutCancel(ctx), h)
			return r, err
		} else if err != nil {
			return nil, err
		}
	}
	if !o.smoke && !o.compare {
		h.honesty(ctx, contenders, r)
	}
	r.finish(ctx, h)
	return r, nil
}

// chosen gives the contenders that the options name.
func (h *harness) chosen() ([]contender, error) {
	o := h.options
	for _, part := range strings.Split(o.only, ",") {
		if !slices.ContainsFunc(contenders, func(c contender) bool { return named(part, c.Name) }) {
			return nil, fmt.Errorf("-only %s: no contender has %q in its name", o.only, part)
		}
	}
	all := slices.DeleteFunc(slices.Clone(contenders), func(c contender) bool {
		return (o.smoke && !c.smokes()) || (o.compare && c.Program != "godwit") || (!o.peers && c.Program != "godwit" && c.Program != "bare") || !named(o.only, c.Name)
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("-only %s names no contender", o.only)
	}
	return all, nil
}

// named reports whether a list of parts, which may be empty, has one of the name's.
func named(list, name string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ","), func(part string) bool { return strings.Contains(name, part) })
}

// scenario runs every contender once a round, each round beginning with the next.
func (h *harness) scenario(ctx context.Context, s scenario, contenders []contender, r *report) error {
	taking := slices.DeleteFunc(slices.Clone(contenders), func(c contender) bool { return !s.takes(c) })
	if len(taking) == 0 {
		return nil
	}
	found := scenarioReport{Name: s.name, Title: s.title, Note: s.note, Spec: s.spec, Runs: map[string][]result{}}
	rounds := cmp.Or(s.rounds, h.options.rounds)
	for round := range min(rounds, h.options.rounds) {
		for i := range taking {
			c := taking[(i+round)%len(taking)]
			begin := time.Now()
			outcome, err := h.run(ctx, c, s)
			if ctx.Err() != nil {
				r.Scenarios = append(r.Scenarios, found)
				return ctx.Err()
			}
			fmt.Fprintf(os.Stderr, "%-16s round %d  %-24s %6.1fs  %s\n", s.name, round+1, c.Name, time.Since(begin).Seconds(), s.brief(outcome, err))
			if err != nil {
				if h.options.smoke {
					return err
				}
				found.Failures = append(found.Failures, failure{c.Name, round + 1, err.Error()})
				continue
			}
			found.Runs[c.Name] = append(found.Runs[c.Name], result{outcome, loadNow()})
		}
	}
	r.Scenarios = append(r.Scenarios, found)
	return nil
}
