package storetest

import (
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

func timeRules() []rule {
	return []rule{
		{"what is due becomes ready by time and id, up to the limit", ruleDueOrder},
		{"a deadline fails what has not finished and does not run", ruleDeadlines},
		{"deadlines go by time and id, up to the limit", ruleDeadlineLimit},
		{"the next time is the earliest start or deadline", ruleNextAt},
		{"a retry that could not start before the deadline fails", ruleDeadlineRetry},
		{"one advance does all its parts", ruleAdvanceParts},
		{"store time does not go back", ruleClockBack},
		{"a call happens at one instant", ruleOneInstant},
		{"a reschedule moves a job in time", ruleReschedule},
	}
}

// later adds a job with a delay.
func (r *rig) later(delay time.Duration) godwit.ID {
	r.Helper()
	n := r.job()
	n.Delay = delay
	return r.add(n)
}

func ruleDueOrder(r *rig) {
	c, a, b, not := r.later(3*time.Second), r.later(time.Second), r.later(time.Second), r.later(time.Hour)
	r.clock.Advance(3 * time.Second)
	r.told()
	if got := r.advance(2); got.Ready != 2 || !got.More {
		r.Errorf("the first advance answers %+v", got)
	}
	r.state(a, godwit.StateReady)
	r.state(b, godwit.StateReady)
	r.state(c, godwit.StateScheduled)
	if got := r.advance(2); got.Ready != 1 || got.More {
		r.Errorf("the second advance answers %+v", got)
	}
	r.state(c, godwit.StateReady)
	r.state(not, godwit.StateScheduled)
	r.wantKinds("the advances", godwit.EventReady, godwit.EventReady, godwit.EventReady)
}

func ruleDeadlines(r *rig) {
	worker := r.session()
	withDeadline := func() godwit.NewJob {
		n := r.job()
		n.Deadline = r.now().Add(time.Minute)
		return n
	}
	running := r.run(worker, "queue", r.add(withDeadline()))
	ready := r.add(withDeadline())
	r.clock.Advance(time.Minute - time.Microsecond)
	if a := r.advance(10); a.Expired != 0 {
		r.Errorf("before the deadline the advance answers %+v", a)
	}
	r.clock.Advance(time.Microsecond)
	if a := r.advance(10); a.Expired != 1 {
		r.Errorf("at the deadline the advance answers %+v", a)
	}
	r.want("the failure", r.get(ready).Failure, godwit.DeadlineFailure(nil))
	r.state(running.Job, godwit.StateRunning)
	r.finish(running, godwit.OutcomeSucceed)
	r.state(running.Job, godwit.StateSucceeded)
}

func ruleDeadlineLimit(r *rig) {
	var ids []godwit.ID
	for _, seconds := range []int{3, 1, 1} {
		n := r.job()
		n.Deadline = r.now().Add(time.Duration(seconds) * time.Second)
		ids = append(ids, r.add(n))
	}
	r.clock.Advance(time.Minute)
	for _, id := range []godwit.ID{ids[1], ids[2], ids[0]} {
		r.state(id, godwit.StateReady)
		if a := r.advance(1); a.Expired != 1 || !a.More {
			r.Errorf("the advance answers %+v", a)
		}
		r.state(id, godwit.StateFailed)
	}
	if a := r.advance(1); a.Expired != 0 || a.More {
		r.Errorf("the last advance answers %+v", a)
	}
}

func ruleNextAt(r *rig) {
	next := func(what string, want time.Time) {
		r.Helper()
		r.want("next "+what, r.advance(10).NextAt, want)
	}
	next("of nothing", time.Time{})
	r.plain()
	next("of a ready job", time.Time{})
	start := r.now().Add(time.Hour)
	r.later(time.Hour)
	next("start", start)
	worker := r.session()
	n := r.job()
	n.Deadline, n.Priority = r.now().Add(time.Minute), 9
	r.add(n)
	next("deadline", n.Deadline)
	r.run(worker, "queue", n.ID)
	next("while the job with the deadline runs", start)
}

func ruleDeadlineRetry(r *rig) {
	worker := r.session()
	n := r.job()
	n.Deadline = r.now().Add(time.Minute)
	token := r.run(worker, "queue", r.add(n))
	own := &godwit.Failure{Code: godwit.CodePanic, Message: "boom", Stack: "x.go:1"}
	r.settle(godwit.Settlement{Token: token, Outcome: godwit.OutcomeRetry, Failure: own, Delay: time.Minute - time.Microsecond})
	r.state(n.ID, godwit.StateScheduled)
	r.clock.Advance(time.Minute - time.Microsecond)
	r.advance(10)
	token = r.run(worker, "queue", n.ID)
	r.settle(godwit.Settlement{Token: token, Outcome: godwit.OutcomeRetry, Failure: own, Delay: time.Microsecond})
	r.state(n.ID, godwit.StateFailed)
	r.want("the failure", r.get(n.ID).Failure, godwit.DeadlineFailure(own))
	records := r.attempts(n.ID)
	r.want("the failure of the record", records[len(records)-1].Failure, own)
}

func ruleAdvanceParts(r *rig) {
	n := r.job()
	n.Delay, n.Deadline = time.Second, r.now().Add(time.Minute)
	id := r.add(n)
	r.clock.Advance(time.Minute)
	r.told()
	want := godwit.AdvanceAnswer{Ready: 1, Expired: 1}
	r.want("the advance", r.advance(10), want)
	r.wantKinds("it", godwit.EventReady, godwit.EventFailed)
	r.state(id, godwit.StateFailed)
}

func ruleClockBack(r *rig) {
	before := r.now()
	r.clock.Advance(-time.Hour)
	r.want("store time", r.now(), before)
	r.want("the time of a job", r.get(r.plain()).CreatedAt, before)
	r.clock.Advance(time.Hour + time.Second)
	if !r.now().After(before) {
		r.Error("store time stands still when its clock goes on")
	}
	if r.now().Nanosecond()%1000 != 0 {
		r.Errorf("store time %v is finer than a microsecond", r.now())
	}
	r.want("the zone", r.now().Location(), time.UTC)
}

func ruleOneInstant(r *rig) {
	// A clock that moves whenever it is read shows who reads it twice in a call.
	moving := NewClock()
	var jobs []godwit.NewJob
	for range 50 {
		jobs = append(jobs, r.job())
	}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				moving.Advance(time.Microsecond)
				r.clock.Set(moving.Now())
			}
		}
	}()
	r.told()
	r.submit(jobs...)
	close(stop)
	<-stopped
	first := r.get(jobs[0].ID).CreatedAt
	for i := range jobs {
		j := r.get(jobs[i].ID)
		if !j.CreatedAt.Equal(first) || !j.RunAt.Equal(first) {
			r.Fatalf("job %d of one call was made at %v and is to run at %v, the first at %v", i, j.CreatedAt, j.RunAt, first)
		}
	}
	for _, e := range r.told() {
		if !e.At.Equal(first) {
			r.Fatalf("an event of the call is of %v, the first job of %v", e.At, first)
		}
	}
}

func ruleReschedule(r *rig) {
	id := r.plain()
	at := r.now().Add(time.Hour)
	r.want("to a time", r.reschedule(godwit.RescheduleRequest{ID: id, RunAt: at}), godwit.SettleAnswer{State: godwit.StateScheduled})
	r.want("its start", r.get(id).RunAt, at)
	r.want("by a delay", r.reschedule(godwit.RescheduleRequest{ID: id, Delay: time.Minute}), godwit.SettleAnswer{State: godwit.StateScheduled})
	r.want("its start", r.get(id).RunAt, r.now().Add(time.Minute))
	r.want("to the past", r.reschedule(godwit.RescheduleRequest{ID: id, RunAt: r.now().Add(-time.Hour)}), godwit.SettleAnswer{State: godwit.StateReady})
	r.want("its start", r.get(id).RunAt, r.now())
}

func pruneRules() []rule {
	return []rule{
		{"a job is kept for its time, then its id for as long", rulePruneLife},
		{"the first to be over go first", rulePruneOrder},
		{"a parent that has not succeeded pins its children", rulePrunePins},
		{"a deleted job goes as a pruned one does", rulePruneDelete},
		{"an id is expired for an hour at least", rulePruneShort},
		{"what was pruned is gone from every list", rulePruneGone},
		{"a retried job is not pruned", rulePruneRetried},
	}
}

func rulePruneLife(r *rig) {
	id := r.plain()
	r.finish(r.run(r.session(), "queue", id), godwit.OutcomeSucceed)
	r.clock.Advance(time.Hour - time.Microsecond)
	r.want("before its time", r.prune(10), godwit.PruneAnswer{})
	r.clock.Advance(time.Microsecond)
	r.want("at its time", r.prune(10), godwit.PruneAnswer{Pruned: 1})
	r.code("the job", r.look(id).Code, godwit.CodeExpired)
	r.clock.Advance(time.Hour - time.Microsecond)
	r.want("before the end of its id", r.prune(10), godwit.PruneAnswer{})
	r.clock.Advance(time.Microsecond)
	r.want("at the end of its id", r.prune(10), godwit.PruneAnswer{Forgotten: 1})
	r.code("the job", r.look(id).Code, godwit.CodeNotFound)
}

func rulePruneOrder(r *rig) {
	var ids []godwit.ID
	for _, keep := range []time.Duration{3 * time.Minute, time.Minute, 2 * time.Minute, time.Minute, 4 * time.Minute} {
		n := r.job()
		n.KeepFailed = keep
		r.add(n)
		r.cancel(n.ID, "")
		ids = append(ids, n.ID)
	}
	r.plain() // an unfinished job is not looked at
	left := func(what string, codes ...godwit.Code) {
		r.Helper()
		for i, code := range codes {
			r.code(fmt.Sprintf("job %d after %s", i, what), r.look(ids[i]).Code, code)
		}
	}
	const gone = godwit.CodeExpired
	r.clock.Advance(3 * time.Minute)
	r.want("the first", r.prune(1), godwit.PruneAnswer{Pruned: 1, More: true})
	left("the first", "", gone, "", "", "")
	r.want("the second", r.prune(2), godwit.PruneAnswer{Pruned: 2, More: true})
	left("the second", "", gone, gone, gone, "")
	r.want("the third", r.prune(2), godwit.PruneAnswer{Pruned: 1})
	left("the third", gone, gone, gone, gone, "")
	r.clock.Advance(godwit.ExpiredMin)
	r.want("the fourth", r.prune(3), godwit.PruneAnswer{Pruned: 1, Forgotten: 3, More: true})
	r.want("the fifth", r.prune(3), godwit.PruneAnswer{Forgotten: 1})
	left("the fifth", godwit.CodeNotFound, godwit.CodeNotFound, godwit.CodeNotFound, godwit.CodeNotFound, gone)
}

func rulePrunePins(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	child := r.run(worker, "queue", r.add(r.child(parent, "a")))
	r.finish(child, godwit.OutcomeSucceed)
	r.clock.Advance(3 * time.Hour)
	r.heartbeat(worker)
	r.want("while the parent runs", r.prune(10), godwit.PruneAnswer{})
	r.want("the end of the child's time", r.get(child.Job).KeepUntil, r.now().Add(godwit.PinnedPause))
	r.want("a delete", r.delete(child.Job), godwit.SettleAnswer{Code: godwit.CodePinned, State: godwit.StateSucceeded})
	r.finish(parent, godwit.OutcomeFail)
	r.clock.Advance(godwit.PinnedPause)
	r.heartbeat(worker)
	r.want("when the parent failed", r.prune(1), godwit.PruneAnswer{More: true})
	r.retry(godwit.RetryRequest{ID: parent.Job})
	r.finish(r.run(worker, "queue", parent.Job), godwit.OutcomeSucceed)
	r.clock.Advance(godwit.PinnedPause - time.Microsecond)
	r.want("while it is kept on", r.prune(10), godwit.PruneAnswer{})
	r.clock.Advance(time.Microsecond)
	r.want("when the parent succeeded", r.prune(10), godwit.PruneAnswer{Pruned: 1})
	r.code("the child", r.look(child.Job).Code, godwit.CodeExpired)
}

func rulePruneDelete(r *rig) {
	id := r.plain()
	r.cancel(id, "")
	r.told()
	r.want("the delete", r.delete(id), godwit.SettleAnswer{})
	r.wantKinds("the delete", godwit.EventDeleted)
	r.want("another delete", r.delete(id), godwit.SettleAnswer{Code: godwit.CodeExpired})
	r.clock.Advance(2*time.Hour - time.Microsecond)
	r.want("before the end of its id", r.prune(10), godwit.PruneAnswer{})
	r.clock.Advance(time.Microsecond)
	r.want("at the end of its id", r.prune(10), godwit.PruneAnswer{Forgotten: 1})
}

func rulePruneShort(r *rig) {
	n := r.job()
	n.KeepFailed = 0
	r.add(n)
	r.cancel(n.ID, "")
	r.want("at once", r.prune(10), godwit.PruneAnswer{Pruned: 1})
	r.clock.Advance(godwit.ExpiredMin - time.Microsecond)
	r.want("before the hour", r.prune(10), godwit.PruneAnswer{})
	r.clock.Advance(time.Microsecond)
	r.want("after the hour", r.prune(10), godwit.PruneAnswer{Forgotten: 1})
}

func rulePruneGone(r *rig) {
	worker := r.session()
	token := r.running(worker)
	r.report(token, r.lines(2))
	r.finish(token, godwit.OutcomeRelease)
	r.finish(r.run(worker, "queue", token.Job), godwit.OutcomeSucceed)
	r.clock.Advance(time.Hour)
	r.prune(10)
	if jobs := allJobs(r.ctx, r.TB, r.store, 10); len(jobs) != 0 {
		r.Errorf("the list shows %s", describeShort(jobs))
	}
	records, code, err := r.store.Attempts(r.ctx, token.Job)
	r.ok(err)
	r.code("the attempts", code, godwit.CodeExpired)
	r.want("the attempts", len(records), 0)
	_, code, err = r.store.Logs(r.ctx, token.Job, 0, 10)
	r.ok(err)
	r.code("the log", code, godwit.CodeExpired)
	_, code, err = r.store.Items(r.ctx, token.Job, 0, 10)
	r.ok(err)
	r.code("the items", code, godwit.CodeExpired)
	outcomes, err := r.store.Outcomes(r.ctx, []godwit.ID{token.Job})
	r.want("the outcome", one(r, outcomes, err), godwit.OutcomeAnswer{Code: godwit.CodeExpired})
}

func rulePruneRetried(r *rig) {
	id := r.plain()
	r.cancel(id, "")
	r.clock.Advance(3 * time.Hour)
	r.retry(godwit.RetryRequest{ID: id})
	r.want("the prune", r.prune(10), godwit.PruneAnswer{})
	r.state(id, godwit.StateReady)
}
