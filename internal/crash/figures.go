package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

// EndOrderly is the Point of a life that ended in good order, EndLapsed of one that did so after it could not renew its lease in time,
// so that its runs were lost; StoppedMark is in the Point of one that was stopped for a while before its end, PowerMark in that of
// one whose end lost what was not synced.
const (
	EndOrderly  = "in good order"
	EndLapsed   = "in good order, its lease over"
	StoppedMark = "stopped"
	PowerMark   = "power lost"
)

// Figures tell what a series of rounds amounted to.
type Figures struct {
	Lives        int            // starts of the program
	Rounds       map[string]int // by what was done to the program
	Faults       map[string]int // injected into a cluster, by what was done
	Ends         map[string]int // by how the life ended
	Acknowledged int            // jobs whose submission was acknowledged
	Cut          int            // calls cut off, whose outcome was unknown and which were repeated
	Recognised   int            // of those, submissions that had happened: the repetition met its own job
	Settled      map[godwit.State]int
	Lost         int                 // acknowledged and not final in the end
	Runs         int64               // handed out in all
	Again        map[string]int      // runs after a job's first, by the recorded cause
	Refused      map[godwit.Code]int // settles that came too late, by the refusal
	LateRefused  int                 // of those, for a run that is over: sent on purpose
	Late         int                 // settles of runs already ended or lost that were sent on purpose
	LateTaken    int                 // of those, settles that came in time all the same
	Observed     int                 // outcomes of promises
	Items        int                 // whose emission was acknowledged
	Pauses       int                 // acknowledged, of tasks and queues
	Moves        int                 // reschedules acknowledged
	Deletes      int                 // acknowledged
	Gone         int                 // jobs seen to be expired, the deleted ones included

	// Back is the longest time from the death of a process to the next start of a job that it interrupted for the first time: from the
	// second time on a job waits by design. Not counted are lives that were stopped for a while, or whose file was examined after
	// their end, and jobs that waited for more than one process or that somebody paused. On a cluster a process that is stopped for good
	// measure counts as dead from then on, and what came on top of it meanwhile is counted apart.
	Back  time.Duration
	Backs int // such jobs

	BackAmid  time.Duration // the same, of jobs that waited while something else was done to the cluster
	BacksAmid int
}

func (c *checker) figures() Figures {
	f := Figures{
		Rounds: map[string]int{}, Faults: map[string]int{}, Ends: map[string]int{}, Settled: map[godwit.State]int{}, Again: map[string]int{}, Refused: map[godwit.Code]int{},
	}
	for _, e := range c.events {
		switch e.Kind {
		case Life:
			f.Lives++
			f.Ends[e.Point]++
			f.Rounds[e.Round]++
		case Fault:
			f.Faults[e.Point]++
		case Settled:
			if e.Code != "" {
				f.Refused[e.Code]++
			}
			if e.Zombie {
				f.Late++
			}
			if e.Zombie && (e.Code == godwit.CodeSessionEnded || e.Code == godwit.CodeStaleRun) {
				f.LateRefused++
			}
			if e.Zombie && e.Code == "" {
				f.LateTaken++
			}
		case Cut:
			f.Cut++
		case Observed:
			f.Observed++
		case Emitted:
			f.Items++
		case Paused:
			f.Pauses++
		case Moved:
			f.Moves++
		case Deleted:
			f.Deletes++
		case Gone:
			f.Gone++
		}
	}
	for _, h := range c.jobs {
		f.add(h)
	}
	for _, v := range c.found {
		if v.Rule == RuleLost {
			f.Lost++
		}
	}
	for _, b := range c.backs() {
		if b.amid {
			f.BacksAmid++
			f.BackAmid = max(f.BackAmid, b.took)
			continue
		}
		f.Backs++
		f.Back = max(f.Back, b.took)
	}
	return f
}

func (f *Figures) add(h *history) {
	if len(h.met) > 0 {
		f.Acknowledged++
	}
	for i := 1; i < len(h.asked); i++ {
		if h.asked[i-1].Kind == Cut && h.asked[i].Kind == Submitting && i+1 < len(h.asked) {
			if a := h.asked[i+1]; a.Kind == Submitted && !a.Created && a.Job == h.id {
				f.Recognised++
			}
		}
	}
	if !h.there() {
		return
	}
	f.Settled[h.final.Job.State]++
	f.Runs += h.final.Job.Run
	for _, a := range h.final.Attempts {
		if a.Run < h.final.Job.Run {
			f.Again[a.Outcome]++
		}
	}
}

// ended gives the end of the process that had a run, or the fault that stopped it, before the next run was handed out.
func (c *checker) ended(before, next entry) (entry, bool) {
	for _, fault := range c.faults {
		if fault.Life == before.Life && fault.at > before.at && fault.at < next.at {
			return fault, true
		}
	}
	died, ok := c.ends[before.Life]
	return died, ok && died.at < next.at
}

// timed reports whether from a death to the next start of a job nothing was done to a process, or to what it works with, that took time.
func (c *checker) timed(died, next entry) bool {
	if strings.Contains(died.Point, PowerMark) || strings.Contains(c.ends[next.Life].Point, StoppedMark) {
		return false
	}
	between := func(e entry) bool { return e.at > died.at && e.at < next.at }
	for _, other := range c.ends {
		if between(other) {
			return false
		}
	}
	return !slices.ContainsFunc(c.faults, between)
}

// String renders the figures, one a line.
func (f Figures) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-34s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("lives of the program", "%d", f.Lives)
	line("rounds", "%s", counts(f.Rounds))
	line("ends", "%s", counts(f.Ends))
	line("jobs acknowledged", "%d", f.Acknowledged)
	if len(f.Faults) > 0 {
		line("faults injected", "%s", counts(f.Faults))
	}
	line("calls cut off, then repeated", "%d, of which %d submissions had happened and were met", f.Cut, f.Recognised)
	line("settled", "%s", counts(f.Settled))
	line("lost", "%d", f.Lost)
	line("outcomes observed", "%d", f.Observed)
	line("items acknowledged", "%d", f.Items)
	line("pauses, reschedules, deletes", "%d, %d, %d; seen to be expired %d", f.Pauses, f.Moves, f.Deletes, f.Gone)
	line("runs", "%d", f.Runs)
	line("run again by design", "%s", counts(f.Again))
	line("settles refused", "%s", counts(f.Refused))
	line("zombie writes refused", "%d, of which %d were sent on purpose", f.Refused[godwit.CodeSessionEnded]+f.Refused[godwit.CodeStaleRun], f.LateRefused)
	line("late settles sent on purpose", "%d, of which %d came in time", f.Late, f.LateTaken)
	line("death to next start, longest", "%v (of %d jobs interrupted for the first time)", f.Back.Round(time.Millisecond), f.Backs)
	if f.BacksAmid > 0 {
		line("... amid further faults", "%v (of %d)", f.BackAmid.Round(time.Millisecond), f.BacksAmid)
	}
	return b.String()
}

// counts renders a map of counts, sorted by name.
func counts[K ~string](m map[K]int) string {
	parts, sum := make([]string, 0, len(m)), 0
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
		sum += m[k]
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(parts, ", "))
}
