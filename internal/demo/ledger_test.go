package demo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// resumed is a demo that was killed with one month of three done, and one that had worked and was not recorded.
func resumed() (before, after Progress, done, cut godwit.ID) {
	report, fresh := godwit.NewID(), godwit.NewID()
	done, cut = godwit.NewID(), godwit.NewID()
	before = Progress{
		Report: report, State: godwit.StateRunning, Total: 3,
		Finished: map[godwit.ID]bool{done: true}, Worked: map[godwit.ID]int{done: 1, cut: 1},
	}
	after = Progress{
		Report: report, State: godwit.StateSucceeded, Total: 3, Retried: 1, Crashed: 2, Args: ReportArgs{Ledger: "a.md.ledger"},
		Finished: map[godwit.ID]bool{done: true, cut: true, fresh: true},
		Worked:   map[godwit.ID]int{done: 1, cut: 2, fresh: 1},
	}
	return before, after, done, cut
}

func TestSumCountsWhatWasRepeated(t *testing.T) {
	t.Parallel()
	before, after, done, _ := resumed()
	want := func(repeated int) string {
		return fmt.Sprintf("2 months in 2s; 1 failed at first and were retried.\n"+
			"Resumed 1 of 3: %d of the 1 recorded as done were repeated.\n"+
			"2 were cut off by a kill and ran again from their start.\n"+
			"1 had done their work, but were killed before that was recorded, and did it again: at least once.\n"+
			"Counted outside the database, in a.md.ledger.", repeated)
	}
	if got := Sum(before, after, 2*time.Second); got != want(0) {
		t.Errorf("got\n%s\nwant\n%s", got, want(0))
	}
	after.Worked[done] = 2 // planted: a finished child ran again
	if got := Sum(before, after, 2*time.Second); got != want(1) {
		t.Errorf("got\n%s\nwant\n%s", got, want(1))
	}
}

func TestSumClaimsNothingWithoutItsLedger(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(before, after *Progress, done godwit.ID){
		"before the start":  func(before, after *Progress, done godwit.ID) { delete(before.Worked, done); delete(after.Worked, done) },
		"while it ran":      func(_, after *Progress, done godwit.ID) { delete(after.Worked, done) },
		"only some of them": func(before, _ *Progress, done godwit.ID) { before.Worked[done] = 2 },
	} {
		before, after, done, _ := resumed()
		lose(&before, &after, done)
		got := Sum(before, after, 2*time.Second)
		want := "Resumed 1 of 3. What was repeated cannot be counted:\na.md.ledger lacks 1 of the 3 months that are done.\n"
		if !strings.Contains(got, want) || strings.Contains(got, "recorded as done") || strings.Contains(got, "Counted outside") {
			t.Errorf("lines lost %s: got\n%s\nwant in it\n%s", name, got, want)
		}
	}
}
