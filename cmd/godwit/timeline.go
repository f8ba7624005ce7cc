package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

// moment is something that happened to a job, or will.
type moment struct {
	at   time.Time
	what string
	note string
	next bool // in the future, so far as is known
}

// timelineOf tells a job's life from what is kept of it: of the runs that did not succeed there are records, of the newest one the
// job knows the start.
func timelineOf(j *godwit.Job, attempts []godwit.Attempt) []moment {
	moments := []moment{{at: j.CreatedAt, what: "created", note: createdNote(j)}}
	known := false
	for _, a := range attempts {
		moments = append(moments,
			moment{at: a.StartedAt, what: fmt.Sprintf("run %d started", a.Run), note: fmt.Sprintf("attempt %d", a.Attempt)},
			moment{at: a.EndedAt, what: fmt.Sprintf("run %d %s", a.Run, outcomeWords(a.Outcome)), note: failureText(a.Failure)})
		known = known || a.Run == j.Run
	}
	if !j.StartedAt.IsZero() && !known {
		moments = append(moments, moment{at: j.StartedAt, what: fmt.Sprintf("run %d started", j.Run), note: fmt.Sprintf("attempt %d", j.Attempt)})
	}
	if !j.CancelRequestedAt.IsZero() {
		moments = append(moments, moment{at: j.CancelRequestedAt, what: "asked to stop"})
	}
	if !j.FinishedAt.IsZero() {
		moments = append(moments, moment{at: j.FinishedAt, what: string(j.State), note: "in all " + between(j.CreatedAt, j.FinishedAt)})
	}
	switch {
	case j.State == godwit.StateScheduled:
		moments = append(moments, moment{at: j.RunAt, what: "due", next: true})
	case j.State.Final() && !j.KeepUntil.IsZero():
		moments = append(moments, moment{at: j.KeepUntil, what: "kept until", next: true})
	}
	if !j.State.Final() && !j.Deadline.IsZero() {
		moments = append(moments, moment{at: j.Deadline, what: "deadline", next: true})
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
	return moments
}

func createdNote(j *godwit.Job) string {
	if j.Retries > 0 {
		return "retried by hand " + count(j.Retries, "time", "times") + " since"
	}
	return ""
}

// outcomeWords says how a run ended.
func outcomeWords(outcome string) string {
	switch outcome {
	case "retry":
		return "failed, to be retried"
	case "snooze":
		return "snoozed"
	case "release":
		return "given back"
	case "crash":
		return "lost: its worker died"
	}
	return outcome
}

// timeline prints moments with the time from each to the next.
func (p *printer) timeline(moments []moment) {
	width := 0
	for _, m := range moments {
		width = max(width, len(m.what))
	}
	var last time.Time
	for _, m := range moments {
		gap := ""
		if !last.IsZero() {
			gap = "+" + between(last, m.at)
		}
		if m.next {
			gap = p.ago(m.at)
		}
		last = m.at
		line := fmt.Sprintf("  %s  %9s  %-*s", stamp(m.at), gap, width, m.what)
		if m.note != "" {
			line += "  " + strings.Join(strings.Fields(m.note), " ")
		}
		fmt.Fprintln(p.out, p.fitted(strings.TrimRight(line, " ")))
	}
}
