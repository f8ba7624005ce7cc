package crash

import (
	"fmt"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
)

// story is a log and a database that agree with each other, over three lives of the program: a job that is retried once and succeeds,
// one that crashed, two that were cancelled, a parent with a child, two holders of a unique key one after the other, a key submitted
// twice, a job mended by hand, a delayed one, one that was snoozed and one that was given back in good order; one that a pause held, one
// that was rescheduled, one that was deleted and one that was kept for its time, which is short.
type story struct {
	events []Event
	finals []Final
	life   int
}

// The jobs of the story.
var (
	retriedJob, crashedJob, cancelledJob, parentJob, childJob = storyID(1), storyID(2), storyID(3), storyID(4), storyID(5)
	uniqueJob, laterJob, keyedJob, mendedJob                  = storyID(6), storyID(7), storyID(8), storyID(9)
	delayedJob, snoozedJob, releasedJob, askedJob             = storyID(11), storyID(12), storyID(13), storyID(14)
	heldJob, movedJob, deletedJob, briefJob                   = storyID(15), storyID(16), storyID(17), storyID(18)
	strangeJob                                                = storyID(99)
)

const storyDelay = 500 * time.Millisecond

func storyID(n byte) (id godwit.ID) {
	id[15] = n
	return id
}

func tellStory() *story {
	s := &story{life: 1}
	for _, id := range []godwit.ID{retriedJob, crashedJob, cancelledJob, parentJob, snoozedJob, releasedJob, askedJob} {
		s.submit(Event{Asked: id, Job: id, Created: true})
	}
	s.submit(Event{Asked: childJob, Job: childJob, Created: true, Parent: parentJob, Name: "part"})
	s.submit(Event{Asked: childJob, Job: childJob, Parent: parentJob, Name: "part"})
	s.submit(Event{Asked: uniqueJob, Job: uniqueJob, Created: true, Unique: "one"})
	s.submit(Event{Asked: keyedJob, Job: keyedJob, Created: true, Key: "key"})
	s.submit(Event{Asked: storyID(10), Job: keyedJob, Key: "key"})
	s.submit(Event{Asked: delayedJob, Job: delayedJob, Created: true, Delay: storyDelay})
	s.tellCut()

	s.claim(retriedJob, 1)
	s.settle(retriedJob, 1, godwit.OutcomeRetry, "", godwit.StateReady)
	s.win(retriedJob, 2)
	s.settle(retriedJob, 2, godwit.OutcomeSucceed, godwit.CodeDuplicate, "")
	s.final(retriedJob, godwit.StateSucceeded, 2, "retry")
	s.claim(crashedJob, 1)
	s.end("mid-job")
	s.win(crashedJob, 2)
	s.settle(crashedJob, 1, godwit.OutcomeSucceed, godwit.CodeSessionEnded, "")
	s.final(crashedJob, godwit.StateSucceeded, 2, "crash")
	s.job(crashedJob).Attempts[0].Session = storySession(1)
	s.tell(Event{Kind: Cancelled, Job: cancelledJob, State: godwit.StateCancelled})
	s.observe(cancelledJob, godwit.StateCancelled, 0)
	s.final(cancelledJob, godwit.StateCancelled, 0)
	for _, id := range []godwit.ID{parentJob, childJob, uniqueJob, keyedJob} {
		s.win(id, 1)
		s.final(id, godwit.StateSucceeded, 1)
	}
	s.job(childJob).Job.Parent, s.job(childJob).Job.ChildName = parentJob, "part"
	s.submit(Event{Asked: laterJob, Job: laterJob, Created: true, Unique: "one"})
	s.win(laterJob, 1)
	s.final(laterJob, godwit.StateSucceeded, 1)
	s.tellGivenBack()
	s.tellHeld()
	return s
}

// tellHeld is how the jobs go that somebody holds, moves or removes.
func (s *story) tellHeld() {
	s.tell(Event{Kind: Paused, Name: TaskScope("held")})
	s.submit(Event{Asked: heldJob, Job: heldJob, Created: true})
	s.end("random")
	s.tell(Event{Kind: Resuming, Name: TaskScope("held")})
	s.win(heldJob, 1)
	s.final(heldJob, godwit.StateSucceeded, 1)

	s.submit(Event{Asked: movedJob, Job: movedJob, Created: true, Delay: time.Hour})
	at := s.now() + 2500
	s.tell(Event{Kind: Moving, Job: movedJob, Value: at})
	s.tell(Event{Kind: Moved, Job: movedJob, Value: at})
	s.win(movedJob, 1)
	s.final(movedJob, godwit.StateSucceeded, 1)
	s.job(movedJob).Job.RunAt = time.UnixMicro(at)

	s.submit(Event{Asked: deletedJob, Job: deletedJob, Created: true})
	s.win(deletedJob, 1)
	s.tell(Event{Kind: Deleted, Job: deletedJob})
	s.submit(Event{Asked: briefJob, Job: briefJob, Created: true, Args: `{"n":1,"want":3,"may":"succeeded","keep":1000000}`})
	s.win(briefJob, 1)
	for _, id := range []godwit.ID{deletedJob, briefJob} {
		s.tell(Event{Kind: Gone, Job: id, Code: godwit.CodeExpired})
		s.finals = append(s.finals, Final{Code: godwit.CodeExpired, Job: godwit.Job{ID: id}})
	}
}

// now is when the newest event was, in microseconds.
func (s *story) now() int64 { return s.events[len(s.events)-1].At }

// tellCut is a submission that was cut off, although it had happened, and was repeated.
func (s *story) tellCut() {
	s.submit(Event{Asked: mendedJob, Job: mendedJob})
	answered := s.events[len(s.events)-1]
	s.tell(Event{Kind: Cut, Asked: mendedJob})
	s.tell(s.events[len(s.events)-3])
	s.tell(answered)
	s.events = slices.Delete(s.events, len(s.events)-4, len(s.events)-3) // the first answer, which was cut off
}

// tellGivenBack is how the jobs go that ran more than once by design.
func (s *story) tellGivenBack() {
	s.claim(mendedJob, 1)
	s.settle(mendedJob, 1, godwit.OutcomeFail, "", godwit.StateFailed)
	s.observe(mendedJob, godwit.StateFailed, 1)
	s.tell(Event{Kind: Retrying, Job: mendedJob, Run: 1})
	s.win(mendedJob, 2)
	s.final(mendedJob, godwit.StateSucceeded, 2, "failed")
	s.job(mendedJob).Job.Retries, s.job(mendedJob).Job.Attempt = 1, 1

	s.claim(snoozedJob, 1)
	s.settle(snoozedJob, 1, godwit.OutcomeSnooze, "", godwit.StateScheduled)
	s.claim(askedJob, 1)
	s.tell(Event{Kind: Cancelled, Job: askedJob, State: godwit.StateRunning, Run: 1})
	s.settle(askedJob, 1, godwit.OutcomeRetry, "", godwit.StateCancelled)
	s.final(askedJob, godwit.StateCancelled, 1, "cancelled")
	s.claim(releasedJob, 1)
	s.settle(releasedJob, 1, godwit.OutcomeRelease, "", godwit.StateReady)
	s.end(EndOrderly)
	for _, id := range []godwit.ID{snoozedJob, releasedJob, delayedJob} {
		s.events[len(s.events)-1].At += storyDelay.Microseconds()
		run := int64(2)
		if id == delayedJob {
			run = 1
		}
		s.win(id, run)
	}
	s.final(snoozedJob, godwit.StateSucceeded, 2, "snooze")
	s.final(releasedJob, godwit.StateSucceeded, 2, "release")
	s.job(releasedJob).Attempts[0].Session = storySession(2)
	s.final(delayedJob, godwit.StateSucceeded, 1)
}

// tell adds an event, a millisecond after the one before.
func (s *story) tell(e Event) {
	e.Life, e.At = s.life, 1
	if len(s.events) > 0 {
		e.At = s.events[len(s.events)-1].At + 1000
	}
	s.events = append(s.events, e)
}

// end is the end of a life, and the beginning of the next one.
func (s *story) end(point string) {
	s.tell(Event{Kind: Life, Point: point})
	s.life++
	s.tell(Event{Kind: Restarted})
}

func storySession(life int) godwit.ID { return storyID(byte(200 + life)) }

func (s *story) submit(e Event) {
	e.Task = "story"
	if e.Args == "" {
		e.Args = `{"n":1,"want":3,"may":"succeeded,cancelled"}`
	}
	e.Kind = Submitting
	s.tell(e)
	e.Kind = Submitted
	s.tell(e)
}

func (s *story) claim(id godwit.ID, run int64) {
	crashes, task := 0, "story"
	if id == crashedJob && run > 1 {
		crashes = 1
	}
	if id == heldJob {
		task = "held"
	}
	s.tell(Event{Kind: Claimed, Job: id, Run: run, Session: storySession(s.life), Crashes: crashes, Task: task, Begun: s.now() + 500})
	s.tell(Event{Kind: Started, Job: id, Run: run})
}

func (s *story) settle(id godwit.ID, run int64, o godwit.Outcome, code godwit.Code, state godwit.State) {
	e := Event{Kind: Settling, Job: id, Run: run, Outcome: o, Zombie: code != ""}
	if o == godwit.OutcomeSnooze {
		e.Delay = storyDelay
	}
	s.tell(e)
	e.Kind, e.Code, e.State = Settled, code, state
	s.tell(e)
}

// win is a whole run that succeeds.
func (s *story) win(id godwit.ID, run int64) {
	s.claim(id, run)
	s.tell(Event{Kind: Emitted, Job: id, Run: run})
	s.tell(Event{Kind: Effect, Job: id, Run: run, Value: 3})
	s.settle(id, run, godwit.OutcomeSucceed, "", godwit.StateSucceeded)
	s.observe(id, godwit.StateSucceeded, run)
}

func resultText(run int64) string { return fmt.Sprintf(`{"value":3,"run":%d}`, run) }

func (s *story) observe(id godwit.ID, state godwit.State, run int64) {
	e := Event{Kind: Observed, Job: id, State: state, Run: run}
	if state == godwit.StateSucceeded {
		e.Result = resultText(run)
	}
	s.tell(e)
}

// final puts a job into the database; each has an hour of its own.
func (s *story) final(id godwit.ID, state godwit.State, run int64, records ...string) {
	made := time.Unix(0, 0).Add(time.Duration(id[15]) * time.Hour)
	at := func(minutes int64) time.Time { return made.Add(time.Duration(minutes) * time.Minute) }
	f := Final{Job: godwit.Job{
		ID: id, Task: "story", State: state, Run: run, Attempt: int(run), CreatedAt: made, StartedAt: at(run), FinishedAt: at(run + 1),
	}}
	if state == godwit.StateSucceeded {
		f.Job.Result = godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(resultText(run))}
		f.Items = []godwit.Item{{Seq: 1, Run: run}}
	}
	for i, r := range records {
		f.Attempts = append(f.Attempts, godwit.Attempt{Run: int64(i + 1), Outcome: r, StartedAt: at(int64(i + 1)), EndedAt: at(int64(i + 2))})
		switch r {
		case "crash":
			f.Job.Attempt--
			f.Job.Crashes++
		case "release", "snooze":
			f.Job.Attempt--
			f.Job.Releases++
		}
	}
	s.finals = append(s.finals, f)
}

func (s *story) job(id godwit.ID) *Final {
	i := slices.IndexFunc(s.finals, func(f Final) bool { return f.Job.ID == id })
	return &s.finals[i]
}

func (s *story) drop(id godwit.ID) {
	s.finals = slices.DeleteFunc(s.finals, func(f Final) bool { return f.Job.ID == id })
}

// event finds the first event of a kind about a job.
func (s *story) event(kind Kind, id godwit.ID) *Event {
	i := slices.IndexFunc(s.events, func(e Event) bool { return e.Kind == kind && (e.Job == id || e.Asked == id) })
	return &s.events[i]
}

// without leaves out the events of a kind.
func (s *story) without(kind Kind) {
	s.events = slices.DeleteFunc(s.events, func(e Event) bool { return e.Kind == kind })
}

// twin makes a second job where the first should have been met.
func (s *story) twin(e Event) {
	e.Asked, e.Job, e.Created = strangeJob, strangeJob, true
	s.submit(e)
	s.win(strangeJob, 1)
	s.final(strangeJob, godwit.StateSucceeded, 1)
}

func plantTwinChild(s *story) {
	s.submit(Event{Asked: strangeJob, Job: strangeJob, Created: true})
	s.win(strangeJob, 1)
	s.final(strangeJob, godwit.StateSucceeded, 1)
	s.job(strangeJob).Job.Parent, s.job(strangeJob).Job.ChildName = parentJob, "part"
}
