package godwit

import (
	"context"
	"sync/atomic"
	"time"
)

// queue is the claimer of one queue: it claims no more jobs than there are free slots, when the store told of ready ones, when a slot
// became free and there may be more, and now and then.
type queue struct {
	w       *worker
	name    string
	slots   *slots
	loop    *loop
	trouble trouble
	maybe   atomic.Bool // there may be ready jobs
}

func newQueue(w *worker, name string, concurrency int) *queue {
	q := &queue{w: w, name: name, trouble: trouble{log: w.c.log, doing: "claim from queue " + name}}
	q.loop = newLoop("claimer", q.step)
	q.slots = &slots{free: concurrency, freed: func() {
		if q.maybe.Load() {
			q.loop.kick()
		}
	}}
	q.maybe.Store(true)
	return q
}

// tell says that there may be ready jobs.
func (q *queue) tell() {
	q.maybe.Store(true)
	q.loop.kick()
}

// step claims once. Between polls it asks only when there may be something.
func (q *queue) step(ctx context.Context) time.Duration {
	session, ok := q.w.session.current()
	n := 0
	if ok {
		n = q.slots.reserve(PageMax)
	}
	if n == 0 {
		q.maybe.Store(true) // a slot that becomes free, or a new session, wakes the claimer
		return q.w.c.pollInterval()
	}
	q.maybe.Store(false)
	answer, err := q.w.store.Claim(ctx, ClaimRequest{Session: session, Queue: q.name, Limit: n})
	if err != nil || answer.Code != "" {
		q.maybe.Store(true)
		q.slots.putBack(n) // without a wake: the pause is to be kept
	}
	switch {
	case err != nil:
		return q.trouble.met(ctx, err)
	case answer.Code == CodeSessionEnded:
		q.w.session.lose(session)
		return q.w.c.pollInterval()
	case answer.Code != "":
		q.w.session.loop.kick() // the lease is over but was not taken away: renew it
		return troublePauseMin
	}
	q.trouble.over()
	if answer.More {
		q.maybe.Store(true)
	}
	for i := range answer.Jobs {
		q.w.execute(&answer.Jobs[i], session, q)
	}
	if unused := n - len(answer.Jobs); unused > 0 {
		q.slots.putBack(unused)
	}
	if answer.More {
		return 0 // a slot that became free during the claim woke nobody
	}
	return q.w.c.pollInterval()
}
