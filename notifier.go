package godwit

import (
	"context"
	"sync"
	"time"
)

// notifier tells waiters that promises settled. It asks the store for all ids waited for in one call: at once for those that
// an event names, now and then for all. It has a goroutine only while somebody waits; the last waiter to leave ends it.
type notifier struct {
	c *Client

	mu      sync.Mutex
	waiting map[ID][]*waiter   // guarded by mu
	dirty   map[ID]struct{}    // guarded by mu: to be asked for at once
	loop    *loop              // guarded by mu: nil while nobody waits
	halt    context.CancelFunc // guarded by mu: of loop
	asked   time.Time          // guarded by mu: when all were asked for last
}

// waiter waits for some ids at once.
type waiter struct {
	run      *run                 // that waits; nil outside a handler
	outcomes map[ID]OutcomeAnswer // guarded by notifier.mu until done is closed
	open     int                  // guarded by notifier.mu
	err      error                // why there are none; guarded by notifier.mu until done is closed
	done     chan struct{}        // closed when open is 0
}

func newNotifier(c *Client) *notifier {
	return &notifier{c: c, waiting: map[ID][]*waiter{}, dirty: map[ID]struct{}{}}
}

// settled reports whether nothing more comes: the job is final, or not there.
func (a *OutcomeAnswer) settled() bool { return a.Code != "" || a.State.Final() }

// wait waits until each of the ids is settled; r is the run that waits, nil outside a handler.
func (n *notifier) wait(ctx context.Context, ids []ID, r *run) (map[ID]OutcomeAnswer, error) {
	w := n.join(ids, r)
	select {
	case <-w.done:
		return w.outcomes, w.err
	case <-ctx.Done():
		n.leave(w, ids)
		return nil, ended(ctx)
	}
}

func (n *notifier) join(ids []ID, r *run) *waiter {
	w := &waiter{run: r, outcomes: make(map[ID]OutcomeAnswer, len(ids)), done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if _, twice := w.outcomes[id]; twice {
			continue
		}
		w.outcomes[id] = OutcomeAnswer{}
		w.open++
		n.waiting[id] = append(n.waiting[id], w)
		n.dirty[id] = struct{}{}
	}
	if w.open == 0 {
		close(w.done)
		return w
	}
	if n.loop == nil {
		ctx, halt := context.WithCancel(context.Background())
		t := &trouble{log: n.c.log, doing: "await"} // one a goroutine: the last one may still be ending
		l := newLoop("notifier", func(ctx context.Context) time.Duration { return n.step(ctx, t) })
		n.loop, n.halt = l, halt
		go func() {
			stop := n.c.watch(n.observe, n.hear)
			defer stop()
			l.run(ctx)
		}()
	}
	n.loop.kick()
	return w
}

// leave forgets a waiter that gave up.
func (n *notifier) leave(w *waiter, ids []ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		list := n.waiting[id]
		for i, other := range list {
			if other == w {
				list = append(list[:i:i], list[i+1:]...)
				break
			}
		}
		n.waiting[id] = list
		if len(list) == 0 {
			delete(n.waiting, id)
			delete(n.dirty, id)
		}
	}
	n.restLocked()
}

// restLocked ends the goroutine when nobody waits.
func (n *notifier) restLocked() {
	if len(n.waiting) == 0 && n.loop != nil {
		n.halt()
		n.loop = nil
	}
}

// observe takes the store's events.
func (n *notifier) observe(events []Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range events {
		e := &events[i]
		if _, waited := n.waiting[e.Job]; waited && (e.State.Final() || e.Kind == EventPruned || e.Kind == EventDeleted) {
			n.dirty[e.Job] = struct{}{}
		}
	}
	if len(n.dirty) > 0 && n.loop != nil {
		n.loop.kick()
	}
}

// hear takes the store's hints.
func (n *notifier) hear(h Hint) {
	if h.Any || h.Settled {
		n.mu.Lock()
		for id := range n.waiting {
			n.dirty[id] = struct{}{}
		}
		n.mu.Unlock()
	}
	n.observe(h.Jobs) // which wakes the loop
}

// step asks the store for what is dirty, or for all when that is due.
func (n *notifier) step(ctx context.Context, t *trouble) time.Duration {
	ids := n.take()
	for start := 0; start < len(ids); start += BatchMax {
		part := ids[start:min(start+BatchMax, len(ids))]
		answers, err := n.c.store.Outcomes(ctx, part)
		if err != nil && !passing(err) && ctx.Err() == nil {
			n.fail(err)
			return never
		}
		if err != nil {
			n.again(ids[start:])
			return t.met(ctx, err)
		}
		t.over()
		n.deliver(part, answers)
	}
	return n.c.pollInterval()
}

func (n *notifier) take() []ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := len(n.dirty) == 0 || time.Since(n.asked) >= n.c.pollInterval()
	ids := make([]ID, 0, len(n.dirty))
	if all {
		n.asked = time.Now()
		for id := range n.waiting {
			ids = append(ids, id)
		}
	} else {
		for id := range n.dirty {
			ids = append(ids, id)
		}
	}
	clear(n.dirty)
	return ids
}

func (n *notifier) again(ids []ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if _, waited := n.waiting[id]; waited {
			n.dirty[id] = struct{}{}
		}
	}
}

// fail ends all waits: the store was closed, or is damaged.
func (n *notifier) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, list := range n.waiting {
		for _, w := range list {
			if w.err == nil {
				w.err = err
				close(w.done)
			}
		}
	}
	clear(n.waiting)
	clear(n.dirty)
	n.restLocked()
}

func (n *notifier) deliver(ids []ID, answers []OutcomeAnswer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range answers {
		if !answers[i].settled() {
			continue
		}
		for _, w := range n.waiting[ids[i]] {
			w.outcomes[ids[i]] = answers[i]
			if w.open--; w.open == 0 {
				if w.run != nil {
					w.run.waking.Store(true)
				}
				close(w.done)
			}
		}
		delete(n.waiting, ids[i])
		delete(n.dirty, ids[i])
	}
	n.restLocked()
}

// nothingNew reports whether nothing that is waited for has settled.
func (n *notifier) nothingNew(ctx context.Context) (bool, error) {
	n.mu.Lock()
	ids := make([]ID, 0, len(n.waiting))
	for id := range n.waiting {
		ids = append(ids, id)
	}
	n.mu.Unlock()
	for start := 0; start < len(ids); start += BatchMax {
		answers, err := n.c.store.Outcomes(ctx, ids[start:min(start+BatchMax, len(ids))])
		if err != nil {
			return false, err
		}
		for i := range answers {
			if answers[i].settled() {
				return false, nil
			}
		}
	}
	return true, nil
}
