package model

import (
	"context"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Park makes running jobs wait.
func (s *Store) Park(ctx context.Context, items []godwit.ParkRequest) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, items, func(w *world, now time.Time, item godwit.ParkRequest) godwit.SettleAnswer {
		return w.park(&item, now)
	})
}

func (w *world) park(p *godwit.ParkRequest, now time.Time) godwit.SettleAnswer {
	place, j, holds := w.fence(p.Token)
	var open []godwit.ID
	if j != nil {
		settled := 0
		for _, id := range p.Await {
			at, target := w.place(id)
			switch {
			case at == states.None:
				holds |= states.UnknownPromise
			case target == nil || target.view.State.Final():
				settled++
			case w.isAncestorOrSelf(id, j):
				holds |= states.Cycle
			default:
				open = append(open, id)
			}
		}
		if len(open) == 0 || p.Any && settled > 0 {
			holds |= states.Satisfied
		}
	}
	row := states.Decide(states.OpPark, place, holds)
	if row.Code != "" {
		return refuse(row, j)
	}
	if place == states.Place(godwit.StateRunning) {
		j.awaits, j.any, j.woken = map[godwit.ID]bool{}, p.Any, false
	}
	for _, id := range open {
		if place == states.Place(godwit.StateWaiting) && !j.awaits[id] {
			j.any = true
		}
		j.awaits[id] = true
		if w.waiters[id] == nil {
			w.waiters[id] = map[godwit.ID]bool{}
		}
		w.waiters[id][j.view.ID] = true
	}
	w.apply(row, j, now, nil, nil)
	return godwit.SettleAnswer{State: j.view.State}
}

func (w *world) isAncestorOrSelf(id godwit.ID, j *job) bool {
	for j != nil {
		if j.view.ID == id {
			return true
		}
		j = w.jobs[j.view.Parent]
	}
	return false
}

// Resume makes waiting jobs run on.
func (s *Store) Resume(ctx context.Context, tokens []godwit.Token) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, tokens, func(w *world, now time.Time, t godwit.Token) godwit.SettleAnswer {
		place, j, holds := w.fence(t)
		row := states.Decide(states.OpResume, place, holds)
		if row.Code != "" {
			return refuse(row, j)
		}
		w.apply(row, j, now, nil, nil)
		return godwit.SettleAnswer{State: j.view.State}
	})
}

// wake tells the jobs that wait for a job that has become final.
func (w *world) wake(settled godwit.ID, now time.Time) {
	waiters := w.waiters[settled]
	for _, id := range sortedIDs(waiters) {
		j := w.jobs[id]
		delete(j.awaits, settled)
		var holds states.Cond
		if j.any || len(j.awaits) == 0 {
			j.woken = true
		} else {
			holds |= states.Pending
		}
		if j.view.Session.IsZero() {
			holds |= states.Unheld
		}
		w.apply(states.Decide(states.OpWake, states.Place(j.view.State), holds), j, now, nil, nil)
	}
	delete(w.waiters, settled)
}

// forget drops everything about a wait that is over.
func (w *world) forget(j *job) {
	j.any, j.woken = false, false
	for id := range j.awaits {
		delete(w.waiters[id], j.view.ID)
		if len(w.waiters[id]) == 0 {
			delete(w.waiters, id)
		}
	}
	j.awaits = nil
}
