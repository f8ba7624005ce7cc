package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/godwittest"
	"github.com/godwit-go/godwit/internal/demodata"
)

func TestReportIsATableWithAsManyCellsInEachRow(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.md")
	years := byYear([]Month{
		{Part: demodata.Part{City: "Seattle", Month: "2012-01"}, Stats: Stats{Days: 31}},
		{Part: demodata.Part{City: "Seattle", Month: "2013-01"}, Stats: Stats{Days: 31}},
	})
	if err := write(path, years); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n|")
	rows := strings.Split(strings.TrimSuffix("|"+table, "\n"), "\n")
	if len(rows) != 4 { // heading, delimiters and two years
		t.Fatalf("the table has %d rows, want 4:\n%s", len(rows), text)
	}
	for _, row := range rows {
		inner, begins := strings.CutPrefix(row, "| ")
		inner, ends := strings.CutSuffix(inner, " |")
		if n := len(strings.Split(inner, " | ")); !begins || !ends || n != len(Columns) {
			t.Errorf("a row has %d cells, want %d: %s", n, len(Columns), row)
		}
	}
}

func TestAPathThatCannotBeWrittenIsFoundBefore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "report.md")
	for range 2 { // the second time it is there
		if err := CheckPath(path); err != nil {
			t.Errorf("a path that can be written: %v", err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 2 {
			t.Errorf("the check left %v, %v", entries, err)
		}
		for _, name := range []string{path, LedgerOf(path)} {
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	folder := filepath.Join(dir, "folder.md")
	if err := os.MkdirAll(LedgerOf(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{dir, folder, filepath.Join(dir, "no", "report.md"), filepath.Join(path, "report.md"), filepath.Join(dir, strings.Repeat("n", 255))} {
		if CheckPath(bad) == nil {
			t.Errorf("%s passed for a path that can be written", bad)
		}
	}
}

// A report that cannot be written fails for good, with the reason; another process, with another path, has it written.
func TestAReportThatCannotBeWrittenFailsForGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := ReportArgs{Ledger: filepath.Join(dir, "ledger")}
	for path, written := range map[string]bool{dir: false, filepath.Join(dir, "report.md"): true} {
		h := godwittest.New(t, godwit.Config{})
		(&Workload{Client: h.Client, Path: path}).Handle()
		report, err := godwittest.Run(t, h, WeatherReport, args)
		progress, lookErr := Look(t.Context(), h.Client)
		if lookErr != nil {
			t.Fatal(lookErr)
		}
		if written {
			if err != nil || report.Path != path || progress.Failure != nil {
				t.Errorf("%s: %v, %+v, %v", path, report.Path, progress.Failure, err)
			}
			continue
		}
		var failed *godwit.JobError
		if !errors.As(err, &failed) || progress.Attempt != 1 || progress.Failure == nil || !strings.Contains(progress.Failure.Message, "write report") {
			t.Errorf("%s: %v after %d attempts, %+v", path, err, progress.Attempt, progress.Failure)
		}
	}
}
