package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// compare measures Godwit alone and holds it against the newest report.
func compare(ctx context.Context, o options) error {
	before, path, err := newestReport(o.out)
	if err != nil {
		return err
	}
	if o.scenarios == "" {
		var names []string
		for _, s := range before.Scenarios {
			if about, ok := scenarioNamed(s.Name); ok && !about.big {
				names = append(names, s.Name)
			}
		}
		o.scenarios = strings.Join(names, ",")
	}
	o.scale = cmp.Or(o.scale, before.Scale)
	now, err := measure(ctx, o)
	if err != nil {
		return err
	}
	if was, is := before.Machine, now.Machine; was.Model != is.Model || was.Processors != is.Processors {
		fmt.Printf("The report is of another machine (%d processors, %s): differences are those of the machines too.\n", was.Processors, was.Model)
	}
	fmt.Printf("Against %s; worse by more than %.0f %%, or than the A/A controls differ, is a regression.\n\n", path, 100*o.tolerance)
	return errors.Join(judge(before, now, o.tolerance), now.ours())
}

// newestReport reads the report that was made last, of those that were not interrupted and have Godwit.
func newestReport(dir string) (newest *report, path string, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "durable-*.json"))
	if err != nil {
		return nil, "", err
	}
	for _, name := range paths {
		r, err := readReport(name)
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w", name, err)
		}
		if r.Interrupted || !slices.ContainsFunc(r.Contenders, func(c contender) bool { return strings.HasPrefix(c.Name, "godwit") }) {
			continue // nothing to hold Godwit against
		}
		if newest == nil || r.Made.After(newest.Made) {
			newest, path = r, name
		}
	}
	if newest == nil {
		return nil, "", fmt.Errorf("there is no durable-*.json in %s to compare with: make bench writes one", dir)
	}
	return newest, path, nil
}

// vagueBound is beyond which a bound says nothing of the first figure of a scenario.
const vagueBound = 0.5

// compared reports whether a figure is: not those that a few rare events decide, or that are no performance.
func compared(scenario, key string) bool {
	return !slices.Contains([]string{"max_ms", "samples", "end_rows"}, key) && (scenario != "idle" || key != "p99_ms")
}

// judge prints every figure of Godwit of both reports, and fails when one is worse.
func judge(before, now *report, tolerance float64) error {
	var worse, vague []string
	figures := 0
	for _, s := range now.Scenarios {
		about, _ := scenarioNamed(s.Name)
		i := slices.IndexFunc(before.Scenarios, func(old scenarioReport) bool { return old.Name == s.Name })
		if i < 0 {
			continue
		}
		old := before.Scenarios[i]
		if old.Spec != s.Spec {
			fmt.Fprintf(os.Stderr, "durable: %s was run with other numbers then: left out\n", s.Name)
			continue
		}
		for nth, m := range about.metrics {
			wide, wider := before.control(old, m.key), now.control(s, m.key)
			for _, c := range now.Contenders {
				was, _, _, knew := old.spread(c.Name, m.key)
				is, _, _, know := s.spread(c.Name, m.key)
				if c.Like != "" || !knew || !know || !compared(s.Name, m.key) || (was <= 0 && is <= 0) {
					continue
				}
				figures++
				figure := fmt.Sprintf("%s of %s in %s", m.label, c.Name, s.Name)
				of := strings.TrimSuffix(c.Name, "-apart") // it has no control of its own
				bound := max(tolerance, wide[of], wider[of], before.widest(old, of, m.key)/2, now.widest(s, of, m.key)/2)
				change := is/was - 1 // infinite where there was nothing
				verdict := ""
				if (m.less && change > bound) || (!m.less && was/is-1 > bound) {
					verdict = "  WORSE"
					worse = append(worse, figure)
				}
				if nth == 0 && bound > vagueBound {
					vague = append(vague, figure)
				}
				fmt.Printf("%-12s %-24s %-24s %14s -> %-14s %+6.1f %% (bound %.0f %%)%s\n", s.Name, c.Name, m.label, number(was, m.decimal), number(is, m.decimal),
					100*change, 100*bound, verdict)
			}
		}
	}
	switch {
	case figures == 0:
		return errors.New("there was nothing to compare: the report has none of these scenarios with these numbers")
	case len(worse) > 0:
		return fmt.Errorf("worse than before: %s", strings.Join(worse, ", "))
	case len(vague) > 0:
		return fmt.Errorf("no telling, for the A/A control differs too much (measure on a quieter machine, in more rounds): %s", strings.Join(vague, ", "))
	}
	return nil
}
