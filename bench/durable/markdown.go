package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

// markdown is the report. manual is where the page stands that explains it.
func (r *report) markdown(base, manual string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Durable jobs beside the peers, %s\n\n", r.Made.Format(time.DateOnly))
	fmt.Fprintf(&b, "Made by `go run ./durable %s` in bench/, in %s. The contenders took turns, each measurement in a process of its own. Figures are medians ", r.Command, r.Took)
	fmt.Fprintf(&b, "of up to %d rounds, with the lowest and the highest in parentheses. A job has about 200 bytes of arguments in JSON; its handler decodes them and answers. ", r.Rounds)
	fmt.Fprintf(&b, "Every job was counted as it ran, and every result that a contender keeps was read back: the last 1,000 where finished jobs were removed meanwhile. [How to read this](%s).\n\n", manual)
	r.head(&b)
	for _, s := range r.Scenarios {
		r.section(&b, base, s)
	}
	r.syncs(&b)
	r.settings(&b)
	return b.String()
}

// head says where and with what it was measured.
func (r *report) head(b *strings.Builder) {
	m := r.Machine
	fmt.Fprintf(b, "- %d processors, %s, %.0f GB; %s, %s\n", m.Processors, m.Model, m.MemoryGB, m.OS, m.Kernel)
	fmt.Fprintf(b, "- the measured folder: %s; appending 4 KiB and fsync p50 %.2f ms, p99 %.2f ms", m.FileSystem, m.FsyncP50, m.FsyncP99)
	if m.RestedP50 > 0 { // a report of before does not have it
		fmt.Fprintf(b, "; after a rest of 5 ms, as in idle latency, p50 %.2f ms", m.RestedP50)
	}
	fmt.Fprintln(b)
	fmt.Fprintf(b, "- the load was %.2f when it began and %.2f at the end (the benchmark is part of the latter)\n", m.Load, r.LoadAtEnd)
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		versions = append(versions, name+" "+r.Versions[name])
	}
	fmt.Fprintf(b, "- %s\n", strings.Join(versions, "; "))
	for _, warning := range m.warnings() {
		fmt.Fprintf(b, "\n**Do not trust these figures: %s.**\n", warning)
	}
	if r.Scale != 1 {
		fmt.Fprintf(b, "\n**This is a quick look: it did %g of the work that the titles name.**\n", r.Scale)
	}
	if r.Interrupted {
		fmt.Fprint(b, "\n**It was interrupted: scenarios are missing.**\n")
	}
	for _, a := range r.Absent {
		fmt.Fprintf(b, "\nLeft out: %s, since it did not work here: %s\n", a.Name, a.Why)
	}
}

// section is one scenario.
func (r *report) section(b *strings.Builder, base string, s scenarioReport) {
	about, ok := scenarioNamed(s.Name)
	if !ok {
		return // of an older plan
	}
	fmt.Fprintf(b, "\n## %s\n\n", cmp.Or(s.Title, about.title))
	if note := cmp.Or(s.Note, about.note); note != "" {
		fmt.Fprintf(b, "%s\n\n", note)
	}
	if _, ok := r.bars(s); ok {
		fmt.Fprintf(b, "![%s](%s-%s.svg)\n\n", about.metrics[0].label, base, s.Name)
	}
	metrics := slices.DeleteFunc(slices.Clone(about.metrics), func(m metric) bool {
		return !slices.ContainsFunc(r.Contenders, func(c contender) bool { return cell(s, c.Name, m) != "" })
	})
	r.rows(b, s, metrics)
	shares := r.control(s, about.metrics[0].key)
	for _, name := range slices.Sorted(maps.Keys(shares)) {
		m := about.metrics[0]
		fmt.Fprintf(b, "\n%s and its control differ by %.0f %% in %s, within a round by up to %.0f %%: a smaller difference means nothing.\n",
			name, 100*shares[name], m.label, 100*r.widest(s, name, m.key))
	}
	for _, c := range r.Contenders {
		for _, run := range s.Runs[c.Name] {
			if about.big && run.Jobs < s.Spec.Jobs {
				fmt.Fprintf(b, "\n%s got through %s jobs in its time.\n", c.Name, number(float64(run.Jobs), 0))
			}
			if run.Repeated > 0 {
				fmt.Fprintf(b, "\n%s ran %d of %d jobs more than once in a round.\n", c.Name, run.Repeated, run.Jobs)
			}
		}
	}
	for _, f := range s.Failures {
		fmt.Fprintf(b, "\n%s failed in round %d: %s\n", f.Name, f.Round, f.Why)
	}
	if _, ok := r.overTime(s); ok {
		fmt.Fprintf(b, "\n![p50 and p99 over time](%s-%s-over-time.svg)\n\n", base, s.Name)
		r.overTimeRows(b, s)
	}
	if s.Name == "million-held" {
		r.heldRatios(b, s)
	}
}

// heldRatios tells what a held snapshot costs each contender.
func (r *report) heldRatios(b *strings.Builder, held scenarioReport) {
	i := slices.IndexFunc(r.Scenarios, func(s scenarioReport) bool { return s.Name == "million" })
	if i < 0 {
		return
	}
	for _, c := range r.Contenders {
		for _, m := range []metric{{"jobs_per_s", "jobs/s", false, 0}, {"claim_p99_ms", "claim p99 ms", true, 2}, {"start_p99_ms", "start p99 ms", true, 1}} {
			without, _, _, ok := r.Scenarios[i].spread(c.Name, m.key)
			with, _, _, both := held.spread(c.Name, m.key)
			if ok && both && without > 0 {
				fmt.Fprintf(b, "\n%s, %s: %s with the snapshot, %s without, %.2f times as much.\n", c.Name, m.label, number(with, m.decimal), number(without, m.decimal), with/without)
			}
		}
	}
}

// overTimeRows tells how the first run of each contender went: some of its twentieths, and the worst.
func (r *report) overTimeRows(b *strings.Builder, s scenarioReport) {
	shares := []int{5, 25, 50, 75, 100}
	fmt.Fprint(b, "From submission to start in the first round, in the twentieth of the run that ends at the named share of it, p50 / p99 ms:\n\n| |")
	for _, share := range shares {
		fmt.Fprintf(b, " %d %% |", share)
	}
	fmt.Fprintf(b, " highest p99 | fewest jobs/s |\n| --- |%s\n", strings.Repeat(" ---: |", len(shares)+2))
	for _, c := range r.Contenders {
		if len(s.Runs[c.Name]) == 0 || len(s.Runs[c.Name][0].Windows) == 0 {
			continue
		}
		windows := s.Runs[c.Name][0].Windows
		fmt.Fprintf(b, "| %s, %s |", c.Name, c.Store)
		for _, share := range shares {
			w := windows[max(1, len(windows)*share/100)-1]
			if w.Rate == 0 {
				fmt.Fprint(b, " none started |")
				continue
			}
			fmt.Fprintf(b, " %s / %s |", number(w.P50, 1), number(w.P99, 1))
		}
		worst := slices.MaxFunc(windows, func(a, b drive.Window) int { return cmp.Compare(a.P99, b.P99) })
		slowest := slices.MinFunc(windows, func(a, b drive.Window) int { return cmp.Compare(a.Rate, b.Rate) })
		fmt.Fprintf(b, " %s | %s |\n", number(worst.P99, 1), number(slowest.Rate, 0))
	}
	r.claimRows(b, s, shares)
}

// claimRows tells how long claims took in the same parts of the run, of those who tell them.
func (r *report) claimRows(b *strings.Builder, s scenarioReport, shares []int) {
	tells := func(c contender) bool { return len(s.Runs[c.Name]) > 0 && s.Runs[c.Name][0].Values["claims"] > 0 }
	if !slices.ContainsFunc(r.Contenders, tells) {
		return
	}
	fmt.Fprint(b, "\nThe calls that claimed, p50 / p99 ms, in the same parts of the run:\n\n| |")
	for _, share := range shares {
		fmt.Fprintf(b, " %d %% |", share)
	}
	fmt.Fprintf(b, " highest p99 |\n| --- |%s\n", strings.Repeat(" ---: |", len(shares)+1))
	for _, c := range r.Contenders {
		if !tells(c) {
			continue
		}
		windows, worst := s.Runs[c.Name][0].Windows, 0.0
		fmt.Fprintf(b, "| %s, %s |", c.Name, c.Store)
		for _, w := range windows {
			worst = max(worst, w.ClaimP99)
		}
		for _, share := range shares {
			w := windows[max(1, len(windows)*share/100)-1]
			fmt.Fprintf(b, " %s / %s |", number(w.ClaimP50, 2), number(w.ClaimP99, 2))
		}
		fmt.Fprintf(b, " %s |\n", number(worst, 2))
	}
}

// rows is the table of a scenario.
func (r *report) rows(b *strings.Builder, s scenarioReport, metrics []metric) {
	fmt.Fprint(b, "| |")
	for _, m := range metrics {
		fmt.Fprintf(b, " %s |", m.label)
	}
	fmt.Fprintf(b, " not kept |\n| --- |%s --- |\n", strings.Repeat(" ---: |", len(metrics)))
	for _, c := range r.Contenders {
		if len(s.Runs[c.Name]) == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s, %s |", c.Name, c.Store)
		for _, m := range metrics {
			fmt.Fprintf(b, " %s |", cell(s, c.Name, m))
		}
		fmt.Fprintf(b, " %s |\n", c.Missing)
	}
}

// syncs tells whose answers were on disk.
func (r *report) syncs(b *strings.Builder) {
	if len(r.Synced) == 0 {
		return
	}
	fmt.Fprint(b, "\n## Was it on disk when it was acknowledged?\n\nstrace watched the contender, and its server, submit one job after the other. An answer counts ")
	fmt.Fprint(b, "when an fsync or fdatasync began after the call and returned before the answer.\n\n| | synced before the answer |\n| --- | ---: |\n")
	for _, s := range r.Synced {
		if s.Why != "" {
			fmt.Fprintf(b, "| %s | not known: %s |\n", s.Name, s.Why)
			continue
		}
		fmt.Fprintf(b, "| %s | %d of %d |\n", s.Name, s.Synced, s.Submissions)
	}
}

// settings tells how each contender was set, and by which page.
func (r *report) settings(b *strings.Builder) {
	fmt.Fprint(b, "\n## Settings\n\n")
	if slices.ContainsFunc(r.Contenders, func(c contender) bool { return c.Store == "PostgreSQL" }) {
		fmt.Fprint(b, "PostgreSQL is as initdb makes it, the same for all, but for 200 connections: fsync and synchronous_commit are on, shared_buffers is small.\n\n")
	}
	for _, c := range r.Contenders {
		fmt.Fprintf(b, "- **%s**: %s.", c.Name, c.Settings)
		if c.Quote != "" {
			fmt.Fprintf(b, " \"%s\" ([source](%s)).", c.Quote, c.Source)
		} else if c.Source != "" {
			fmt.Fprintf(b, " ([documentation](%s))", c.Source)
		}
		fmt.Fprintf(b, " Not kept: %s.\n", c.Missing)
	}
}

// table is the short form for the README: the first figure of each scenario that was plotted.
func (r *report) table(base string, plots []string) string {
	var b strings.Builder
	var scenarios []scenarioReport
	fmt.Fprint(&b, "| |")
	for _, s := range r.Scenarios {
		about, ok := scenarioNamed(s.Name)
		if ok && slices.Contains(plots, base+"-"+s.Name+".svg") {
			scenarios = append(scenarios, s)
			fmt.Fprintf(&b, " %s, %s |", s.Name, about.metrics[0].label)
		}
	}
	fmt.Fprintf(&b, " not kept |\n| --- |%s --- |\n", strings.Repeat(" ---: |", len(scenarios)))
	for _, c := range r.Contenders {
		if c.Like != "" || c.Apart {
			continue
		}
		fmt.Fprintf(&b, "| %s, %s |", c.Name, c.Store)
		for _, s := range scenarios {
			about, _ := scenarioNamed(s.Name)
			value := ""
			if median, _, _, ok := s.spread(c.Name, about.metrics[0].key); ok {
				value = number(median, about.metrics[0].decimal)
			}
			fmt.Fprintf(&b, " %s |", value)
		}
		fmt.Fprintf(&b, " %s |\n", c.Missing)
	}
	return b.String()
}
