package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Prune drops what has been kept long enough.
func (s *Store) Prune(ctx context.Context, limit int) (godwit.PruneAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.PruneAnswer{}, err
	}
	return writeSnapshot(ctx, s, func(u *unit) (godwit.PruneAnswer, error) { return u.prune(limit) })
}

// pruneBare looks at what is over, from two points on, the earliest first, and removes the succeeded jobs that nothing hangs on, most of
// them, and the ids that are to be forgotten. Whatever somebody else has changed since the snapshot lets the call begin anew, so no row is
// locked before it is removed. It answers with the jobs that it has removed, then with those that are over besides, and at last with the
// last id that it has forgotten and how many there were, and how many entries of the indexes it walked over.
const pruneBare = `WITH list AS MATERIALIZED (
	SELECT f.id, f.ctid AS tid, f.keep_until AS until, f.state = 5 AND f.records = 0 AND NOT f.reported AS bare
		FROM godwit.finished f WHERE f.keep_until <= $2 AND (f.keep_until, f.id) > ($5::bigint, $6::uuid) ORDER BY f.keep_until, f.id LIMIT $1
), due AS MATERIALIZED (
	SELECT l.tid, l.until, j.tid AS body, j.keep_succeeded AS keep FROM list l CROSS JOIN LATERAL (
		SELECT j.ctid AS tid, j.extra, j.keep_succeeded FROM godwit.jobs j WHERE j.id = l.id LIMIT 1) j
	WHERE l.bare AND j.extra IS NULL
), gone AS (
	DELETE FROM godwit.finished f USING due d WHERE f.ctid = d.tid RETURNING f.id, f.lane, f.run, d.until, d.body, d.keep
), bodies AS (
	DELETE FROM godwit.jobs j USING gone g WHERE j.ctid = g.body
), left_behind AS (
	INSERT INTO godwit.pruned (id, until) SELECT g.id, $2::bigint + greatest(g.keep, $3::bigint) / 1000 FROM gone g
), forgotten AS (
	DELETE FROM godwit.pruned p USING (SELECT p.ctid AS tid FROM godwit.pruned p
		WHERE p.until <= $2 AND (p.until, p.id) > ($7::bigint, $8::uuid) ORDER BY p.until, p.id LIMIT $4) l
	WHERE p.ctid = l.tid RETURNING p.until, p.id
)
SELECT 1, g.id, g.until, g.lane, g.run FROM gone g
UNION ALL SELECT 2, l.id, l.until, 0, 0 FROM list l WHERE l.id NOT IN (SELECT g.id FROM gone g)
UNION ALL (SELECT 3, o.id, o.until, 0, count(*) OVER () FROM forgotten o ORDER BY o.until DESC, o.id DESC LIMIT 1)
UNION ALL SELECT 4, '00000000-0000-0000-0000-000000000000', 0, 0, ` + overWalked

// overWalked is readyWalked for the indexes of what is over.
const overWalked = `pg_stat_get_xact_tuples_returned('godwit.finished_over'::regclass) + pg_stat_get_xact_tuples_returned('godwit.pruned_over'::regclass)`

// pruning is one look at what is over.
type pruning struct {
	list      []*job // kind pruned: it was removed; none: it is over besides
	forgotten int
	before    int64 // what overWalked says before the look
	walked    int64 // and after it
	jobs, ids overReach
}

func (p *pruning) scan(r scanner) error {
	var what int
	j := &job{}
	if err := r.Scan(&what, idInto{&j.id}, &j.keepUntil, &j.laneID, &j.run); err != nil {
		return err
	}
	at := overPoint{j.keepUntil, j.id}
	if what == 4 {
		p.walked = j.run
		return nil
	}
	if what == 3 {
		p.forgotten, p.ids.to = int(j.run), at
		return nil
	}
	if what == 1 {
		j.kind = pruned
	}
	p.list = append(p.list, j)
	if p.jobs.to.compare(at) < 0 {
		p.jobs.to = at
	}
	return nil
}

// lookForOver looks for so many jobs and ids that are over, from two points on.
func (u *unit) lookForOver(fromJob, fromID overPoint, whole bool, jobs, ids int) (*pruning, error) {
	p := &pruning{jobs: overReach{to: overStart}, ids: overReach{to: overStart}}
	began := time.Now()
	err := u.l.run(u.ctx, do("SELECT "+byIndex),
		ask("SELECT "+overWalked, func(r scanner) error { return r.Scan(&p.before) }), ask(pruneBare, p.scan, jobs, u.now, int64(godwit.ExpiredMin), ids,
			fromJob.until, pgtype.UUID{Bytes: fromJob.id, Valid: true}, fromID.until, pgtype.UUID{Bytes: fromID.id, Valid: true}))
	p.jobs.left, p.ids.left = len(p.list) >= jobs, p.forgotten >= ids
	if whole {
		u.store.overs.looked(time.Since(began), p.walked-p.before-int64(len(p.list)+p.forgotten))
	}
	u.commits = append(u.commits, func() { u.store.overs.reached(p, whole, u.now) })
	return p, err
}

// findOver goes on where the prunes before have stopped, and looks from the beginning when it is time to, or fewer jobs were found than
// may be.
func (u *unit) findOver(limit int) (list []*job, forgotten int, err error) {
	fromJob, fromID, whole := u.store.overs.start()
	p, err := u.lookForOver(fromJob, fromID, whole, limit, limit)
	if err != nil || whole || p.jobs.left || u.store.overs.suffices() {
		return p.list, p.forgotten, err
	}
	gone := slices.DeleteFunc(p.list, func(j *job) bool { return j.kind == none }) // what is over besides is found again
	rest, err := u.lookForOver(overStart, overStart, true, limit-len(gone), limit-p.forgotten)
	return append(gone, rest.list...), p.forgotten + rest.forgotten, err
}

func (u *unit) prune(limit int) (godwit.PruneAnswer, error) {
	list, forgotten, err := u.findOver(limit)
	if err != nil {
		return godwit.PruneAnswer{}, err
	}
	slices.SortFunc(list, func(a, b *job) int { return overPoint{a.keepUntil, a.id}.compare(overPoint{b.keepUntil, b.id}) })
	var besides []godwit.ID
	for _, j := range list {
		if j.kind == none {
			besides = append(besides, j.id)
		}
	}
	if err := u.loadToRemove(besides); err != nil {
		return godwit.PruneAnswer{}, err
	}
	answer := godwit.PruneAnswer{Forgotten: forgotten, More: len(list) >= limit || forgotten >= limit}
	row := states.Decide(states.OpPrune, states.Place(godwit.StateSucceeded), 0)
	for _, j := range list {
		if j.kind == none {
			err = u.pruneOne(u.jobs[j.id], &answer)
		} else if j.lane, err = u.lane(j.laneID); err == nil {
			answer.Pruned++
			u.tell(row.Event, j, "")
		}
		if err != nil {
			return answer, err
		}
	}
	return answer, nil
}

func (u *unit) pruneOne(j *job, answer *godwit.PruneAnswer) error {
	pinned, err := u.pinned(j)
	if err != nil {
		return err
	}
	var holds states.Cond
	if pinned {
		holds |= states.Pinned
	}
	if j.kind != none && j.keepUntil > u.now {
		holds |= states.Kept // it was retried by hand and has finished anew since it was looked at
	}
	switch row := states.Decide(states.OpPrune, u.place(j), holds); row.To {
	case states.Pruned:
		answer.Pruned++
		return u.remove(j, row)
	default:
		if holds == states.Pinned && j.kind.final() {
			j.keepUntil = after(u.now, godwit.PinnedPause)
			u.removals = append(u.removals, do("UPDATE godwit.finished SET keep_until = $1 WHERE id = $2", j.keepUntil, uuid(j.id)))
		}
	}
	return nil
}
