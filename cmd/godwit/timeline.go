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

// timeline prints moments with the time from each to the next. In a narrow terminal what happened goes before when.
func (p *printer) timeline(moments []moment) {
	width := 0
	for _, m := range moments {
		width = max(width, len(m.what))
	}
	at, gaps := p.timelineLayout(moments, width)
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
		line := "  " + m.at.UTC().Format(at)
		if gaps {
			line += fmt.Sprintf("  %*s", gapWidth, gap)
		}
		line += fmt.Sprintf("  %-*s", width, m.what)
		if m.note != "" {
			line += "  " + strings.Join(strings.Fields(m.note), " ")
		}
		fmt.Fprintln(p.out, p.fitted(strings.TrimRight(line, " ")))
	}
}

const gapWidth = 9

// timelineLayout gives how moments are written, and whether the time between them is: as much as leaves what happened its room.
func (p *printer) timelineLayout(moments []moment, width int) (at string, gaps bool) {
	short := "15:04:05"
	for _, m := range moments {
		if !sameDay(m.at, moments[0].at) {
			short = "01-02 15:04"
		}
	}
	for _, at = range []string{stampLayout, short} {
		if p.width == 0 || 2+len(at)+2+gapWidth+2+width <= p.width {
			return at, true
		}
	}
	return short, false
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Format(time.DateOnly) == b.UTC().Format(time.DateOnly)
}
