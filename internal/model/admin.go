package model

import (
	"context"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Cancel cancels jobs or asks running ones to stop.
func (s *Store) Cancel(ctx context.Context, items []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, items, func(w *world, now time.Time, r godwit.CancelRequest) godwit.SettleAnswer {
		return w.cancel(states.OpCancel, r.ID, r.Reason, now)
	})
}

func (w *world) cancel(op states.Op, id godwit.ID, reason string, now time.Time) godwit.SettleAnswer {
	place, j := w.place(id)
	var holds states.Cond
	if j != nil && !j.view.CancelRequestedAt.IsZero() {
		holds |= states.CancelRequested
	}
	row := states.Decide(op, place, holds)
	if !row.Changes() {
		return refuse(row, j)
	}
	j.cancelReason = reason
	if row.Event == godwit.EventCancelRequested {
		j.view.CancelRequestedAt = now
	}
	var kept *godwit.Failure
	if row.To != states.Same {
		kept = godwit.CancelledFailure(reason)
	}
	w.apply(row, j, now, kept, nil)
	return godwit.SettleAnswer{State: j.view.State}
}

// Retry makes failed and cancelled jobs ready anew.
func (s *Store) Retry(ctx context.Context, items []godwit.RetryRequest) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, items, func(w *world, now time.Time, r godwit.RetryRequest) godwit.SettleAnswer {
		return w.retryByHand(r, now)
	})
}

func (w *world) retryByHand(r godwit.RetryRequest, now time.Time) godwit.SettleAnswer {
	place, j := w.place(r.ID)
	var holds states.Cond
	if j != nil && j.unique.key != "" {
		if holder, held := w.unique[j.unique]; held && holder != r.ID {
			holds |= states.UniqueHeld
		}
	}
	if j != nil && r.Run != 0 && r.Run != j.view.Run {
		holds |= states.OtherRun
	}
	row := states.Decide(states.OpRetryByHand, place, holds)
	if !row.Changes() {
		return refuse(row, j)
	}
	v := &j.view
	v.RunAt, v.Failure = now, nil
	v.StartedAt, v.FinishedAt, v.KeepUntil, v.CancelRequestedAt = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	j.cancelReason = ""
	if passed(j, now) {
		v.Deadline = time.Time{}
	}
	if r.Args != nil {
		v.Args = clonePayload(*r.Args)
	}
	if r.Version > 0 {
		v.Version = r.Version
	}
	if j.unique.key != "" {
		w.unique[j.unique] = v.ID
		j.holdsUnique = true
	}
	delete(w.cascades, v.ID)
	w.apply(row, j, now, nil, nil)
	return godwit.SettleAnswer{State: v.State}
}

// Reschedule sets the time of scheduled and ready jobs.
func (s *Store) Reschedule(ctx context.Context, items []godwit.RescheduleRequest) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, items, func(w *world, now time.Time, r godwit.RescheduleRequest) godwit.SettleAnswer {
		runAt := r.RunAt.UTC().Truncate(time.Microsecond)
		if r.RunAt.IsZero() {
			runAt = now.Add(r.Delay).Truncate(time.Microsecond)
		}
		var holds states.Cond
		if runAt.After(now) {
			holds |= states.Delayed
		} else {
			runAt = now
		}
		place, j := w.place(r.ID)
		row := states.Decide(states.OpReschedule, place, holds)
		if !row.Changes() {
			return refuse(row, j)
		}
		w.setState(j, godwit.StateScheduled) // out of the claim order while its time changes
		j.view.RunAt = runAt
		w.apply(row, j, now, nil, nil)
		return godwit.SettleAnswer{State: j.view.State}
	})
}

// Delete removes final jobs.
func (s *Store) Delete(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, ids, func(w *world, now time.Time, id godwit.ID) godwit.SettleAnswer {
		place, j := w.place(id)
		var holds states.Cond
		if j != nil && w.pinned(j) {
			holds |= states.Pinned
		}
		row := states.Decide(states.OpDelete, place, holds)
		if !row.Changes() {
			return refuse(row, j)
		}
		w.remove(j, row, now)
		return godwit.SettleAnswer{}
	})
}

// PauseQueue holds or frees the jobs of a queue.
func (s *Store) PauseQueue(ctx context.Context, queue string, paused bool) error {
	_, err := do(ctx, s, func(w *world, now time.Time) struct{} {
		if w.pausedQueues[queue] == paused {
			return struct{}{}
		}
		e := godwit.Event{Kind: godwit.EventQueueResumed, At: now, Queue: queue}
		delete(w.pausedQueues, queue)
		if paused {
			w.pausedQueues[queue] = true
			e.Kind = godwit.EventQueuePaused
		}
		w.events = append(w.events, e)
		return struct{}{}
	})
	return err
}

// PauseTask holds or frees the jobs of a task.
func (s *Store) PauseTask(ctx context.Context, task string, paused bool) error {
	_, err := do(ctx, s, func(w *world, now time.Time) struct{} {
		if w.pausedTasks[task] == paused {
			return struct{}{}
		}
		e := godwit.Event{Kind: godwit.EventTaskResumed, At: now, Task: task}
		delete(w.pausedTasks, task)
		if paused {
			w.pausedTasks[task] = true
			e.Kind = godwit.EventTaskPaused
		}
		w.events = append(w.events, e)
		return struct{}{}
	})
	return err
}
