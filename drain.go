package godwit

import (
	"context"
	"slices"
	"time"
)

// The time between two looks of [Client.Drain]: it begins anew with every event, and doubles while nothing happens.
const (
	drainPauseMin = time.Millisecond
	drainPauseMax = time.Second
)

// Drain waits until nothing is left that a started client could do now: in its queues no job is ready (unless held), none runs, and
// none awaits what has settled. Scheduled jobs may be left, and jobs that wait for them. It is for tests, and for programs
// that end when the work is done.
func (c *Client) Drain(ctx context.Context) error {
	w, ok := c.working()
	if !ok {
		return &Error{Code: CodeWrongState, Message: "the client was not started"}
	}
	news := make(chan struct{}, 1)
	look := func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	defer c.watch(func([]Event) { look() }, func(Hint) { look() })()
	for next := drainPauseMin; ; next = min(2*next, drainPauseMax) {
		answer, err := c.store.Advance(ctx, maintenanceBatch)
		if err != nil {
			return err
		}
		rest := false
		if !answer.More {
			if rest, err = w.atRest(ctx); err != nil {
				return err
			}
		}
		if rest {
			return nil
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-news:
			timer.Stop()
			next = 0
			pause(ctx, drainPauseMin) // much may happen: looking is not to slow it down
		case <-ctx.Done():
			timer.Stop()
		}
		if ctx.Err() != nil {
			return ended(ctx)
		}
		next = max(next, drainPauseMin/2)
	}
}

// atRest reports whether there is nothing to do now. The order matters: what is at work is looked for in one reading of the store,
// and what may set to work again afterwards.
func (w *worker) atRest(ctx context.Context) (bool, error) {
	infos, err := w.store.Queues(ctx)
	if err != nil {
		return false, err
	}
	for _, q := range infos {
		if !slices.Contains(w.c.queueNames(), q.Name) {
			continue
		}
		if q.Depth[StateRunning] > 0 || q.Depth[StateReady] > q.Held {
			return false, nil
		}
	}
	for _, r := range w.runs.list() {
		if !r.parked.Load() || r.waking.Load() || r.quiet.Load() {
			return false, nil
		}
	}
	return w.c.notifier.nothingNew(ctx)
}
