package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
