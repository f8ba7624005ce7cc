package postgres

import (
	"cmp"
	"context"
	"slices"

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

// pruneBare looks at what is over, the earliest first, and removes the succeeded jobs that nothing hangs on, most of them, and the ids that
// are to be forgotten. Whatever somebody else has changed since the snapshot lets the call begin anew, so no row is locked before it is
// removed. It answers with the jobs that it has removed, then with those that are over besides, and at last with how many ids it has
// forgotten.
const pruneBare = `WITH list AS MATERIALIZED (
	SELECT f.id, f.ctid AS tid, f.keep_until AS until, f.state = 5 AND f.records = 0 AND NOT f.reported AS bare
		FROM godwit.finished f WHERE f.keep_until <= $2 ORDER BY f.keep_until, f.id LIMIT $1
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
	DELETE FROM godwit.pruned p USING (SELECT p.ctid AS tid FROM godwit.pruned p WHERE p.until <= $2 ORDER BY p.until, p.id LIMIT $1) l
	WHERE p.ctid = l.tid RETURNING 1
)
SELECT 1, g.id, g.until, g.lane, g.run FROM gone g
UNION ALL SELECT 2, l.id, l.until, 0, 0 FROM list l WHERE l.id NOT IN (SELECT g.id FROM gone g)
UNION ALL SELECT 3, NULL, 0, 0, (SELECT count(*) FROM forgotten)`

// pruning is one look at what is over.
type pruning struct {
	list      []*job // kind pruned: it was removed; none: it is over besides
	forgotten int
}

func (p *pruning) scan(r scanner) error {
	var what int
	j := &job{}
	if err := r.Scan(&what, idInto{&j.id}, &j.keepUntil, &j.laneID, &j.run); err != nil {
		return err
	}
	switch what {
	case 1:
		j.kind = pruned
		p.list = append(p.list, j)
	case 2:
		p.list = append(p.list, j)
	default:
		p.forgotten = int(j.run)
	}
	return nil
}

func (u *unit) prune(limit int) (godwit.PruneAnswer, error) {
	var p pruning
	err := u.l.run(u.ctx, do("SELECT "+byIndex), ask(pruneBare, p.scan, limit, u.now, int64(godwit.ExpiredMin)))
	if err != nil {
		return godwit.PruneAnswer{}, err
	}
	slices.SortFunc(p.list, func(a, b *job) int { return cmp.Or(cmp.Compare(a.keepUntil, b.keepUntil), a.id.Compare(b.id)) })
	var besides []godwit.ID
	for _, j := range p.list {
		if j.kind == none {
			besides = append(besides, j.id)
		}
	}
	if err := u.loadToRemove(besides); err != nil {
		return godwit.PruneAnswer{}, err
	}
	answer := godwit.PruneAnswer{Forgotten: p.forgotten, More: len(p.list) >= limit || p.forgotten >= limit}
	row := states.Decide(states.OpPrune, states.Place(godwit.StateSucceeded), 0)
	for _, j := range p.list {
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
