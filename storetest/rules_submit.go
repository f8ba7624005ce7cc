package storetest

import (
	"time"

	"github.com/godwit-go/godwit"
)

func submitRules() []rule {
	return []rule{
		{"a job in the future is scheduled, others are ready now", ruleSubmitTimes},
		{"the same id again is the same job, or a conflict", ruleSubmitID},
		{"a pruned id is expired", ruleSubmitExpired},
		{"a deadline has to be after now and after the start", ruleSubmitDeadline},
		{"a batch is taken whole or not at all", ruleSubmitBatch},
		{"items see those before them", ruleSubmitOrder},
		{"a refused batch leaves nothing behind", ruleSubmitLeavesNothing},
		{"a job reads as it was submitted", ruleSubmitReads},
		{"the checks come in their order", ruleSubmitCheckOrder},
	}
}

func ruleSubmitTimes(r *rig) {
	now := r.now()
	for name, c := range map[string]struct {
		delay time.Duration
		runAt time.Time
		want  time.Time
	}{
		"now":                  {0, time.Time{}, now},
		"a delay":              {time.Minute, time.Time{}, now.Add(time.Minute)},
		"a time to come":       {0, now.Add(time.Hour), now.Add(time.Hour)},
		"a time gone by":       {0, now.Add(-time.Hour), now},
		"less than a tick":     {time.Nanosecond, time.Time{}, now},
		"cut to microseconds":  {time.Second + 999, time.Time{}, now.Add(time.Second)},
		"a time in other zone": {0, now.Add(time.Hour).In(time.FixedZone("x", 3600)), now.Add(time.Hour)},
	} {
		n := r.job()
		n.Delay, n.RunAt = c.delay, c.runAt
		want := godwit.StateReady
		if c.want.After(now) {
			want = godwit.StateScheduled
		}
		if a := r.submit(n)[0]; a.State != want || !a.Created {
			r.Errorf("%s: submit answers %+v, want %s", name, a, want)
		}
		r.want(name, r.get(n.ID).RunAt, c.want)
	}
}

func ruleSubmitID(r *rig) {
	n := r.job()
	r.add(n)
	r.told()
	r.want("a repetition", r.submit(n)[0], godwit.SubmitAnswer{ID: n.ID, State: godwit.StateReady})
	n.Fingerprint[3] = 9
	r.want("another submission", r.submit(n)[0], godwit.SubmitAnswer{Code: godwit.CodeIDConflict})
	n.Version = 2
	r.want("another version of it", r.submit(n)[0], godwit.SubmitAnswer{ID: n.ID, State: godwit.StateReady})
	n.Task = "another"
	r.want("another task", r.submit(n)[0], godwit.SubmitAnswer{Code: godwit.CodeIDConflict})
	r.wantKinds("a repetition and a conflict")
}

func ruleSubmitExpired(r *rig) {
	n := r.job()
	r.add(n)
	r.cancel(n.ID, "")
	r.delete(n.ID)
	r.want("the id", r.submit(n)[0], godwit.SubmitAnswer{Code: godwit.CodeExpired})
}

func ruleSubmitDeadline(r *rig) {
	now := r.now()
	refused := godwit.SubmitAnswer{Code: godwit.CodeInvalid, Field: "deadline"}
	n := r.job()
	n.Deadline = now
	r.want("a deadline of now", r.submit(n)[0], refused)
	n.Deadline, n.Delay = now.Add(time.Minute), time.Minute
	r.want("a deadline at the start", r.submit(n)[0], refused)
	n.Deadline = now.Add(time.Minute + time.Microsecond)
	if a := r.submit(n)[0]; a.Code != "" {
		r.Errorf("a deadline just after the start answers %+v", a)
	}
	r.want("the deadline", r.get(n.ID).Deadline, n.Deadline)
}

func ruleSubmitBatch(r *rig) {
	taken := r.job()
	r.add(taken)
	clash := taken
	clash.Fingerprint[0] = 9
	a, b := r.job(), r.job()
	r.want("the answers", r.submit(a, clash, taken, b), []godwit.SubmitAnswer{
		{Code: godwit.CodeBatchRefused}, {Code: godwit.CodeIDConflict}, {Code: godwit.CodeBatchRefused}, {Code: godwit.CodeBatchRefused},
	})
	for _, id := range []godwit.ID{a.ID, b.ID} {
		r.code("get of a job of a refused batch", r.look(id).Code, godwit.CodeNotFound)
	}
}

func ruleSubmitOrder(r *rig) {
	a, b, c := r.job(), r.job(), r.job()
	a.Unique = godwit.UniqueKey{Scope: "s", Key: "k", While: godwit.UniqueUnfinished, OnClash: godwit.ClashExisting}
	b.Unique = a.Unique
	c.ID = a.ID
	r.told()
	r.want("the answers", r.submit(a, b, c), []godwit.SubmitAnswer{
		{ID: a.ID, Created: true, State: godwit.StateReady}, {ID: a.ID, State: godwit.StateReady}, {ID: a.ID, State: godwit.StateReady},
	})
	r.wantKinds("three submissions of one job", godwit.EventSubmitted)
}

func ruleSubmitLeavesNothing(r *rig) {
	clash := r.job()
	r.add(clash)
	clash.Fingerprint[0] = 9
	a := r.job()
	a.Unique = godwit.UniqueKey{Scope: "s", Key: "k", While: godwit.UniqueUnfinished, OnClash: godwit.ClashRefuse}
	a.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: time.Hour}
	r.submit(a, clash)
	b := r.job()
	b.Unique, b.Idempotency = a.Unique, a.Idempotency
	b.Fingerprint[0] = 7
	if got := r.submit(b)[0]; got.Code != "" || !got.Created {
		r.Errorf("the keys of a refused batch are taken: %+v", got)
	}
	r.code("get of a job of a refused batch", r.look(a.ID).Code, godwit.CodeNotFound)
}

func ruleSubmitReads(r *rig) {
	parent := r.running(r.session())
	n := r.job()
	n.Queue, n.Priority, n.Delay = "other", -3, time.Minute
	n.Deadline = r.now().Add(time.Hour)
	n.Tags = []string{"b", "a"}
	n.Headers = map[string]string{"traceparent": "00-1"}
	n.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "idem", For: time.Hour}
	n.Unique = godwit.UniqueKey{Scope: "s", Key: "uniq", While: godwit.UniqueUnstarted, OnClash: godwit.ClashRefuse}
	n.Parent, n.ChildName, n.Detached = parent, "child", true
	r.add(n)
	want := godwit.Job{
		ID: n.ID, Task: n.Task, Version: 1, Queue: "other", State: godwit.StateScheduled, Priority: -3, MaxAttempts: 3, MaxCrashes: 5,
		Args: n.Args, Timeout: n.Timeout, KeepSucceeded: n.KeepSucceeded, KeepFailed: n.KeepFailed, Tags: n.Tags, Headers: n.Headers,
		IdempotencyKey: "idem", UniqueKey: "uniq", Parent: parent.Job, ChildName: "child", Detached: true, Depth: 1,
		CreatedAt: r.now(), RunAt: r.now().Add(time.Minute), Deadline: n.Deadline,
	}
	r.want("the job", r.get(n.ID), want)
}

// ruleSubmitCheckOrder gives each submission all faults from one check on.
func ruleSubmitCheckOrder(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	child := r.job()
	child.Parent, child.ChildName = parent, "child"
	r.add(child)
	keyed := r.job()
	keyed.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: time.Hour}
	keyed.Unique = godwit.UniqueKey{Scope: "s", Key: "k", While: godwit.UniqueUnfinished, OnClash: godwit.ClashRefuse}
	r.add(keyed)

	n := keyed
	n.Fingerprint[0] = 9
	n.Deadline = r.now()
	n.Parent, n.ChildName = parent, "child"
	n.Parent.Session = r.id()
	r.code("everything wrong", r.submit(n)[0].Code, godwit.CodeIDConflict)
	n.ID = r.id()
	r.code("from the parent's session on", r.submit(n)[0].Code, godwit.CodeSessionEnded)
	n.Parent.Session, n.Parent.Run = worker, 2
	r.code("from the parent's run on", r.submit(n)[0].Code, godwit.CodeStaleRun)
	n.Parent.Run = 1
	r.code("from the child's name on", r.submit(n)[0].Code, godwit.CodeChildMismatch)
	n.ChildName = "another child"
	r.code("from the idempotency key on", r.submit(n)[0].Code, godwit.CodeIdempotency)
	n.Idempotency.Key = "another"
	r.code("from the unique key on", r.submit(n)[0].Code, godwit.CodeUniqueConflict)
	n.Unique.Key = "another"
	r.code("of the deadline", r.submit(n)[0].Code, godwit.CodeInvalid)
	r.cancel(parent.Job, "")
	n.ChildName = "child"
	r.code("of a parent to be cancelled", r.submit(n)[0].Code, godwit.CodeCancelRequested)
}

func keyRules() []rule {
	return []rule{
		{"an idempotency key is known for its time, whatever the state", ruleIdempotency},
		{"an idempotency key keeps its job", ruleIdempotencyKeeps},
		{"an idempotency key goes with its job", ruleIdempotencyGoes},
		{"scopes keep keys apart", ruleScopes},
		{"a unique key is held until the job is final", ruleUniqueUnfinished},
		{"a unique key may be held until the start only", ruleUniqueUnstarted},
		{"a clash answers the holder or refuses", ruleUniqueClash},
	}
}

func ruleIdempotency(r *rig) {
	first := r.job()
	first.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: time.Hour}
	r.add(first)
	again := first
	again.ID = r.id()
	r.want("a repetition", r.submit(again)[0], godwit.SubmitAnswer{ID: first.ID, State: godwit.StateReady})
	r.cancel(first.ID, "")
	r.want("a repetition when it is final", r.submit(again)[0], godwit.SubmitAnswer{ID: first.ID, State: godwit.StateCancelled})
	again.Fingerprint[0] = 9
	r.code("another submission", r.submit(again)[0].Code, godwit.CodeIdempotency)
	r.clock.Advance(time.Hour - time.Microsecond)
	r.code("just before the key is over", r.submit(again)[0].Code, godwit.CodeIdempotency)
	r.clock.Advance(time.Microsecond)
	r.want("when the key is over", r.submit(again)[0], godwit.SubmitAnswer{ID: again.ID, Created: true, State: godwit.StateReady})
}

func ruleIdempotencyKeeps(r *rig) {
	n := r.job()
	n.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: 9 * time.Hour}
	r.add(n)
	until := r.now().Add(9 * time.Hour)
	r.clock.Advance(time.Minute)
	r.cancel(n.ID, "")
	r.want("the job is kept", r.get(n.ID).KeepUntil, until)
}

func ruleIdempotencyGoes(r *rig) {
	n := r.job()
	n.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: 9 * time.Hour}
	r.add(n)
	r.cancel(n.ID, "")
	r.delete(n.ID)
	n.ID = r.id()
	n.Fingerprint[0] = 9
	if a := r.submit(n)[0]; !a.Created {
		r.Errorf("after its job was deleted the key answers %+v", a)
	}
}

func ruleScopes(r *rig) {
	a := r.job()
	a.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: time.Hour}
	a.Unique = godwit.UniqueKey{Scope: "s", Key: "k", While: godwit.UniqueUnfinished, OnClash: godwit.ClashRefuse}
	r.add(a)
	b := a
	b.ID, b.Idempotency.Scope, b.Unique.Scope = r.id(), "t", "t"
	r.add(b)
}

// unique is a job with a unique key.
func (r *rig) unique(while godwit.UniqueWhile, clash godwit.UniqueClash) godwit.NewJob {
	n := r.job()
	n.Unique = godwit.UniqueKey{Scope: "s", Key: "k", While: while, OnClash: clash}
	return n
}

func ruleUniqueUnfinished(r *rig) {
	worker := r.session()
	first := r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse)
	token := r.run(worker, "queue", r.add(first))
	second := r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse)
	r.code("while it runs", r.submit(second)[0].Code, godwit.CodeUniqueConflict)
	r.finish(token, godwit.OutcomeSucceed)
	r.add(second)
}

func ruleUniqueUnstarted(r *rig) {
	worker := r.session()
	token := r.run(worker, "queue", r.add(r.unique(godwit.UniqueUnstarted, godwit.ClashRefuse)))
	second := r.add(r.unique(godwit.UniqueUnstarted, godwit.ClashRefuse))
	r.finish(token, godwit.OutcomeRetry)
	r.state(token.Job, godwit.StateReady)
	third := r.unique(godwit.UniqueUnstarted, godwit.ClashRefuse)
	r.code("while the second waits", r.submit(third)[0].Code, godwit.CodeUniqueConflict)
	r.cancel(second, "")
	if a := r.submit(third)[0]; !a.Created {
		r.Errorf("a retried run has taken its key again: %+v", a)
	}
}

func ruleUniqueClash(r *rig) {
	first := r.add(r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse))
	other := r.unique(godwit.UniqueUnfinished, godwit.ClashExisting)
	other.Fingerprint[0] = 9
	r.want("existing", r.submit(other)[0], godwit.SubmitAnswer{ID: first, State: godwit.StateReady})
	other.Unique.OnClash = godwit.ClashRefuse
	r.want("refuse", r.submit(other)[0], godwit.SubmitAnswer{Code: godwit.CodeUniqueConflict})
}
