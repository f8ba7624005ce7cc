package postgres

import (
	"context"
	"slices"

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

// pruneBare looks at the finished and pruned jobs after the last one looked at, by id, and removes those that nothing hangs on: most.
// Whatever somebody else has changed since the snapshot lets the call begin anew, so no row is locked before it is removed. It answers
// with what it has removed, then with what is due besides, and at last with how far it came and how many ids it has forgotten.
const pruneBare = `WITH list AS MATERIALIZED (
	SELECT r.* FROM (
		(SELECT f.id, f.ctid AS tid, f.keep_until AS until, true AS final, f.records = 0 AND NOT f.reported AS bare
			FROM godwit.finished f WHERE f.id > $1 ORDER BY f.id LIMIT $2)
		UNION ALL (SELECT p.id, p.ctid, p.until, false, false FROM godwit.pruned p WHERE p.id > $1 ORDER BY p.id LIMIT $2)
	) r ORDER BY r.id LIMIT $2
), due AS MATERIALIZED (
	SELECT l.id, l.tid, j.tid AS body, j.keep_succeeded, j.keep_failed FROM list l CROSS JOIN LATERAL (
		SELECT j.ctid AS tid, j.extra, j.keep_succeeded, j.keep_failed FROM godwit.jobs j WHERE j.id = l.id LIMIT 1) j
	WHERE l.bare AND l.until <= $3 AND j.extra IS NULL
), gone AS (
	DELETE FROM godwit.finished f USING due d WHERE f.ctid = d.tid
	RETURNING f.id, f.lane, f.run, d.body, CASE f.state WHEN 5 THEN d.keep_succeeded ELSE d.keep_failed END AS keep
), bodies AS (
	DELETE FROM godwit.jobs j USING gone g WHERE j.ctid = g.body
), left_behind AS (
	INSERT INTO godwit.pruned (id, until) SELECT g.id, $3::bigint + greatest(g.keep, $4::bigint) / 1000 FROM gone g
), forgotten AS (
	DELETE FROM godwit.pruned p USING list l WHERE NOT l.final AND l.until <= $3 AND p.ctid = l.tid RETURNING 1
)
SELECT 1, g.id, g.lane, g.run FROM gone g
UNION ALL SELECT 2, l.id, 0, 0 FROM list l WHERE l.final AND l.until <= $3 AND l.id NOT IN (SELECT g.id FROM gone g)
UNION ALL SELECT 3, (SELECT l.id FROM list l ORDER BY l.id DESC LIMIT 1), (SELECT count(*) FROM list)::integer, (SELECT count(*) FROM forgotten)`

// pruning is one look at what may be removed.
type pruning struct {
	gone      []*job
	due       []godwit.ID // by id
	last      godwit.ID   // looked at; zero: there was nothing
	looked    int
	forgotten int
}

func (p *pruning) scan(r scanner) error {
	var what int
	j := &job{kind: pruned}
	if err := r.Scan(&what, idInto{&j.id}, &j.laneID, &j.run); err != nil {
		return err
	}
	switch what {
	case 1:
		p.gone = append(p.gone, j)
	case 2:
		p.due = append(p.due, j.id)
	default:
		p.last, p.looked, p.forgotten = j.id, int(j.laneID), int(j.run)
	}
	return nil
}

func (u *unit) prune(limit int) (godwit.PruneAnswer, error) {
	var p pruning
	after := pgtype.UUID{Bytes: u.store.prunedTo(), Valid: true}
	err := u.l.run(u.ctx, do("SELECT "+byIndex), ask(pruneBare, p.scan, after, limit, u.now, int64(godwit.ExpiredMin)))
	if err != nil {
		return godwit.PruneAnswer{}, err
	}
	answer := godwit.PruneAnswer{Pruned: len(p.gone), Forgotten: p.forgotten, Wrapped: p.looked < limit}
	row := states.Decide(states.OpPrune, states.Place(godwit.StateSucceeded), 0)
	for _, j := range p.gone {
		if j.lane, err = u.lane(j.laneID); err != nil {
			return answer, err
		}
		u.tell(row.Event, j, "")
	}
	if err := u.loadToRemove(p.due); err != nil {
		return answer, err
	}
	for _, id := range p.due {
		if err := u.pruneOne(u.jobs[id], &answer); err != nil {
			return answer, err
		}
	}
	if len(p.due) > 0 {
		slices.SortFunc(u.events, func(a, b godwit.Event) int { return a.Job.Compare(b.Job) })
	}
	cursor := p.last
	if answer.Wrapped {
		cursor = godwit.ID{}
	}
	u.commits = append(u.commits, func() { u.store.setPrunedTo(cursor) })
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
	case states.None:
		answer.Forgotten++
		j.kind, j.dirty = none, true
	}
	return nil
}
