package storetest

import (
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// token gives mostly the token of a run under way, sometimes a stale or a wrong one.
func (g *stream) token() godwit.Token {
	t := pick(g, g.live)
	if t.Run == 0 || g.chance(15) {
		t = pick(g, g.tokens)
	}
	switch g.rng.IntN(30) {
	case 0:
		t.Run++
	case 1:
		t.Run--
	case 2:
		t.Session = pick(g, g.sessions)
	case 3:
		t.Job = g.id()
	case 4:
		t.Session = g.newID()
	case 5, 6, 7:
		t = pick(g, g.tokens)
		t.Session = pick(g, g.alive)
		t.Run = max(1, t.Run-g.rng.Int64N(2))
	}
	return t
}

// id gives mostly the id of a job that is or was there.
func (g *stream) id() godwit.ID {
	switch n := g.rng.IntN(100); {
	case n < 3:
		return g.newID()
	case n < 35 && len(g.live) > 0:
		return pick(g, g.live).Job
	case n < 70:
		return pick(g, g.ids[max(0, len(g.ids)-12):])
	}
	return pick(g, g.ids)
}

// batch draws mostly one item, sometimes a few.
func batch[T any](g *stream, draw func() T) []T {
	n := 1
	if g.chance(30) {
		n = g.rng.IntN(5)
	}
	items := make([]T, 0, n)
	for range n {
		items = append(items, draw())
	}
	return items
}

func (g *stream) payload() godwit.Payload {
	if g.chance(5) {
		return godwit.Payload{}
	}
	return godwit.Payload{Encoding: godwit.EncodingJSON, Data: fmt.Appendf(nil, `{"n":%d}`, g.rng.IntN(100))}
}

func (g *stream) drawSubmit() call {
	jobs := batch(g, g.newJob)
	g.repeats = keep(g.repeats, 20, jobs...)
	return callOf("submit", jobs, godwit.Store.Submit)
}

func (g *stream) newJob() godwit.NewJob {
	if len(g.repeats) > 0 && g.chance(12) {
		n := pick(g, g.repeats)
		switch g.rng.IntN(4) {
		case 0:
			n.Fingerprint[0]++
		case 1:
			n.ID = g.newID()
		}
		return n
	}
	n := godwit.NewJob{
		ID: g.newID(), Task: pick(g, g.tasks), Version: 1 + g.rng.IntN(2), Queue: pick(g, g.queues), Args: g.payload(),
		Priority: g.rng.IntN(5) - 2, MaxAttempts: 1 + g.rng.IntN(4), MaxCrashes: 1 + g.rng.IntN(3),
		Timeout: time.Duration(g.rng.IntN(3)) * time.Minute, KeepSucceeded: g.micros(10 * time.Minute), KeepFailed: g.micros(20 * time.Minute),
		Fingerprint: [16]byte{byte(g.rng.IntN(2))}, Detached: g.chance(20),
	}
	g.addTimes(&n)
	if g.chance(20) {
		n.Tags = []string{pick(g, streamTags), "all"}
		n.Headers = map[string]string{"traceparent": fmt.Sprint(g.rng.IntN(100))}
	}
	if g.chance(12) {
		n.Idempotency = godwit.IdempotencyKey{Scope: n.Task[:1], Key: pick(g, streamKeys), For: g.micros(40 * time.Minute)}
	}
	if g.chance(30) {
		n.Unique = godwit.UniqueKey{
			Scope: n.Queue[:1], Key: pick(g, streamKeys), While: pick(g, []godwit.UniqueWhile{godwit.UniqueUnfinished, godwit.UniqueUnstarted}),
			OnClash: pick(g, []godwit.UniqueClash{godwit.ClashExisting, godwit.ClashRefuse}),
		}
	}
	if g.chance(45) && len(g.live) > 0 {
		n.Parent, n.ChildName = g.token(), pick(g, streamNames)
		if n.Parent.Job.IsZero() {
			n.Parent = godwit.Token{}
		}
	}
	return n
}

// addTimes gives some jobs a time to start and a deadline, in the past now and then.
func (g *stream) addTimes(n *godwit.NewJob) {
	now := g.model.Now()
	switch {
	case g.chance(15):
		n.Delay = g.micros(8 * time.Second)
	case g.chance(15):
		n.RunAt = now.Add(g.micros(20*time.Second) - 5*time.Second)
	case g.chance(3):
		n.Delay = g.micros(time.Hour)
	}
	if g.chance(25) {
		n.Deadline = now.Add(g.micros(pick(g, []time.Duration{10 * time.Second, 2 * time.Minute})) - time.Second)
	}
}

func (g *stream) drawStart() call {
	n := godwit.NewSession{ID: g.newID(), Lease: time.Second + g.micros(20*time.Second), Host: "host", PID: g.rng.IntN(9)}
	if len(g.starts) > 0 && g.chance(6) {
		n = pick(g, g.starts) // as when the answer was lost
		if g.chance(50) {
			n.PID++
		}
		return callOf("start_session", n, godwit.Store.StartSession)
	}
	if g.chance(30) {
		n.Lease = 10 * time.Minute
	}
	for _, queue := range g.queues {
		if g.chance(85) {
			n.Queues = append(n.Queues, queue)
		}
	}
	for _, task := range g.tasks {
		if g.chance(80) {
			n.Tasks = append(n.Tasks, godwit.Capability{Task: task, MinVersion: 1 + g.rng.IntN(6)/5, MaxVersion: 2})
		}
	}
	if g.chance(10) {
		n.Tasks = append(n.Tasks, godwit.Capability{Task: pick(g, g.tasks), MinVersion: 1, MaxVersion: 1})
	}
	return callOf("start_session", n, godwit.Store.StartSession)
}

func (g *stream) session() godwit.ID {
	if g.chance(4) {
		return g.newID()
	}
	if g.chance(15) {
		return pick(g, g.sessions)
	}
	return pick(g, g.alive)
}

func (g *stream) drawHeartbeat() call {
	q := godwit.HeartbeatRequest{Session: g.session()}
	for _, t := range g.live {
		if t.Session == q.Session {
			q.Runs = append(q.Runs, t)
		}
	}
	if g.chance(30) {
		q.Runs = append(q.Runs, g.token())
	}
	return callOf("heartbeat", q, godwit.Store.Heartbeat)
}

func (g *stream) drawEnd() call { return callOf("end_session", g.session(), godwit.Store.EndSession) }

func (g *stream) drawRescue() call {
	return callOf("rescue", 1+g.rng.IntN(3), godwit.Store.Rescue)
}

func (g *stream) drawClaim() call {
	q := godwit.ClaimRequest{Session: g.session(), Queue: pick(g, g.queues), Limit: 1 + g.rng.IntN(4)}
	return callOf("claim", q, godwit.Store.Claim)
}

var outcomes = []godwit.Outcome{
	godwit.OutcomeSucceed, godwit.OutcomeSucceed, godwit.OutcomeFail, godwit.OutcomeRetry, godwit.OutcomeRetry,
	godwit.OutcomeSnooze, godwit.OutcomeRelease, godwit.OutcomeReject,
}

func (g *stream) drawSettle() call {
	items := batch(g, g.settlement)
	g.settles = keep(g.settles, 10, items...)
	return callOf("settle", items, godwit.Store.Settle)
}

func (g *stream) settlement() godwit.Settlement {
	if len(g.settles) > 0 && g.chance(8) {
		return pick(g, g.settles)
	}
	s := godwit.Settlement{Token: g.token(), Outcome: pick(g, outcomes)}
	switch s.Outcome {
	case godwit.OutcomeSucceed:
		s.Result = g.payload()
	case godwit.OutcomeFail, godwit.OutcomeRetry, godwit.OutcomeReject:
		s.Failure = &godwit.Failure{Code: pick(g, []godwit.Code{godwit.CodeFailed, godwit.CodePanic, godwit.CodeTimeout}), Message: pick(g, streamKeys)}
	case godwit.OutcomeRelease, godwit.OutcomeSnooze:
	}
	if (s.Outcome == godwit.OutcomeRetry || s.Outcome == godwit.OutcomeSnooze) && g.chance(60) {
		s.Delay = g.micros(20 * time.Second)
	}
	if g.chance(20) {
		s.Reported = g.reported()
	}
	return s
}

// flood is more log lines than a job may have.
var flood = make([]godwit.LogLine, godwit.LogLinesMax+1)

func (g *stream) reported() godwit.Reported {
	var r godwit.Reported
	if g.chance(20) {
		r.Logs = flood
		return r
	}
	if g.chance(60) {
		r.Progress = &godwit.Progress{Done: g.rng.Int64N(100), Total: 100, Message: pick(g, streamKeys)}
	}
	for range g.rng.IntN(3) {
		r.Logs = append(r.Logs, godwit.LogLine{At: g.model.Now(), Level: "INFO", Message: pick(g, streamKeys)})
	}
	for range g.rng.IntN(3) {
		r.Items = append(r.Items, g.payload())
	}
	return r
}

func (g *stream) drawReport() call {
	return callOf("report", batch(g, func() godwit.Report {
		return godwit.Report{Token: g.token(), Seq: g.rng.Int64N(4), Reported: g.reported()}
	}), godwit.Store.Report)
}

func (g *stream) drawPark() call {
	return callOf("park", batch(g, func() godwit.ParkRequest {
		q := godwit.ParkRequest{Token: g.token(), Any: g.chance(40)}
		for range 1 + g.rng.IntN(3) {
			q.Await = append(q.Await, g.id())
		}
		if g.chance(5) {
			q.Await = append(q.Await, q.Job)
		}
		return q
	}), godwit.Store.Park)
}

func (g *stream) drawResume() call {
	return callOf("resume", batch(g, g.token), godwit.Store.Resume)
}

func (g *stream) drawAdvance() call {
	return callOf("advance", pick(g, []int{1, 2, 5, 100}), godwit.Store.Advance)
}

func (g *stream) drawPrune() call {
	return callOf("prune", pick(g, []int{1, 3, 10, 1000}), godwit.Store.Prune)
}

func (g *stream) drawCancel() call {
	return callOf("cancel", batch(g, func() godwit.CancelRequest {
		return godwit.CancelRequest{ID: g.id(), Reason: pick(g, []string{"", "no longer wanted", "too slow"})}
	}), godwit.Store.Cancel)
}

func (g *stream) drawRetry() call {
	return callOf("retry", batch(g, func() godwit.RetryRequest {
		q := godwit.RetryRequest{ID: g.id()}
		if g.chance(30) {
			args := g.payload()
			q.Args, q.Version = &args, g.rng.IntN(3)
		}
		if g.chance(20) {
			q.Run = 1 + g.rng.Int64N(4)
		}
		return q
	}), godwit.Store.Retry)
}

func (g *stream) drawReschedule() call {
	return callOf("reschedule", batch(g, func() godwit.RescheduleRequest {
		q := godwit.RescheduleRequest{ID: g.id()}
		if g.chance(40) {
			q.RunAt = g.model.Now().Add(g.micros(20*time.Second) - 5*time.Second)
		} else if g.chance(60) {
			q.Delay = g.micros(20 * time.Second)
		}
		return q
	}), godwit.Store.Reschedule)
}

func (g *stream) drawDelete() call {
	return callOf("delete", batch(g, g.id), godwit.Store.Delete)
}

func (g *stream) drawPause() call {
	paused := g.chance(30)
	if g.chance(50) {
		return pauseOf("pause_queue", pauseRequest{pick(g, g.queues), paused}, godwit.Store.PauseQueue)
	}
	return pauseOf("pause_task", pauseRequest{pick(g, g.tasks), paused}, godwit.Store.PauseTask)
}

func (g *stream) drawRead() call {
	rows := rowsRequest{g.id(), g.rng.Int64N(6), 1 + g.rng.IntN(4)}
	switch g.rng.IntN(9) {
	case 0:
		return callOf("get", batch(g, g.id), godwit.Store.Get)
	case 1:
		return callOf("outcomes", batch(g, g.id), godwit.Store.Outcomes)
	case 2:
		return callOf("list", g.filter(), godwit.Store.List)
	case 3:
		return attemptsOf(rows.ID)
	case 4:
		return rowsOf("logs", rows, godwit.Store.Logs)
	case 5:
		return rowsOf("items", rows, godwit.Store.Items)
	case 6:
		return readOf("queues", godwit.Store.Queues)
	case 7:
		return readOf("tasks", godwit.Store.Tasks)
	}
	return readOf("sessions", godwit.Store.Sessions)
}

func (g *stream) filter() godwit.ListFilter {
	f := godwit.ListFilter{Limit: g.rng.IntN(8)}
	if g.chance(40) {
		f.State = pick(g, godwit.States())
	}
	if g.chance(30) {
		f.Queue = pick(g, g.queues)
	}
	if g.chance(30) {
		f.Task = pick(g, g.tasks)
	}
	if g.chance(15) {
		f.Tag = pick(g, streamTags)
	}
	if g.chance(10) {
		f.Parent = g.id()
	}
	if g.chance(40) {
		f.Before = g.id()
	}
	return f
}
