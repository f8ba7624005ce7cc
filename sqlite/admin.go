package sqlite

import (
	"context"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Cancel cancels jobs or asks running ones to stop.
func (s *Store) Cancel(ctx context.Context, items []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	ids := make([]godwit.ID, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	return onEach(ctx, s, items, ids, func(u *unit, r *godwit.CancelRequest) (godwit.SettleAnswer, error) {
		return u.cancel(states.OpCancel, r.ID, r.Reason)
	})
}

// onEach runs an operation on each job of a batch.
func onEach[Q any](ctx context.Context, s *Store, items []Q, ids []godwit.ID,
	op func(u *unit, item *Q) (godwit.SettleAnswer, error),
) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		return each(u, items, ids, func(item *Q) (godwit.SettleAnswer, error) { return op(u, item) })
	})
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
		return refuse(row, j), nil
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
	ids := make([]godwit.ID, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	return onEach(ctx, s, items, ids, func(u *unit, r *godwit.RetryRequest) (godwit.SettleAnswer, error) {
		return u.retryByHand(*r)
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
		if unique, err = u.holder(k); err != nil {
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
		return refuse(row, j), nil
	}
	j.runAt, j.failure = u.now, nil
	j.startedAt, j.finishedAt, j.keepUntil, j.cancelRequestedAt, j.cancelReason = 0, 0, 0, 0, ""
	if j.passed(u.now) {
		j.deadline = 0
	}
	if r.Args != nil {
		j.args, j.body, j.newArgs, j.hasArgs = *r.Args, true, true, true
	}
	if r.Version > 0 && r.Version != j.lane.version {
		if j.lane, err = u.laneOf(j.lane.queue, j.lane.task, r.Version); err != nil {
			return godwit.SettleAnswer{}, err
		}
		j.body = true
	}
	if unique != nil {
		unique.job, unique.dirty = j.id, true
	}
	u.cascades[j.id] = nil
	err = u.apply(row, j, nil, nil)
	return godwit.SettleAnswer{State: j.kind.state()}, err
}

// Reschedule sets the time of scheduled and ready jobs.
func (s *Store) Reschedule(ctx context.Context, items []godwit.RescheduleRequest) ([]godwit.SettleAnswer, error) {
	ids := make([]godwit.ID, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	return onEach(ctx, s, items, ids, func(u *unit, r *godwit.RescheduleRequest) (godwit.SettleAnswer, error) {
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
			return refuse(row, j), nil
		}
		j.runAt = max(runAt, u.now)
		err = u.apply(row, j, nil, nil)
		return godwit.SettleAnswer{State: j.kind.state()}, err
	})
}

// Delete removes final jobs before their time.
func (s *Store) Delete(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	return onEach(ctx, s, ids, ids, func(u *unit, id *godwit.ID) (godwit.SettleAnswer, error) {
		j, err := u.get(*id)
		if err != nil {
			return godwit.SettleAnswer{}, err
		}
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
			return refuse(row, j), nil
		}
		return godwit.SettleAnswer{}, u.remove(j, row)
	})
}

// pinned reports whether a final job must stay for its parent.
func (u *unit) pinned(j *job) (bool, error) {
	if j.more().Parent.IsZero() {
		return false, nil
	}
	parent, err := u.get(j.extra.Parent)
	return err == nil && parent.kind != none && parent.kind != pruned && parent.kind != succeeded, err
}

// remove leaves of a final job only the id, which answers expired for as long as the job was to be kept.
func (u *unit) remove(j *job, row *states.Row) error {
	x := j.more()
	if !x.Parent.IsZero() {
		entry, err := u.childOf(x.Parent, x.ChildName)
		if err != nil {
			return err
		}
		if entry.id == j.id {
			entry.id, entry.dirty = godwit.ID{}, true
		}
	}
	if x.Idempotency.Key != "" {
		entry, err := u.knownBy(x.Idempotency)
		if err != nil {
			return err
		}
		if entry.job == j.id {
			entry.job, entry.dirty = godwit.ID{}, true
		}
	}
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
		return struct{}{}, u.pause(u.ctl.pausedQueues, "godwit_paused_queues", queue, paused, e)
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
		return struct{}{}, u.pause(u.ctl.pausedTasks, "godwit_paused_tasks", task, paused, e)
	})
	return err
}

func (u *unit) pause(set map[string]bool, table, name string, paused bool, e godwit.Event) error {
	if set[name] == paused {
		return nil
	}
	u.tellOf(e)
	if !paused {
		delete(set, name)
		return u.c.exec("DELETE FROM "+table+" WHERE name = ?", name)
	}
	set[name] = true
	return u.c.exec("INSERT INTO "+table+" (name) VALUES (?)", name)
}
