package sqlite

import (
	"context"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Park makes running jobs wait.
func (s *Store) Park(ctx context.Context, items []godwit.ParkRequest) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		var ids []godwit.ID
		for i := range items {
			ids = append(append(ids, items[i].Job), items[i].Await...)
		}
		return each(u, items, ids, func(p *godwit.ParkRequest) (godwit.SettleAnswer, error) { return u.park(p) })
	})
}

func (u *unit) park(p *godwit.ParkRequest) (godwit.SettleAnswer, error) {
	j, holds, err := u.fence(p.Token)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	var open []godwit.ID
	if j.kind.underWay() {
		var more states.Cond
		if open, more, err = u.open(j, p); err != nil {
			return godwit.SettleAnswer{}, err
		}
		holds |= more
	}
	row := states.Decide(states.OpPark, u.place(j), holds)
	if row.Code != "" {
		return refuse(row, j), nil
	}
	if j.kind == running {
		j.any, j.woken = p.Any, false
	}
	j.dirty = true
	for _, id := range open {
		if err := u.c.exec("INSERT OR IGNORE INTO godwit_waits (promise, waiter) VALUES (?, ?)", id, j.id); err != nil {
			return godwit.SettleAnswer{}, err
		}
		if j.kind == waiting && u.c.db.Changes() > 0 {
			j.any = true
		}
	}
	err = u.apply(row, j, nil, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}

// open gives those of the awaited jobs that have not settled, and the conditions that hold about them all.
func (u *unit) open(j *job, p *godwit.ParkRequest) ([]godwit.ID, states.Cond, error) {
	above, err := u.lineage(j)
	if err != nil {
		return nil, 0, err
	}
	var open []godwit.ID
	var holds states.Cond
	settled := 0
	for _, id := range p.Await {
		target, err := u.get(id)
		switch {
		case err != nil:
			return nil, 0, err
		case target.kind == none:
			holds |= states.UnknownPromise
		case target.kind == pruned || target.kind.final():
			settled++
		case above[id]:
			holds |= states.Cycle
		default:
			open = append(open, id)
		}
	}
	if len(open) == 0 || p.Any && settled > 0 {
		holds |= states.Satisfied
	}
	return open, holds, nil
}

// lineage gives the job and its ancestors, as far as they are still there.
func (u *unit) lineage(j *job) (map[godwit.ID]bool, error) {
	above := map[godwit.ID]bool{j.id: true}
	for !j.more().Parent.IsZero() {
		parent, err := u.get(j.extra.Parent)
		if err != nil {
			return nil, err
		}
		if parent.kind == none || parent.kind == pruned {
			break
		}
		above[parent.id] = true
		j = parent
	}
	return above, nil
}

// Resume makes waiting jobs run on.
func (s *Store) Resume(ctx context.Context, tokens []godwit.Token) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(tokens)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		ids := make([]godwit.ID, len(tokens))
		for i := range tokens {
			ids[i] = tokens[i].Job
		}
		return each(u, tokens, ids, func(t *godwit.Token) (godwit.SettleAnswer, error) {
			j, holds, err := u.fence(*t)
			if err != nil {
				return godwit.SettleAnswer{}, err
			}
			row := states.Decide(states.OpResume, u.place(j), holds)
			if row.Code != "" {
				return refuse(row, j), nil
			}
			err = u.apply(row, j, nil, nil)
			return godwit.SettleAnswer{State: j.kind.state()}, err
		})
	})
}
