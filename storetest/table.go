package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// unreachable names the rows that no sequence of calls leads to, each with the reason.
var unreachable = map[string]string{}

// table acts out every row of the transition table: once with exactly its conditions, and once with the conditions of the rows
// below it as well, since the first row that applies counts.
func table(t testing.TB, cfg Config) {
	t.Helper()
	byOp := map[states.Op][]*states.Row{}
	rows := states.Table()
	for i := range rows {
		byOp[rows[i].Op] = append(byOp[rows[i].Op], &rows[i])
	}
	done, crowded := map[int]bool{}, 0
	for _, op := range slices.Sorted(maps.Keys(byOp)) {
		r := newRig(t, cfg)
		for _, row := range byOp[op] {
			if unreachable[row.Name()] != "" {
				continue
			}
			(&subject{rig: r, row: row, holds: row.When}).test()
			done[row.Index] = true
			if more := crowd(row, byOp[op]); more != row.When {
				(&subject{rig: r, row: row, holds: more}).test()
				crowded++
			}
		}
	}
	for i := range rows {
		if !done[i] && unreachable[rows[i].Name()] == "" {
			t.Errorf("%s was not exercised", rows[i].Name())
		}
	}
	t.Logf("transition table: %d of %d rows exercised, %d of them again with the conditions of later rows", len(done), len(rows), crowded)
}

// crowd adds the conditions of the rows that a row goes before, as far as they can hold together.
func crowd(row *states.Row, rows []*states.Row) states.Cond {
	holds, below := row.When, false
	for _, other := range rows {
		if other.From == row.From && below {
			holds |= other.When
		}
		below = below || other == row
	}
	switch {
	case row.When == 0, row.Op == states.OpPrune && row.From == states.Pruned:
		return row.When
	case row.Op == states.OpWake:
		return row.When // pending and unheld are decided by the job itself
	}
	return holds
}

// subject is a job on its way to one row.
type subject struct {
	*rig
	row   *states.Row
	holds states.Cond

	queue, task    string
	worker, keeper godwit.ID // the session of the run, and one that outlives it
	token          godwit.Token
	parent         godwit.Token // zero: none
	blockers       []godwit.ID
	gone           bool // its worker ended
}

func (s *subject) has(c states.Cond) bool { return s.holds&c != 0 }

func (s *subject) is(ops ...states.Op) bool { return slices.Contains(ops, s.row.Op) }

// under names the row in messages.
func (s *subject) under() string {
	if s.holds == s.row.When {
		return s.row.Name()
	}
	return s.row.Name() + " with " + s.holds.String()
}

func (s *subject) test() {
	s.Helper()
	s.queue, s.task = s.name("queue"), s.name("task")
	serve := godwit.NewSession{
		Queues: []string{s.queue, s.queue + ".parent"},
		Tasks:  []godwit.Capability{{Task: s.task, MinVersion: 1, MaxVersion: 1}},
	}
	s.keeper = s.start(serve)
	serve.Lease = godwit.LeaseMin
	s.worker = s.start(serve)
	s.make()
	s.prepare()
	before := s.picture()
	if before.Place != s.row.From {
		s.Fatalf("%s: the job was brought to %s, which is not where the row begins", s.under(), before.Place)
	}
	s.told()
	answer := s.act()
	s.verify(before, answer)
}

// make submits the job and brings it to where the row begins.
func (s *subject) make() {
	s.Helper()
	s.token = godwit.Token{Job: s.id(), Run: 1, Session: s.worker}
	if s.has(states.Pinned) || s.is(states.OpCascade) {
		parent := s.job()
		parent.Queue, parent.Task = s.queue+".parent", s.task
		s.parent = s.run(s.keeper, parent.Queue, s.add(parent))
	}
	if s.row.From == states.None {
		return
	}
	n := s.job()
	n.ID, n.Queue, n.Task = s.token.Job, s.queue, s.task
	if s.parent.Run > 0 && s.row.From != states.Pruned {
		n.Parent, n.ChildName = s.parent, "child"
	}
	if s.has(states.AttemptsUsed) {
		n.MaxAttempts = 1
	}
	if s.has(states.CrashesUsed) {
		n.MaxCrashes = 1
		if s.has(states.Delayed) {
			n.MaxCrashes = 2
		}
	}
	if s.has(states.Deadline) || s.is(states.OpPassDeadline) && s.deadlineHarmless() {
		n.Deadline = s.now().Add(10 * time.Minute)
	}
	if s.has(states.UniqueHeld) {
		n.Unique = godwit.UniqueKey{Scope: s.task, Key: "key", While: godwit.UniqueUnfinished, OnClash: godwit.ClashRefuse}
	}
	s.add(n)
	s.runs(n.ID)
	s.bring()
}

// deadlineHarmless reports whether a passed deadline must leave the job alone where it is.
func (s *subject) deadlineHarmless() bool {
	from := godwit.State(s.row.From)
	return from == godwit.StateRunning || from.Final()
}

// runs gives the job the runs that the conditions ask for and then the one that counts.
func (s *subject) runs(id godwit.ID) {
	s.Helper()
	if s.is(states.OpRescue) && s.has(states.Delayed) {
		first := s.start(godwit.NewSession{
			Lease: godwit.LeaseMin, Queues: []string{s.queue}, Tasks: []godwit.Capability{{Task: s.task, MinVersion: 1, MaxVersion: 1}},
		})
		s.run(first, s.queue, id)
		s.clock.Advance(godwit.LeaseMin)
		s.heartbeat(s.worker)
		s.rescue(godwit.PageMax)
	}
	s.token = s.run(s.worker, s.queue, id)
	if s.has(states.OtherRun) {
		// The attempt of the first run is given back, so that both runs are the first attempt.
		s.finish(s.token, godwit.OutcomeRelease)
		s.run(s.worker, s.queue, id)
	}
}

// live is the token of the run that counts.
func (s *subject) live() godwit.Token {
	t := s.token
	if s.has(states.OtherRun) {
		t.Run++
	}
	return t
}

// bring moves the job from running to where the row begins.
func (s *subject) bring() {
	s.Helper()
	id := s.token.Job
	if s.is(states.OpWake) && s.row.From != states.Place(godwit.StateWaiting) {
		s.await()
		if a := s.resume(s.live()); a.Code != "" {
			s.Fatalf("%s: resume answers %+v", s.under(), a)
		}
	}
	switch s.row.From {
	case states.Place(godwit.StateScheduled):
		if a := s.settle(godwit.Settlement{Token: s.live(), Outcome: godwit.OutcomeSnooze, Delay: 5 * time.Minute}); a.Code != "" {
			s.Fatalf("%s: snooze answers %+v", s.under(), a)
		}
		if s.is(states.OpPassDeadline) && s.has(states.Deadline) { // so that its time does not come before
			s.reschedule(godwit.RescheduleRequest{ID: id, Delay: time.Hour})
		}
	case states.Place(godwit.StateReady):
		s.finish(s.live(), godwit.OutcomeRelease)
	case states.Held:
		s.finish(s.live(), godwit.OutcomeRelease)
		s.ok(s.store.PauseQueue(s.ctx, s.queue, true))
	case states.Place(godwit.StateWaiting):
		s.await()
	case states.Place(godwit.StateSucceeded):
		s.finish(s.live(), godwit.OutcomeSucceed)
	case states.Place(godwit.StateFailed):
		s.finish(s.live(), godwit.OutcomeFail)
	case states.Place(godwit.StateCancelled):
		s.cancel(id, "no longer wanted")
		s.finish(s.live(), godwit.OutcomeRelease)
	case states.Pruned:
		s.finish(s.live(), godwit.OutcomeFail)
		if a := s.delete(id); a.Code != "" {
			s.Fatalf("%s: delete answers %+v", s.under(), a)
		}
	}
}

// await parks the job on one or two jobs that nobody runs.
func (s *subject) await() {
	s.Helper()
	s.blockers = []godwit.ID{s.plain()}
	if s.is(states.OpWake) && s.has(states.Pending) {
		s.blockers = append(s.blockers, s.plain())
	}
	if a := s.park(s.live(), false, s.blockers...); a.Code != "" {
		s.Fatalf("%s: park answers %+v", s.under(), a)
	}
}

// prepare makes the conditions hold that are not in the job's past.
func (s *subject) prepare() {
	s.Helper()
	waiting := s.row.From == states.Place(godwit.StateWaiting)
	if waiting && s.is(states.OpRescue, states.OpEndSession) && !s.has(states.Pending) {
		s.cancel(s.blockers[0], "")
	}
	if s.is(states.OpWake) && s.has(states.Unheld) {
		s.end(s.worker)
	}
	if s.has(states.Repeated) {
		if a := s.numbered(s.live(), 2, godwit.Reported{}); a.Code != "" {
			s.Fatalf("%s: the first report answers %+v", s.under(), a)
		}
	}
	if s.has(states.CancelRequested) {
		s.cancel(s.token.Job, "first reason")
	}
	if s.has(states.UniqueHeld) {
		n := s.job()
		n.Unique = godwit.UniqueKey{Scope: s.task, Key: "key", While: godwit.UniqueUnfinished, OnClash: godwit.ClashRefuse}
		s.add(n)
	}
	if s.has(states.SessionEnded) {
		s.token.Session = s.session()
		s.end(s.token.Session)
	}
	if s.is(states.OpCascade) {
		s.cancel(s.parent.Job, "")
		s.finish(s.parent, godwit.OutcomeRelease)
	}
	s.clock.Advance(s.wait())
	s.heartbeat(s.keeper)
	if !s.is(states.OpRescue) && !s.has(states.Unheld) {
		s.heartbeat(s.worker)
	}
}

// wait is how long the conditions take.
func (s *subject) wait() time.Duration {
	switch {
	case s.is(states.OpPassDeadline) && (s.has(states.Deadline) || s.deadlineHarmless()):
		return 15 * time.Minute
	case s.is(states.OpRescue):
		if s.has(states.Deadline) && !s.has(states.Delayed) {
			return 15 * time.Minute
		}
		if s.has(states.Deadline) {
			return 10*time.Minute - time.Millisecond // the next start would come after the deadline
		}
		return godwit.LeaseMin
	case s.has(states.Due):
		return 5 * time.Minute
	case s.is(states.OpPrune) && !s.has(states.Kept):
		return 2 * time.Hour
	case s.is(states.OpRetry, states.OpSnooze) && s.has(states.Deadline) && !s.has(states.Delayed):
		return 10 * time.Minute
	}
	return time.Second
}

// act carries out the operation and gives its answer, nil where the operation has none about the job.
func (s *subject) act() *godwit.SettleAnswer {
	s.Helper()
	id := s.token.Job
	var a godwit.SettleAnswer
	switch s.row.Op {
	case states.OpClaim:
		var want []godwit.ID
		if s.row.Changes() {
			want = append(want, id)
		}
		for range 2 { // nobody gets it again
			var got []godwit.ID
			for _, j := range s.claim(s.worker, s.queue, 10).Jobs {
				got = append(got, j.ID)
			}
			s.want(s.under()+": the jobs claimed", got, want)
			want = nil
		}
		return nil
	case states.OpPark:
		a = s.park(s.token, false, s.awaited()...)
	case states.OpResume:
		a = s.resume(s.token)
	case states.OpReport:
		a = s.numbered(s.token, 2, s.reported())
	case states.OpCancel:
		a = s.cancel(id, "second reason")
	case states.OpRetryByHand:
		a = s.retry(godwit.RetryRequest{ID: id, Run: s.token.Run})
	case states.OpReschedule:
		q := godwit.RescheduleRequest{ID: id}
		if s.has(states.Delayed) {
			q.Delay = time.Minute
		}
		a = s.reschedule(q)
	case states.OpDelete:
		a = s.delete(id)
	case states.OpComeDue, states.OpPassDeadline, states.OpCascade:
		s.advance(godwit.BatchMax)
		return nil
	case states.OpWake:
		blocker := s.id()
		if len(s.blockers) > 0 {
			blocker = s.blockers[0]
		}
		s.cancel(blocker, "")
		return nil
	case states.OpRescue:
		s.rescue(godwit.PageMax)
		s.gone = true
		return nil
	case states.OpEndSession:
		s.end(s.worker)
		s.gone = true
		return nil
	case states.OpPrune:
		s.prune(godwit.BatchMax)
		return nil
	default:
		a = s.settle(s.settlement())
	}
	return &a
}

func (s *subject) settlement() godwit.Settlement {
	q := godwit.Settlement{Token: s.token, Outcome: godwit.Outcome(s.row.Op), Reported: s.reported()}
	if s.has(states.Delayed) {
		q.Delay = time.Minute
		if s.has(states.Deadline) {
			q.Delay = 20 * time.Minute
		}
	}
	switch q.Outcome {
	case godwit.OutcomeSucceed:
		q.Result = godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`[1]`)}
	case godwit.OutcomeFail, godwit.OutcomeRetry, godwit.OutcomeReject:
		q.Failure = &godwit.Failure{Code: godwit.CodePermanent, Message: "broken", Stack: "main.go:1"}
	}
	return q
}

// reported is a small report, or one over the bound.
func (s *subject) reported() godwit.Reported {
	if s.has(states.Limit) {
		return godwit.Reported{Logs: make([]godwit.LogLine, godwit.LogLinesMax+1)}
	}
	return godwit.Reported{
		Progress: &godwit.Progress{Done: 1, Total: 2},
		Logs:     []godwit.LogLine{{Level: "INFO", Message: s.under(), At: s.now()}},
		Items:    []godwit.Payload{{Encoding: godwit.EncodingJSON, Data: []byte(`1`)}},
	}
}

// awaited is what the job is to wait for.
func (s *subject) awaited() []godwit.ID {
	s.Helper()
	var ids []godwit.ID
	if s.has(states.Cycle) {
		ids = append(ids, s.token.Job)
	}
	if s.has(states.UnknownPromise) {
		ids = append(ids, s.id())
	}
	if s.has(states.Satisfied) {
		done := s.plain()
		s.cancel(done, "")
		ids = append(ids, done)
	}
	if len(ids) == 0 {
		ids = append(ids, s.plain())
	}
	return ids
}

// placeOf gives the place of the table that an answer shows.
func placeOf(a godwit.JobAnswer) states.Place {
	switch {
	case a.Code == godwit.CodeNotFound:
		return states.None
	case a.Code == godwit.CodeExpired:
		return states.Pruned
	case a.Code != "":
		return states.Place(fmt.Sprintf("answer %q", a.Code))
	case a.Job.Held != "":
		return states.Held
	}
	return states.Place(a.Job.State)
}

// plainPlace takes held jobs for the ready ones they are to their user.
func plainPlace(p states.Place) states.Place {
	return states.Place(strings.Replace(string(p), string(states.Held), string(godwit.StateReady), 1))
}
