package demo

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/godwit-go/godwit"
)

// Ledger is a file beside the database to which each child appends a line when its work is done, before the store knows. It is
// the independent witness of how often each child worked.
type Ledger struct {
	path string
}

// LedgerOf names the ledger of a demo that was begun with a report of that path.
func LedgerOf(report string) string { return report + ".ledger" }

// OpenLedger names the file; it is made by the first line.
func OpenLedger(path string) *Ledger { return &Ledger{path: path} }

// Note appends that a run of a job did its work: a line in one write, so that those of other goroutines stay whole.
func (l *Ledger) Note(job godwit.ID, run int64, what string) error {
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("note in ledger: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s\t%d\t%s\n", job, run, what)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("note in ledger: %w", err)
	}
	return nil
}

// Counts reads how often each job did its work. A last line that was cut off does not count.
func (l *Ledger) Counts() (map[godwit.ID]int, error) {
	counts := map[godwit.ID]int{}
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return counts, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		id, _, ok := strings.Cut(lines.Text(), "\t")
		if !ok {
			continue
		}
		job, err := godwit.ParseID(id)
		if err != nil {
			continue
		}
		counts[job]++
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	return counts, nil
}
