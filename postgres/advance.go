package postgres

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
	return writeSnapshot(ctx, s, func(u *unit) (godwit.AdvanceAnswer, error) {
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
		return answer, u.lookAhead(&answer)
	})
}

// lookAhead answers whether parents are still noted, and the earliest time at which an advance has something to do.
func (u *unit) lookAhead(answer *godwit.AdvanceAnswer) error {
	const sql = "SELECT (SELECT run_at FROM godwit.places WHERE place = 1 ORDER BY run_at LIMIT 1)," +
		" (SELECT deadline FROM godwit.places WHERE deadline <> 0 AND place <> 3 ORDER BY deadline LIMIT 1)," +
		" EXISTS (SELECT 1 FROM godwit.cascades)"
	return u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var due, deadline *int64
		var noted bool
		err := r.Scan(&due, &deadline, &noted)
		answer.More = answer.More || noted
		for _, at := range []*int64{due, deadline} {
			if at != nil && (answer.NextAt.IsZero() || fromMicros(*at).Before(answer.NextAt)) {
				answer.NextAt = fromMicros(*at)
			}
		}
		return err
	}))
}

// chosen flushes the unit, locks the rows that a query selects, and loads their jobs.
func (u *unit) chosen(sql string, args ...any) ([]godwit.ID, error) {
	if err := u.flush(); err != nil {
		return nil, err
	}
	var ids []godwit.ID
	err := u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var id godwit.ID
		err := r.Scan(idInto{&id})
		ids = append(ids, id)
		return err
	}, args...))
	if err != nil {
		return nil, err
	}
	return ids, u.load(ids, lockAll)
}

func (u *unit) comeDue(limit int) (int, error) {
	ids, err := u.chosen("SELECT id FROM godwit.places WHERE place = 1 AND run_at <= $1"+
		" ORDER BY run_at, id LIMIT $2 FOR UPDATE", u.now, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		j := u.jobs[id]
		if err := u.apply(states.Decide(states.OpComeDue, u.place(j), states.Due), j, nil, nil); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (u *unit) passDeadlines(limit int) (int, error) {
	ids, err := u.chosen("SELECT id FROM godwit.places"+
		" WHERE deadline <> 0 AND place <> 3 AND deadline <= $1 ORDER BY deadline, id LIMIT $2 FOR UPDATE", u.now, limit)
	if err != nil {
		return 0, err
	}
	if err := u.prepareEnds(ids); err != nil {
		return 0, err
	}
	for _, id := range ids {
		j := u.jobs[id]
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
	err := u.l.run(u.ctx, ask("SELECT parent, after FROM godwit.cascades ORDER BY parent FOR UPDATE", func(r scanner) error {
		var n pair
		err := r.Scan(idInto{&n.parent}, idInto{&n.child})
		noted = append(noted, n)
		return err
	}))
	if err != nil {
		return 0, err
	}
	for _, n := range noted {
		children, err := u.lockToCancel(n.parent, n.child, max(limit-len(pairs), 1))
		if err != nil {
			return 0, err
		}
		if len(children) == 0 {
			u.cascades[n.parent] = nil
		}
		for _, child := range children {
			if len(pairs) < limit {
				pairs = append(pairs, pair{n.parent, child})
			}
		}
	}
	children := make([]godwit.ID, len(pairs))
	for i, p := range pairs {
		children[i] = p.child
	}
	if err := u.prepareEnds(children); err != nil {
		return 0, err
	}
	for _, p := range pairs {
		u.cascades[p.parent] = &note{after: p.child}
		if _, err := u.cancel(states.OpCascade, p.child, godwit.CascadeReason(p.parent)); err != nil {
			return 0, err
		}
	}
	return len(pairs), nil
}

// lockToCancel gives the first children after one that fall with a cancelled parent, by id, and locks them. What has moved before
// it was locked is left out, and others are looked for in its stead.
func (u *unit) lockToCancel(parent, after godwit.ID, limit int) ([]godwit.ID, error) {
	for {
		ids, err := u.toCancel(parent, after, limit)
		if err != nil {
			return nil, err
		}
		if err := u.load(ids, lockAll); err != nil {
			return nil, err
		}
		moved := false
		for _, id := range ids {
			j := u.jobs[id]
			moved = moved || !j.kind.unfinished() || j.cancelRequestedAt != 0
		}
		if !moved {
			return ids, nil
		}
	}
}
