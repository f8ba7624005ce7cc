package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

func TestLedgerCountsWholeLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger")
	l := OpenLedger(path)
	if counts, err := l.Counts(); err != nil || len(counts) != 0 {
		t.Fatalf("before the first line: %v, %v", counts, err)
	}
	a, b := godwit.NewID(), godwit.NewID()
	for _, id := range []godwit.ID{a, b, a} {
		if err := l.Note(id, 1, "Seattle 2012-01"); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(b.String()[:20]); err != nil { // cut off by a crash
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	counts, err := l.Counts()
	if err != nil || counts[a] != 2 || counts[b] != 1 || len(counts) != 2 {
		t.Errorf("got %v, %v; want %s twice and %s once", counts, err, a, b)
	}
}

func TestSumCountsWhatWasRepeated(t *testing.T) {
	t.Parallel()
	report, done, cut, fresh := godwit.NewID(), godwit.NewID(), godwit.NewID(), godwit.NewID()
	before := Progress{
		Report: report, State: godwit.StateRunning, Total: 3,
		Finished: map[godwit.ID]bool{done: true}, Worked: map[godwit.ID]int{done: 1, cut: 1},
	}
	after := Progress{
		Report: report, State: godwit.StateSucceeded, Total: 3, Retried: 1, Crashed: 2, Args: ReportArgs{Path: "a.md"},
		Finished: map[godwit.ID]bool{done: true, cut: true, fresh: true},
		Worked:   map[godwit.ID]int{done: 1, cut: 2, fresh: 1},
	}
	want := func(repeated int) string {
		return fmt.Sprintf("2 months in 2s; 1 failed at first and were retried.\n"+
			"Resumed 1 of 3, %d repeated (counted outside the database, in a.md.ledger).\n"+
			"2 were cut off by a kill and ran again from their start.\n"+
			"1 of these had done their work but were killed before it was recorded: at least once.", repeated)
	}
	if got := Sum(before, after, 2*time.Second); got != want(0) {
		t.Errorf("got\n%s\nwant\n%s", got, want(0))
	}
	after.Worked[done] = 2 // planted: a finished child ran again
	if got := Sum(before, after, 2*time.Second); got != want(1) {
		t.Errorf("got\n%s\nwant\n%s", got, want(1))
	}
}
