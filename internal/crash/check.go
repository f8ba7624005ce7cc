package crash

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

// Rule names what must hold.
type Rule string

// The rules. Each is one line of what docs/reliability.md promises.
const (
	RuleLost      Rule = "acknowledged is durable: a job that was acknowledged is there and is final in the end"
	RuleResult    Rule = "the outcome is one that the job may have, and its result is that of its last run"
	RuleWinner    Rule = "a run is settled once, and handed to one handler"
	RuleOnce      Rule = "a promise settles once: everybody sees one outcome"
	RuleGrows     Rule = "run numbers only grow, whatever is refunded"
	RuleZombie    Rule = "no write of a run that is over is accepted"
	RuleForgotten Rule = "acknowledged is durable: a settle that was acknowledged is not forgotten"
	RuleAgain     Rule = "a finished job does not run again, unless somebody retries it"
	RuleCause     Rule = "a job runs again only for a recorded cause"
	RuleCounts    Rule = "attempts, crashes and releases are counted as what happened, and a crash only when the worker died"
	RuleCancelled Rule = "a job whose cancel was acknowledged starts no further run"
	RuleItems     Rule = "an item that was acknowledged is there once, and none comes from a run that is over"
	RuleEarly     Rule = "nothing starts before its time"
	RuleOrder     Rule = "what happens to a job happens in order"
	RuleChild     Rule = "a child is submitted once, however often its parent runs"
	RuleKey       Rule = "submissions with one idempotency key make one job"
	RuleUnique    Rule = "one unfinished job at a time holds a unique key"
	RuleID        Rule = "submissions with one id make one job"
	RulePaused    Rule = "an acknowledged pause holds until somebody resumes, whoever starts meanwhile"
	RuleMoved     Rule = "an acknowledged reschedule holds"
	RuleDeleted   Rule = "an acknowledged delete holds, and the id answers expired"
	RuleKept      Rule = "a finished job is kept for its time and no longer, and its id then answers expired"
	RuleBack      Rule = "a job whose worker died runs again within 15 s"
	RuleOrigin    Rule = "every job was submitted by somebody"
)

// Violation is a rule that did not hold.
type Violation struct {
	Rule Rule
	Job  godwit.ID
	Text string
}

func (v Violation) String() string { return fmt.Sprintf("%s: job %s: %s", v.Rule, v.Job, v.Text) }

// Report is what [Check] found.
type Report struct {
	Violations []Violation
	Figures    Figures
}

// Slack is what the store times of processes may be apart that each have a clock of their own. On a file there is one.
type Slack struct {
	Clocks time.Duration // by which two of them differ, at most: each has measured the server's clock for itself
	Call   time.Duration // that a call may take: it goes by the time of its beginning, whatever it had to wait for
}

// Check holds the log against the jobs of the drained database, of which finals must have every one.
func Check(events []Event, finals []Final) Report { return CheckWithin(events, finals, Slack{}) }

// CheckWithin is [Check] for many machines.
func CheckWithin(events []Event, finals []Final, slack Slack) Report {
	c := &checker{
		slack: slack, events: events, jobs: map[godwit.ID]*history{}, lives: map[godwit.ID]int{}, ends: map[int]entry{}, rescues: map[godwit.ID]int{},
	}
	for i, e := range events {
		c.index(i, e)
	}
	for i := range finals {
		c.history(finals[i].Job.ID).final = &finals[i]
	}
	for id, h := range c.jobs {
		h.id = id
		h.facts = factsOf(h)
	}
	for _, h := range c.sorted() {
		for _, rule := range []func(*history){
			c.checkOrigin, c.checkLost, c.checkResult, c.checkWinner, c.checkOnce, c.checkGrows, c.checkZombie, c.checkForgotten,
			c.checkAgain, c.checkCause, c.checkID, c.checkCounts, c.checkCrashes, c.checkCancelled, c.checkEarly, c.checkOrder,
			c.checkTimes, c.checkItems, c.checkMoved, c.checkGone,
		} {
			rule(h)
		}
	}
	c.checkChildren()
	c.checkKeys()
	c.checkUnique()
	c.checkPaused()
	c.checkBack()
	return Report{Violations: c.found, Figures: c.figures()}
}

// checker holds the log by job.
type checker struct {
	slack  Slack
	events []Event
	jobs   map[godwit.ID]*history
	found  []Violation

	lives   map[godwit.ID]int // of the process that had a session
	ends    map[int]entry     // of lives
	faults  []entry           // injected into a cluster
	rescues map[godwit.ID]int // places in the log where sessions were ended because their leases were over
}

// history is what the log and the database say of one job.
type history struct {
	id    godwit.ID
	final *Final // nil: the database has no such job

	asked     []entry // submissions under this id
	met       []entry // acknowledged submissions that this job answered
	claimed   []entry
	started   []entry
	emitted   []entry
	effects   []entry
	settling  []entry
	settled   []entry
	cancels   []entry
	retrying  []entry
	hastening []entry
	moving    []entry
	moved     []entry
	deleted   []entry
	gone      []entry
	observed  []entry
	facts     []fact // derived
}

// entry is an event at its place in the log.
type entry struct {
	at int
	Event
}

// fact is somebody's knowledge that the job has become final.
type fact struct {
	at     int
	state  godwit.State
	run    int64  // the newest of the job at that time
	result string // of an observed success
	code   godwit.Code
	by     Kind
}

func (c *checker) history(id godwit.ID) *history {
	h := c.jobs[id]
	if h == nil {
		h = &history{}
		c.jobs[id] = h
	}
	return h
}

func (c *checker) index(at int, e Event) {
	switch e.Kind {
	case Life:
		c.ends[e.Life] = entry{at, e}
	case Fault:
		c.faults = append(c.faults, entry{at, e})
	case Rescued:
		c.rescues[e.Session] = at
	case Claimed:
		c.lives[e.Session] = e.Life
	}
	if !e.Asked.IsZero() {
		h := c.history(e.Asked)
		h.asked = append(h.asked, entry{at, e})
		if e.Kind == Submitted && e.Code == "" {
			h = c.history(e.Job)
			h.met = append(h.met, entry{at, e})
		}
		return
	}
	if e.Job.IsZero() {
		return
	}
	h := c.history(e.Job)
	lists := map[Kind]*[]entry{
		Claimed: &h.claimed, Started: &h.started, Emitted: &h.emitted, Effect: &h.effects, Settling: &h.settling, Settled: &h.settled,
		Cancelled: &h.cancels, Retrying: &h.retrying, Hastening: &h.hastening, Observed: &h.observed, Moving: &h.moving, Moved: &h.moved, Deleted: &h.deleted, Gone: &h.gone,
	}
	if list := lists[e.Kind]; list != nil {
		*list = append(*list, entry{at, e})
	}
}

// sorted gives the histories in the order of their ids.
func (c *checker) sorted() []*history {
	all := make([]*history, 0, len(c.jobs))
	for _, h := range c.jobs {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *history) int { return a.id.Compare(b.id) })
	return all
}

func (c *checker) violate(rule Rule, job godwit.ID, format string, args ...any) {
	c.found = append(c.found, Violation{rule, job, fmt.Sprintf(format, args...)})
}

// factsOf collects who knows that the job is final, and how it ended.
func factsOf(h *history) (facts []fact) {
	for _, e := range h.settled {
		if e.Code == "" && isFinal(e.State) {
			facts = append(facts, fact{at: e.at, state: e.State, run: e.Run, by: e.Kind})
		}
	}
	for _, e := range h.cancels {
		if e.Code == "" && isFinal(e.State) {
			facts = append(facts, fact{at: e.at, state: e.State, run: e.Run, by: e.Kind})
		}
	}
	for _, e := range h.observed {
		if isFinal(e.State) {
			facts = append(facts, fact{at: e.at, state: e.State, run: e.Run, result: e.Result, code: e.Code, by: e.Kind})
		}
	}
	slices.SortFunc(facts, func(a, b fact) int { return a.at - b.at })
	return facts
}

func isFinal(s godwit.State) bool {
	return s == godwit.StateSucceeded || s == godwit.StateFailed || s == godwit.StateCancelled
}

// there reports whether the database has the job and can show it.
func (h *history) there() bool { return h.final != nil && h.final.Code == "" }

// args gives what the job was submitted to do.
func (h *history) args() (a Args, ok bool) {
	for _, e := range h.asked {
		if json.Unmarshal([]byte(e.Args), &a) == nil {
			return a, true
		}
	}
	return a, false
}

// may reports whether the job may end so.
func (a Args) may(s godwit.State) bool { return slices.Contains(strings.Split(a.May, ","), string(s)) }

// result gives the result that the database has.
func (h *history) result() (r Result, ok bool) {
	return r, json.Unmarshal(h.final.Job.Result.Data, &r) == nil
}
