package sqlite

import (
	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

var (
	insertJobs = values("godwit_jobs", "id, lane, priority, max_attempts, max_crashes, timeout, keep_succeeded, keep_failed,"+
		" created_at, fingerprint, extra, encoding, args", "")
	insertFresh  = values("godwit_places", "id, place, lane, rank, run_at, deadline", "")
	upsertPlaces = values("godwit_places", "id, place, lane, rank, run_at, deadline, run, attempt, crashes, releases, retries,"+
		" records, reported, session, started_at, cancel_requested_at, cancel_reason, wait_any, woken",
		" ON CONFLICT (id) DO UPDATE SET place = excluded.place, lane = excluded.lane, run_at = excluded.run_at,"+
			" deadline = excluded.deadline, run = excluded.run, attempt = excluded.attempt, crashes = excluded.crashes,"+
			" releases = excluded.releases, retries = excluded.retries, records = excluded.records,"+
			" reported = excluded.reported, session = excluded.session, started_at = excluded.started_at,"+
			" cancel_requested_at = excluded.cancel_requested_at, cancel_reason = excluded.cancel_reason,"+
			" wait_any = excluded.wait_any, woken = excluded.woken")
	insertFinished = values("godwit_finished", "id, state, lane, finished_at, keep_until, run_at, deadline, run, attempt, crashes,"+
		" releases, retries, records, reported, started_at, cancel_requested_at, code, message, stack, encoding, result", "")
	insertPruned   = values("godwit_pruned", "id, until", "")
	insertAttempts = values("godwit_attempts", "job, seq, run, attempt, outcome, started_at, ended_at, session, code, message, stack", "")
	insertLogs     = values("godwit_logs", "job, seq, run, at, level, message", "")
	insertItems    = values("godwit_items", "job, seq, run, encoding, data", "")
	insertChildren = values("godwit_children", "parent, name, id, detached, epoch",
		" ON CONFLICT (parent, name) DO UPDATE SET id = excluded.id, detached = excluded.detached, epoch = excluded.epoch")

	deleteJobs     = in("DELETE FROM godwit_jobs WHERE id IN")
	deletePlaces   = in("DELETE FROM godwit_places WHERE id IN")
	deleteFinished = in("DELETE FROM godwit_finished WHERE id IN")
	deletePruned   = in("DELETE FROM godwit_pruned WHERE id IN")
	deleteAttempts = in("DELETE FROM godwit_attempts WHERE job IN")
	deleteReports  = in("DELETE FROM godwit_reports WHERE job IN")
	deleteLogs     = in("DELETE FROM godwit_logs WHERE job IN")
	deleteItems    = in("DELETE FROM godwit_items WHERE job IN")
)

// plan is what a flush has to write, by statement.
type plan struct {
	newJobs, fresh, places, claimed, bodies, finished, prunedNow, keptOn []*job
	leftPlaces, leftFinished                                             []godwit.ID
	goneJobs, goneRecords, goneReports                                   []godwit.ID
}

// flush writes everything that the unit changed, after which the file and the unit agree.
func (u *unit) flush() error {
	p := plan{}
	for _, j := range u.order {
		if j.dirty {
			if err := u.plan(&p, j); err != nil {
				return err
			}
		}
	}
	steps := []func(*plan) error{u.writeGone, u.writeBodies, u.writePlaces, u.writeFinished, u.postDue, u.writeHanging}
	for _, step := range steps {
		if err := step(&p); err != nil {
			return err
		}
	}
	if err := u.flushKeys(); err != nil {
		return err
	}
	if err := u.ctl.flush(u.c); err != nil {
		return err
	}
	for _, j := range u.order {
		if j.dirty && j.stored == none && j.id.Compare(u.ctl.maxID) > 0 {
			u.ctl.maxID = j.id
		}
		changed := j.dirty
		j.stored, j.storedLane, j.holder, j.dirty, j.body, j.newArgs, j.claimed, j.keptOn =
			j.kind, j.lane, j.session, false, false, false, false, false
		if changed {
			u.store.recent.keep(j)
		}
	}
	return nil
}

// hold notes which session has the job now.
func (u *unit) hold(j *job) {
	if !j.holder.IsZero() && j.holder != j.session {
		u.store.holding.set(held{session: j.holder, job: j.id})
	}
	if !j.session.IsZero() {
		u.store.holding.set(held{j.session, j.id, j.kind})
	}
}

// plan sorts one job into what is to be written.
func (u *unit) plan(p *plan, j *job) error {
	u.hold(j)
	if err := u.recount(j); err != nil {
		return err
	}
	switch {
	case j.stored == none && j.kind != none:
		p.newJobs = append(p.newJobs, j)
	case j.stored.unfinished() && !j.kind.unfinished():
		p.leftPlaces = append(p.leftPlaces, j.id)
	case j.stored.final() && !j.kind.final():
		p.leftFinished = append(p.leftFinished, j.id)
	}
	if j.body && j.stored != none {
		p.bodies = append(p.bodies, j)
	}
	switch {
	case j.kind == pruned && j.stored != pruned:
		p.prunedNow = append(p.prunedNow, j)
		p.goneJobs = append(p.goneJobs, j.id)
		if j.records > 0 {
			p.goneRecords = append(p.goneRecords, j.id)
		}
		if j.reported {
			p.goneReports = append(p.goneReports, j.id)
		}
	case j.kind.final() && !j.stored.final():
		p.finished = append(p.finished, j)
	case j.keptOn:
		p.keptOn = append(p.keptOn, j)
	case !j.kind.unfinished():
	case j.claimed:
		p.claimed = append(p.claimed, j)
	case j.stored == none:
		p.fresh = append(p.fresh, j)
	default:
		p.places = append(p.places, j)
	}
	return nil
}

// recount moves a job from the counters of where it was to those of where it is.
func (u *unit) recount(j *job) error {
	if j.stored != none && j.stored != pruned {
		if err := u.ctl.count(j.storedLane, j.stored, -1); err != nil {
			return err
		}
	}
	if j.kind == none || j.kind == pruned {
		return nil
	}
	return u.ctl.count(j.lane, j.kind, 1)
}

func (u *unit) writeGone(p *plan) error {
	type gone struct {
		m   *multi
		ids []godwit.ID
	}
	for _, g := range []gone{{deletePlaces, p.leftPlaces}, {deleteFinished, p.leftFinished}, {deleteJobs, p.goneJobs}} {
		if err := u.c.changeIDs(g.m, g.ids, nil); err != nil {
			return err
		}
	}
	for _, g := range []gone{
		{deleteAttempts, p.goneRecords}, {deleteReports, p.goneReports}, {deleteLogs, p.goneReports}, {deleteItems, p.goneReports},
	} {
		if err := u.c.manyIDs(g.m, g.ids, nil); err != nil {
			return err
		}
	}
	return u.c.many(insertPruned, len(p.prunedNow), func(s *zs.Stmt, at, i int) int {
		s.BindBytes(at, p.prunedNow[i].id[:])
		s.BindInt64(at+1, p.prunedNow[i].keepUntil)
		return at + 2
	}, nil)
}

func (u *unit) writeBodies(p *plan) error {
	var failed error
	err := u.c.many(insertJobs, len(p.newJobs), func(s *zs.Stmt, at, i int) int {
		j := p.newJobs[i]
		s.BindBytes(at, j.id[:])
		for k, v := range [...]int64{
			j.lane.id, int64(j.priority), int64(j.maxAttempts), int64(j.maxCrashes), int64(j.timeout),
			int64(j.keepSucceeded), int64(j.keepFailed), j.createdAt,
		} {
			s.BindInt64(at+1+k, v)
		}
		s.BindBytes(at+9, j.fingerprint[:])
		s.BindNull(at + 10)
		if j.extra != nil {
			text, err := encodeExtra(j.extra)
			if err != nil {
				failed = err
			}
			s.BindText(at+10, text)
		}
		s.BindText(at+11, j.args.Encoding)
		s.BindBytes(at+12, j.args.Data)
		return at + 13
	}, nil)
	if err == nil {
		err = failed
	}
	for _, j := range p.bodies {
		if err != nil {
			break
		}
		err = u.c.exec("UPDATE godwit_jobs SET lane = ?, fingerprint = ? WHERE id = ?", j.lane.id, j.fingerprint[:], j.id)
		if err == nil && j.newArgs {
			err = u.c.exec("UPDATE godwit_jobs SET encoding = ?, args = ? WHERE id = ?", j.args.Encoding, j.args.Data, j.id)
		}
	}
	return err
}

func (u *unit) writePlaces(p *plan) error {
	err := u.c.many(insertFresh, len(p.fresh), func(s *zs.Stmt, at, i int) int {
		return bindPlaceStart(s, at, p.fresh[i])
	}, nil)
	if err != nil {
		return err
	}
	err = u.c.many(upsertPlaces, len(p.places), func(s *zs.Stmt, at, i int) int {
		return bindPlace(s, at, p.places[i])
	}, nil)
	if err != nil {
		return err
	}
	if len(p.claimed) == 0 {
		return nil
	}
	ids := make([]godwit.ID, len(p.claimed))
	for i, j := range p.claimed {
		ids[i] = j.id
	}
	return u.c.changeIDs(claimPlaces, ids, func(s *zs.Stmt) int {
		s.BindBytes(1, p.claimed[0].session[:])
		s.BindInt64(2, u.now)
		return 3
	})
}

// claimPlaces starts runs: all of a call are the same session's, at one instant.
var claimPlaces = in("UPDATE OR FAIL godwit_places SET place = 3, run = run + 1, attempt = attempt + 1, session = ?, started_at = ? WHERE id IN")

func bindPlaceStart(s *zs.Stmt, at int, j *job) int {
	s.BindBytes(at, j.id[:])
	s.BindInt64(at+1, int64(j.kind))
	s.BindInt64(at+2, j.lane.id)
	s.BindInt64(at+3, int64(-j.priority))
	s.BindInt64(at+4, j.runAt)
	s.BindInt64(at+5, j.deadline)
	return at + 6
}

func bindPlace(s *zs.Stmt, at int, j *job) int {
	at = bindPlaceStart(s, at, j)
	for k, v := range [...]int64{
		j.run, int64(j.attempt), int64(j.crashes), int64(j.releases), int64(j.retries), j.records,
	} {
		s.BindInt64(at+k, v)
	}
	s.BindBool(at+6, j.reported)
	bindID(s, at+7, &j.session)
	s.BindInt64(at+8, j.startedAt)
	s.BindInt64(at+9, j.cancelRequestedAt)
	s.BindText(at+10, j.cancelReason)
	s.BindBool(at+11, j.any)
	s.BindBool(at+12, j.woken)
	return at + 13
}

func (u *unit) writeFinished(p *plan) error {
	for _, j := range p.keptOn {
		if err := u.c.exec("UPDATE godwit_finished SET keep_until = ? WHERE id = ?", j.keepUntil, j.id); err != nil {
			return err
		}
	}
	return u.c.many(insertFinished, len(p.finished), func(s *zs.Stmt, at, i int) int {
		j := p.finished[i]
		s.BindBytes(at, j.id[:])
		for k, v := range [...]int64{
			int64(j.kind), j.lane.id, j.finishedAt, j.keepUntil, j.runAt, j.deadline, j.run, int64(j.attempt), int64(j.crashes),
			int64(j.releases), int64(j.retries), j.records,
		} {
			s.BindInt64(at+1+k, v)
		}
		s.BindBool(at+13, j.reported)
		s.BindInt64(at+14, j.startedAt)
		s.BindInt64(at+15, j.cancelRequestedAt)
		bindFailure(s, at+16, j.failure)
		s.BindText(at+19, j.result.Encoding)
		s.BindBytes(at+20, j.result.Data)
		return at + 21
	}, nil)
}

// writeHanging writes attempt records, reports, log lines and items.
func (u *unit) writeHanging(*plan) error {
	err := u.c.many(insertAttempts, len(u.attempts), func(s *zs.Stmt, at, i int) int {
		a := &u.attempts[i]
		s.BindBytes(at, a.job.id[:])
		s.BindInt64(at+1, a.seq)
		s.BindInt64(at+2, a.Run)
		s.BindInt64(at+3, int64(a.Attempt.Attempt))
		s.BindText(at+4, a.Outcome)
		s.BindInt64(at+5, a.startedAt)
		s.BindInt64(at+6, u.now)
		bindID(s, at+7, &a.Session)
		bindFailure(s, at+8, a.Failure)
		return at + 11
	}, nil)
	if err != nil {
		return err
	}
	for i := range u.attempts {
		if a := &u.attempts[i]; a.seq > godwit.AttemptsKeptMax {
			err := u.c.exec("DELETE FROM godwit_attempts WHERE job = ? AND seq <= ?", a.job.id, a.seq-godwit.AttemptsKeptMax)
			if err != nil {
				return err
			}
		}
	}
	u.attempts = u.attempts[:0]
	return u.flushReports()
}

func (u *unit) flushReports() error {
	var logs, items []line
	for _, l := range u.lines {
		if l.log != nil {
			logs = append(logs, l)
		} else {
			items = append(items, l)
		}
	}
	u.lines = u.lines[:0]
	err := u.c.many(insertLogs, len(logs), func(s *zs.Stmt, at, i int) int {
		l := logs[i].log
		s.BindBytes(at, logs[i].job[:])
		s.BindInt64(at+1, l.Seq)
		s.BindInt64(at+2, l.Run)
		s.BindInt64(at+3, micros(l.At))
		s.BindText(at+4, l.Level)
		s.BindText(at+5, l.Message)
		return at + 6
	}, nil)
	if err != nil {
		return err
	}
	err = u.c.many(insertItems, len(items), func(s *zs.Stmt, at, i int) int {
		it := items[i].item
		s.BindBytes(at, items[i].job[:])
		s.BindInt64(at+1, it.Seq)
		s.BindInt64(at+2, it.Run)
		s.BindText(at+3, it.Data.Encoding)
		s.BindBytes(at+4, it.Data.Data)
		return at + 5
	}, nil)
	for _, j := range u.order {
		if err != nil {
			break
		}
		if r := j.report; r != nil && r.dirty {
			r.dirty = false
			err = u.writeReport(j.id, r)
		}
	}
	return err
}

func (u *unit) writeReport(id godwit.ID, r *report) error {
	p := r.progress
	if p == nil {
		p = &godwit.Progress{}
	}
	return u.c.exec("INSERT OR REPLACE INTO godwit_reports (job, logs, items, at, done, total, message, run, seq)"+
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", id, r.logs, r.items, micros(p.At), p.Done, p.Total, p.Message, r.run, r.seq)
}

// flushKeys writes idempotency and unique keys, children and cascades.
func (u *unit) flushKeys() error {
	for k, e := range u.unique {
		if !e.dirty {
			continue
		}
		e.dirty = false
		var err error
		if e.job.IsZero() {
			err = u.c.exec("DELETE FROM godwit_unique WHERE scope = ? AND key = ?", k.Scope, k.Key)
		} else {
			err = u.c.exec("INSERT OR REPLACE INTO godwit_unique (scope, key, job) VALUES (?, ?, ?)", k.Scope, k.Key, e.job)
		}
		if err != nil {
			return err
		}
	}
	for k, e := range u.known {
		if !e.dirty {
			continue
		}
		e.dirty = false
		var err error
		if e.job.IsZero() {
			err = u.c.exec("DELETE FROM godwit_idempotency WHERE scope = ? AND key = ?", k.Scope, k.Key)
		} else {
			err = u.c.exec("INSERT OR REPLACE INTO godwit_idempotency (scope, key, job, until) VALUES (?, ?, ?, ?)",
				k.Scope, k.Key, e.job, e.until)
		}
		if err != nil {
			return err
		}
	}
	if err := u.flushCascades(); err != nil {
		return err
	}
	return u.flushChildren()
}

func (u *unit) flushCascades() error {
	for id, n := range u.cascades {
		var err error
		if n == nil {
			err = u.c.exec("DELETE FROM godwit_cascades WHERE parent = ?", id)
		} else {
			err = u.c.exec("INSERT OR REPLACE INTO godwit_cascades (parent, after) VALUES (?, ?)", id, n.after)
		}
		if err != nil {
			return err
		}
	}
	clear(u.cascades)
	return nil
}

func (u *unit) flushChildren() error {
	var keys []childKey
	for k, e := range u.children {
		switch {
		case !e.dirty:
		case e.id.IsZero():
			if err := u.c.exec("DELETE FROM godwit_children WHERE parent = ? AND name = ?", k.parent, k.name); err != nil {
				return err
			}
			e.dirty = false
		default:
			keys = append(keys, k)
			e.dirty = false
		}
	}
	return u.c.many(insertChildren, len(keys), func(s *zs.Stmt, at, i int) int {
		e := u.children[keys[i]]
		s.BindBytes(at, keys[i].parent[:])
		s.BindText(at+1, keys[i].name)
		s.BindBytes(at+2, e.id[:])
		s.BindBool(at+3, e.detached)
		s.BindInt64(at+4, int64(e.epoch))
		return at + 5
	}, nil)
}
