package sqlite

import (
	"context"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Advance does what has become due.
func (s *Store) Advance(ctx context.Context, limit int) (godwit.AdvanceAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.AdvanceAnswer{}, err
	}
	return write(ctx, s, func(u *unit) (godwit.AdvanceAnswer, error) {
		var answer godwit.AdvanceAnswer
		var err error
		if answer.Ready, err = u.comeDue(limit); err != nil {
			return answer, err
		}
		if answer.Expired, err = u.passDeadlines(limit); err != nil {
			return answer, err
		}
		if answer.Cancelled, err = u.cascade(limit); err != nil {
			return answer, err
		}
		if err := u.flush(); err != nil {
			return answer, err
		}
		answer.More = answer.Ready == limit || answer.Expired == limit || answer.Cancelled == limit
		err = u.c.query("SELECT 1 FROM godwit_cascades LIMIT 1", func(*row) error {
			answer.More = true
			return nil
		})
		if err != nil {
			return answer, err
		}
		next, err := u.nextAt()
		answer.NextAt = fromMicros(next)
		return answer, err
	})
}

// chosen flushes the unit and gives the ids that a query selects.
func (u *unit) chosen(sql string, args ...any) ([]godwit.ID, error) {
	if err := u.flush(); err != nil {
		return nil, err
	}
	var ids []godwit.ID
	err := u.c.query(sql, func(s *row) error {
		ids = append(ids, columnID(s, 0))
		return nil
	}, args...)
	if err != nil {
		return nil, err
	}
	return ids, u.load(ids, false)
}

func (u *unit) comeDue(limit int) (int, error) {
	ids, err := u.chosen("SELECT id FROM godwit_places INDEXED BY godwit_places_scheduled WHERE place = 1 AND run_at <= ?"+
		" ORDER BY run_at, id LIMIT ?", u.now, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		j, err := u.pointed("godwit_places", id, scheduled, scheduled)
		if err != nil {
			return 0, err
		}
		if err := u.apply(states.Decide(states.OpComeDue, u.place(j), states.Due), j, nil, nil); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (u *unit) passDeadlines(limit int) (int, error) {
	ids, err := u.chosen("SELECT id FROM godwit_places INDEXED BY godwit_places_deadline"+
		" WHERE deadline <> 0 AND place <> 3 AND deadline <= ? ORDER BY deadline, id LIMIT ?", u.now, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		j, err := u.pointed("godwit_places", id, scheduled, waiting)
		if err != nil {
			return 0, err
		}
		if j.kind == running {
			return 0, damagedJob("godwit_places", id, "runs and is among those that do not")
		}
		last, err := u.shownFailure(j)
		if err != nil {
			return 0, err
		}
		row := states.Decide(states.OpPassDeadline, u.place(j), states.Deadline)
		if err := u.apply(row, j, godwit.DeadlineFailure(last), nil); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// cascade cancels children of cancelled parents, the pairs as they stand when it begins.
func (u *unit) cascade(limit int) (int, error) {
	if err := u.flush(); err != nil {
		return 0, err
	}
	type pair struct{ parent, child godwit.ID }
	var noted, pairs []pair // the second of a noted one is the last child taken
	err := u.c.query("SELECT parent, after FROM godwit_cascades ORDER BY parent", func(s *row) error {
		noted = append(noted, pair{columnID(s, 0), columnID(s, 1)})
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, n := range noted {
		parent, found := n.parent, false
		err := u.eachToCancel(parent, n.child, func(id godwit.ID) bool {
			found = true
			if len(pairs) < limit {
				pairs = append(pairs, pair{parent, id})
			}
			return len(pairs) < limit
		})
		if err != nil {
			return 0, err
		}
		if !found {
			u.cascades[parent] = nil
		}
	}
	for _, p := range pairs {
		u.cascades[p.parent] = &note{after: p.child}
		if _, err := u.cancel(states.OpCascade, p.child, godwit.CascadeReason(p.parent)); err != nil {
			return 0, err
		}
	}
	return len(pairs), nil
}

// nextAt gives the earliest time at which an advance has something to do; 0 when there is none.
func (u *unit) nextAt() (int64, error) {
	var next int64
	for _, sql := range []string{
		"SELECT run_at FROM godwit_places INDEXED BY godwit_places_scheduled WHERE place = 1 ORDER BY run_at LIMIT 1",
		"SELECT deadline FROM godwit_places INDEXED BY godwit_places_deadline WHERE deadline <> 0 AND place <> 3 ORDER BY deadline LIMIT 1",
	} {
		err := u.c.query(sql, func(s *row) error {
			if at := columnMicros(s, 0); next == 0 || at < next {
				next = at
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return next, nil
}

// Prune drops what has been kept long enough.
func (s *Store) Prune(ctx context.Context, limit int) (godwit.PruneAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.PruneAnswer{}, err
	}
	return write(ctx, s, func(u *unit) (godwit.PruneAnswer, error) { return u.prune(limit) })
}

// remnant is a finished or pruned job that a prune looks at.
type remnant struct {
	id    godwit.ID
	until int64
	gone  bool // pruned before
}

func (u *unit) prune(limit int) (godwit.PruneAnswer, error) {
	var answer godwit.PruneAnswer
	list, err := u.remnants(limit)
	if err != nil {
		return answer, err
	}
	var ids []godwit.ID
	for _, r := range list {
		if r.until <= u.now {
			ids = append(ids, r.id)
		}
	}
	if err := u.load(ids, false); err != nil {
		return answer, err
	}
	for _, id := range ids {
		j, err := u.pointed("godwit_finished", id, succeeded, pruned)
		if err != nil {
			return answer, err
		}
		if err := u.pruneOne(j, &answer); err != nil {
			return answer, err
		}
	}
	answer.Wrapped = len(list) < limit
	cursor := godwit.ID{}
	if !answer.Wrapped {
		cursor = list[len(list)-1].id
	}
	u.commits = append(u.commits, func() { u.store.pruneCursor = cursor })
	return answer, nil
}

// remnants gives the finished and pruned jobs after the last one looked at, by id.
func (u *unit) remnants(limit int) ([]remnant, error) {
	const sql = "SELECT id, until, gone FROM (" +
		" SELECT * FROM (SELECT id, keep_until AS until, 0 AS gone FROM godwit_finished WHERE id > ?1 ORDER BY id LIMIT ?2)" +
		" UNION ALL SELECT * FROM (SELECT id, until, 1 FROM godwit_pruned WHERE id > ?1 ORDER BY id LIMIT ?2))" +
		" ORDER BY id LIMIT ?2"
	var list []remnant
	err := u.c.query(sql, func(s *row) error {
		list = append(list, remnant{columnID(s, 0), columnMicros(s, 1), s.ColumnInt64(2) != 0})
		return nil
	}, u.store.pruneCursor, limit)
	return list, err
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
