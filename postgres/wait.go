package postgres

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
	if len(items) == 1 {
		if answer, made, err := s.parks.ask(ctx, s, items[0]); made || err != nil {
			return one(answer, err)
		}
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		if err := u.loadParks(items); err != nil {
			return nil, err
		}
		return each(items, u.park)
	})
}

// loadParks loads the promises, which are kept from being finished, and the jobs that are to wait for them.
func (u *unit) loadParks(items []godwit.ParkRequest) error {
	var promises []godwit.ID
	tokens := make([]godwit.Token, len(items))
	for i := range items {
		tokens[i] = items[i].Token
		promises = append(promises, items[i].Await...)
	}
	if err := u.loadSessions(tokens); err != nil {
		return err
	}
	if err := u.load(promises, share); err != nil {
		return err
	}
	if err := u.load(jobsOf(tokens), lockOthers); err != nil {
		return err
	}
	return u.loadWaits(u.waitingOf(tokens))
}

// waitingOf gives those of the jobs that are under way.
func (u *unit) waitingOf(tokens []godwit.Token) []godwit.ID {
	var ids []godwit.ID
	for _, t := range tokens {
		if u.jobs[t.Job].kind.underWay() {
			ids = append(ids, t.Job)
		}
	}
	return ids
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
		return u.refuse(row, j), nil
	}
	if j.kind == running {
		j.any, j.woken = p.Any, false
	}
	j.dirty = true
	for _, id := range open {
		if u.await(wait{id, j.id}) && j.kind == waiting {
			j.any = true
		}
	}
	err = u.apply(row, j, nil, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}

// open gives those of the awaited jobs that have not settled, and the conditions that hold about them all.
func (u *unit) open(j *job, p *godwit.ParkRequest) ([]godwit.ID, states.Cond, error) {
	var open []godwit.ID
	var holds states.Cond
	settled := 0
	for _, id := range p.Await {
		target, err := u.get(id)
		if err != nil {
			return nil, 0, err
		}
		above := false
		if target.kind.unfinished() {
			if above, err = u.isAncestorOrSelf(target, j); err != nil {
				return nil, 0, err
			}
		}
		switch {
		case target.kind == none:
			holds |= states.UnknownPromise
		case target.kind == pruned || target.kind.final():
			settled++
		case above:
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

// isAncestorOrSelf walks up from a job, as far as its ancestors are still there, to the depth at which the other one stands.
func (u *unit) isAncestorOrSelf(other, j *job) (bool, error) {
	for j.more().Depth > other.more().Depth {
		parent, err := u.get(j.extra.Parent)
		if err != nil {
			return false, err
		}
		if parent.kind == none || parent.kind == pruned {
			return false, nil
		}
		j = parent
	}
	return j.id == other.id, nil
}

// Resume makes waiting jobs run on.
func (s *Store) Resume(ctx context.Context, tokens []godwit.Token) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(tokens)); err != nil {
		return nil, err
	}
	if len(tokens) == 1 {
		if answer, made, err := s.resumes.ask(ctx, s, tokens[0]); made || err != nil {
			return one(answer, err)
		}
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		if err := u.loadTokens(tokens); err != nil {
			return nil, err
		}
		return each(tokens, u.resume)
	})
}

func (u *unit) resume(t *godwit.Token) (godwit.SettleAnswer, error) {
	j, holds, err := u.fence(*t)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	row := states.Decide(states.OpResume, u.place(j), holds)
	if row.Code != "" {
		return u.refuse(row, j), nil
	}
	err = u.apply(row, j, nil, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}
