package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

// scenario is one kind of measurement.
type scenario struct {
	name    string
	title   string
	note    string
	spec    drive.Spec
	metrics []metric // the first is the one that is plotted
	rounds  int      // at most; 0: as many as the others
	big     bool
	timeout time.Duration

	takes func(c contender) bool
	held  bool // a snapshot is held on the PostgreSQL server meanwhile
}

// metric is one figure of a scenario.
type metric struct {
	key     string
	label   string
	less    bool // less is better
	decimal int
}

var (
	all      = func(contender) bool { return true }
	ours     = func(c contender) bool { return c.Program == "godwit" && !c.Apart }
	together = func(c contender) bool { return !c.Apart }
	postgres = func(c contender) bool { return c.Server == "postgres" && !c.Apart }

	throughput = []metric{{"jobs_per_s", "jobs/s", false, 0}, {"jobs_cpu_us", "own µs/job", true, 1}, {"jobs_server_cpu_us", "server µs/job", true, 1}}
)

// plan is all of it, in order.
func plan() []scenario {
	return append([]scenario{
		{
			name: "bulk", title: "Bulk: submit 50,000 jobs, then work them", takes: together,
			note: "One caller submits 1,000 jobs a call where there is a call for many; then the workers start.",
			spec: drive.Spec{Scenario: "bulk", Jobs: 50_000, Batch: 1000},
			metrics: append(slices.Clone(throughput), metric{"submit_per_s", "submit/s", false, 0}, metric{"work_per_s", "work/s", false, 0},
				metric{"kept_mb", "MB kept", true, 1}),
		},
		{
			name: "sustained", title: "Sustained: submit, work and prune for 20 s", takes: together,
			note: "Four callers submit 100 jobs a call, as long as fewer than 10,000 wait. Finished jobs are kept for 5 s where that can be said. MB are those of the files or of the database: Redis's of its append-only log.",
			spec: drive.Spec{Scenario: "sustained", Jobs: 5_000_000, Seconds: 20, Batch: 100, Callers: 4, Backlog: 10_000, KeepSeconds: 5},
			metrics: append(slices.Clone(throughput), metric{"end_rows", "jobs at the end", true, 0}, metric{"end_mb", "MB at the end", true, 1},
				metric{"pruned_rows", "jobs left after pruning", true, 0},
				metric{"pruned_mb", "MB after pruning", true, 1}),
		},
		{
			name: "idle", title: "Idle latency: from the call of submit to the start of the handler", takes: all,
			note: "One job at a time, 5 ms after the one before was settled. Godwit's jobs are handed off: the claim is made in the commit of the submission. " +
				"\"Apart\" they are claimed in a commit of their own, as are those that another process submits.",
			spec: drive.Spec{Scenario: "idle", Jobs: 1000, Seconds: 10},
			metrics: []metric{
				{"p50_ms", "p50 ms", true, 2},
				{"p99_ms", "p99 ms", true, 2},
				{"max_ms", "max ms", true, 1},
				{"samples", "samples", false, 0},
			},
		},
		submitAt(1), submitAt(64), submitAt(512),
	}, bigPlan()...)
}

func submitAt(callers int) scenario {
	return scenario{
		name: fmt.Sprintf("submit-%d", callers), title: fmt.Sprintf("Submission, callers: %d, one job a call, for 3 s", callers), takes: together,
		note: "Nobody works meanwhile. Afterwards all that was acknowledged is worked and verified.",
		spec: drive.Spec{Scenario: "submit", Jobs: 400_000, Seconds: 3, Callers: callers},
		metrics: []metric{
			{"submit_per_s", "submit/s", false, 0},
			{"p50_ms", "p50 ms", true, 3},
			{"p99_ms", "p99 ms", true, 3},
			{"submit_cpu_us", "own µs/job", true, 1},
			{"submit_server_cpu_us", "server µs/job", true, 1},
		},
	}
}

// bigPlan is what takes long, and is about size.
func bigPlan() []scenario {
	million := drive.Spec{Scenario: "sustained", Jobs: 1_000_000, Seconds: 300, Batch: 100, Callers: 4, Backlog: 2000, KeepSeconds: 5}
	overTime := append(slices.Clone(throughput), metric{"start_p50_ms", "start p50 ms", true, 1}, metric{"start_p99_ms", "start p99 ms", true, 1},
		metric{"claim_p50_ms", "claim p50 ms", true, 2}, metric{"claim_p99_ms", "claim p99 ms", true, 2},
		metric{"end_rows", "jobs at the end", true, 0}, metric{"end_mb", "MB at the end", true, 1}, metric{"pruned_rows", "jobs left after pruning", true, 0},
		metric{"pruned_mb", "MB after pruning", true, 1})
	places := []metric{{"rss_bytes", "resident bytes/job", true, 0}, {"heap_bytes", "heap and stack bytes/job", true, 0}, {"kept_mb", "MB on disk", true, 1}, {"jobs_per_s", "jobs/s until they are there", false, 0}}
	hold := func(place string, jobs int, title string) scenario {
		return scenario{
			name: place, title: title, takes: ours, big: true, rounds: 3, metrics: places, timeout: time.Hour,
			note: "Beside a worker that has started; after the garbage was collected.", spec: drive.Spec{Scenario: place, Jobs: jobs, Batch: 1000},
		}
	}
	const held = "Who does not get through a million in five minutes has as many as that. At most 2,000 jobs wait. From submission to start is mostly their wait for those before them; Godwit's claims are timed by themselves besides."
	return []scenario{
		{
			name: "fanin", title: "Fan-in: one job starts 10,000 children, awaits them and sums up", takes: func(c contender) bool { return c.FansIn && !c.Apart },
			note: "Of those whose jobs can start others and await their results.",
			spec: drive.Spec{Scenario: "fanin", Jobs: 10_000, Batch: 1000}, big: true,
			metrics: []metric{{"children_per_s", "children/s", false, 0}, {"seconds", "seconds", true, 2}, {"children_cpu_us", "own µs/child", true, 1}},
		},
		{name: "million", title: "A million jobs, over time", takes: together, note: held, spec: million, metrics: overTime, big: true, rounds: 3, timeout: 20 * time.Minute},
		{
			name: "million-held", title: "A million jobs over time, a snapshot held throughout (PostgreSQL)", takes: postgres, note: held,
			spec: million, metrics: overTime, big: true, rounds: 3, timeout: 20 * time.Minute, held: true,
		},
		startUp("startup", 1_000_000, "Start-up with a million ready jobs", func(c contender) bool { return together(c) && (c.Program == "godwit" || c.Program == "bare") }),
		startUp("startup-100k", 100_000, "Start-up with 100,000 ready jobs", together),
		hold("scheduled", 1_000_000, "A million scheduled jobs"),
		hold("held", 1_000_000, "A million held jobs (their task is paused)"),
		hold("waiting", 100_000, "100,000 jobs that wait for a time, having given their slot back"),
	}
}

func startUp(name string, jobs int, title string, takes func(contender) bool) scenario {
	return scenario{
		name: name, title: title, takes: takes, big: true, rounds: 3, timeout: time.Hour,
		note:    "From opening the library anew, in the process that submitted, to the start of the first handler; then all are worked and verified. A server goes on meanwhile, that of nats is part of the process.",
		spec:    drive.Spec{Scenario: "startup", Jobs: jobs, Batch: 1000},
		metrics: []metric{{"first_ms", "first job after ms", true, 1}, {"open_ms", "open ms", true, 1}},
	}
}

// scenariosOf gives the part of the plan that the options name, at their scale.
func scenariosOf(o options) ([]scenario, error) {
	var chosen []scenario
	var names []string
	for _, s := range plan() {
		names = append(names, s.name)
		if (o.scenarios == "" && s.big && !o.big && !o.smoke) || (o.scenarios != "" && !slices.Contains(strings.Split(o.scenarios, ","), s.name)) {
			continue
		}
		if o.smoke {
			s.spec.Jobs, s.spec.Seconds, s.timeout = min(s.spec.Jobs, 300), min(s.spec.Seconds, 0.2), 2*time.Minute
			s.spec.Callers = min(s.spec.Callers, 8)
			s.spec.KeepSeconds = min(s.spec.KeepSeconds, 2) // not so short that a slow machine loses results before they are read
		} else {
			s.spec.Jobs = max(10, int(float64(s.spec.Jobs)*o.scale))
			s.spec.Seconds = s.spec.Seconds * min(1, o.scale)
		}
		if s.timeout == 0 {
			s.timeout = 10 * time.Minute
		}
		chosen = append(chosen, s)
	}
	for _, name := range strings.Split(o.scenarios, ",") {
		if o.scenarios != "" && !slices.Contains(names, name) {
			return nil, fmt.Errorf("-scenarios: there is no %q, but %s", name, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

// scenarioNamed finds the description of a scenario of a report.
func scenarioNamed(name string) (scenario, bool) {
	all := plan()
	i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
	if i < 0 {
		return scenario{}, false
	}
	return all[i], true
}

// brief is one line about a measurement.
func (s scenario) brief(o drive.Outcome, err error) string {
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), "\n")
		return "failed: " + text
	}
	m := s.metrics[0]
	return fmt.Sprintf("%.*f %s", m.decimal, o.Values[m.key], m.label)
}
