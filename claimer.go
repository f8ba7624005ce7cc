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
	q.maybe.Store(true) // a slot that becomes free, or a new session, wakes the claimer if it goes without
	session, ok := q.w.session.current()
	n := 0
	if ok {
		n = q.slots.reserve(PageMax)
	}
	if n == 0 {
		return q.w.c.pollInterval()
	}
	q.maybe.Store(false)
	answer, err := q.w.store.Claim(ctx, ClaimRequest{Session: session, Queue: q.name, Limit: n})
	q.take(session, n, answer, err)
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
		return 0 // a slot that became free during the claim woke nobody
	}
	return q.w.c.pollInterval()
}

// join gives a claim to be made with n jobs that are made ready, for slots that have nothing to do. Where there may be other jobs the
// claimer is at work already.
func (q *queue) join(n int) (ClaimRequest, func(ClaimAnswer, error)) {
	session, ok := q.w.session.current()
	if !ok || q.maybe.Load() {
		return ClaimRequest{}, nil
	}
	if n = q.slots.reserve(min(n+1, PageMax)); n == 0 { // with one to spare it sees that there are no more
		return ClaimRequest{}, nil
	}
	q.w.claimers.Add(1) // whoever waits for them has seen to it that join is not called any more
	return ClaimRequest{Session: session, Queue: q.name, Limit: n}, func(answer ClaimAnswer, err error) {
		defer q.w.claimers.Done()
		q.take(session, n, answer, err)
		if q.maybe.Load() {
			q.loop.kick() // it claims for itself, and sees to what is wrong; it was perhaps told of jobs while all slots were reserved here
		}
	}
}

// take runs what was claimed for n slots, and gives back those that are left.
func (q *queue) take(session ID, n int, answer ClaimAnswer, err error) {
	if err != nil || answer.Code != "" {
		q.maybe.Store(true)
		q.slots.putBack(n) // without a wake: the pause is to be kept
		return
	}
	if answer.More {
		q.maybe.Store(true)
	}
	for i := range answer.Jobs {
		q.w.execute(&answer.Jobs[i], session, q)
	}
	if unused := n - len(answer.Jobs); unused > 0 {
		q.slots.putBack(unused)
	}
}
