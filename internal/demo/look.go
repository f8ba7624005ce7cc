package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/godwit-go/godwit"
)

// Progress is how the newest report stands, by what the store and the ledger say.
type Progress struct {
	Report   godwit.ID // zero: there is none
	State    godwit.State
	Total    int                // months
	Finished map[godwit.ID]bool // months that succeeded
	Retried  int                // months that needed more than one attempt
	Worked   map[godwit.ID]int  // how often each job did its work, by the ledger
}

// Unfinished reports whether there is a report to go on with.
func (p Progress) Unfinished() bool { return !p.Report.IsZero() && !p.State.Final() }

// Look reads how the newest report stands.
func Look(ctx context.Context, c *godwit.Client, l *Ledger) (Progress, error) {
	p := Progress{Finished: map[godwit.ID]bool{}}
	newest, err := c.List(ctx, godwit.ListFilter{Task: WeatherReport.Name(), Limit: 1})
	if err != nil {
		return p, err
	}
	if p.Worked, err = l.Counts(); err != nil || len(newest.Jobs) == 0 {
		return p, err
	}
	p.Report, p.State = newest.Jobs[0].ID, newest.Jobs[0].State
	filter := godwit.ListFilter{Parent: p.Report, Limit: godwit.PageMax}
	for {
		page, err := c.List(ctx, filter)
		if err != nil {
			return p, err
		}
		for _, j := range page.Jobs {
			p.Total++
			if j.State == godwit.StateSucceeded {
				p.Finished[j.ID] = true
			}
			if j.Attempt > 1 {
				p.Retried++
			}
		}
		if page.Next.IsZero() {
			return p, nil
		}
		filter.Before = page.Next
	}
}

// Announce says what is found at the start.
func (p Progress) Announce(out io.Writer) {
	if p.Unfinished() {
		fmt.Fprintf(out, "Found an unfinished report: %d of %d months were done. Going on.\n", len(p.Finished), p.Total)
		return
	}
	fmt.Fprintln(out, "One job fans out a child for each month of the weather in Seattle and New York, awaits them, and writes a report.")
}

// Sum says in a sentence or two what was resumed and what was repeated, from before and after.
func Sum(before, after Progress, took time.Duration) string {
	text := fmt.Sprintf("%d months in %s; %d failed at first and were retried.", len(after.Finished),
		took.Round(100*time.Millisecond), after.Retried)
	if before.Report != after.Report {
		return text
	}
	repeated, cut := 0, 0
	for id := range after.Finished {
		switch again := after.Worked[id] > before.Worked[id]; {
		case before.Finished[id] && again:
			repeated++
		case before.Worked[id] > 0 && again:
			cut++
		}
	}
	text += fmt.Sprintf("\nResumed: %d of %d were done before, %d of those repeated.", len(before.Finished), after.Total, repeated)
	if cut > 0 {
		text += fmt.Sprintf(" %d had done their work but were killed before it was recorded, and ran again: at least once.", cut)
	}
	return text
}
