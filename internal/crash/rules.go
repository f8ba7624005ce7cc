package crash

import (
	"slices"

	"github.com/godwit-go/godwit"
)

func (c *checker) checkOrigin(h *history) {
	if h.there() && len(h.asked) == 0 {
		c.violate(RuleOrigin, h.id, "the log has no submission of it")
	}
}

func (c *checker) checkLost(h *history) {
	acknowledged := len(h.met) + len(h.claimed) + len(h.facts)
	switch {
	case acknowledged == 0 || h.mayBeGone():
	case h.final == nil:
		c.violate(RuleLost, h.id, "acknowledged %d times, and not there", acknowledged)
	case h.final.Code != "":
		c.violate(RuleLost, h.id, "acknowledged %d times, and the database answers %s", acknowledged, h.final.Code)
	case !isFinal(h.final.Job.State):
		c.violate(RuleLost, h.id, "still %s after the file was drained", h.final.Job.State)
	}
}

func (c *checker) checkResult(h *history) {
	want, ok := h.args()
	if !ok || !h.there() || !isFinal(h.final.Job.State) {
		return
	}
	job := &h.final.Job
	if !want.may(job.State) {
		c.violate(RuleResult, h.id, "%s ended %s (%+v), and may only end %s", job.Task, job.State, job.Failure, want.May)
	}
	if job.State != godwit.StateSucceeded {
		return
	}
	got, ok := h.result()
	switch {
	case !ok:
		c.violate(RuleResult, h.id, "its result is %q", job.Result.Data)
	case got.Value != want.Want:
		c.violate(RuleResult, h.id, "its result is %d, want %d", got.Value, want.Want)
	case got.Run != job.Run:
		c.violate(RuleZombie, h.id, "the result is of run %d, and the last run was %d", got.Run, job.Run)
	case !slices.ContainsFunc(h.effects, func(e entry) bool { return e.Run == got.Run && e.Value == got.Value }):
		c.violate(RuleResult, h.id, "run %d won, and the log has no effect of it", got.Run)
	}
}

func (c *checker) checkWinner(h *history) {
	accepted, started := map[int64]int{}, map[int64]int{}
	for _, e := range h.settled {
		if e.Code == "" {
			accepted[e.Run]++
		}
	}
	for _, e := range h.started {
		started[e.Run]++
	}
	for run, n := range accepted {
		if n > 1 {
			c.violate(RuleWinner, h.id, "%d settles of run %d were accepted", n, run)
		}
	}
	for run, n := range started {
		if n > 1 {
			c.violate(RuleWinner, h.id, "run %d was started %d times", run, n)
		}
	}
}

// checkOnce compares all that is known of the job's end. Of a job that was retried by hand only successes are for good.
func (c *checker) checkOnce(h *history) {
	facts := h.facts
	if len(h.retrying) > 0 {
		facts = slices.DeleteFunc(slices.Clone(facts), func(f fact) bool { return f.state != godwit.StateSucceeded })
	}
	if len(facts) == 0 {
		return
	}
	first, seen := facts[0], fact{}
	for _, f := range facts {
		if f.state != first.state {
			c.violate(RuleOnce, h.id, "%s by %s, then %s by %s", first.state, first.by, f.state, f.by)
		}
		if f.by != Observed {
			continue
		}
		if seen.by != "" && (seen.result != f.result || seen.code != f.code) {
			c.violate(RuleOnce, h.id, "observed as %q %s, then as %q %s", seen.result, seen.code, f.result, f.code)
		}
		seen = f
	}
	if !h.there() {
		return // told by RuleLost
	}
	if h.final.Job.State != first.state {
		c.violate(RuleOnce, h.id, "known as %s by %s, and in the end %s", first.state, first.by, h.final.Job.State)
	}
	if seen.state == godwit.StateSucceeded && seen.result != string(h.final.Job.Result.Data) {
		c.violate(RuleOnce, h.id, "observed as %q, and in the end %q", seen.result, h.final.Job.Result.Data)
	}
}

// checkGrows wants each run handed out once, and in order by each process: what one process writes can come after what another
// does later.
func (c *checker) checkGrows(h *history) {
	greatest, last, seen := int64(0), map[int]int64{}, map[int64]bool{}
	for _, e := range h.claimed {
		if seen[e.Run] {
			c.violate(RuleGrows, h.id, "run %d was handed out twice", e.Run)
		}
		if e.Run < last[e.Life] {
			c.violate(RuleGrows, h.id, "run %d was handed out after run %d", e.Run, last[e.Life])
		}
		greatest, last[e.Life], seen[e.Run] = max(greatest, e.Run), e.Run, true
	}
	if h.there() && h.final.Job.Run < greatest {
		c.violate(RuleGrows, h.id, "run %d was handed out, and in the end the job has had %d", greatest, h.final.Job.Run)
	}
}

// checkZombie looks for accepted settles that were sent when a later run had been handed out.
func (c *checker) checkZombie(h *history) {
	for _, e := range h.settled {
		if e.Code != "" {
			continue
		}
		sent := e.at
		for _, s := range h.settling {
			if s.Run == e.Run && s.Zombie == e.Zombie && s.at < e.at {
				sent = s.at
			}
		}
		for _, later := range h.claimed {
			if later.Run > e.Run && later.at < sent {
				c.violate(RuleZombie, h.id, "the settle (%s) of run %d was accepted after run %d was handed out", e.Outcome, e.Run, later.Run)
			}
		}
	}
}

// recordsOf are the outcomes that the record of a run may have which was settled so. A success leaves none.
var recordsOf = map[godwit.Outcome][]string{
	godwit.OutcomeSucceed: {""},
	godwit.OutcomeFail:    {"failed", "cancelled"},
	godwit.OutcomeReject:  {"failed", "cancelled"},
	godwit.OutcomeRetry:   {"retry", "failed", "cancelled"},
	godwit.OutcomeSnooze:  {"snooze", "failed", "cancelled"},
	godwit.OutcomeRelease: {"release", "cancelled"},
}

// checkForgotten looks for accepted settles of which the database knows nothing, or another end of the run.
func (c *checker) checkForgotten(h *history) {
	if !h.there() || h.final.Job.Run > godwit.AttemptsKeptMax {
		return
	}
	records := h.records()
	for _, e := range h.settled {
		if record := records[e.Run]; e.Code == "" && !slices.Contains(recordsOf[e.Outcome], record) {
			c.violate(RuleForgotten, h.id, "the settle (%s) of run %d was accepted, and its record says %q", e.Outcome, e.Run, record)
		}
	}
}

// records gives the outcomes recorded of the runs.
func (h *history) records() map[int64]string {
	records := map[int64]string{}
	for _, a := range h.final.Attempts {
		records[a.Run] = a.Outcome
	}
	return records
}

// checkAgain looks for runs handed out after the job was known to be final.
func (c *checker) checkAgain(h *history) {
	for _, f := range h.facts {
		if len(h.retrying) > 0 && f.state != godwit.StateSucceeded {
			continue
		}
		for _, e := range h.claimed {
			if e.Run > f.run {
				c.violate(RuleAgain, h.id, "run %d was handed out although the job was known as %s by %s", e.Run, f.state, f.by)
			}
		}
	}
}

// unheld reports whether a record is that of a job which ended while it waited, when its run had been given back before: that
// run has two records.
func (h *history) unheld(i int) bool {
	if i == 0 {
		return false
	}
	before, a := h.final.Attempts[i-1], h.final.Attempts[i]
	return before.Run == a.Run && before.Outcome == "release" && (a.Outcome == "cancelled" || a.Outcome == "failed")
}

// checkCause wants a record of every run but the one that succeeded.
func (c *checker) checkCause(h *history) {
	if !h.there() || h.final.Job.Run > godwit.AttemptsKeptMax {
		return
	}
	recorded := map[int64]int{}
	for i, a := range h.final.Attempts {
		if !h.unheld(i) {
			recorded[a.Run]++
		}
	}
	for run := int64(1); run <= h.final.Job.Run; run++ {
		won := run == h.final.Job.Run && h.final.Job.State == godwit.StateSucceeded
		if n := recorded[run]; n > 1 || (n == 1) == won {
			c.violate(RuleCause, h.id, "run %d of %d of a job that %s has %d records", run, h.final.Job.Run, h.final.Job.State, n)
		}
	}
	for _, a := range h.final.Attempts {
		settled := func(e entry) bool { return e.Run == a.Run && slices.Contains(recordsOf[e.Outcome], a.Outcome) }
		if (a.Outcome == "retry" || a.Outcome == "snooze") && !slices.ContainsFunc(h.settling, settled) {
			c.violate(RuleCause, h.id, "the record of run %d says %s, and nobody settled it so", a.Run, a.Outcome)
		}
	}
}

// checkID compares the answers to submissions under one id. A submission that met the holder of a key may make a job later.
func (c *checker) checkID(h *history) {
	made, own := 0, false
	for _, e := range h.asked {
		if e.Kind != Submitted || e.Code != "" {
			continue
		}
		if e.Created {
			made++
		}
		if own && e.Job != h.id {
			c.violate(RuleID, h.id, "the submission answered with itself, then with %s", e.Job)
		}
		own = own || e.Job == h.id
	}
	if made > 1 {
		c.violate(RuleID, h.id, "made %d times", made)
	}
}
