package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// session is a live session.
type session struct {
	godwit.NewSession
	startedAt, leaseUntil int64
}

const sessionColumns = "id, lease, lease_until, started_at, host, pid, queues, tasks"

// scan reads sessionColumns.
func (n *session) scan(r scanner) error {
	var lease int64
	var queues, tasks string
	if err := r.Scan(idInto{&n.ID}, &lease, &n.leaseUntil, &n.startedAt, &n.Host, &n.PID, &queues, &tasks); err != nil {
		return err
	}
	n.Lease = time.Duration(lease)
	if err := json.Unmarshal([]byte(queues), &n.Queues); err != nil {
		return err
	}
	return json.Unmarshal([]byte(tasks), &n.Tasks)
}

// session reads a session; nil when it is not live.
func (u *unit) session(id godwit.ID, lock string) (*session, error) {
	var found *session
	err := u.l.run(u.ctx, ask("SELECT "+sessionColumns+" FROM godwit.sessions WHERE id = $1"+lock, func(r scanner) error {
		found = &session{}
		return found.scan(r)
	}, uuid(id)))
	return found, err
}

// StartSession makes a session and its lease.
func (s *Store) StartSession(ctx context.Context, n godwit.NewSession) (godwit.SessionAnswer, error) {
	return writeReserved(ctx, s, func(u *unit) (godwit.SessionAnswer, error) {
		answer := godwit.SessionAnswer{}
		live, err := u.session(n.ID, " FOR UPDATE")
		if err != nil {
			return answer, err
		}
		if live != nil && !sameStart(&live.NewSession, &n) {
			return godwit.SessionAnswer{Code: godwit.CodeIDConflict}, nil
		}
		if live == nil {
			live = &session{NewSession: n, startedAt: u.now, leaseUntil: after(u.now, n.Lease)}
			u.tellOf(godwit.Event{Kind: godwit.EventSessionStarted, Session: n.ID})
			if err := u.writeSession(live); err != nil {
				return answer, err
			}
		}
		answer.LeaseUntil = fromMicros(live.leaseUntil)
		err = u.l.run(u.ctx, ask("SELECT id FROM godwit.jobs ORDER BY id DESC LIMIT 1", func(r scanner) error {
			return r.Scan(idInto{&answer.MaxID})
		}))
		return answer, err
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
	names := make([]string, len(n.Tasks))
	oldest, newest := make([]int32, len(n.Tasks)), make([]int32, len(n.Tasks))
	for i, c := range n.Tasks {
		names[i], oldest[i], newest[i] = c.Task, int32(c.MinVersion), int32(c.MaxVersion)
	}
	id := uuid(n.ID)
	return u.l.run(u.ctx,
		do("INSERT INTO godwit.sessions ("+sessionColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			id, int64(n.Lease), n.leaseUntil, n.startedAt, plainText(n.Host), n.PID, string(queues), string(tasks)),
		do("INSERT INTO godwit.serves (session, queue) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING", id, append([]string{}, n.Queues...)),
		do("INSERT INTO godwit.capabilities (session, task, min_version, max_version)"+
			" SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::integer[]) ON CONFLICT DO NOTHING", id, names, oldest, newest))
}

// Heartbeat renews the lease and tells which runs are lost or to be cancelled, in one round trip.
func (s *Store) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	answer := godwit.HeartbeatAnswer{Code: godwit.CodeSessionEnded}
	err := s.call(ctx, s.reserved, func(work context.Context, conn *pgxpool.Conn) error {
		// The next heartbeat does the same, so this one ends with ctx: it must not be waited for longer than the lease lasts.
		work, stop := until(ctx, work)
		defer stop()
		runs, leaseUntil := map[godwit.ID]standing{}, int64(0)
		err := s.atOnce(work, conn,
			ask("UPDATE godwit.sessions SET lease_until = $2::bigint + lease / 1000 WHERE id = $1 RETURNING lease_until", func(row scanner) error {
				return row.Scan(&leaseUntil)
			}, uuid(r.Session), s.clock.now()),
			ask("SELECT id, place, run, session, cancel_requested_at <> 0 FROM godwit.places WHERE session = $1 OR id = ANY($2)"+
				" UNION ALL SELECT id, state, run, NULL, false FROM godwit.finished WHERE id = ANY($2)", func(row scanner) error {
				var id godwit.ID
				var st standing
				err := row.Scan(idInto{&id}, (*int16)(&st.kind), &st.run, idInto{&st.session}, &st.asked)
				runs[id] = st
				return err
			}, uuid(r.Session), uuids(jobsOf(r.Runs))))
		if err != nil || leaseUntil == 0 {
			return err
		}
		answer = compare(r, runs)
		answer.LeaseUntil = fromMicros(leaseUntil)
		return nil
	})
	return answer, err
}

// standing is how the run of a job stands.
type standing struct {
	kind    kind
	run     int64
	session godwit.ID
	asked   bool // to stop
}

// compare answers a heartbeat, given how the runs stand that it names and those that the session holds.
func compare(r godwit.HeartbeatRequest, runs map[godwit.ID]standing) godwit.HeartbeatAnswer {
	var answer godwit.HeartbeatAnswer
	named := make(map[godwit.Token]bool, len(r.Runs))
	for _, t := range r.Runs {
		named[t] = true
		st := runs[t.Job]
		held := st.kind.underWay() && st.run == t.Run && st.session == t.Session
		switch {
		case st.kind == cancelled && st.run == t.Run && t.Session == r.Session:
			answer.Cancelled = append(answer.Cancelled, t)
		case t.Session != r.Session || !held:
			answer.Lost = append(answer.Lost, t)
		case st.asked:
			answer.Cancelled = append(answer.Cancelled, t)
		}
	}
	for _, id := range keysOf(runs) {
		t := godwit.Token{Job: id, Run: runs[id].run, Session: r.Session}
		if runs[id].session == r.Session && !named[t] {
			answer.Unnamed = append(answer.Unnamed, t)
		}
	}
	return answer
}

// EndSession ends a session in good order.
func (s *Store) EndSession(ctx context.Context, id godwit.ID) (godwit.SessionAnswer, error) {
	return write(ctx, s, func(u *unit) (godwit.SessionAnswer, error) {
		sess, err := u.session(id, " FOR UPDATE")
		if err != nil || sess == nil {
			return godwit.SessionAnswer{Code: godwit.CodeSessionEnded}, err
		}
		return godwit.SessionAnswer{}, u.endSession(states.OpEndSession, id, func(*job, *states.Row) {})
	})
}

// waitBriefly bounds how long a transaction waits for each lock: a second longer than stalledMax, so that all but those of an
// application's own transactions are waited for.
const waitBriefly = "SET LOCAL lock_timeout = 4000"

// Rescue ends sessions whose lease is over and moves their jobs, each session in a transaction of its own. It does not wait for long for
// somebody who holds a session or its jobs (a worker that was stopped amid a transaction, an application between SettleTx and its
// commit): the others are rescued meanwhile, and that one by a later call.
func (s *Store) Rescue(ctx context.Context, limit int) (godwit.RescueAnswer, error) {
	var answer godwit.RescueAnswer
	if err := checkLimit(limit); err != nil {
		return answer, err
	}
	over, err := s.overdue(ctx)
	if err != nil {
		return answer, err
	}
	for _, id := range over {
		if len(answer.Sessions) == limit {
			break
		}
		one, err := s.rescue(ctx, id)
		switch {
		case sqlState(err) == lockNotAvailable:
		case err != nil && len(answer.Sessions) > 0:
			return answer, nil // what was done is told, and the next call meets the error again
		case err != nil:
			return answer, err
		default:
			answer.Sessions = append(answer.Sessions, one.Sessions...)
			answer.Retried, answer.Failed = answer.Retried+one.Retried, answer.Failed+one.Failed
			answer.Cancelled, answer.Unheld = answer.Cancelled+one.Cancelled, answer.Unheld+one.Unheld
		}
	}
	return answer, nil
}

// lockNotAvailable is the state of a statement that has waited for a lock for as long as it may.
const lockNotAvailable = "55P03"

// overdue gives the sessions whose lease is over, the oldest first.
func (s *Store) overdue(ctx context.Context) ([]godwit.ID, error) {
	var over []godwit.ID
	err := s.call(ctx, s.reserved, func(work context.Context, conn *pgxpool.Conn) error {
		work, stop := until(ctx, work)
		defer stop()
		over = nil
		const sql = "SELECT id FROM godwit.sessions WHERE lease_until <= $1 AND lease <= $2 ORDER BY lease_until, id LIMIT $3"
		return pgxLink{conn, s.schema}.run(work, ask(sql, func(r scanner) error {
			var id godwit.ID
			err := r.Scan(idInto{&id})
			over = append(over, id)
			return err
		}, s.clock.now(), int64(s.clock.leaseBeyond()), overdueMax))
	})
	return over, err
}

// overdueMax is how many sessions a rescue looks at, of which some may be held.
const overdueMax = 10_000

// rescue ends one session unless it was renewed, or is held by somebody.
func (s *Store) rescue(ctx context.Context, id godwit.ID) (godwit.RescueAnswer, error) {
	return writeReserved(ctx, s, func(u *unit) (godwit.RescueAnswer, error) {
		var answer godwit.RescueAnswer
		over := false
		const sql = "SELECT 1 FROM godwit.sessions WHERE id = $1 AND lease_until <= $2 FOR UPDATE"
		err := u.l.run(u.ctx, do(waitBriefly), ask(sql, func(r scanner) error {
			var one int
			over = true
			return r.Scan(&one)
		}, uuid(id), u.now))
		if err != nil || !over {
			return answer, err
		}
		answer.Sessions = append(answer.Sessions, id)
		return answer, u.endSession(states.OpRescue, id, func(j *job, row *states.Row) { countRescued(&answer, j, row) })
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

// endSession takes its jobs from a session that is locked, by id, and ends it. No run of it can begin any more; one may end
// before it is reached.
func (u *unit) endSession(op states.Op, id godwit.ID, count func(*job, *states.Row)) error {
	if err := u.flush(); err != nil {
		return err
	}
	var ids []godwit.ID
	err := u.l.run(u.ctx, ask("SELECT id FROM godwit.places WHERE session = $1 ORDER BY id", func(r scanner) error {
		var job godwit.ID
		err := r.Scan(idInto{&job})
		ids = append(ids, job)
		return err
	}, uuid(id)))
	if err != nil {
		return err
	}
	if err := u.load(ids, lockOthers); err != nil {
		return err
	}
	if err := u.prepareEnds(ids); err != nil {
		return err
	}
	for _, jobID := range ids {
		j := u.jobs[jobID]
		if !j.kind.underWay() || j.session != id {
			continue
		}
		row, err := u.leave(op, j)
		if err != nil {
			return err
		}
		count(j, row)
	}
	u.tellOf(godwit.Event{Kind: godwit.EventSessionEnded, Session: id})
	return u.l.run(u.ctx, do("DELETE FROM godwit.sessions WHERE id = $1", uuid(id)))
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
