package compare

import (
	"fmt"
	"math"
	"time"
)

// promptMax is how long an answer may take and still be one that a person goes on working for.
const promptMax = time.Second

// longestWait is how long the last of the clients waits for its work when all of them ask at once.
func (s *Setting) longestWait() (turns int, ms float64) {
	clients := min(s.Concurrency, s.Requests)
	turns = (clients + s.Workers - 1) / s.Workers
	return turns, float64(turns) * s.WorkMS
}

// conclude says what the figures mean, a sentence or two a line: of this load under this setting, not of every one.
func (r Result) conclude() []string {
	sync, job, wait := r.of(Sync), r.of(Async), r.of(Wait)
	lines := []string{r.Setting.load()}
	if sync == nil || job == nil {
		return lines
	}
	lines = append(
		lines,
		r.answers(sync, job),
		fmt.Sprintf("Until half of the clients had an answer: %s synchronously, %s with a job. Until half had the result: %s and %s.",
			sync.ResponseP50.middle(), job.ResponseP50.middle(), sync.DoneP50.middle(), job.DoneP50.middle()),
		r.cost(sync, job),
	)
	if wait != nil {
		lines = append(lines, fmt.Sprintf("Prefer: wait=%.0f gave %.0f of %d the result in the first answer, and the others a URL.",
			r.Setting.WaitMS/1000, wait.Direct.Median, r.Setting.Requests))
	}
	return append(
		lines,
		"For this load: "+r.verdict(sync, job),
		"Not measured here: what was accepted as a job survives a crash of the service; what waits synchronously does not.",
	)
}

func (r Result) of(way Way) *WayResult {
	for i := range r.Ways {
		if r.Ways[i].Way == way {
			return &r.Ways[i]
		}
	}
	return nil
}

// load compares what the load needs with how long clients wait, and says what another patience would show.
func (s *Setting) load() string {
	turns, needs := s.longestWait()
	text := fmt.Sprintf("%d at once and %d at a time make %d turns of %s: the last client waits %s at least, and clients leave after %s",
		min(s.Concurrency, s.Requests), s.Workers, turns, duration(s.WorkMS), duration(needs), duration(s.TimeoutMS))
	if s.TimeoutMS <= needs {
		enough := time.Duration(math.Ceil(1.5*needs/1000)) * time.Second
		return fmt.Sprintf("%s.\nSo the synchronous way cannot answer all of them, by the choice of the setting: with --timeout %s it could.", text, enough)
	}
	text += ".\nSo nobody has to leave without an answer."
	if half := time.Duration(needs/2) * time.Millisecond; milliseconds(half) > s.WaitMS {
		text += fmt.Sprintf(" With --timeout %s those at the end of the queue would.", half)
	}
	return text
}

// answers says who was answered, of the clients of each way.
func (r Result) answers(sync, job *WayResult) string {
	all := float64(r.Setting.Requests)
	if sync.Answered.Min == all && job.Answered.Min == all {
		return "Everybody was answered, synchronously and with a job."
	}
	return fmt.Sprintf("Synchronously %.0f of %.0f were answered, and with a job %.0f.", sync.Answered.Median, all, job.Answered.Median)
}

// cost says what a job adds. How long it all took compares only where the same work was done.
func (r Result) cost(sync, job *WayResult) string {
	text := "A job does not make the work faster"
	if all := float64(r.Setting.Requests); sync.Done.Min == all && job.Done.Min == all {
		text += fmt.Sprintf(": all was over after %s synchronously and after %s with jobs", sync.Wall.middle(), job.Wall.middle())
	}
	return text + fmt.Sprintf(".\nIt costs a write: %s of CPU time a request instead of %s.", job.CPUARequest.middle(), sync.CPUARequest.middle())
}

// verdict says which way suits the load. A job that answers no more clients has to answer them noticeably sooner.
func (r Result) verdict(sync, job *WayResult) string {
	all, prompt := float64(r.Setting.Requests), milliseconds(promptMax)
	slow := sync.ResponseP99.Median > prompt
	switch {
	case job.Answered.Median < sync.Answered.Median:
		return "answer synchronously. Jobs left more clients without an answer."
	case job.Answered.Median > sync.Answered.Median:
		return "use a job, or have clients that wait longer. Whoever leaves has no answer, and what was begun for them is in vain."
	case sync.Answered.Median < all:
		return "neither way is enough: as many clients had no answer with a job as without."
	case !slow:
		return fmt.Sprintf("answer synchronously, unless the work has to survive a crash. 99 %% had the result itself within %s.", sync.ResponseP99.middle())
	case job.ResponseP99.Median > sync.ResponseP99.Median/2:
		return "answer synchronously, unless the work has to survive a crash. A job's answer came hardly sooner."
	}
	return fmt.Sprintf("a job where the caller can go on without the result, as no connection has to last %s;\n"+
		"synchronously where it cannot: nobody was lost, and the result came as soon.", sync.ResponseMax.middle())
}
