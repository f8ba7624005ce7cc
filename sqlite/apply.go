package sqlite

import (
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// apply moves a job as a row of the table says, records the attempt, tells the event and wakes who waits. kept is the failure
// that a final job keeps, own the one of the run itself.
func (u *unit) apply(r *states.Row, j *job, kept, own *godwit.Failure) error {
	if r.Record != "" {
		u.record(r, j, kept, own)
	}
	j.run += int64(r.Run)
	j.attempt = r.Attempt.Apply(j.attempt)
	j.crashes = r.Crashes.Apply(j.crashes)
	j.releases = r.Releases.Apply(j.releases)
	j.retries = r.Retries.Apply(j.retries)
	j.dirty = j.dirty || r.Changes()
	if r.To != states.Same {
		if err := u.move(j, kindOf(r.To), kept); err != nil {
			return err
		}
	}
	code := godwit.Code("")
	switch {
	case j.kind.final() && kept != nil:
		code = kept.Code
	case own != nil:
		code = own.Code
	}
	u.tell(r.Event, j, code)
	if j.kind.final() && r.To != states.Same {
		return u.wake(j)
	}
	return nil
}

// record notes an attempt record, with the counters as they were during the run.
func (u *unit) record(r *states.Row, j *job, kept, own *godwit.Failure) {
	failure := own
	if failure == nil && (r.Record == "failed" || r.Record == "cancelled") {
		failure = kept
	}
	j.records++
	u.attempts = append(u.attempts, attempt{job: j, seq: j.records, startedAt: j.startedAt, Attempt: godwit.Attempt{
		Run: j.run, Attempt: j.attempt, Outcome: r.Record, Failure: failure, Session: j.session,
	}})
}

// move changes where a job is and everything that hangs on it.
func (u *unit) move(j *job, to kind, kept *godwit.Failure) error {
	from := j.kind
	j.kind = to
	if !to.underWay() {
		j.session = godwit.ID{}
	}
	if from == waiting && to != waiting {
		if err := u.forget(j); err != nil {
			return err
		}
	}
	if !to.final() {
		return nil
	}
	j.finishedAt, j.failure = u.now, kept
	j.keepUntil = after(u.now, j.keep())
	if j.extra == nil {
		return u.noteCascade(j)
	}
	j.keepUntil = max(j.keepUntil, j.extra.KnownUntil)
	if err := u.letGo(j); err != nil {
		return err
	}
	return u.noteCascade(j)
}

// noteCascade notes a job that became cancelled and has children to be cancelled.
func (u *unit) noteCascade(j *job) error {
	if j.kind != cancelled {
		return nil
	}
	has := false
	err := u.eachToCancel(j.id, godwit.ID{}, func(godwit.ID) bool {
		has = true
		return false
	})
	if has {
		u.cascades[j.id] = &note{}
	}
	return err
}

// eachToCancel calls got for the children after one that fall with a cancelled parent, by id, until it answers false.
func (u *unit) eachToCancel(parent, after godwit.ID, got func(id godwit.ID) bool) error {
	var ids []godwit.ID
	const sql = "SELECT c.id FROM godwit_children c JOIN godwit_places p ON p.id = c.id" +
		" WHERE c.parent = ? AND c.id > ? AND c.detached = 0 AND p.cancel_requested_at = 0 ORDER BY c.id"
	err := u.c.query(sql, func(s *row) error {
		ids = append(ids, columnID(s, 0))
		return nil
	}, parent, after)
	for _, id := range ids {
		// The unit may know better than the file.
		if j, ok := u.jobs[id]; ok && (!j.kind.unfinished() || j.cancelRequestedAt != 0) {
			continue
		}
		if !got(id) {
			break
		}
	}
	return err
}

// wake tells the jobs that wait for a job that has become final, by id.
func (u *unit) wake(settled *job) error {
	if u.waiters != nil && !u.waiters[settled.id] {
		return nil
	}
	var ids []godwit.ID
	err := u.c.query("SELECT waiter FROM godwit_waits WHERE promise = ? ORDER BY waiter", func(s *row) error {
		ids = append(ids, columnID(s, 0))
		return nil
	}, settled.id)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := u.c.exec("DELETE FROM godwit_waits WHERE promise = ?", settled.id); err != nil {
		return err
	}
	for _, id := range ids {
		if err := u.wakeOne(id); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) wakeOne(id godwit.ID) error {
	j, err := u.pointed("godwit_waits", id, waiting, waiting)
	if err != nil {
		return err
	}
	pending := false
	if !j.any {
		err := u.c.query("SELECT 1 FROM godwit_waits WHERE waiter = ? LIMIT 1", func(*row) error {
			pending = true
			return nil
		}, id)
		if err != nil {
			return err
		}
	}
	var holds states.Cond
	if pending {
		holds |= states.Pending
	} else {
		j.woken, j.dirty = true, true
	}
	if j.session.IsZero() {
		holds |= states.Unheld
	}
	return u.apply(states.Decide(states.OpWake, u.place(j), holds), j, nil, nil)
}

// forget drops everything about a wait that is over.
func (u *unit) forget(j *job) error {
	j.any, j.woken = false, false
	return u.c.exec("DELETE FROM godwit_waits WHERE waiter = ?", j.id)
}

// shownFailure gives the failure shown of a job that is not final: that of its newest attempt record that has one.
func (u *unit) shownFailure(j *job) (*godwit.Failure, error) {
	for _, a := range slices.Backward(u.attempts) {
		if a.job == j && a.Failure != nil {
			return a.Failure, nil
		}
	}
	return u.newestFailure(j)
}
