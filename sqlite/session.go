package sqlite

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// StartSession makes a session and its lease.
func (s *Store) StartSession(ctx context.Context, n godwit.NewSession) (godwit.SessionAnswer, error) {
	return writeSoon(ctx, s, func(u *unit) (godwit.SessionAnswer, error) {
		live := u.ctl.sessions[n.ID]
		if live != nil && !sameStart(&live.NewSession, &n) {
			return godwit.SessionAnswer{Code: godwit.CodeIDConflict}, nil
		}
		answer := godwit.SessionAnswer{}
		err := u.c.query("SELECT max(id) FROM godwit_jobs", func(s *row) error {
			answer.MaxID = columnID(s, 0)
			return nil
		})
		if err != nil {
			return answer, err
		}
		if live != nil {
			answer.LeaseUntil = fromMicros(live.leaseUntil)
			return answer, nil
		}
		sess := &session{NewSession: n, startedAt: u.now, leaseUntil: after(u.now, n.Lease)}
		sess.Queues, sess.Tasks = slices.Clone(n.Queues), slices.Clone(n.Tasks)
		answer.LeaseUntil = fromMicros(sess.leaseUntil)
		u.ctl.sessions[n.ID] = sess
		u.tellOf(godwit.Event{Kind: godwit.EventSessionStarted, Session: n.ID})
		return answer, u.writeSession(sess)
	})
}

// sameStart reports whether a start repeats another.
func sameStart(a, b *godwit.NewSession) bool {
	return a.Lease == b.Lease && a.Host == b.Host && a.PID == b.PID && slices.Equal(a.Queues, b.Queues) && slices.Equal(a.Tasks, b.Tasks)
}

func (u *unit) writeSession(n *session) error {
	queues, err := json.Marshal(n.Queues)
	if err != nil {
		return err
	}
	tasks, err := json.Marshal(n.Tasks)
	if err != nil {
		return err
	}
	err = u.c.exec("INSERT INTO godwit_sessions (id, lease, lease_until, started_at, host, pid, queues, tasks)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?)", n.ID, int64(n.Lease), n.leaseUntil, n.startedAt, n.Host, n.PID, string(queues), string(tasks))
	if err != nil {
		return err
	}
	for _, q := range n.Queues {
		if err := u.c.exec("INSERT OR IGNORE INTO godwit_serves (queue, session) VALUES (?, ?)", q, n.ID); err != nil {
			return err
		}
	}
	for _, c := range n.Tasks {
		err := u.c.exec("INSERT OR IGNORE INTO godwit_capabilities (task, session, min_version, max_version) VALUES (?, ?, ?, ?)",
			c.Task, n.ID, c.MinVersion, c.MaxVersion)
		if err != nil {
			return err
		}
	}
	return u.noteTime()
}

// noteTime keeps store time in the file, so that it does not go back over a restart.
func (u *unit) noteTime() error {
	return u.c.exec("INSERT OR REPLACE INTO godwit_meta (name, value) VALUES ('store_time', ?)", u.now)
}

// Heartbeat renews the lease and tells which runs are lost or to be cancelled.
func (s *Store) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	return writeSoon(ctx, s, func(u *unit) (godwit.HeartbeatAnswer, error) {
		sess := u.ctl.sessions[r.Session]
		if sess == nil {
			return godwit.HeartbeatAnswer{Code: godwit.CodeSessionEnded}, nil
		}
		sess.leaseUntil = after(u.now, sess.Lease)
		u.adopt(r.Session)
		answer := godwit.HeartbeatAnswer{LeaseUntil: fromMicros(sess.leaseUntil)}
		err := u.c.exec("UPDATE godwit_sessions SET lease_until = ? WHERE id = ?", sess.leaseUntil, r.Session)
		if err != nil {
			return answer, err
		}
		if err := u.loadTokens(r.Runs); err != nil {
			return answer, err
		}
		for _, t := range r.Runs {
			switch j := u.jobs[t.Job]; {
			case j.kind == cancelled && j.run == t.Run && t.Session == r.Session:
				answer.Cancelled = append(answer.Cancelled, t)
			case t.Session != r.Session || !j.heldBy(t):
				answer.Lost = append(answer.Lost, t)
			case j.cancelRequestedAt != 0:
				answer.Cancelled = append(answer.Cancelled, t)
			}
		}
		if answer.Unnamed, err = u.unnamed(r); err != nil {
			return answer, err
		}
		return answer, u.noteTime()
	})
}

// adopt forgets that a session is one of the process before.
func (u *unit) adopt(id godwit.ID) {
	if u.store.orphans[id] {
		u.commits = append(u.commits, func() { delete(u.store.orphans, id) })
	}
}

// unnamed gives the runs that a session holds and does not name, by id.
func (u *unit) unnamed(r godwit.HeartbeatRequest) ([]godwit.Token, error) {
	named := make(map[godwit.Token]bool, len(r.Runs))
	for _, t := range r.Runs {
		named[t] = true
	}
	ids := u.store.holding.of(r.Session)
	if err := u.load(ids, false); err != nil {
		return nil, err
	}
	var tokens []godwit.Token
	for _, id := range ids {
		if t := (godwit.Token{Job: id, Run: u.jobs[id].run, Session: r.Session}); !named[t] {
			tokens = append(tokens, t)
		}
	}
	return tokens, nil
}

func (u *unit) loadTokens(tokens []godwit.Token) error {
	ids := make([]godwit.ID, len(tokens))
	for i, t := range tokens {
		ids[i] = t.Job
	}
	return u.load(ids, false)
}

// EndSession ends a session in good order.
func (s *Store) EndSession(ctx context.Context, id godwit.ID) (godwit.SessionAnswer, error) {
	return write(ctx, s, func(u *unit) (godwit.SessionAnswer, error) {
		if u.ctl.sessions[id] == nil {
			return godwit.SessionAnswer{Code: godwit.CodeSessionEnded}, nil
		}
		return godwit.SessionAnswer{}, u.endSession(states.OpEndSession, id, func(*job, *states.Row) {})
	})
}

// Rescue ends sessions whose lease is over and moves their jobs.
func (s *Store) Rescue(ctx context.Context, limit int) (godwit.RescueAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.RescueAnswer{}, err
	}
	return write(ctx, s, func(u *unit) (godwit.RescueAnswer, error) {
		var over []*session
		for _, sess := range u.ctl.sessions {
			if sess.leaseUntil <= u.now {
				over = append(over, sess)
			}
		}
		slices.SortFunc(over, func(a, b *session) int {
			if a.leaseUntil != b.leaseUntil {
				return int(min(1, max(-1, a.leaseUntil-b.leaseUntil)))
			}
			return a.ID.Compare(b.ID)
		})
		var answer godwit.RescueAnswer
		for _, sess := range over[:min(len(over), limit)] {
			err := u.endSession(states.OpRescue, sess.ID, func(j *job, row *states.Row) { countRescued(&answer, j, row) })
			if err != nil {
				return answer, err
			}
			answer.Sessions = append(answer.Sessions, sess.ID)
		}
		return answer, nil
	})
}

func countRescued(a *godwit.RescueAnswer, j *job, row *states.Row) {
	switch {
	case row.From == states.Place(godwit.StateWaiting):
		a.Unheld++
	case j.kind == failed:
		a.Failed++
	case j.kind == cancelled:
		a.Cancelled++
	default:
		a.Retried++
	}
}

// endSession takes its jobs from a session, by id, and ends it.
func (u *unit) endSession(op states.Op, id godwit.ID, count func(*job, *states.Row)) error {
	if err := u.flush(); err != nil {
		return err
	}
	ids := u.store.holding.of(id)
	if err := u.load(ids, false); err != nil {
		return err
	}
	for _, jobID := range ids {
		j, err := u.pointed("godwit_places", jobID, running, waiting)
		if err != nil {
			return err
		}
		row, err := u.leave(op, j)
		if err != nil {
			return err
		}
		count(j, row)
	}
	delete(u.ctl.sessions, id)
	u.adopt(id)
	u.tellOf(godwit.Event{Kind: godwit.EventSessionEnded, Session: id})
	for _, sql := range []string{
		"DELETE FROM godwit_sessions WHERE id = ?", "DELETE FROM godwit_serves WHERE session = ?",
		"DELETE FROM godwit_capabilities WHERE session = ?",
	} {
		if err := u.c.exec(sql, id); err != nil {
			return err
		}
	}
	return u.noteTime()
}

// leave takes a job from its session.
func (u *unit) leave(op states.Op, j *job) (*states.Row, error) {
	delay := godwit.CrashDelay(j.id, j.crashes+1)
	if op == states.OpEndSession {
		delay = 0
	}
	runAt := after(u.now, delay)
	var holds states.Cond
	if j.cancelRequestedAt != 0 {
		holds |= states.CancelRequested
	}
	if j.crashes+1 >= j.maxCrashes {
		holds |= states.CrashesUsed
	}
	if j.passed(runAt) {
		holds |= states.Deadline
	}
	if delay > 0 {
		holds |= states.Delayed
	}
	if !j.woken {
		holds |= states.Pending
	}
	row := states.Decide(op, u.place(j), holds)
	var own *godwit.Failure
	if row.Record == "crash" {
		own = godwit.CrashedFailure(j.session)
		if u.store.orphans[j.session] {
			own = godwit.OrphanedFailure(j.session)
		}
	}
	kept := states.FailureKept(row, own, j.cancelReason)
	if row.To == states.Place(godwit.StateScheduled) {
		j.runAt = runAt
	}
	if err := u.apply(row, j, kept, own); err != nil {
		return row, err
	}
	j.session = godwit.ID{}
	return row, nil
}
