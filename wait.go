package godwit

import (
	"context"
	"errors"
	"fmt"
)

// AwaitOutcomes waits until each of the jobs is final, or known not to be there. Inside a handler of this client the run parks
// while it waits and gives its slot back; when it goes on it has one again.
func (c *Client) AwaitOutcomes(ctx context.Context, ids []ID) ([]OutcomeAnswer, error) {
	answers := make([]OutcomeAnswer, 0, len(ids))
	for len(ids) > 0 {
		part := ids[:min(len(ids), BatchMax)]
		ids = ids[len(part):]
		found, err := c.awaitPart(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, id := range part {
			answers = append(answers, found[id])
		}
	}
	return answers, nil
}

func (c *Client) awaitPart(ctx context.Context, ids []ID) (map[ID]OutcomeAnswer, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	if r := c.runOf(ctx); r != nil {
		return r.await(ctx, ids)
	}
	return c.notifier.wait(ctx, ids, nil)
}

// await waits inside a handler.
func (r *run) await(ctx context.Context, ids []ID) (map[ID]OutcomeAnswer, error) {
	found := make(map[ID]OutcomeAnswer, len(ids))
	var answers []OutcomeAnswer
	err := r.insist(ctx, "await", func() (err error) {
		answers, err = r.w.store.Outcomes(r.ctx, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	var open []ID
	for i, a := range answers {
		if a.settled() {
			found[ids[i]] = a
		} else {
			open = append(open, ids[i])
		}
	}
	if len(open) == 0 {
		return found, nil
	}
	if err := r.park(ctx, open); err != nil {
		return nil, err
	}
	settled, err := r.w.c.notifier.wait(ctx, open, r)
	if back := r.goOn(); back != nil && err == nil {
		err = back
	}
	if err != nil {
		return nil, err
	}
	for id, a := range settled {
		found[id] = a
	}
	return found, nil
}

// park tells the store that the run waits, and gives the slot back if it is the first of the run's awaits that block.
func (r *run) park(ctx context.Context, ids []ID) error {
	select {
	case <-r.parking:
	case <-ctx.Done():
		return ended(ctx)
	}
	defer func() { r.parking <- struct{}{} }()
	if r.over {
		return &Error{Code: CodeStaleRun, Message: "the handler has returned"}
	}
	if err := r.tellParked(ctx, ids); err != nil {
		return err
	}
	r.blocked++
	if r.slot && r.parked.Load() {
		r.slot = false
		r.watch.halt()
		r.queue.slots.release(1)
	}
	r.w.runs.moved()
	if r.w.stopping.Load() {
		r.end(ErrStopping) // what waits goes on waiting in the store
	}
	return nil
}

// tellParked parks the run in the store. When what is awaited has settled meanwhile there is nothing to park for: the wait that
// follows finds it.
func (r *run) tellParked(ctx context.Context, ids []ID) error {
	var answers []SettleAnswer
	err := r.insist(ctx, "park", func() (err error) {
		answers, err = r.w.store.Park(r.ctx, []ParkRequest{{Token: r.token, Await: ids}})
		return err
	})
	if err != nil {
		return fmt.Errorf("park: %w", err)
	}
	switch code := answers[0].Code; code {
	case "":
		r.parked.Store(true)
	case CodeSettled:
	case CodeAwaitCycle:
		return &Error{Code: code, Message: "a job may not wait for itself or for an ancestor: neither could ever go on"}
	case CodeNotFound:
		return &Error{Code: code, Message: "a job to be awaited is not there"}
	case CodeCancelRequested:
		r.end(errCancel)
		return ended(r.ctx)
	case CodeStaleRun, CodeSessionEnded, CodeDuplicate, CodeExpired:
		r.end(ErrLeaseLost)
		return ended(r.ctx)
	default:
		return &Error{Code: code, Message: "the store refused to park the run"}
	}
	return nil
}

// goOn ends one of the run's awaits. The last one takes a slot again, before new runs, and tells the store. A run whose
// context ended goes on without: what it still may do is to return.
func (r *run) goOn() error {
	<-r.parking
	defer func() {
		r.waking.Store(false)
		r.parking <- struct{}{}
	}()
	r.blocked--
	if r.blocked > 0 || !r.parked.Load() {
		return nil
	}
	if r.ctx.Err() != nil || !r.queue.slots.acquire(r.ctx) {
		return ended(r.ctx)
	}
	r.slot = true
	var answers []SettleAnswer
	err := r.insist(r.ctx, "resume", func() (err error) {
		answers, err = r.w.store.Resume(r.ctx, []Token{r.token})
		return err
	})
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if answers[0].Code != "" {
		r.end(ErrLeaseLost)
		return ended(r.ctx)
	}
	r.parked.Store(false)
	r.watch.goOn()
	return nil
}

// insist repeats a call while the store cannot serve, until ctx or the run ends. All such calls may be repeated.
func (r *run) insist(ctx context.Context, doing string, call func() error) error {
	t := trouble{log: r.w.c.log, doing: doing}
	for {
		err := call()
		switch {
		case err == nil:
			t.over()
			return nil
		case r.ctx.Err() != nil:
			return ended(r.ctx)
		case !passing(err):
			return err
		case !pause(ctx, t.met(ctx, err)):
			return ended(ctx)
		}
	}
}

// passing reports whether a call that failed so may succeed later.
func passing(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOutcomeUnknown)
}
