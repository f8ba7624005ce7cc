package storetest

import (
	"time"

	"github.com/godwit-go/godwit"
)

func childRules() []rule {
	return []rule{
		{"a child is met again by its name", ruleChildMet},
		{"another task is no reopened child", ruleChildReopenTask},
		{"a child met while it is asked to stop is reopened later", ruleChildMetStopping},
		{"a child that failed runs anew when its parent is retried by hand", ruleChildReopened},
		{"reopening is refused while the unique key is held", ruleChildReopenHeld},
		{"a refused batch closes reopened children again", ruleChildReopenUndone},
		{"a waiting parent may submit", ruleChildOfWaiting},
		{"generations are bounded", ruleDepth},
	}
}

// child is a submission of the run.
func (r *rig) child(parent godwit.Token, name string) godwit.NewJob {
	n := r.job()
	n.Parent, n.ChildName = parent, name
	return n
}

func ruleChildMet(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	first := r.child(parent, "a")
	r.add(first)
	r.add(r.child(parent, "b"))
	r.finish(parent, godwit.OutcomeRelease)
	parent = r.run(worker, "queue", parent.Job)
	again := first
	again.ID, again.Parent = r.id(), parent
	r.want("the next run", r.submit(again)[0], godwit.SubmitAnswer{ID: first.ID, State: godwit.StateReady})
	again.Fingerprint[0] = 9
	r.want("another child of the name", r.submit(again)[0], godwit.SubmitAnswer{Code: godwit.CodeChildMismatch})
}

// reopenable makes a parent that was retried by hand and runs again, and its failed child.
func (r *rig) reopenable(n func(parent godwit.Token) godwit.NewJob) (parent godwit.Token, child godwit.NewJob) {
	worker := r.session()
	parent = r.running(worker)
	child = n(parent)
	r.finish(r.run(worker, "queue", r.add(child)), godwit.OutcomeFail)
	r.finish(parent, godwit.OutcomeFail)
	r.retry(godwit.RetryRequest{ID: parent.Job})
	return r.run(worker, "queue", parent.Job), child
}

func ruleChildReopened(r *rig) {
	parent, child := r.reopenable(func(p godwit.Token) godwit.NewJob { return r.child(p, "a") })
	r.told()
	again := child
	again.ID, again.Parent, again.Version, again.Fingerprint = r.id(), parent, 2, [16]byte{9}
	again.Args.Data = []byte(`{"a":2}`)
	r.want("the submission", r.submit(again)[0], godwit.SubmitAnswer{ID: child.ID, Reopened: true, State: godwit.StateReady})
	r.wantKinds("the submission", godwit.EventRetried)
	j := r.get(child.ID)
	if j.Retries != 1 || j.Attempt != 0 || j.Run != 1 || j.Version != 2 || string(j.Args.Data) != `{"a":2}` {
		r.Errorf("the reopened child is %s", describeShort(j))
	}
	again.ID = r.id()
	r.want("its repetition", r.submit(again)[0], godwit.SubmitAnswer{ID: child.ID, State: godwit.StateReady})
	another := again
	another.Fingerprint = child.Fingerprint
	r.code("the arguments of before", r.submit(another)[0].Code, godwit.CodeChildMismatch)
	r.cancel(child.ID, "")
	r.want("it, cancelled in the same life of its parent", r.submit(again)[0], godwit.SubmitAnswer{ID: child.ID, State: godwit.StateCancelled})
}

func ruleChildReopenTask(r *rig) {
	parent, child := r.reopenable(func(p godwit.Token) godwit.NewJob { return r.child(p, "a") })
	child.ID, child.Parent, child.Task = r.id(), parent, "another"
	r.want("the submission", r.submit(child)[0], godwit.SubmitAnswer{Code: godwit.CodeChildMismatch})
}

func ruleChildMetStopping(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	child := r.child(parent, "a")
	run := r.run(worker, "queue", r.add(child))
	r.cancel(child.ID, "")
	r.finish(parent, godwit.OutcomeFail)
	r.retry(godwit.RetryRequest{ID: parent.Job})
	child.Parent = r.run(worker, "queue", parent.Job)
	again := child
	again.ID = r.id()
	r.want("while it stops", r.submit(again)[0], godwit.SubmitAnswer{ID: child.ID, State: godwit.StateRunning})
	r.finish(run, godwit.OutcomeRelease)
	r.want("when it has stopped", r.submit(again)[0], godwit.SubmitAnswer{ID: child.ID, Reopened: true, State: godwit.StateReady})
}

func ruleChildReopenHeld(r *rig) {
	parent, child := r.reopenable(func(p godwit.Token) godwit.NewJob {
		n := r.child(p, "a")
		n.Unique = godwit.UniqueKey{Scope: "s", Key: "k", While: godwit.UniqueUnfinished, OnClash: godwit.ClashExisting}
		return n
	})
	r.add(r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse))
	child.ID, child.Parent = r.id(), parent
	r.want("the submission", r.submit(child)[0], godwit.SubmitAnswer{Code: godwit.CodeUniqueConflict})
}

func ruleChildReopenUndone(r *rig) {
	parent, child := r.reopenable(func(p godwit.Token) godwit.NewJob { return r.child(p, "a") })
	before := r.get(child.ID)
	again, bad := child, r.child(parent, "b")
	again.ID, again.Parent = r.id(), parent
	bad.Deadline = r.now()
	r.told()
	r.want("the batch", r.submit(again, bad), []godwit.SubmitAnswer{
		{Code: godwit.CodeBatchRefused}, {Code: godwit.CodeInvalid, Field: "deadline"},
	})
	r.want("the child", r.get(child.ID), before)
	r.wantKinds("a refused batch")
	r.want("the child alone", r.submit(again)[0], godwit.SubmitAnswer{ID: child.ID, Reopened: true, State: godwit.StateReady})
}

func ruleChildOfWaiting(r *rig) {
	parent := r.running(r.session())
	if a := r.park(parent, false, r.plain()); a.Code != "" {
		r.Fatalf("park answers %+v", a)
	}
	r.add(r.child(parent, "a"))
	r.cancel(parent.Job, "")
	r.code("a child of a cancelled parent", r.submit(r.child(parent, "b"))[0].Code, godwit.CodeStaleRun)
}

func ruleDepth(r *rig) {
	worker := r.session()
	token := r.running(worker)
	for range godwit.DepthMax {
		token = r.run(worker, "queue", r.add(r.child(token, "a")))
	}
	r.want("the deepest", r.get(token.Job).Depth, godwit.DepthMax)
	r.want("one more", r.submit(r.child(token, "a"))[0], godwit.SubmitAnswer{Code: godwit.CodeTooDeep})
}

func cancelRules() []rule {
	return []rule{
		{"children fall with a parent that becomes cancelled", ruleCascade},
		{"the cascade goes in order and keeps to its limit", ruleCascadeLimit},
		{"a parent that succeeds leaves its children alone", ruleCascadeNot},
		{"the cascade takes each child once", ruleCascadeOnce},
		{"the cascade goes down the generations", ruleCascadeDown},
		{"the first reason counts", ruleCancelReason},
		{"a cancel that goes unheard ends the job at its next end", ruleCancelSnooze},
	}
}

// cancelRunning cancels a run that gives up.
func (r *rig) cancelRunning(token godwit.Token) {
	r.Helper()
	r.cancel(token.Job, "")
	r.finish(token, godwit.OutcomeRelease)
}

func ruleCascade(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	running := r.run(worker, "queue", r.add(r.child(parent, "running")))
	ready := r.add(r.child(parent, "ready"))
	detached := r.child(parent, "detached")
	detached.Detached = true
	r.add(detached)
	r.cancelRunning(parent)
	r.state(ready, godwit.StateReady)
	a := r.advance(100)
	if a.Cancelled != 2 {
		r.Errorf("the advance answers %+v", a)
	}
	r.state(ready, godwit.StateCancelled)
	r.state(detached.ID, godwit.StateReady)
	if r.get(running.Job).CancelRequestedAt.IsZero() {
		r.Error("the running child was not asked to stop")
	}
	r.want("the failure", r.get(ready).Failure, godwit.CancelledFailure(godwit.CascadeReason(parent.Job)))
	if a := r.advance(100); a.Cancelled != 0 || a.More {
		r.Errorf("the next advance answers %+v", a)
	}
}

func ruleCascadeLimit(r *rig) {
	worker := r.session()
	var parents []godwit.Token
	var children []godwit.ID
	for range 2 {
		parents = append(parents, r.running(worker))
	}
	for _, p := range parents {
		for _, name := range []string{"a", "b", "c"} {
			n := r.child(p, name)
			n.Queue = "aside"
			children = append(children, r.add(n))
		}
	}
	r.cancelRunning(parents[1])
	r.cancelRunning(parents[0])
	for n, limit := range []int{2, 3, 1} {
		if a := r.advance(limit); a.Cancelled != limit || !a.More {
			r.Errorf("advance %d answers %+v", n+1, a)
		}
		done := []int{2, 5, 6}[n]
		for i, id := range children {
			want := godwit.StateReady
			if i < done {
				want = godwit.StateCancelled
			}
			r.state(id, want)
		}
	}
	if a := r.advance(1); a.Cancelled != 0 || a.More {
		r.Errorf("the last advance answers %+v", a)
	}
}

func ruleCascadeNot(r *rig) {
	parent := r.running(r.session())
	child := r.add(r.child(parent, "a"))
	r.cancel(parent.Job, "")
	r.finish(parent, godwit.OutcomeSucceed)
	r.state(parent.Job, godwit.StateSucceeded)
	r.advance(100)
	r.state(child, godwit.StateReady)
}

func ruleCascadeOnce(r *rig) {
	parent := r.running(r.session())
	a, b := r.add(r.child(parent, "a")), r.add(r.child(parent, "b"))
	r.cancelRunning(parent)
	r.advance(1)
	r.state(a, godwit.StateCancelled)
	r.retry(godwit.RetryRequest{ID: a})
	if answer := r.advance(10); answer.Cancelled != 1 {
		r.Errorf("the second advance answers %+v", answer)
	}
	r.state(a, godwit.StateReady)
	r.state(b, godwit.StateCancelled)
}

func ruleCascadeDown(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	child := r.run(worker, "queue", r.add(r.child(parent, "a")))
	grandchild := r.add(r.child(child, "a"))
	r.cancelRunning(parent)
	r.advance(100)
	r.state(grandchild, godwit.StateReady)
	r.finish(child, godwit.OutcomeFail)
	r.state(child.Job, godwit.StateCancelled)
	r.advance(100)
	r.state(grandchild, godwit.StateCancelled)
}

func ruleCancelReason(r *rig) {
	token := r.running(r.session())
	r.cancel(token.Job, "first")
	asked := r.get(token.Job).CancelRequestedAt
	r.clock.Advance(time.Second)
	r.cancel(token.Job, "second")
	r.want("the time of the request", r.get(token.Job).CancelRequestedAt, asked)
	r.finish(token, godwit.OutcomeFail)
	r.want("the failure", r.get(token.Job).Failure, godwit.CancelledFailure("first"))
	r.cancel(token.Job, "third")
	r.want("the failure", r.get(token.Job).Failure, godwit.CancelledFailure("first"))
}

func ruleCancelSnooze(r *rig) {
	token := r.running(r.session())
	r.cancel(token.Job, "stop")
	a := r.settle(godwit.Settlement{Token: token, Outcome: godwit.OutcomeSnooze, Delay: time.Minute})
	r.want("the snooze", a, godwit.SettleAnswer{State: godwit.StateCancelled})
	records := r.attempts(token.Job)
	if len(records) != 1 || records[0].Outcome != "cancelled" || records[0].Attempt != 1 {
		r.Errorf("the attempt records are %s", describeShort(records))
	}
}
