package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// Progress is how the newest report stands, by what the store and the ledger say.
type Progress struct {
	Report   godwit.ID // zero: there is none
	State    godwit.State
	Args     ReportArgs
	Attempt  int                // of the report
	Failure  *godwit.Failure    // of the report's last attempt; nil: none has failed
	At       time.Time          // when it was finished, or else submitted
	Total    int                // months submitted
	Finished map[godwit.ID]bool // months that succeeded
	Retried  int                // months that failed at least once
	Crashed  int                // months that were being worked when the process died
	Worked   map[godwit.ID]int  // how often each job did its work, by the ledger
}

// Unfinished reports whether there is a report to go on with.
func (p Progress) Unfinished() bool { return !p.Report.IsZero() && !p.State.Final() }

// TriedAgain reports whether an attempt at the report itself failed, not the process under it, and another one is due.
func (p Progress) TriedAgain() bool {
	return p.State == godwit.StateScheduled && p.Failure != nil && p.Failure.Code != godwit.CodeCrashed
}

// Look reads how the newest report stands.
func Look(ctx context.Context, c *godwit.Client) (Progress, error) {
	p := Progress{Finished: map[godwit.ID]bool{}}
	newest, err := c.List(ctx, godwit.ListFilter{Task: WeatherReport.Name(), Limit: 1})
	if err != nil || len(newest.Jobs) == 0 {
		return p, err
	}
	job, err := c.Get(ctx, newest.Jobs[0].ID)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(job.Args.Data, &p.Args); err != nil {
		return p, fmt.Errorf("read the arguments of report %s: %w", job.ID, err)
	}
	if p.Worked, err = p.Args.ledger().Counts(); err != nil {
		return p, err
	}
	p.Report, p.State, p.At, p.Attempt, p.Failure = job.ID, job.State, job.CreatedAt, job.Attempt, job.Failure
	if job.State.Final() {
		p.At = job.FinishedAt
	}
	filter := godwit.ListFilter{Parent: p.Report, Limit: godwit.PageMax}
	for {
		page, err := c.List(ctx, filter)
		if err != nil {
			return p, err
		}
		for i := range page.Jobs {
			p.count(&page.Jobs[i])
		}
		if page.Next.IsZero() {
			return p, nil
		}
		filter.Before = page.Next
	}
}

func (p *Progress) count(month *godwit.Job) {
	p.Total++
	if month.State == godwit.StateSucceeded {
		p.Finished[month.ID] = true
	}
	failed := month.Failure != nil && month.Failure.Code != godwit.CodeCrashed
	if month.Attempt > 1 || failed {
		p.Retried++
	}
	if month.Crashes > 0 {
		p.Crashed++
	}
}

// Sum says in a few lines what was resumed and what was repeated, from before and after.
func Sum(before, after Progress, took time.Duration) string {
	resumed, fresh := before.Report == after.Report, len(after.Finished)
	if resumed {
		fresh -= len(before.Finished)
	}
	text := fmt.Sprintf("%d months in %s; %d failed at first and were retried.", fresh, took.Round(100*time.Millisecond), after.Retried)
	if !resumed {
		return text
	}
	again := repeats(before, after)
	ledger, recorded := after.Args.ledger().path, len(before.Finished)
	if again.unknown > 0 {
		text += fmt.Sprintf("\nResumed %d of %d. What was repeated cannot be counted:\n%s lacks %d of the %d months that are done.",
			recorded, after.Total, ledger, again.unknown, len(after.Finished))
	} else {
		text += fmt.Sprintf("\nResumed %d of %d: %d of the %d recorded as done were repeated.", recorded, after.Total, again.recorded, recorded)
	}
	if after.Crashed > 0 {
		text += fmt.Sprintf("\n%d were cut off by a kill and ran again from their start.", after.Crashed)
	}
	if again.unrecorded > 0 {
		text += fmt.Sprintf("\n%d had done their work, but were killed before that was recorded, and did it again: at least once.", again.unrecorded)
	}
	if again.unknown == 0 {
		text += fmt.Sprintf("\nCounted outside the database, in %s.", ledger)
	}
	return text
}

// repeated counts months by what the ledger says of them.
type repeated struct {
	recorded   int // worked again although they were recorded as done
	unrecorded int // worked again since their end was not recorded
	unknown    int // are done, and the ledger has lost their lines: nothing can be said of them
}

// repeats compares the ledger of before with that of after. A month notes its work before it is recorded as done, so one that is
// done without a line, or with fewer than before, shows that lines were lost.
func repeats(before, after Progress) (r repeated) {
	for id := range after.Finished {
		was, is := before.Worked[id], after.Worked[id]
		switch {
		case is == 0 || is < was:
			r.unknown++
		case before.Finished[id] && is > was:
			r.recorded++
		case was > 0 && is > was:
			r.unrecorded++
		}
	}
	return r
}
