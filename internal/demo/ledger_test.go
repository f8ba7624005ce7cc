package demo

import (
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
		Report: report, State: godwit.StateSucceeded, Total: 3, Retried: 1,
		Finished: map[godwit.ID]bool{done: true, cut: true, fresh: true},
		Worked:   map[godwit.ID]int{done: 1, cut: 2, fresh: 1},
	}
	want := "3 months in 2s; 1 failed at first and were retried.\nResumed: 1 of 3 were done before, 0 of those repeated." +
		" 1 had done their work but were killed before it was recorded, and ran again: at least once."
	if got := Sum(before, after, 2*time.Second); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	after.Worked[done] = 2 // planted: a finished child ran again
	want = "3 months in 2s; 1 failed at first and were retried.\nResumed: 1 of 3 were done before, 1 of those repeated." +
		" 1 had done their work but were killed before it was recorded, and ran again: at least once."
	if got := Sum(before, after, 2*time.Second); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
