package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Advance does what has become due. It does not wait for long for jobs that somebody else has locked: it passes over them, and takes them
// up in a later call.
func (s *Store) Advance(ctx context.Context, limit int) (godwit.AdvanceAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.AdvanceAnswer{}, err
	}
	answer, err := s.advance(ctx, limit, false)
	if sqlState(err) == lockNotAvailable {
		answer, err = s.advance(ctx, limit, true)
	}
	return answer, err
}

// advance passes over locked jobs at once, or waits briefly for them.
func (s *Store) advance(ctx context.Context, limit int, passing bool) (godwit.AdvanceAnswer, error) {
	return writeSnapshot(ctx, s, func(u *unit) (godwit.AdvanceAnswer, error) {
		u.passing = passing
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
		if err := u.lookAhead(&answer); err != nil {
			return answer, err
		}
		if at := fromMicros(u.now); passing && !answer.More && !answer.NextAt.IsZero() && !answer.NextAt.After(at) {
			answer.NextAt = at.Add(lockedPause) // what is due and was not done is locked
		}
		return answer, nil
	})
}

// lockedPause is when to look again for what is due and was locked.
const lockedPause = 250 * time.Millisecond

// lookAhead answers whether parents are still noted, and the earliest time at which an advance has something to do.
func (u *unit) lookAhead(answer *godwit.AdvanceAnswer) error {
	const sql = "SELECT (SELECT run_at FROM godwit.places WHERE place = 1 ORDER BY run_at LIMIT 1)," +
		" (SELECT deadline FROM godwit.places WHERE deadline <> 0 AND place <> 3 ORDER BY deadline LIMIT 1)," +
		" EXISTS (SELECT 1 FROM godwit.cascades)"
	return u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var due, deadline *int64
		var noted bool
		err := r.Scan(&due, &deadline, &noted)
		answer.More = answer.More || noted && (!u.passing || answer.Cancelled > 0)
		if noted && !answer.More {
			answer.NextAt = fromMicros(u.now) // the next child is locked
		}
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
	err := u.l.run(u.ctx, do(waitBriefly), ask(u.locking(sql), func(r scanner) error {
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

// locking lets a query lock what it selects.
func (u *unit) locking(sql string) string {
	if u.passing {
		return sql + " FOR UPDATE SKIP LOCKED"
	}
	return sql + " FOR UPDATE"
}

func (u *unit) comeDue(limit int) (int, error) {
	ids, err := u.chosen("SELECT id FROM godwit.places WHERE place = 1 AND run_at <= $1"+
		" ORDER BY run_at, id LIMIT $2", u.now, limit)
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
		" WHERE deadline <> 0 AND place <> 3 AND deadline <= $1 ORDER BY deadline, id LIMIT $2", u.now, limit)
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
	err := u.l.run(u.ctx, ask(u.locking("SELECT parent, after FROM godwit.cascades ORDER BY parent"), func(r scanner) error {
		var n pair
		err := r.Scan(idInto{&n.parent}, idInto{&n.child})
		noted = append(noted, n)
		return err
	}))
	if err != nil {
		return 0, err
	}
	for _, n := range noted {
		children, all, err := u.lockToCancel(n.parent, n.child, max(limit-len(pairs), 1))
		if err != nil {
			return 0, err
		}
		if len(children) == 0 && all {
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

// lockToCancel gives the first children after one that fall with a cancelled parent, by id, and locks them, as far as they are not
// locked by somebody else: each is taken once, in order, so those behind wait for the next call. all reports whether none was left for
// that. What has moved before it was locked is left out, and others are looked for in its stead.
func (u *unit) lockToCancel(parent, after godwit.ID, limit int) (children []godwit.ID, all bool, err error) {
	for {
		ids, err := u.toCancel(parent, after, limit)
		if err != nil {
			return nil, false, err
		}
		found := len(ids)
		if ids, err = u.unlocked(ids); err != nil {
			return nil, false, err
		}
		if err := u.load(ids, lockAll); err != nil {
			return nil, false, err
		}
		moved := false
		for _, id := range ids {
			j := u.jobs[id]
			moved = moved || !j.kind.unfinished() || j.cancelRequestedAt != 0
		}
		if !moved {
			return ids, len(ids) == found, nil
		}
	}
}

// unlocked gives the first of the jobs, up to one that somebody else has locked, and locks them; all when it is to wait for those.
func (u *unit) unlocked(ids []godwit.ID) ([]godwit.ID, error) {
	if !u.passing {
		return ids, nil
	}
	free := map[godwit.ID]bool{}
	err := u.l.run(u.ctx, ask(u.locking("SELECT id FROM godwit.places WHERE id = ANY($1) ORDER BY id"), func(r scanner) error {
		var id godwit.ID
		err := r.Scan(idInto{&id})
		free[id] = true
		return err
	}, uuids(ids)))
	if i := slices.IndexFunc(ids, func(id godwit.ID) bool { return !free[id] }); i >= 0 {
		ids = ids[:i]
	}
	return ids, err
}
