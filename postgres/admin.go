package postgres

import (
	"context"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Cancel cancels jobs or asks running ones to stop.
func (s *Store) Cancel(ctx context.Context, items []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		ids := idsOf(items, func(r *godwit.CancelRequest) godwit.ID { return r.ID })
		if err := u.load(ids, lockAll); err != nil {
			return nil, err
		}
		if err := u.prepareEnds(ids); err != nil {
			return nil, err
		}
		return each(items, func(r *godwit.CancelRequest) (godwit.SettleAnswer, error) {
			return u.cancel(states.OpCancel, r.ID, r.Reason)
		})
	})
}

func idsOf[Q any](items []Q, id func(item *Q) godwit.ID) []godwit.ID {
	ids := make([]godwit.ID, len(items))
	for i := range items {
		ids[i] = id(&items[i])
	}
	return ids
}

func (u *unit) cancel(op states.Op, id godwit.ID, reason string) (godwit.SettleAnswer, error) {
	j, err := u.get(id)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	var holds states.Cond
	if j.cancelRequestedAt != 0 {
		holds |= states.CancelRequested
	}
	row := states.Decide(op, u.place(j), holds)
	if !row.Changes() {
		return u.refuse(row, j), nil
	}
	j.cancelReason = reason
	if row.Event == godwit.EventCancelRequested {
		j.cancelRequestedAt = u.now
	}
	var kept *godwit.Failure
	if row.To != states.Same {
		kept = godwit.CancelledFailure(reason)
	}
	err = u.apply(row, j, kept, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}

// Retry makes failed and cancelled jobs ready anew.
func (s *Store) Retry(ctx context.Context, items []godwit.RetryRequest) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		ids := idsOf(items, func(r *godwit.RetryRequest) godwit.ID { return r.ID })
		if err := u.load(ids, lockOthers); err != nil {
			return nil, err
		}
		return each(items, func(r *godwit.RetryRequest) (godwit.SettleAnswer, error) { return u.retryByHand(*r) })
	})
}

func (u *unit) retryByHand(r godwit.RetryRequest) (godwit.SettleAnswer, error) {
	j, err := u.get(r.ID)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	var holds states.Cond
	var unique *uniqueKey
	if k := j.more().Unique; k.Key != "" {
		if !j.kind.final() || j.kind == succeeded {
			unique = &uniqueKey{job: j.id} // it is refused whoever holds the key
		} else if unique, err = u.holder(k); err != nil {
			return godwit.SettleAnswer{}, err
		}
		if !unique.job.IsZero() && unique.job != j.id {
			holds |= states.UniqueHeld
		}
	}
	if r.Run != 0 && r.Run != j.run {
		holds |= states.OtherRun
	}
	row := states.Decide(states.OpRetryByHand, u.place(j), holds)
	if !row.Changes() {
		return u.refuse(row, j), nil
	}
	j.runAt, j.failure = u.now, nil
	j.startedAt, j.finishedAt, j.keepUntil, j.cancelRequestedAt, j.cancelReason = 0, 0, 0, 0, ""
	if j.passed(u.now) {
		j.deadline = 0
	}
	if r.Args != nil {
		j.args, j.body, j.newArgs = *r.Args, true, true
	}
	if r.Version > 0 && r.Version != j.lane.version {
		if j.lane, err = u.laneOf(laneName{j.lane.queue, j.lane.task, r.Version}); err != nil {
			return godwit.SettleAnswer{}, err
		}
		j.body = true
	}
	if unique != nil {
		unique.job, unique.state, unique.dirty = j.id, godwit.StateReady, true
	}
	u.cascades[j.id] = nil
	err = u.apply(row, j, nil, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}

// Reschedule sets the time of scheduled and ready jobs. A ready job may stay ready, which a claim that passes over it while it is
// locked would not see; so it keeps claims out.
func (s *Store) Reschedule(ctx context.Context, items []godwit.RescheduleRequest) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		if err := u.keepClaimsOut(); err != nil {
			return nil, err
		}
		ids := idsOf(items, func(r *godwit.RescheduleRequest) godwit.ID { return r.ID })
		if err := u.load(ids, lockAll); err != nil {
			return nil, err
		}
		return each(items, u.reschedule)
	})
}

func (u *unit) reschedule(r *godwit.RescheduleRequest) (godwit.SettleAnswer, error) {
	j, err := u.get(r.ID)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	runAt := micros(r.RunAt)
	if runAt == 0 {
		runAt = after(u.now, r.Delay)
	}
	var holds states.Cond
	if runAt > u.now {
		holds |= states.Delayed
	}
	row := states.Decide(states.OpReschedule, u.place(j), holds)
	if !row.Changes() {
		return u.refuse(row, j), nil
	}
	j.runAt = max(runAt, u.now)
	err = u.apply(row, j, nil, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}

// Delete removes final jobs before their time.
func (s *Store) Delete(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(ids)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		if err := u.loadToRemove(ids); err != nil {
			return nil, err
		}
		return each(ids, func(id *godwit.ID) (godwit.SettleAnswer, error) {
			j := u.jobs[*id]
			pinned, err := u.pinned(j)
			if err != nil {
				return godwit.SettleAnswer{}, err
			}
			var holds states.Cond
			if pinned {
				holds |= states.Pinned
			}
			row := states.Decide(states.OpDelete, u.place(j), holds)
			if !row.Changes() {
				return u.refuse(row, j), nil
			}
			return godwit.SettleAnswer{}, u.remove(j, row)
		})
	})
}

// loadToRemove loads jobs that may be removed, and their parents.
func (u *unit) loadToRemove(ids []godwit.ID) error {
	if err := u.load(ids, lockOthers); err != nil {
		return err
	}
	var parents []godwit.ID
	for _, id := range ids {
		if p := u.jobs[id].more().Parent; !p.IsZero() {
			parents = append(parents, p)
		}
	}
	return u.load(parents, peek)
}

// pinned reports whether a final job must stay for its parent. Once it need not, that is so for good: a parent that succeeded
// does not run again. So the parent is not locked.
func (u *unit) pinned(j *job) (bool, error) {
	if j.more().Parent.IsZero() {
		return false, nil
	}
	parent, err := u.get(j.extra.Parent)
	return err == nil && parent.kind != none && parent.kind != pruned && parent.kind != succeeded, err
}

// remove leaves of a final job only the id, which answers expired for as long as the job was to be kept. Its key and its name go
// if they are still its own.
func (u *unit) remove(j *job, row *states.Row) error {
	if !j.locked {
		return errAgain
	}
	x := j.more()
	var list []stmt
	if !x.Parent.IsZero() {
		list = append(list, do("DELETE FROM godwit.children WHERE parent = $1 AND name = $2 AND id = $3", uuid(x.Parent), x.ChildName, uuid(j.id)))
	}
	if x.Idempotency.Key != "" {
		list = append(list, do("DELETE FROM godwit.known_keys WHERE scope = $1 AND key = $2 AND job = $3",
			x.Idempotency.Scope, x.Idempotency.Key, uuid(j.id)))
	}
	u.removals = append(u.removals, list...)
	j.keepUntil = after(u.now, max(j.keep(), godwit.ExpiredMin))
	j.kind, j.dirty = pruned, true
	u.tell(row.Event, j, "")
	return nil
}

// PauseQueue holds or frees the jobs of a queue.
func (s *Store) PauseQueue(ctx context.Context, queue string, paused bool) error {
	_, err := write(ctx, s, func(u *unit) (struct{}, error) {
		e := godwit.Event{Kind: godwit.EventQueueResumed, Queue: queue}
		if paused {
			e.Kind = godwit.EventQueuePaused
		}
		return struct{}{}, u.pause("godwit.paused_queues", queue, paused, e)
	})
	return err
}

// PauseTask holds or frees the jobs of a task.
func (s *Store) PauseTask(ctx context.Context, task string, paused bool) error {
	_, err := write(ctx, s, func(u *unit) (struct{}, error) {
		e := godwit.Event{Kind: godwit.EventTaskResumed, Task: task}
		if paused {
			e.Kind = godwit.EventTaskPaused
		}
		return struct{}{}, u.pause("godwit.paused_tasks", task, paused, e)
	})
	return err
}

// pause keeps claims out while it changes what they may take, so that none ends after the pause with jobs that it chose before.
func (u *unit) pause(table, name string, paused bool, e godwit.Event) error {
	if err := u.keepClaimsOut(); err != nil {
		return err
	}
	sql := "DELETE FROM " + table + " WHERE name = $1"
	if paused {
		sql = "INSERT INTO " + table + " (name) VALUES ($1) ON CONFLICT DO NOTHING"
	}
	change := do(sql, name)
	change.done = func(n int64) {
		if n > 0 {
			u.tellOf(e)
		}
	}
	return u.l.run(u.ctx, change)
}
