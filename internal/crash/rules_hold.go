package crash

import (
	"slices"
	"time"

	"github.com/godwit-go/godwit"
)

// backMax bounds the time from the death of a process to the next start of a job that it interrupted.
const backMax = 15 * time.Second

// TaskScope and QueueScope name what a pause is of.
func TaskScope(task string) string { return "task " + task }

// QueueScope names the pause of a queue.
func QueueScope(queue string) string { return "queue " + queue }

// holds reports whether the pause of a scope holds the job of a claim back.
func holds(scope string, claim Event) bool {
	return scope == TaskScope(claim.Task) || scope == QueueScope(claim.Queue)
}

// checkPaused looks for jobs handed out under a pause: those of claims that were begun after it was acknowledged, and answered before
// anybody went about to resume.
func (c *checker) checkPaused() {
	since := map[string]Event{}
	for _, e := range c.events {
		switch e.Kind {
		case Paused:
			if _, paused := since[e.Name]; !paused {
				since[e.Name] = e
			}
		case Resuming:
			delete(since, e.Name)
		case Claimed:
			for scope, paused := range since {
				if holds(scope, e) && e.Begun > paused.At {
					c.violate(RulePaused, e.Job, "run %d was handed out although %s was paused %v before it was asked for",
						e.Run, scope, time.Duration(e.Begun-paused.At)*time.Microsecond)
				}
			}
		}
	}
}

// checkMoved wants a job that was rescheduled to be due then, not before and not at the time of its submission: when it ran once, or was
// read before its first run. A time that passes before the store comes to the call is that of the call.
func (c *checker) checkMoved(h *history) {
	if len(h.moved) == 0 {
		return
	}
	moved := h.moved[len(h.moved)-1]
	see := func(due int64) {
		const slack = int64(time.Millisecond / time.Microsecond)
		if due < moved.Value-slack || due > max(moved.Value, moved.At)+slack {
			c.violate(RuleMoved, h.id, "it was due at %v, and was rescheduled to %v", time.UnixMicro(due).UTC(), time.UnixMicro(moved.Value).UTC())
		}
	}
	for _, e := range h.hastening {
		if e.Run == 0 && e.Begun > moved.At {
			see(e.Value)
		}
	}
	if len(h.hastening) > 0 {
		return
	}
	for _, e := range h.claimed {
		if e.Run == 1 && e.At < moved.Value {
			c.violate(RuleMoved, h.id, "run 1 was handed out %v before the time that it was rescheduled to", time.Duration(moved.Value-e.At)*time.Microsecond)
		}
	}
	if h.there() && h.final.Job.Run == 1 {
		see(h.final.Job.RunAt.UnixMicro())
	}
}

// checkGone wants what was deleted, or was kept for its time, to be gone, and nothing else.
func (c *checker) checkGone(h *history) {
	rule := RuleKept
	if len(h.deleted) > 0 {
		rule = RuleDeleted
	}
	if rule == RuleDeleted && h.there() {
		c.violate(rule, h.id, "the delete was acknowledged, and the job is there, %s", h.final.Job.State)
	}
	for _, e := range h.gone {
		switch {
		case e.Code == "":
			c.violate(rule, h.id, "it is to be gone, and is read")
		case e.Code != godwit.CodeExpired:
			c.violate(rule, h.id, "its id answers %s", e.Code)
		case rule == RuleKept && !h.keptUntil(e.At):
			c.violate(rule, h.id, "it was gone before it had been kept for %v", h.keep())
		}
	}
	if h.final == nil || h.final.Code == "" || rule == RuleKept && h.keep() == 0 {
		return // others tell
	}
	end := c.events[len(c.events)-1].At
	switch {
	case h.final.Code != godwit.CodeExpired:
		c.violate(rule, h.id, "in the end its id answers %s", h.final.Code)
	case rule == RuleKept && !h.keptUntil(end):
		c.violate(rule, h.id, "in the end it is gone, before it had been kept for %v", h.keep())
	}
}

// mayBeGone reports whether the job was deleted, or is kept for so short a time that it is seen to be over; [checker.checkGone] looks at
// when it was gone.
func (h *history) mayBeGone() bool {
	return h.final != nil && h.final.Code != "" && (len(h.deleted) > 0 || h.keep() > 0)
}

func (h *history) keep() time.Duration {
	a, _ := h.args()
	return a.Keep
}

// keptUntil reports whether the job may have been kept for its time until then: it cannot have succeeded before the settle was sent that
// was accepted, or any, when the answer was cut off.
func (h *history) keptUntil(at int64) bool {
	long := func(sent entry) bool {
		return sent.Outcome == godwit.OutcomeSucceed && sent.At+h.keep().Microseconds() <= at
	}
	for _, e := range h.settled {
		if e.Code == "" && e.State == godwit.StateSucceeded {
			return long(h.sent(e))
		}
	}
	return slices.ContainsFunc(h.settling, long)
}

// checkBack wants the jobs of a worker that died to run again soon.
func (c *checker) checkBack() {
	for _, b := range c.backs() {
		if !b.amid && b.took > backMax {
			c.violate(RuleBack, b.job, "it took %v from the end of life %d", b.took, b.died)
		}
	}
}

// back is how long it took from the death of a process until a job ran again that it interrupted.
type back struct {
	job  godwit.ID
	died int // the life
	took time.Duration
	amid bool // something else was done to the cluster meanwhile
}

// backs looks for the runs that ended with the life of a process, but for those of jobs that a pause may have held.
func (c *checker) backs() (found []back) {
	scopes := map[string]bool{}
	for _, e := range c.events {
		if e.Kind == Paused {
			scopes[e.Name] = true
		}
	}
	for _, h := range c.jobs {
		for i := 1; i < len(h.claimed); i++ {
			before, next := h.claimed[i-1], h.claimed[i]
			died, ok := c.ended(before, next)
			timed := c.timed(died, next)
			if !ok || before.Crashes != 0 || next.Crashes != 1 || !timed && len(c.faults) == 0 ||
				scopes[TaskScope(next.Task)] || scopes[QueueScope(next.Queue)] {
				continue
			}
			found = append(found, back{h.id, before.Life, time.Duration(next.At-died.At) * time.Microsecond, !timed})
		}
	}
	return found
}
