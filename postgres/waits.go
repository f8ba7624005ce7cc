package postgres

import (
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// wait is a job that waits for a promise.
type wait struct{ promise, waiter godwit.ID }

// waits is what a unit knows of who waits for whom. A waiter's rows change under the waiter's lock; a row comes only while its
// promise is locked against being finished. So a call that may finish jobs locks them first, then those who wait for them.
type waits struct {
	of   map[godwit.ID][]godwit.ID        // by promise, who waits for it, by id; only promises that were asked for
	open map[godwit.ID]map[godwit.ID]bool // by waiter, what it waits for; only waiters that were asked for
	made map[wait]bool                    // to be written: true to be there, false to be gone
	gone map[godwit.ID]bool               // waiters of which every row is to go
}

func newWaits() waits {
	return waits{
		of: map[godwit.ID][]godwit.ID{}, open: map[godwit.ID]map[godwit.ID]bool{}, made: map[wait]bool{}, gone: map[godwit.ID]bool{},
	}
}

// prepareEnds loads what has to be known before jobs that are locked can be finished: who waits for them, and whether they have
// children.
func (u *unit) prepareEnds(ids []godwit.ID) error {
	var locked []godwit.ID
	for _, id := range ids {
		if j := u.jobs[id]; j != nil && j.locked && j.kind.unfinished() {
			locked = append(locked, id)
		}
	}
	if len(locked) == 0 {
		return nil
	}
	var waiters []godwit.ID
	arg := uuids(locked)
	err := u.l.run(u.ctx,
		ask("SELECT promise, waiter FROM godwit.waits WHERE promise = ANY($1) ORDER BY waiter", func(r scanner) error {
			var w wait
			err := r.Scan(idInto{&w.promise}, idInto{&w.waiter})
			u.waits.of[w.promise] = append(u.waits.of[w.promise], w.waiter)
			waiters = append(waiters, w.waiter)
			return err
		}, arg),
		ask("SELECT DISTINCT parent FROM godwit.children WHERE parent = ANY($1)", func(r scanner) error {
			var id godwit.ID
			err := r.Scan(idInto{&id})
			u.parents[id] = true
			return err
		}, arg))
	if err != nil || len(waiters) == 0 {
		return err
	}
	if err := u.load(waiters, lockOthers); err != nil {
		return err
	}
	return u.loadWaits(waiters)
}

// loadWaits loads what locked jobs wait for.
func (u *unit) loadWaits(waiters []godwit.ID) error {
	var ids []godwit.ID
	for _, id := range waiters {
		if u.waits.open[id] == nil {
			u.waits.open[id] = map[godwit.ID]bool{}
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return u.l.run(u.ctx, ask("SELECT promise, waiter FROM godwit.waits WHERE waiter = ANY($1)", func(r scanner) error {
		var w wait
		err := r.Scan(idInto{&w.promise}, idInto{&w.waiter})
		u.waits.open[w.waiter][w.promise] = true
		return err
	}, uuids(ids)))
}

// await notes that a job waits for a promise, and reports whether that is new.
func (u *unit) await(w wait) bool {
	open := u.waits.open[w.waiter]
	if open[w.promise] {
		return false
	}
	open[w.promise] = true
	u.waits.made[w] = true
	return true
}

// wake tells the jobs that wait for a job that has become final, by id.
func (u *unit) wake(settled *job) error {
	for _, id := range u.waits.of[settled.id] {
		w := wait{settled.id, id}
		if !u.waits.open[id][settled.id] {
			continue // it waits no longer
		}
		delete(u.waits.open[id], settled.id)
		u.waits.made[w] = false
		if err := u.wakeOne(u.jobs[id]); err != nil {
			return err
		}
	}
	delete(u.waits.of, settled.id)
	return nil
}

func (u *unit) wakeOne(j *job) error {
	var holds states.Cond
	if !j.any && len(u.waits.open[j.id]) > 0 {
		holds |= states.Pending
	} else {
		j.woken, j.dirty = true, true
	}
	if j.session.IsZero() {
		holds |= states.Unheld
	}
	return u.apply(states.Decide(states.OpWake, u.place(j), holds), j, nil, nil)
}

// forget drops everything about a wait that is over.
func (u *unit) forget(j *job) {
	j.any, j.woken = false, false
	for w := range u.waits.made {
		if w.waiter == j.id {
			delete(u.waits.made, w)
		}
	}
	u.waits.open[j.id] = map[godwit.ID]bool{}
	u.waits.gone[j.id] = true
}

// flushWaits gives the statements that write what has changed.
func (u *unit) flushWaits() []stmt {
	var list []stmt
	if len(u.waits.gone) > 0 {
		list = append(list, do("DELETE FROM godwit.waits WHERE waiter = ANY($1)", uuids(keysOf(u.waits.gone))))
	}
	var made, gone []wait
	for w, there := range u.waits.made {
		if there {
			made = append(made, w)
		} else {
			gone = append(gone, w)
		}
	}
	if len(gone) > 0 {
		promises, waiters := waitColumns(gone)
		list = append(list, do("DELETE FROM godwit.waits w USING unnest($1::uuid[], $2::uuid[]) g (promise, waiter)"+
			" WHERE w.promise = g.promise AND w.waiter = g.waiter", uuids(promises), uuids(waiters)))
	}
	if len(made) > 0 {
		promises, waiters := waitColumns(made)
		list = append(list, do("INSERT INTO godwit.waits (promise, waiter) SELECT * FROM unnest($1::uuid[], $2::uuid[])"+
			" ON CONFLICT DO NOTHING", uuids(promises), uuids(waiters)))
	}
	clear(u.waits.made)
	clear(u.waits.gone)
	return list
}

func waitColumns(list []wait) (promises, waiters []godwit.ID) {
	for _, w := range list {
		promises, waiters = append(promises, w.promise), append(waiters, w.waiter)
	}
	return promises, waiters
}

// keysOf gives the ids that a map has, in order.
func keysOf[V any](m map[godwit.ID]V) []godwit.ID {
	ids := make([]godwit.ID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, godwit.ID.Compare)
	return ids
}
