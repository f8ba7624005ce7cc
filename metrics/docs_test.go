package metrics_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/metrics"
)

// full is a client of which every metric has a series.
func full(t *testing.T) bundle {
	t.Helper()
	store := onSQLite(t)
	b := setup(t, store, metrics.Config{}, godwit.Config{Lease: time.Second})
	godwit.Handle(b.Client, double, doubled)
	die(t, b, store, double)
	stop := b.start(t)
	t.Cleanup(stop)
	crashed, err := b.List(t.Context(), godwit.ListFilter{})
	if err != nil || len(crashed.Jobs) != 1 {
		t.Fatalf("got %d jobs, %v", len(crashed.Jobs), err)
	}
	await := func(id godwit.ID) {
		t.Helper()
		if _, err := godwit.PromiseOf[int](b, id).Await(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	await(crashed.Jobs[0].ID)
	p, err := double.Submit(t.Context(), b, 2, godwit.SubmitOptions{}) // one that never crashed has a start latency
	if err != nil {
		t.Fatal(err)
	}
	await(p.ID())
	b.m.ObserveRequest("GET /v1/jobs", 200, time.Millisecond)
	return b
}

// table gives the rows of docs/metrics.md: name, type, labels and meaning.
func table(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 7 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`godwit_") {
			continue
		}
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "`", "")
		}
		labels := strings.FieldsFunc(cells[3], func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(labels)
		rows = append(rows, fmt.Sprintf("%s %s %v %s", cells[1], cells[2], labels, cells[5]))
	}
	slices.Sort(rows)
	return rows
}

func TestTheTableIsWhatIsExported(t *testing.T) {
	t.Parallel()
	families, err := full(t).reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var exported []string
	for _, f := range families {
		labels := []string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		exported = append(exported, fmt.Sprintf("%s %s %v %s", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp()))
	}
	slices.Sort(exported)
	rows := table(t)
	for _, row := range exported {
		if !slices.Contains(rows, row) {
			t.Errorf("exported and not in docs/metrics.md: %s", row)
		}
	}
	for _, row := range rows {
		if !slices.Contains(exported, row) {
			t.Errorf("in docs/metrics.md and not exported: %s", row)
		}
	}
}

func TestAlertsAskForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("../examples/prometheus-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := table(t)
	asked := regexp.MustCompile(`godwit_[a-z_]+`).FindAllString(string(rules), -1)
	if len(asked) < 8 {
		t.Errorf("found only %v", asked)
	}
	for _, name := range asked {
		if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, name+" ") }) {
			t.Errorf("an alert asks for %s, which there is not", name)
		}
	}
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	severities := regexp.MustCompile(`severity: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	for i, alert := range alerts {
		if row := "| `" + alert[1] + "` | " + severities[i][1] + " |"; !strings.Contains(string(guide), row) {
			t.Errorf("docs/metrics.md has no row %s", row)
		}
	}
}
