package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

// traceOf writes a trace in which the submissions of odd numbers are synced before their answers.
func traceOf(t *testing.T, submissions int) string {
	t.Helper()
	var b strings.Builder
	for i := range submissions {
		at := func(micros int) string { return fmt.Sprintf("%d.%06d", 1700000000+i, micros) }
		fmt.Fprintf(&b, "7 %s write(3</measured/marks>, \"submit begins %d\", 15) = 15 <0.000010>\n", at(100), i)
		switch i % 4 {
		case 0: // it is of another file
			fmt.Fprintf(&b, "8 %s fdatasync(5</elsewhere/db>) = 0 <0.000200>\n", at(200))
		case 1:
			fmt.Fprintf(&b, "8 %s fdatasync(5</measured/db>) = 0 <0.000200>\n", at(200))
		case 3:
			fmt.Fprintf(&b, "8 %s fsync(5</measured/db> <unfinished ...>\n9 %s write(4</measured/db>, \"x\", 1) = 1 <0.000001>\n8 %s <... fsync resumed>) = 0 <0.000200>\n", at(200), at(250), at(400))
		case 2: // it returned only after the answer
			fmt.Fprintf(&b, "8 %s fsync(5</measured/db>) = 0 <0.000900>\n", at(200))
		}
		fmt.Fprintf(&b, "7 %s write(3</measured/marks>, \"submit acknowledged %d\", 21) = 21 <0.000010>\n", at(500), i)
	}
	path := filepath.Join(t.TempDir(), "trace")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnswersCountOnlyWithAWholeSyncBefore(t *testing.T) {
	t.Parallel()
	if got, err := syncedAnswers("/measured", traceOf(t, ackCount), "no such file"); err != nil || got != ackCount/2 {
		t.Errorf("got %d, %v, want %d", got, err, ackCount/2)
	}
	if _, err := syncedAnswers("/measured", traceOf(t, ackCount-1)); err == nil {
		t.Error("a submission that strace did not see is no error")
	}
}

func TestMoreLeftThanNothingIsWorse(t *testing.T) {
	t.Parallel()
	before, now := reportOf(1000, 1000), reportOf(1000, 1000)
	before.Scenarios[0].Name, now.Scenarios[0].Name = "sustained", "sustained"
	before.Scenarios[0].Runs["godwit-sqlite"][0].Values["pruned_rows"] = 0
	now.Scenarios[0].Runs["godwit-sqlite"][0].Values["pruned_rows"] = 5
	if judge(before, now, 0.15) == nil || judge(now, before, 0.15) != nil {
		t.Error("jobs that pruning left do not count")
	}
}

// reportOf makes a report of the bulk scenario with the rates of Godwit and of its control.
func reportOf(rate, control float64) *report {
	runs := func(rate float64) []result {
		return []result{{Outcome: drive.Outcome{Values: map[string]float64{"jobs_per_s": rate}}}}
	}
	return &report{
		Scale:      1,
		Contenders: []contender{{Name: "godwit-sqlite", Store: "SQLite"}, {Name: "godwit-sqlite-again", Store: "SQLite", Like: "godwit-sqlite"}},
		Scenarios:  []scenarioReport{{Name: "bulk", Runs: map[string][]result{"godwit-sqlite": runs(rate), "godwit-sqlite-again": runs(control)}}},
	}
}

func TestJudgeFindsWhatIsWorse(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		before, now *report
		worse       bool
	}{
		"same":                         {reportOf(1000, 1000), reportOf(1000, 1000), false},
		"better":                       {reportOf(1000, 1000), reportOf(2000, 2000), false},
		"within the tolerance":         {reportOf(1000, 1000), reportOf(900, 900), false},
		"worse":                        {reportOf(1000, 1000), reportOf(800, 800), true},
		"no worse than the control is": {reportOf(1000, 1000), reportOf(800, 1100), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := judge(c.before, c.now, 0.15); (err != nil) != c.worse {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := judge(&report{}, reportOf(1, 1), 0.15); err == nil {
		t.Error("nothing to compare is no error")
	}
}

func TestGodwitsFailuresAreErrors(t *testing.T) {
	t.Parallel()
	of := func(name string) []*report {
		return []*report{
			{Scenarios: []scenarioReport{{Name: "bulk", Failures: []failure{{name, 1, "a result is missing"}}}}},
			{Synced: []synced{{Name: name, Submissions: 20, Synced: 19}}},
		}
	}
	for i, r := range of("godwit-sqlite") {
		if r.ours() == nil {
			t.Errorf("failure %d is no error", i)
		}
	}
	for i, r := range of("backlite") {
		if err := r.ours(); err != nil {
			t.Errorf("failure %d of a peer: %v", i, err)
		}
	}
}

func TestReportIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	written := reportOf(54321, 50000)
	older := reportOf(1, 1)
	written.Made = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	older.Made = written.Made.Add(-time.Hour)
	for _, r := range []*report{older, written} {
		if err := r.writeNew(dir); err != nil {
			t.Fatal(err)
		}
	}
	read, path, err := newestReport(dir)
	if err != nil {
		t.Fatal(err)
	}
	text := read.markdown("base", "manual.md")
	if text != written.markdown("base", "manual.md") || !strings.HasSuffix(path, "durable-2026-11-28-2.json") {
		t.Errorf("%s reads otherwise", path)
	}
	for _, want := range []string{"| godwit-sqlite, SQLite | 54,321 |", "differ by 9 % in jobs/s, within a round by up to 9 %", "](base-bulk.svg)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
}

func TestPlanNamesEachScenarioOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range plan() {
		if seen[s.name] || len(s.metrics) == 0 || s.takes == nil {
			t.Errorf("scenario %q is there twice, or not whole", s.name)
		}
		seen[s.name] = true
	}
	if _, err := scenariosOf(options{scale: 1, scenarios: "none"}); err == nil {
		t.Error("a name of no scenario is no error")
	}
}

func TestNumbersHaveCommas(t *testing.T) {
	t.Parallel()
	for want, value := range map[string]float64{"0": 0, "999": 999, "1,000": 1000, "-1,234,567": -1234567, "12,345.68": 12345.678} {
		decimals := 0
		if strings.Contains(want, ".") {
			decimals = 2
		}
		if got := number(value, decimals); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
