package storetest

import (
	"time"

	"github.com/godwit-go/godwit"
)

func heldRules() []rule {
	return []rule{
		{"the reasons come in their order", ruleHeldReasons},
		{"a pause is idempotent and told once", rulePauseOnce},
		{"a session frees what was held for it, and its end holds it again", ruleHeldSessions},
		{"only ready jobs are held", ruleHeldReadyOnly},
	}
}

func ruleHeldReasons(r *rig) {
	id := r.plain()
	held := func(want godwit.Held) {
		r.Helper()
		if got := r.get(id).Held; got != want {
			r.Errorf("held for %q, want %q", got, want)
		}
	}
	serve := func(queue, task string, version int) godwit.ID {
		return r.start(godwit.NewSession{Queues: []string{queue}, Tasks: []godwit.Capability{{Task: task, MinVersion: version, MaxVersion: version}}})
	}
	held(godwit.HeldUnknownTask)
	serve("queue", "other", 1)
	held(godwit.HeldUnknownTask)
	serve("queue", "task", 2)
	held(godwit.HeldUnknownVersion)
	serve("aside", "task", 1)
	held(godwit.HeldUnservedQueue)
	r.ok(r.store.PauseTask(r.ctx, "task", true))
	held(godwit.HeldTaskPaused)
	r.ok(r.store.PauseQueue(r.ctx, "queue", true))
	held(godwit.HeldQueuePaused)
	serve("queue", "task", 1)
	held(godwit.HeldQueuePaused)
	r.ok(r.store.PauseQueue(r.ctx, "queue", false))
	held(godwit.HeldTaskPaused)
	r.ok(r.store.PauseTask(r.ctx, "task", false))
	held("")
}

func rulePauseOnce(r *rig) {
	r.told()
	for _, paused := range []bool{true, true, false, false} {
		r.ok(r.store.PauseQueue(r.ctx, "queue", paused))
		r.ok(r.store.PauseTask(r.ctx, "task", paused))
	}
	if r.events == nil {
		return
	}
	now := r.now()
	r.want("the events", r.told(), []godwit.Event{
		{Kind: godwit.EventQueuePaused, At: now, Queue: "queue"},
		{Kind: godwit.EventTaskPaused, At: now, Task: "task"},
		{Kind: godwit.EventQueueResumed, At: now, Queue: "queue"},
		{Kind: godwit.EventTaskResumed, At: now, Task: "task"},
	})
}

func ruleHeldSessions(r *rig) {
	id := r.plain()
	worker := r.session()
	r.want("with a session, held", r.get(id).Held, godwit.Held(""))
	second := r.session()
	r.end(worker)
	r.want("with another session, held", r.get(id).Held, godwit.Held(""))
	r.end(second)
	r.want("without a session, held", r.get(id).Held, godwit.HeldUnknownTask)
}

func ruleHeldReadyOnly(r *rig) {
	token := r.running(r.session())
	later := r.job()
	later.Delay = time.Hour
	r.add(later)
	r.ok(r.store.PauseQueue(r.ctx, "queue", true))
	for _, id := range []godwit.ID{token.Job, later.ID} {
		r.want("held", r.get(id).Held, godwit.Held(""))
	}
	r.finish(token, godwit.OutcomeSucceed)
	r.want("held", r.get(token.Job).Held, godwit.Held(""))
}

func claimRules() []rule {
	return []rule{
		{"by priority, then time, then id", ruleClaimOrder},
		{"only lanes that the session announced", ruleClaimLanes},
		{"a session that is late claims nothing until its heartbeat", ruleClaimLease},
		{"an ended or unknown session claims nothing", ruleClaimEnded},
		{"a released job keeps its turn", ruleClaimTurn},
		{"what comes late and belongs before is claimed before", ruleClaimLate},
		{"a claim shows the job as it stands", ruleClaimShows},
		{"more is answered when the limit was reached", ruleClaimMore},
	}
}

// drained claims one by one what is there.
func (r *rig) drained(session godwit.ID, queue string) []godwit.ID {
	r.Helper()
	var ids []godwit.ID
	for {
		a := r.claim(session, queue, 1)
		if len(a.Jobs) == 0 {
			return ids
		}
		ids = append(ids, a.Jobs[0].ID)
	}
}

func ruleClaimOrder(r *rig) {
	worker := r.session()
	low, late, second, first, high := r.job(), r.job(), r.job(), r.job(), r.job()
	low.Priority, high.Priority = -1, 1
	second.ID, first.ID = first.ID, second.ID
	r.submit(low, first, second, high)
	r.clock.Advance(time.Second)
	r.add(late)
	want := []godwit.ID{high.ID, first.ID, second.ID, late.ID, low.ID}
	if first.ID.Compare(second.ID) > 0 {
		want[1], want[2] = want[2], want[1]
	}
	r.want("the order", r.drained(worker, "queue"), want)
}

func ruleClaimLanes(r *rig) {
	worker := r.start(godwit.NewSession{
		Queues: []string{"queue"},
		Tasks:  []godwit.Capability{{Task: "task", MinVersion: 2, MaxVersion: 3}, {Task: "task", MinVersion: 5, MaxVersion: 5}},
	})
	r.start(godwit.NewSession{ // so that nothing is held
		Queues: []string{"queue", "aside"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 9}, {Task: "other", MinVersion: 1, MaxVersion: 9}},
	})
	var want []godwit.ID
	for version := 1; version <= 6; version++ {
		n := r.job()
		n.Version = version
		r.add(n)
		if version == 2 || version == 3 || version == 5 {
			want = append(want, n.ID)
		}
	}
	other, aside := r.job(), r.job()
	other.Task, other.Version, aside.Queue, aside.Version = "other", 2, "aside", 2
	r.submit(other, aside)
	if a := r.claim(worker, "aside", 10); a.Code != "" || len(a.Jobs) != 0 {
		r.Errorf("a queue that was not announced answers %+v", a)
	}
	r.want("the jobs", r.drained(worker, "queue"), want)
}

func ruleClaimLease(r *rig) {
	worker := r.session()
	r.plain()
	r.clock.Advance(time.Hour - time.Microsecond)
	if a := r.claim(worker, "queue", 1); a.Code != "" || len(a.Jobs) != 1 {
		r.Errorf("just before the end of the lease the claim answers %q", a.Code)
	}
	r.clock.Advance(time.Microsecond)
	r.plain()
	r.code("a claim at the end of the lease", r.claim(worker, "queue", 1).Code, godwit.CodeLeaseExpired)
	r.heartbeat(worker)
	if a := r.claim(worker, "queue", 1); a.Code != "" || len(a.Jobs) != 1 {
		r.Errorf("after a heartbeat the claim answers %q", a.Code)
	}
}

func ruleClaimEnded(r *rig) {
	worker := r.session()
	r.plain()
	r.end(worker)
	r.code("a claim by an ended session", r.claim(worker, "queue", 1).Code, godwit.CodeSessionEnded)
	r.code("a claim by no session", r.claim(r.id(), "queue", 1).Code, godwit.CodeSessionEnded)
}

func ruleClaimTurn(r *rig) {
	worker := r.session()
	first := r.running(worker)
	r.clock.Advance(time.Second)
	second := r.plain()
	r.finish(first, godwit.OutcomeRelease)
	r.want("the order", r.drained(worker, "queue"), []godwit.ID{first.Job, second})
}

func ruleClaimLate(r *rig) {
	worker := r.session()
	later := r.job()
	later.Delay = time.Second
	r.add(later)
	for range 3 {
		r.running(worker)
	}
	r.clock.Advance(2 * time.Second)
	newest := r.plain()
	urgent := r.job()
	urgent.Priority = 5
	r.add(urgent)
	r.advance(10)
	r.want("the order", r.drained(worker, "queue"), []godwit.ID{urgent.ID, later.ID, newest})
}

func ruleClaimShows(r *rig) {
	worker := r.session()
	id := r.plain()
	r.clock.Advance(time.Second)
	a := r.claim(worker, "queue", 1)
	if len(a.Jobs) != 1 {
		r.Fatalf("the claim answers %+v", a)
	}
	r.want("the job", a.Jobs[0], r.get(id))
	j := a.Jobs[0]
	if j.State != godwit.StateRunning || j.Run != 1 || j.Attempt != 1 || j.Session != worker || !j.StartedAt.Equal(r.now()) || len(j.Args.Data) == 0 {
		r.Errorf("the job is %s", describeShort(j))
	}
}

func ruleClaimMore(r *rig) {
	worker := r.session()
	for range 3 {
		r.plain()
	}
	for i, want := range []struct {
		jobs int
		more bool
	}{{2, true}, {1, false}, {0, false}} {
		if a := r.claim(worker, "queue", 2); len(a.Jobs) != want.jobs || a.More != want.more {
			r.Errorf("claim %d answers %d jobs, more %v", i+1, len(a.Jobs), a.More)
		}
	}
}

func sessionRules() []rule {
	return []rule{
		{"a start answers the lease and the greatest id", ruleSessionStart},
		{"an id starts once", ruleSessionOnce},
		{"a heartbeat renews the lease and tells what is lost", ruleHeartbeat},
		{"an ended session is refused everywhere", ruleSessionEnded},
		{"a rescue takes the sessions that are late, the oldest first", ruleRescueOrder},
		{"crashes are counted apart and delayed", ruleCrashes},
		{"sessions are shown as they stand", ruleSessionsShown},
	}
}

func ruleSessionStart(r *rig) {
	start := func() godwit.SessionAnswer {
		a, err := r.store.StartSession(r.ctx, godwit.NewSession{ID: r.id(), Lease: time.Minute})
		r.ok(err)
		return a
	}
	r.want("the first", start(), godwit.SessionAnswer{LeaseUntil: r.now().Add(time.Minute)})
	r.plain()
	top, below := r.job(), r.job()
	top.ID, below.ID = below.ID, top.ID
	r.submit(top, below)
	r.want("with jobs", start(), godwit.SessionAnswer{LeaseUntil: r.now().Add(time.Minute), MaxID: top.ID})
	r.cancel(top.ID, "")
	r.want("with a final job", start().MaxID, top.ID)
	r.delete(top.ID)
	r.want("with a deleted job", start().MaxID, below.ID)
}

func ruleSessionOnce(r *rig) {
	n := godwit.NewSession{ID: r.id(), Lease: time.Minute, Queues: []string{"queue"}}
	r.told()
	lease := r.now().Add(time.Minute)
	for _, c := range []struct {
		what string
		pid  int
		want godwit.SessionAnswer
	}{{"the start", 1, godwit.SessionAnswer{LeaseUntil: lease}}, {"its repetition", 1, godwit.SessionAnswer{LeaseUntil: lease}}, {"another", 2, godwit.SessionAnswer{Code: godwit.CodeIDConflict}}} {
		n.PID = c.pid
		a, err := r.store.StartSession(r.ctx, n)
		r.ok(err)
		r.want(c.what, a, c.want)
		r.clock.Advance(time.Second)
	}
	if r.events != nil {
		r.want("the events", r.told(), []godwit.Event{{Kind: godwit.EventSessionStarted, At: lease.Add(-time.Minute), Session: n.ID}})
	}
}

func ruleHeartbeat(r *rig) {
	worker := r.session()
	fine, asked, settled, parked, cancelled := r.running(worker), r.running(worker), r.running(worker), r.running(worker), r.running(worker)
	r.cancel(asked.Job, "")
	r.settle(godwit.Settlement{Token: settled, Outcome: godwit.OutcomeRetry, Delay: time.Hour})
	blocker := r.job()
	blocker.Delay = time.Hour
	r.add(blocker)
	r.park(parked, false, blocker.ID)
	r.park(cancelled, false, blocker.ID)
	r.cancel(cancelled.Job, "")
	never, foreign := fine, fine
	never.Run, foreign.Session = 7, r.session()
	r.clock.Advance(time.Minute)
	unnamed := r.running(worker)
	r.want("the heartbeat", r.heartbeat(worker, fine, asked, settled, parked, cancelled, never, foreign), godwit.HeartbeatAnswer{
		LeaseUntil: r.now().Add(time.Hour), Cancelled: []godwit.Token{asked, cancelled}, Lost: []godwit.Token{settled, never, foreign},
		Unnamed: []godwit.Token{unnamed},
	})
}

func ruleSessionEnded(r *rig) {
	worker := r.session()
	token := r.running(worker)
	r.end(worker)
	a, err := r.store.EndSession(r.ctx, worker)
	r.ok(err)
	r.code("another end", a.Code, godwit.CodeSessionEnded)
	r.code("a heartbeat", r.heartbeat(worker).Code, godwit.CodeSessionEnded)
	r.code("a settle", r.settle(godwit.Settlement{Token: token, Outcome: godwit.OutcomeSucceed}).Code, godwit.CodeSessionEnded)
	r.state(token.Job, godwit.StateReady)
}

func ruleRescueOrder(r *rig) {
	late := func(lease time.Duration) godwit.ID { return r.start(godwit.NewSession{Lease: lease}) }
	c, a, b, fine := late(3*time.Second), late(time.Second), late(time.Second), late(time.Minute)
	r.clock.Advance(10 * time.Second)
	r.want("the first", r.rescue(2).Sessions, []godwit.ID{a, b})
	r.want("the second", r.rescue(2).Sessions, []godwit.ID{c})
	r.want("the third", r.rescue(2), godwit.RescueAnswer{})
	r.heartbeat(fine)
}

func ruleCrashes(r *rig) {
	id := r.plain()
	for crashes := 1; crashes <= 5; crashes++ {
		worker := r.start(godwit.NewSession{
			Lease: time.Second, Queues: []string{"queue"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 1}},
		})
		r.run(worker, "queue", id)
		r.clock.Advance(time.Second)
		want := godwit.RescueAnswer{Sessions: []godwit.ID{worker}, Retried: 1}
		if crashes == 5 {
			want.Retried, want.Failed = 0, 1
		}
		r.want("the rescue", r.rescue(10), want)
		j := r.get(id)
		if j.Crashes != crashes || j.Attempt != 0 || j.Run != int64(crashes) {
			r.Errorf("after crash %d the job is %s", crashes, describeShort(j))
		}
		if crashes > 1 && crashes < 5 {
			r.want("the start", j.RunAt, r.now().Add(godwit.CrashDelay(id, crashes)))
			r.clock.Set(j.RunAt)
			r.advance(10)
		}
	}
	r.state(id, godwit.StateFailed)
}

func ruleSessionsShown(r *rig) {
	n := godwit.NewSession{
		Lease: time.Minute, Queues: []string{"queue", "b"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 3}},
	}
	n.ID = r.start(n)
	n.Host, n.PID = "host", 7
	began := r.now()
	r.running(n.ID)
	waits := r.running(n.ID)
	blocker := r.job()
	blocker.Delay = time.Hour
	r.park(waits, false, r.add(blocker))
	r.clock.Advance(time.Second)
	r.heartbeat(n.ID)
	got, err := r.store.Sessions(r.ctx)
	r.ok(err)
	r.want("the sessions", got, []godwit.SessionInfo{
		{NewSession: n, StartedAt: began, LeaseUntil: r.now().Add(time.Minute), Running: 1, Waiting: 1},
	})
}
