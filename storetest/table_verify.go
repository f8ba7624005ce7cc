package storetest

import (
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// picture is everything that a store shows of one job.
type picture struct {
	Place    states.Place
	Job      godwit.Job
	Attempts []godwit.Attempt
	Logs     []godwit.LogLine
	Items    []godwit.Item
	Outcome  godwit.OutcomeAnswer
}

func (s *subject) picture() picture {
	s.Helper()
	id := s.token.Job
	a := s.look(id)
	p := picture{Place: placeOf(a), Job: a.Job, Attempts: s.attempts(id)}
	var err error
	p.Logs, _, err = s.store.Logs(s.ctx, id, 0, godwit.PageMax)
	s.ok(err)
	p.Items, _, err = s.store.Items(s.ctx, id, 0, godwit.PageMax)
	s.ok(err)
	outcomes, err := s.store.Outcomes(s.ctx, []godwit.ID{id})
	p.Outcome = one(s.rig, outcomes, err)
	return p
}

// verify compares what an operation did with what the row says.
func (s *subject) verify(before picture, answer *godwit.SettleAnswer) {
	s.Helper()
	after := s.picture()
	s.verifyAnswer(before, after, answer)
	s.verifyEvent(before, after)
	if s.is(states.OpPrune) && s.has(states.Pinned) && !s.has(states.Kept) {
		before.Job.KeepUntil = s.now().Add(godwit.PinnedPause)
	}
	if !s.row.Changes() {
		s.want(s.under()+": the job, which must not change", after, before)
		return
	}
	want := s.row.To
	if want == states.Same {
		want = s.row.From
	}
	if plainPlace(after.Place) != plainPlace(want) {
		s.Errorf("%s: the job is at %s, want %s", s.under(), after.Place, want)
		return
	}
	if want == states.Pruned || want == states.None {
		return
	}
	s.verifyCounters(&before.Job, &after.Job)
	s.verifyRecord(before, after)
	s.verifyTimes(&before.Job, &after.Job)
	s.verifyFailure(&after.Job)
}

func (s *subject) verifyAnswer(before, after picture, answer *godwit.SettleAnswer) {
	s.Helper()
	if answer == nil {
		return
	}
	s.code(s.under(), answer.Code, s.row.Code)
	want := after.Job.State
	switch answer.Code {
	case godwit.CodeStaleRun, godwit.CodeSessionEnded:
		want = ""
	case "":
	default:
		want = before.Job.State
	}
	if answer.State != want {
		s.Errorf("%s: answers the state %q, want %q", s.under(), answer.State, want)
	}
}

func (s *subject) verifyEvent(before, after picture) {
	s.Helper()
	if s.events == nil {
		return
	}
	var got []godwit.Event
	for _, e := range s.told() {
		if e.Job == s.token.Job {
			got = append(got, e)
		}
	}
	var want []godwit.Event
	if s.row.Event != "" {
		seen := after.Job
		if s.row.To == states.Pruned {
			seen = before.Job
			seen.State = ""
		}
		e := godwit.Event{
			Kind: s.row.Event, At: s.now(), Job: seen.ID, Task: seen.Task, Queue: seen.Queue, State: seen.State, Run: seen.Run,
		}
		if seen.State == godwit.StateScheduled {
			e.RunAt = seen.RunAt
		}
		e.Code = s.eventCode(&seen)
		if e.Kind == godwit.EventCancelRequested || e.Kind == godwit.EventCancelled {
			e.Reason = s.cancelReason()
		}
		want = append(want, e)
	}
	s.want(s.under()+": the events", got, want)
}

// cancelReason is the reason that a cancelled job has: the first that was given.
func (s *subject) cancelReason() string {
	switch {
	case s.is(states.OpCascade):
		return godwit.CascadeReason(s.parent.Job)
	case s.is(states.OpCancel):
		return "second reason" // the only one that was taken
	}
	return "first reason"
}

// eventCode is the code of the failure that the event tells of.
func (s *subject) eventCode(after *godwit.Job) godwit.Code {
	switch {
	case s.row.To == states.Pruned:
		return ""
	case after.State.Final() && after.Failure != nil:
		return after.Failure.Code
	case s.row.Record == "crash":
		return godwit.CodeCrashed
	case s.row.Record == "retry":
		return godwit.CodePermanent
	}
	return ""
}

func (s *subject) verifyCounters(before, after *godwit.Job) {
	s.Helper()
	type counters struct{ run, attempt, crashes, releases, retries int }
	got := counters{int(after.Run), after.Attempt, after.Crashes, after.Releases, after.Retries}
	want := counters{
		s.row.Run.Apply(int(before.Run)), s.row.Attempt.Apply(before.Attempt), s.row.Crashes.Apply(before.Crashes),
		s.row.Releases.Apply(before.Releases), s.row.Retries.Apply(before.Retries),
	}
	if got != want {
		s.Errorf("%s: the counters are %+v, want %+v", s.under(), got, want)
	}
}

func (s *subject) verifyRecord(before, after picture) {
	s.Helper()
	want := before.Attempts
	if s.row.Record != "" {
		record := godwit.Attempt{
			Run: before.Job.Run, Attempt: before.Job.Attempt, Outcome: s.row.Record,
			StartedAt: before.Job.StartedAt, EndedAt: s.now(), Session: before.Job.Session,
		}
		switch {
		case s.row.Record == "crash":
			record.Failure = godwit.CrashedFailure(before.Job.Session)
		case s.is(states.OpFail, states.OpReject, states.OpRetry):
			record.Failure = s.settlement().Failure
		case s.row.Record == "failed" || s.row.Record == "cancelled":
			record.Failure = after.Job.Failure
		}
		want = append(slices.Clone(want), record)
	}
	s.want(s.under()+": the attempt records", after.Attempts, want)
}

func (s *subject) verifyTimes(before, after *godwit.Job) {
	s.Helper()
	now := s.now()
	want := *after
	want.RunAt, want.StartedAt, want.FinishedAt, want.KeepUntil = before.RunAt, before.StartedAt, before.FinishedAt, before.KeepUntil
	want.CancelRequestedAt, want.Session = before.CancelRequestedAt, before.Session
	to := after.State
	switch {
	case s.is(states.OpRetryByHand):
		want.RunAt, want.StartedAt, want.FinishedAt, want.KeepUntil = now, time.Time{}, time.Time{}, time.Time{}
		want.CancelRequestedAt = time.Time{}
	case s.is(states.OpClaim):
		want.StartedAt, want.Session = now, s.worker
	case s.is(states.OpReschedule) && to == godwit.StateReady, s.is(states.OpRetry) && to == godwit.StateReady,
		s.is(states.OpSnooze) && to == godwit.StateReady:
		want.RunAt = now
	case s.is(states.OpReschedule, states.OpRetry, states.OpSnooze) && to == godwit.StateScheduled:
		want.RunAt = now.Add(time.Minute)
	case s.is(states.OpRescue) && to == godwit.StateScheduled:
		want.RunAt = now.Add(godwit.CrashDelay(after.ID, after.Crashes))
	}
	if s.row.Event == godwit.EventCancelRequested {
		want.CancelRequestedAt = now
	}
	if to.Final() {
		keep := after.KeepFailed
		if to == godwit.StateSucceeded {
			keep = after.KeepSucceeded
		}
		want.FinishedAt, want.KeepUntil = now, now.Add(keep)
	}
	if to != godwit.StateRunning && to != godwit.StateWaiting || s.gone {
		want.Session = godwit.ID{}
	}
	s.want(s.under()+": the times", *after, want)
}

// verifyFailure looks at the failure kept with a final job.
func (s *subject) verifyFailure(after *godwit.Job) {
	s.Helper()
	var want *godwit.Failure
	switch after.State {
	case godwit.StateFailed:
		switch {
		case s.row.When&states.Deadline != 0 && s.is(states.OpRetry):
			want = godwit.DeadlineFailure(s.settlement().Failure)
		case s.row.When&states.Deadline != 0 && s.is(states.OpRescue):
			want = godwit.DeadlineFailure(godwit.CrashedFailure(s.worker))
		case s.row.When&states.Deadline != 0:
			want = godwit.DeadlineFailure(nil)
		case s.is(states.OpRescue):
			want = godwit.CrashedFailure(s.worker)
		default:
			want = s.settlement().Failure
		}
	case godwit.StateCancelled:
		want = godwit.CancelledFailure(s.cancelReason())
	default:
		return
	}
	s.want(s.under()+": the failure kept", after.Failure, want)
}
