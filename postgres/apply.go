package postgres

import (
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// apply moves a job as a row of the table says, records the attempt, tells the event and wakes who waits. kept is the failure
// that a final job keeps, own the one of the run itself. The job is locked.
func (u *unit) apply(r *states.Row, j *job, kept, own *godwit.Failure) error {
	if r.Changes() && !j.locked && j.stored != none {
		return errAgain // it became something else between two looks
	}
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
		u.forget(j)
	}
	if !to.final() {
		return nil
	}
	j.finishedAt, j.failure = u.now, kept
	j.keepUntil = after(u.now, j.keep())
	if j.extra != nil {
		j.keepUntil = max(j.keepUntil, j.extra.KnownUntil)
		u.letGo(j)
	}
	return u.noteCascade(j)
}

// noteCascade notes a job that became cancelled and has children to be cancelled.
func (u *unit) noteCascade(j *job) error {
	if j.kind != cancelled || !u.parents[j.id] {
		return nil
	}
	ids, err := u.toCancel(j.id, godwit.ID{}, 1)
	if len(ids) > 0 {
		u.cascades[j.id] = &note{}
	}
	return err
}

// toCancel gives the first children after one that fall with a cancelled parent, by id.
func (u *unit) toCancel(parent, after godwit.ID, limit int) ([]godwit.ID, error) {
	var ids []godwit.ID
	const sql = "SELECT c.id FROM godwit.children c JOIN godwit.places p ON p.id = c.id" +
		" WHERE c.parent = $1 AND c.id > $2 AND NOT c.detached AND p.cancel_requested_at = 0 ORDER BY c.id LIMIT $3"
	err := u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var id godwit.ID
		err := r.Scan(idInto{&id})
		// The unit may know better than the database.
		if j, ok := u.jobs[id]; !ok || j.kind.unfinished() && j.cancelRequestedAt == 0 {
			ids = append(ids, id)
		}
		return err
	}, uuid(parent), uuids([]godwit.ID{after})[0], limit+len(u.order)))
	return ids[:min(len(ids), limit)], err
}

// letGo frees the job's unique key.
func (u *unit) letGo(j *job) {
	k := j.more().Unique
	if k.Key == "" {
		return
	}
	e := u.unique[k]
	if e == nil {
		e = &uniqueKey{}
		u.unique[k] = e
	}
	switch {
	case e.job == j.id:
		e.job, e.dirty = godwit.ID{}, true
	case !e.locked:
		e.let = append(e.let, j.id)
	}
}

// shownFailure gives the failure shown of a job that is not final: that of its newest attempt record that has one.
func (u *unit) shownFailure(j *job) (*godwit.Failure, error) {
	for _, a := range slices.Backward(u.attempts) {
		if a.job == j && a.Failure != nil {
			return a.Failure, nil
		}
	}
	failures, err := u.newestFailures([]*job{j})
	return failures[j.id], err
}
