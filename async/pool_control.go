package async

import (
	"context"
	"slices"
)

// Pause keeps workers from taking more work. What runs goes on, and the queues fill. To pause a paused pool, or one that stops, does
// nothing.
func (p *Pool) Pause() { p.paused.Store(true) }

// Resume takes back Pause.
func (p *Pool) Resume() {
	p.paused.Store(false)
	p.hungry.wakeAll()
	for range min(p.queued(), int(p.most.Load())) {
		p.grow()
	}
}

// Resize changes the least and the most workers. It does not wait: those too many leave when they have done what they do.
func (p *Pool) Resize(workersMin, workers int) error {
	if err := validateWorkers("", workersMin, workers); err != nil {
		return err
	}
	p.mu.Lock()
	p.least.Store(int64(workersMin))
	p.most.Store(int64(workers))
	p.mu.Unlock()
	p.hungry.wakeAll()
	for range min(p.queued(), workers) {
		p.grow()
	}
	return nil
}

// Drain waits until all work that was submitted has ended, and that was submitted meanwhile. The pool goes on after it. A paused
// pool drains only when it is resumed. The error is the end of ctx, or [ErrCycle] for a task of the pool itself or one that work of
// the pool awaits.
func (p *Pool) Drain(ctx context.Context) error {
	if p.employs(taskOf(ctx)) {
		return ErrCycle
	}
	return p.awaitQuiet(ctx)
}

// await is what a wait for the pool is for, to those who look for cycles.
func (p *Pool) await(w *wait) { w.pool = p }

// Stop ends the pool: it refuses new work, resumes a paused pool, waits until all accepted work has ended, and ends the workers.
// When ctx ends first, the queued work fails with [ErrPoolStopped], the contexts of the running work are cancelled with that
// cause, and Stop goes on waiting for it to return.
//
// It returns the errors that nobody has seen, see PoolConfig.OnError, after the error of ctx if that cut the work short. A second
// call, also one at the same time, waits for the first, as long as its own context lasts, and returns the same. A task of the pool
// that calls Stop gets [ErrCycle], and nothing is stopped. When work of the pool awaits a task that calls Stop, that counts as the
// end of ctx, with [ErrCycle].
func (p *Pool) Stop(ctx context.Context) error {
	if p.employs(taskOf(ctx)) {
		return ErrCycle
	}
	p.mu.Lock()
	first := !p.stopCalled
	p.stopCalled = true
	p.mu.Unlock()
	if !first {
		return p.awaitStop(ctx)
	}
	p.stopping.Store(true)
	for i := range p.levels {
		p.levels[i].space.wakeAll()
	}
	p.Resume()
	cut := p.awaitQuiet(ctx)
	if cut != nil {
		p.abandon()
		_ = p.awaitQuiet(context.Background()) // That does not end, and belongs to no task.
	}
	p.dismissAll()
	p.stopErr = p.outcome(cut)
	close(p.stopDone)
	return p.stopErr
}

// awaitStop waits for the call of Stop that came first.
func (p *Pool) awaitStop(ctx context.Context) error {
	select {
	case <-p.stopDone:
		return p.stopErr
	default:
	}
	v := newVigil(ctx)
	defer v.end()
	for {
		select {
		case <-p.stopDone:
			return p.stopErr
		case <-ctx.Done():
			return cancelErr(ctx)
		case <-v.due:
			if err := v.check(p.await); err != nil {
				return err
			}
		}
	}
}

// awaitQuiet waits until as much work has ended as was accepted.
func (p *Pool) awaitQuiet(ctx context.Context) error {
	if p.isQuiet() {
		return nil
	}
	s := newSleeper()
	v := newVigil(ctx)
	defer v.end()
	var err error
	for err == nil && !p.isQuiet() {
		p.quiet.enlist(s)
		if p.isQuiet() {
			p.quiet.withdraw(s)
			return nil
		}
		select {
		case <-s.woken:
			continue
		case <-ctx.Done():
			err = cancelErr(ctx)
		case <-v.due:
			err = v.check(p.await)
		}
		p.quiet.withdraw(s)
	}
	if err != nil && p.isQuiet() {
		return nil
	}
	return err
}

// isQuiet reads ended first: if as much was accepted later as had ended before, nothing was under way in between.
func (p *Pool) isQuiet() bool {
	ended := p.endedInAll()
	return p.accepted.Load() == ended
}

// endedInAll counts the work that has ended.
func (p *Pool) endedInAll() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.ended.Load()
	for w := range p.crew {
		n += w.ended.Load()
	}
	return n
}

// abandon gives up the queued work and cancels what runs.
func (p *Pool) abandon() {
	p.gaveUp.Store(true)
	apart(p.discardAll)
	for _, task := range p.working() {
		task.need().cancel(ErrPoolStopped)
	}
}

// working gives what the workers do, or did last.
func (p *Pool) working() []*taskContext {
	p.mu.Lock()
	defer p.mu.Unlock()
	running := make([]*taskContext, 0, len(p.crew))
	for w := range p.crew {
		if task := w.current.Load(); task != nil {
			running = append(running, task)
		}
	}
	return running
}

// discardAll gives up the queued work.
func (p *Pool) discardAll() {
	for i := range p.levels {
		for x, ok := p.levels[i].pop(); ok; x, ok = p.levels[i].pop() {
			p.discard(x, ErrPoolStopped)
		}
	}
}

// discard settles work that was taken out of its queue without doing it. A callback of its future may end the goroutine: the work
// has ended all the same.
func (p *Pool) discard(x work, err error) {
	defer p.finished(&p.ended)
	x.job.drop(p, err)
}

// dismissAll ends the workers and waits for them.
func (p *Pool) dismissAll() {
	p.mu.Lock()
	p.closing.Store(true)
	if len(p.crew) == 0 {
		close(p.crewGone)
	}
	p.mu.Unlock()
	p.hungry.wakeAll()
	<-p.crewGone
}

// outcome reports what nobody has seen and gives what Stop returns.
func (p *Pool) outcome(cut error) error {
	p.mu.Lock()
	watched := p.failures.watched
	p.failures.watched = nil
	p.mu.Unlock()
	p.report(unseen(watched))
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.failures
	if cut != nil {
		all.errs = append([]error{cut}, all.errs...)
	}
	return all.join()
}

// employs says whether task is work that this pool is doing now, or in a scope that such work runs.
func (p *Pool) employs(task *taskContext) bool {
	return task != nil && slices.ContainsFunc(p.working(), func(current *taskContext) bool { return current.isOrRuns(task) })
}
