package storetest

import (
	"context"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// aim gives a job that stands in some state, with the token of its newest run: of a live session where the job has none.
func (g *stream) aim(state godwit.State) (godwit.Job, godwit.Token, bool) {
	page, err := g.model.List(context.Background(), godwit.ListFilter{State: state, Limit: 30})
	if err != nil || len(page.Jobs) == 0 {
		return godwit.Job{}, godwit.Token{}, false
	}
	j := pick(g, page.Jobs)
	t := godwit.Token{Job: j.ID, Run: max(j.Run, 1), Session: j.Session}
	if t.Session.IsZero() {
		t.Session = pick(g, g.alive)
	}
	switch {
	case g.chance(5):
		t.Job = g.newID()
	case g.chance(12):
		t.Run++
	case g.chance(12) && t.Run > 1:
		t.Run--
	case g.chance(8):
		t.Session = pick(g, g.sessions)
	}
	return j, t, true
}

// drawAimed makes every operation of a run meet every state now and then.
func (g *stream) drawAimed() call {
	state := pick(g, godwit.States())
	if g.chance(30) {
		state = godwit.StateWaiting
	}
	j, t, ok := g.aim(state)
	if !ok {
		return g.drawSubmit()
	}
	switch g.rng.IntN(12) {
	case 0:
		return callOf("park", []godwit.ParkRequest{{Token: t, Await: []godwit.ID{g.id(), g.id()}[:1+g.rng.IntN(2)]}}, godwit.Store.Park)
	case 1:
		return callOf("resume", []godwit.Token{t}, godwit.Store.Resume)
	case 2:
		return callOf("report", []godwit.Report{{Token: t, Seq: g.rng.Int64N(4), Reported: g.reported()}}, godwit.Store.Report)
	case 3:
		if j.State.Final() {
			return callOf("delete", []godwit.ID{j.ID}, godwit.Store.Delete)
		}
		return callOf("cancel", []godwit.CancelRequest{{ID: j.ID}}, godwit.Store.Cancel)
	case 4:
		if j.State.Final() {
			return callOf("retry", []godwit.RetryRequest{{ID: j.ID}}, godwit.Store.Retry)
		}
	}
	s := g.settlement()
	s.Token = t
	if g.chance(20) || !j.Deadline.IsZero() && g.chance(50) {
		s.Delay = 10 * time.Minute // after every deadline
	}
	if g.chance(20) {
		s.Reported.Logs = flood
	}
	return callOf("settle", []godwit.Settlement{s}, godwit.Store.Settle)
}

// drawGoal aims at a row of the table that the stream has not met yet, as far as a single call can.
func (g *stream) drawGoal() call {
	row := g.goal()
	if row == nil {
		return g.drawAimed()
	}
	late := row.Op == states.OpRescue && row.When == states.Deadline
	if (late || row.From == states.Place(godwit.StateWaiting)) && g.chance(70) {
		return g.stage(row)
	}
	id, t := g.newID(), godwit.Token{Run: 1, Session: pick(g, g.alive)}
	for range 20 {
		state := godwit.State(plainPlace(row.From))
		if row.From == states.None {
			break
		}
		if row.From == states.Pruned {
			id = g.id()
			break
		}
		j, _, ok := g.aim(state)
		if ok && (row.From == states.Held) == (j.Held != "") {
			id, t.Run = j.ID, max(j.Run, 1)
			if !j.Session.IsZero() {
				t.Session = j.Session
			}
			if row.When&states.Deadline == 0 || !j.Deadline.IsZero() {
				break
			}
		}
	}
	t.Job = id
	if row.When&states.OtherRun != 0 {
		t.Run++
	}
	if row.When&states.SessionEnded != 0 {
		t.Session = g.newID()
	}
	return g.goalCall(row, t)
}

func (g *stream) goalCall(row *states.Row, t godwit.Token) call {
	var reported godwit.Reported
	if row.When&states.Limit != 0 {
		reported.Logs = flood
	}
	switch row.Op {
	case states.OpPark:
		await := g.id()
		if row.When&states.UnknownPromise != 0 {
			await = g.newID()
		}
		return callOf("park", []godwit.ParkRequest{{Token: t, Await: []godwit.ID{await}}}, godwit.Store.Park)
	case states.OpResume:
		return callOf("resume", []godwit.Token{t}, godwit.Store.Resume)
	case states.OpReport:
		return callOf("report", []godwit.Report{{Token: t, Seq: 1, Reported: reported}}, godwit.Store.Report)
	case states.OpCancel, states.OpWake:
		return callOf("cancel", []godwit.CancelRequest{{ID: t.Job}}, godwit.Store.Cancel)
	case states.OpRetryByHand:
		return callOf("retry", []godwit.RetryRequest{{ID: t.Job, Run: t.Run}}, godwit.Store.Retry)
	case states.OpReschedule:
		return callOf("reschedule", []godwit.RescheduleRequest{{ID: t.Job}}, godwit.Store.Reschedule)
	case states.OpDelete:
		return callOf("delete", []godwit.ID{t.Job}, godwit.Store.Delete)
	case states.OpRescue:
		g.next = append(g.next, step{move: 20 * time.Second, call: callOf("rescue", 100, godwit.Store.Rescue)})
		return callOf("cancel", []godwit.CancelRequest{{ID: g.id()}, {ID: g.id()}, {ID: g.id()}}, godwit.Store.Cancel)
	case states.OpCascade:
		return g.orphan(godwit.State(plainPlace(row.From)))
	case states.OpEndSession:
		return callOf("end_session", t.Session, godwit.Store.EndSession)
	case states.OpClaim, states.OpComeDue, states.OpPassDeadline, states.OpPrune:
		return g.drawAdvance()
	}
	s := godwit.Settlement{Token: t, Outcome: godwit.Outcome(row.Op), Reported: reported}
	if row.When&states.Deadline != 0 {
		s.Delay = time.Hour
	}
	return callOf("settle", []godwit.Settlement{s}, godwit.Store.Settle)
}

// stage puts a waiting child before a row, in a queue of its own. Waiting jobs are too few to meet what is rare by chance.
func (g *stream) stage(row *states.Row) call {
	worker, queue := g.newID(), "stage"
	job := func() godwit.NewJob {
		n := g.newJob()
		n.ID, n.Queue, n.Task, n.Version, n.Parent, n.ChildName, n.Delay, n.RunAt = g.newID(), queue, queue, 1, godwit.Token{}, "", 0, time.Time{}
		n.MaxCrashes = 3
		n.MaxAttempts, n.Unique, n.Idempotency, n.Deadline = 3, godwit.UniqueKey{}, godwit.IdempotencyKey{}, time.Time{}
		return n
	}
	parent, child, other := job(), job(), job()
	other.Delay, other.Priority = 5*time.Minute, -10
	child.Deadline = g.model.Now().Add(6 * time.Minute)
	child.Parent, child.ChildName, child.Detached = godwit.Token{Job: parent.ID, Run: 1, Session: worker}, "staged", false
	t := godwit.Token{Job: child.ID, Run: 1, Session: worker}
	then := func(c call) { g.next = append(g.next, step{call: c}) }
	claim := callOf("claim", godwit.ClaimRequest{Session: worker, Queue: queue, Limit: 100}, godwit.Store.Claim)
	then(callOf("submit", []godwit.NewJob{parent, other}, godwit.Store.Submit))
	then(claim)
	then(callOf("submit", []godwit.NewJob{child}, godwit.Store.Submit))
	then(claim)
	if row.From == states.Place(godwit.StateWaiting) {
		then(callOf("park", []godwit.ParkRequest{{Token: t, Await: []godwit.ID{other.ID}}}, godwit.Store.Park))
	} else {
		g.next = append(g.next, step{move: 7 * time.Minute, call: callOf("heartbeat", godwit.HeartbeatRequest{}, godwit.Store.Heartbeat)})
	}
	if row.Op == states.OpCascade {
		then(callOf("cancel", []godwit.CancelRequest{{ID: parent.ID}}, godwit.Store.Cancel))
		then(callOf("settle", []godwit.Settlement{{Token: child.Parent, Outcome: godwit.OutcomeRelease}}, godwit.Store.Settle))
		then(callOf("advance", 100, godwit.Store.Advance))
	}
	if row.Op == states.OpRescue || row.Op == states.OpEndSession {
		if row.When == 0 {
			then(callOf("cancel", []godwit.CancelRequest{{ID: other.ID}}, godwit.Store.Cancel))
		}
	}
	if row.Op == states.OpPassDeadline {
		g.next = append(g.next, step{move: 7 * time.Minute, call: callOf("advance", 100, godwit.Store.Advance)})
	} else {
		then(g.goalCall(row, t))
	}
	serve := godwit.NewSession{
		ID: worker, Lease: 15 * time.Second, Queues: []string{queue}, Tasks: []godwit.Capability{{Task: queue, MinVersion: 1, MaxVersion: 1}},
	}
	return callOf("start_session", serve, godwit.Store.StartSession)
}

// drawOrphans cancels a parent whose child has not finished, and lets the cascade run.
func (g *stream) drawOrphans() call {
	return g.orphan(pick(g, []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting}))
}

func (g *stream) orphan(state godwit.State) call {
	for range 20 {
		j, _, ok := g.aim(state)
		if !ok || j.Parent.IsZero() {
			continue
		}
		answers, err := g.model.Get(context.Background(), []godwit.ID{j.Parent})
		if err != nil || answers[0].Code != "" {
			continue
		}
		p := answers[0].Job
		if j.State == godwit.StateRunning && g.chance(30) {
			g.next = append(g.next, step{call: callOf("cancel", []godwit.CancelRequest{{ID: j.ID}}, godwit.Store.Cancel)})
		}
		t := godwit.Token{Job: p.ID, Run: p.Run, Session: p.Session}
		g.next = append(g.next,
			step{call: callOf("settle", []godwit.Settlement{{Token: t, Outcome: godwit.OutcomeRelease}}, godwit.Store.Settle)},
			step{call: callOf("advance", 100, godwit.Store.Advance)},
		)
		return callOf("cancel", []godwit.CancelRequest{{ID: p.ID, Reason: "orphans"}}, godwit.Store.Cancel)
	}
	return g.drawClaim()
}
