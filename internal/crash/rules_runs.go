package crash

import (
	"slices"
	"time"

	"github.com/godwit-go/godwit"
)

// base is the run that was the newest when the job was retried by hand for the last time: counting begins anew there.
func (h *history) base() (run int64) {
	for _, e := range h.retrying {
		if h.final.Job.Retries > 0 && e.Run > run && e.Run < h.final.Job.Run {
			run = e.Run
		}
	}
	return run
}

// checkCounts counts what the records say.
func (c *checker) checkCounts(h *history) {
	if !h.there() || h.final.Job.Run > godwit.AttemptsKeptMax {
		return
	}
	job, base := &h.final.Job, h.base()
	refunds, crashes, releases := 0, 0, 0
	for _, a := range h.final.Attempts {
		counts := a.Run > base
		switch a.Outcome {
		case "crash":
			if counts {
				crashes++
				refunds++
			}
		case "release", "snooze":
			releases++
			if counts {
				refunds++
			}
		}
	}
	attempt := int(job.Run-base) - refunds
	if job.Attempt != attempt || job.Crashes != crashes || job.Releases != releases {
		c.violate(RuleCounts, h.id, "%d attempts, %d crashes and %d releases are counted, and by its records there were %d, %d and %d",
			job.Attempt, job.Crashes, job.Releases, attempt, crashes, releases)
	}
}

// checkCrashes wants a crash only of a run whose process came to a violent end, or whose lease was seen to lapse before.
func (c *checker) checkCrashes(h *history) {
	if !h.there() {
		return
	}
	for _, a := range h.final.Attempts {
		life, known := c.lives[a.Session]
		end, ended := c.ends[life]
		if a.Outcome != "crash" || !known || !ended || end.Point != EndOrderly {
			continue
		}
		if rescued, ok := c.rescues[a.Session]; !ok || rescued > end.at {
			c.violate(RuleCounts, h.id, "run %d counts as crashed, and life %d, which had it, ended in good order", a.Run, life)
		}
	}
}

// checkCancelled looks for runs handed out after a cancel was answered.
func (c *checker) checkCancelled(h *history) {
	if len(h.retrying) > 0 {
		return // by hand, it may run again
	}
	for _, e := range h.cancels {
		for _, claim := range h.claimed {
			if e.Code == "" && claim.Run > e.Run {
				c.violate(RuleCancelled, h.id, "run %d was handed out, and the cancel was acknowledged when it had had %d", claim.Run, e.Run)
			}
		}
	}
}

// checkEarly compares, by the wall clock of the one machine, what was asked for before a call and what was seen after one.
func (c *checker) checkEarly(h *history) {
	if len(h.hastening) > 0 {
		return
	}
	claimedAt := map[int64]int64{}
	for _, e := range h.claimed {
		claimedAt[e.Run] = e.At
	}
	see := func(run int64, from entry, what string) {
		at, claimed := claimedAt[run]
		if early := from.At + from.Delay.Microseconds() - at; claimed && from.Delay > 0 && early > c.slack.Clocks.Microseconds() {
			c.violate(RuleEarly, h.id, "run %d was handed out %v before the delay of %v of its %s was over",
				run, time.Duration(early)*time.Microsecond, from.Delay, what)
		}
	}
	if len(h.asked) > 0 && len(h.moving) == 0 {
		see(1, h.asked[0], "submission")
	}
	for _, e := range h.settled {
		if e.Code == "" && (e.Outcome == godwit.OutcomeRetry || e.Outcome == godwit.OutcomeSnooze) {
			see(e.Run+1, h.sent(e), string(e.Outcome))
		}
	}
}

// sent gives the event before the call that a settle answers.
func (h *history) sent(settled entry) entry {
	sent := settled
	for _, e := range h.settling {
		if e.Run == settled.Run && e.Zombie == settled.Zombie && e.at < settled.at {
			sent = e
		}
	}
	return sent
}

// checkOrder wants a run to be handed out before it starts, to start before it has an effect, and to have one before it is
// settled as a success.
func (c *checker) checkOrder(h *history) {
	first := func(list []entry, run int64) int {
		for _, e := range list {
			if e.Run == run {
				return e.at
			}
		}
		return -1
	}
	want := func(what string, e entry, before []entry, which string) {
		if at := first(before, e.Run); at < 0 || at > e.at {
			c.violate(RuleOrder, h.id, "run %d %s before it %s", e.Run, what, which)
		}
	}
	for _, e := range h.started {
		want("started", e, h.claimed, "was handed out")
	}
	for _, e := range h.effects {
		want("had its effect", e, h.started, "started")
	}
	for _, e := range h.settling {
		if e.Outcome == godwit.OutcomeSucceed && !e.Zombie {
			want("succeeded", e, h.effects, "had its effect")
		}
	}
	for _, f := range h.facts {
		if len(h.asked) > 0 && f.at < h.asked[0].at {
			c.violate(RuleOrder, h.id, "known as %s by %s before it was submitted", f.state, f.by)
		}
	}
}

// checkTimes wants the store times of a job, from its submission through its runs to its end, in order.
func (c *checker) checkTimes(h *history) {
	if !h.there() {
		return
	}
	job := &h.final.Job
	last, of := job.CreatedAt, "submission"
	see := func(at time.Time, what string) {
		if at.IsZero() {
			return
		}
		if at.Before(last.Add(-c.slack.Clocks - c.slack.Call)) {
			c.violate(RuleOrder, h.id, "its %s at %v is before its %s at %v", what, at, of, last)
		}
		last, of = at, what
	}
	for i, a := range h.final.Attempts {
		if h.unheld(i) {
			see(a.EndedAt, "end while it waited")
			continue
		}
		if i > 0 && a.Run <= h.final.Attempts[i-1].Run {
			c.violate(RuleOrder, h.id, "the record of run %d stands after that of run %d", a.Run, h.final.Attempts[i-1].Run)
		}
		see(a.StartedAt, "start of a run")
		see(a.EndedAt, "end of a run")
	}
	if !slices.ContainsFunc(h.final.Attempts, func(a godwit.Attempt) bool { return a.Run == job.Run }) {
		see(job.StartedAt, "last start")
	}
	see(job.FinishedAt, "end")
}

// checkItems wants one item of each run that was told that its own is kept, at most one of every other, and those of a run before those
// of the next.
func (c *checker) checkItems(h *history) {
	if !h.there() {
		return
	}
	kept, last := map[int64]int{}, int64(0)
	for _, item := range h.final.Items {
		kept[item.Run]++
		if item.Run < last || item.Run > h.final.Job.Run {
			c.violate(RuleItems, h.id, "an item of run %d came after one of run %d; there were %d runs", item.Run, last, h.final.Job.Run)
		}
		last = item.Run
	}
	for run, n := range kept {
		if n > 1 {
			c.violate(RuleItems, h.id, "%d items of run %d, which emitted one", n, run)
		}
	}
	for _, e := range h.emitted {
		if kept[e.Run] == 0 {
			c.violate(RuleItems, h.id, "the item of run %d was acknowledged, and is not there", e.Run)
		}
	}
}
