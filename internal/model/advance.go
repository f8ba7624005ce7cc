package model

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Advance does what has become due.
func (s *Store) Advance(ctx context.Context, limit int) (godwit.AdvanceAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.AdvanceAnswer{}, err
	}
	return do(ctx, s, func(w *world, now time.Time) godwit.AdvanceAnswer {
		var answer godwit.AdvanceAnswer
		answer.Ready = w.comeDue(limit, now)
		answer.Expired = w.passDeadlines(limit, now)
		answer.Cancelled = w.cascade(limit, now)
		full := answer.Ready == limit || answer.Expired == limit || answer.Cancelled == limit
		answer.More = full || len(w.cascades) > 0
		answer.NextAt = w.nextAt()
		return answer
	})
}

// firstBy gives the jobs chosen, by (time, id), at most limit.
func (w *world) firstBy(limit int, at func(*godwit.Job) time.Time, chosen func(*job) bool) []*job {
	var list []*job
	for _, j := range w.jobs {
		if chosen(j) {
			list = append(list, j)
		}
	}
	slices.SortFunc(list, func(a, b *job) int {
		if c := at(&a.view).Compare(at(&b.view)); c != 0 {
			return c
		}
		return a.view.ID.Compare(b.view.ID)
	})
	return list[:min(len(list), limit)]
}

func (w *world) comeDue(limit int, now time.Time) int {
	due := w.firstBy(limit, func(v *godwit.Job) time.Time { return v.RunAt }, func(j *job) bool {
		return j.view.State == godwit.StateScheduled && !j.view.RunAt.After(now)
	})
	for _, j := range due {
		w.apply(states.Decide(states.OpComeDue, states.Place(j.view.State), states.Due), j, now, nil, nil)
	}
	return len(due)
}

func (w *world) passDeadlines(limit int, now time.Time) int {
	over := w.firstBy(limit, func(v *godwit.Job) time.Time { return v.Deadline }, func(j *job) bool {
		return !j.view.State.Final() && j.view.State != godwit.StateRunning && passed(j, now)
	})
	for _, j := range over {
		place, _ := w.place(j.view.ID)
		kept := godwit.DeadlineFailure(w.show(j).Failure)
		w.apply(states.Decide(states.OpPassDeadline, place, states.Deadline), j, now, kept, nil)
	}
	return len(over)
}

// cascade cancels children of cancelled parents.
func (w *world) cascade(limit int, now time.Time) int {
	type pair struct{ parent, child godwit.ID }
	var pairs []pair
	for _, parent := range sortedIDs(w.cascades) {
		children := w.toCancel(parent, w.cascades[parent])
		if len(children) == 0 {
			delete(w.cascades, parent)
		}
		for _, child := range children {
			pairs = append(pairs, pair{parent, child})
		}
	}
	pairs = pairs[:min(len(pairs), limit)]
	for _, p := range pairs {
		w.cascades[p.parent] = p.child
		w.cancel(states.OpCascade, p.child, godwit.CascadeReason(p.parent), now)
	}
	return len(pairs)
}

// toCancel gives the children after one that fall with a cancelled parent, by id.
func (w *world) toCancel(parent, after godwit.ID) []godwit.ID {
	var ids []godwit.ID
	for _, id := range w.children[parent] {
		v := &w.jobs[id].view
		if id.Compare(after) > 0 && !v.State.Final() && !v.Detached && v.CancelRequestedAt.IsZero() {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, godwit.ID.Compare)
	return ids
}

func (w *world) nextAt() time.Time {
	var next time.Time
	consider := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, j := range w.jobs {
		if j.view.State == godwit.StateScheduled {
			consider(j.view.RunAt)
		}
		if !j.view.State.Final() && j.view.State != godwit.StateRunning {
			consider(j.view.Deadline)
		}
	}
	return next
}

// Prune drops what has been kept long enough.
func (s *Store) Prune(ctx context.Context, limit int) (godwit.PruneAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.PruneAnswer{}, err
	}
	return do(ctx, s, func(w *world, now time.Time) godwit.PruneAnswer {
		kept := map[godwit.ID]time.Time{}
		for id, j := range w.jobs {
			if j.view.State.Final() {
				kept[id] = j.view.KeepUntil
			}
		}
		var answer godwit.PruneAnswer
		for _, times := range []map[godwit.ID]time.Time{kept, maps.Clone(w.pruned)} {
			ids := over(times, now)
			answer.More = answer.More || len(ids) >= limit
			for _, id := range ids[:min(len(ids), limit)] {
				w.prune(id, now, &answer)
			}
		}
		return answer
	})
}

// over gives the ids whose time has come, the earliest first, ties by id.
func over(times map[godwit.ID]time.Time, now time.Time) []godwit.ID {
	var ids []godwit.ID
	for id, at := range times {
		if !at.After(now) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b godwit.ID) int { return cmp.Or(times[a].Compare(times[b]), a.Compare(b)) })
	return ids
}

func (w *world) prune(id godwit.ID, now time.Time, answer *godwit.PruneAnswer) {
	place, j := w.place(id)
	var holds states.Cond
	if j != nil {
		if j.view.KeepUntil.After(now) {
			holds |= states.Kept
		}
		if w.pinned(j) {
			holds |= states.Pinned
		}
	} else if w.pruned[id].After(now) {
		holds |= states.Kept
	}
	row := states.Decide(states.OpPrune, place, holds)
	switch row.To {
	case states.Pruned:
		w.remove(j, row, now)
		answer.Pruned++
	case states.None:
		delete(w.pruned, id)
		answer.Forgotten++
	default:
		if holds == states.Pinned && j != nil && j.view.State.Final() {
			j.view.KeepUntil = now.Add(godwit.PinnedPause).Truncate(time.Microsecond)
		}
	}
}

// pinned reports whether a final job must stay for its parent.
func (w *world) pinned(j *job) bool {
	parent := w.jobs[j.view.Parent]
	return parent != nil && parent.view.State != godwit.StateSucceeded
}

// remove leaves of a final job only the id, which answers expired for as long as the job was to be kept.
func (w *world) remove(j *job, row *states.Row, now time.Time) {
	id := j.view.ID
	w.pruned[id] = now.Add(max(j.keep(), godwit.ExpiredMin)).Truncate(time.Microsecond)
	delete(w.jobs, id)
	if siblings := w.children[j.view.Parent]; siblings != nil {
		delete(siblings, j.view.ChildName)
		if len(siblings) == 0 {
			delete(w.children, j.view.Parent)
		}
	}
	if w.known[j.idempotency].job == id {
		delete(w.known, j.idempotency)
	}
	w.events = append(w.events, godwit.Event{
		Kind: row.Event, At: now, Job: id, Task: j.view.Task, Queue: j.view.Queue, Run: j.view.Run,
	})
}
