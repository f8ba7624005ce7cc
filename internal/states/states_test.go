package states_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

var update = flag.Bool("update", false, "rewrite the table in docs/states.md")

const (
	docPath = "../../docs/states.md"
	marker  = "<!-- table: internal/states/states.tsv -->\n"
)

func places() []states.Place {
	all := []states.Place{states.None, states.Pruned, states.Held}
	for _, s := range godwit.States() {
		all = append(all, states.Place(s))
	}
	return all
}

func TestEveryCellHasARowThatAlwaysHolds(t *testing.T) {
	ops := map[states.Op]bool{}
	last := map[string]states.Cond{}
	for _, r := range states.Table() {
		ops[r.Op] = true
		last[string(r.Op)+" "+string(r.From)] = r.When
	}
	for op := range ops {
		for _, place := range places() {
			when, ok := last[string(op)+" "+string(place)]
			if !ok || when != 0 {
				t.Errorf("%s on %s: no row that always holds comes last", op, place)
			}
		}
	}
	if len(ops) != 21 {
		t.Errorf("%d operations in the table, want 21", len(ops))
	}
}

func TestRowsKeepTheLawsOfTheTable(t *testing.T) {
	for _, r := range states.Table() {
		from, to := godwit.State(r.From), godwit.State(r.To)
		switch {
		case r.Run < 0 || r.Run == states.Zero:
			t.Errorf("%s: run falls", r.Name())
		case r.Run != 0 && r.Op != states.OpClaim:
			t.Errorf("%s: only a claim makes a new run", r.Name())
		case r.Code != "" && r.Changes():
			t.Errorf("%s: refused and changed", r.Name())
		case from == godwit.StateSucceeded && r.To != states.Same && r.To != states.Pruned:
			t.Errorf("%s: a success is final for good", r.Name())
		case from.Final() && r.To != states.Same && r.To != states.Pruned && r.Op != states.OpRetryByHand:
			t.Errorf("%s: leaves a final state by itself", r.Name())
		case to == godwit.StateRunning && r.Op != states.OpClaim && r.Op != states.OpResume:
			t.Errorf("%s: runs without a claim", r.Name())
		case r.When&states.CancelRequested != 0 && from == godwit.StateRunning && to == godwit.StateScheduled:
			t.Errorf("%s: a job asked to stop runs again", r.Name())
		}
	}
}

// render writes the table as Markdown, the from-states of one line of the source together.
func render() string {
	var b strings.Builder
	type line struct {
		froms []string
		row   states.Row
	}
	var lines []line
	for _, r := range states.Table() {
		if n := len(lines); n > 0 {
			prev := lines[n-1].row
			prev.Index, prev.From = r.Index, r.From
			if prev == r {
				lines[n-1].froms = append(lines[n-1].froms, string(r.From))
				continue
			}
		}
		lines = append(lines, line{[]string{string(r.From)}, r})
	}
	op := states.Op("")
	for _, l := range lines {
		r := l.row
		if r.Op != op {
			op = r.Op
			fmt.Fprintf(&b, "\n### %s\n\n| from | when | answer | to | counters | record | event |\n|---|---|---|---|---|---|---|\n", op)
		}
		counters := ""
		for _, c := range []struct {
			name  string
			count states.Count
		}{{"run", r.Run}, {"attempt", r.Attempt}, {"crashes", r.Crashes}, {"releases", r.Releases}, {"retries", r.Retries}} {
			switch c.count {
			case states.Plus:
				counters += " " + c.name + " +1"
			case states.Minus:
				counters += " " + c.name + " -1"
			case states.Zero:
				counters += " " + c.name + " = 0"
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", strings.Join(l.froms, ", "), blank(r.When.String()),
			blank(string(r.Code)), blank(strings.Replace(string(r.To), "=", "", 1)), strings.TrimSpace(counters), r.Record, r.Event)
	}
	return b.String()
}

func blank(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func TestDocumentShowsTheTable(t *testing.T) {
	text, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(text), marker)
	if !found {
		t.Fatalf("%s has no line %q", docPath, strings.TrimSpace(marker))
	}
	want := head + marker + render()
	if *update {
		if err := os.WriteFile(docPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s differs from the table: run go test ./internal/states -update", docPath)
	}
}
