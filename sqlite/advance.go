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
		" ORDER BY run_at, id LIMIT 0 + ?", u.now, limit)
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
		" WHERE deadline <> 0 AND place <> 3 AND deadline <= ? ORDER BY deadline, id LIMIT 0 + ?", u.now, limit)
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
