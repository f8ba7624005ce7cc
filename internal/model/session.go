package model

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// StartSession makes a session.
func (s *Store) StartSession(ctx context.Context, n godwit.NewSession) (godwit.SessionAnswer, error) {
	return do(ctx, s, func(w *world, now time.Time) godwit.SessionAnswer {
		n.Queues, n.Tasks = slices.Clone(n.Queues), slices.Clone(n.Tasks)
		sess := w.sessions[n.ID]
		switch {
		case sess == nil:
			sess = &session{NewSession: n, startedAt: now, leaseUntil: now.Add(n.Lease).Truncate(time.Microsecond)}
			w.sessions[n.ID] = sess
			w.events = append(w.events, godwit.Event{Kind: godwit.EventSessionStarted, At: now, Session: n.ID})
		case !reflect.DeepEqual(sess.NewSession, n):
			return godwit.SessionAnswer{Code: godwit.CodeIDConflict}
		}
		answer := godwit.SessionAnswer{LeaseUntil: sess.leaseUntil}
		for id := range w.jobs {
			if id.Compare(answer.MaxID) > 0 {
				answer.MaxID = id
			}
		}
		return answer
	})
}

// Heartbeat renews a lease.
func (s *Store) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	return do(ctx, s, func(w *world, now time.Time) godwit.HeartbeatAnswer {
		sess := w.sessions[r.Session]
		if sess == nil {
			return godwit.HeartbeatAnswer{Code: godwit.CodeSessionEnded}
		}
		sess.leaseUntil, sess.orphan = now.Add(sess.Lease).Truncate(time.Microsecond), false
		answer := godwit.HeartbeatAnswer{LeaseUntil: sess.leaseUntil}
		named := make(map[godwit.Token]bool, len(r.Runs))
		for _, t := range r.Runs {
			named[t] = true
			j := w.jobs[t.Job]
			switch {
			case j != nil && j.view.State == godwit.StateCancelled && j.view.Run == t.Run && t.Session == r.Session:
				answer.Cancelled = append(answer.Cancelled, t)
			case j == nil || t.Session != r.Session || !j.heldBy(t):
				answer.Lost = append(answer.Lost, t)
			case !j.view.CancelRequestedAt.IsZero():
				answer.Cancelled = append(answer.Cancelled, t)
			}
		}
		for _, j := range w.jobsOf(r.Session) {
			t := godwit.Token{Job: j.view.ID, Run: j.view.Run, Session: r.Session}
			if !named[t] {
				answer.Unnamed = append(answer.Unnamed, t)
			}
		}
		return answer
	})
}

// EndSession ends a session in good order.
func (s *Store) EndSession(ctx context.Context, id godwit.ID) (godwit.SessionAnswer, error) {
	return do(ctx, s, func(w *world, now time.Time) godwit.SessionAnswer {
		if w.sessions[id] == nil {
			return godwit.SessionAnswer{Code: godwit.CodeSessionEnded}
		}
		for _, j := range w.jobsOf(id) {
			w.leave(states.OpEndSession, j, now)
		}
		w.endSession(id, now)
		return godwit.SessionAnswer{}
	})
}

// Rescue ends sessions whose lease is over.
func (s *Store) Rescue(ctx context.Context, limit int) (godwit.RescueAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.RescueAnswer{}, err
	}
	return do(ctx, s, func(w *world, now time.Time) godwit.RescueAnswer {
		var over []*session
		for _, sess := range w.sessions {
			if !sess.leaseUntil.After(now) {
				over = append(over, sess)
			}
		}
		slices.SortFunc(over, func(a, b *session) int {
			if c := a.leaseUntil.Compare(b.leaseUntil); c != 0 {
				return c
			}
			return a.ID.Compare(b.ID)
		})
		var answer godwit.RescueAnswer
		for _, sess := range over[:min(len(over), limit)] {
			for _, j := range w.jobsOf(sess.ID) {
				countRescued(&answer, j, w.leave(states.OpRescue, j, now))
			}
			w.endSession(sess.ID, now)
			answer.Sessions = append(answer.Sessions, sess.ID)
		}
		return answer
	})
}

func countRescued(a *godwit.RescueAnswer, j *job, row *states.Row) {
	switch {
	case row.From == states.Place(godwit.StateWaiting):
		a.Unheld++
	case j.view.State == godwit.StateFailed:
		a.Failed++
	case j.view.State == godwit.StateCancelled:
		a.Cancelled++
	default:
		a.Retried++
	}
}

// jobsOf gives the running and waiting jobs of a session, by id.
func (w *world) jobsOf(id godwit.ID) []*job {
	var held []*job
	for _, j := range w.jobs {
		if j.view.Session == id {
			held = append(held, j)
		}
	}
	slices.SortFunc(held, func(a, b *job) int { return a.view.ID.Compare(b.view.ID) })
	return held
}

// leave takes a job from its session.
func (w *world) leave(op states.Op, j *job, now time.Time) *states.Row {
	delay := godwit.CrashDelay(j.view.ID, j.view.Crashes+1)
	if op == states.OpEndSession {
		delay = 0
	}
	runAt := now.Add(delay).Truncate(time.Microsecond)
	var holds states.Cond
	if !j.view.CancelRequestedAt.IsZero() {
		holds |= states.CancelRequested
	}
	if j.view.Crashes+1 >= j.view.MaxCrashes {
		holds |= states.CrashesUsed
	}
	if passed(j, runAt) {
		holds |= states.Deadline
	}
	if delay > 0 {
		holds |= states.Delayed
	}
	if !j.woken {
		holds |= states.Pending
	}
	row := states.Decide(op, states.Place(j.view.State), holds)
	var own *godwit.Failure
	if row.Record == "crash" {
		own = godwit.CrashedFailure(j.view.Session)
		if sess := w.sessions[j.view.Session]; sess != nil && sess.orphan {
			own = godwit.OrphanedFailure(j.view.Session)
		}
	}
	kept := states.FailureKept(row, own, j.cancelReason)
	if row.To == states.Place(godwit.StateScheduled) {
		j.view.RunAt = runAt
	}
	w.apply(row, j, now, kept, own)
	j.view.Session = godwit.ID{}
	return row
}

func (w *world) endSession(id godwit.ID, now time.Time) {
	delete(w.sessions, id)
	w.events = append(w.events, godwit.Event{Kind: godwit.EventSessionEnded, At: now, Session: id})
}
