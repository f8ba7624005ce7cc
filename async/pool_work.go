package async

import (
	"context"
	"sync/atomic"
	"time"
)

// worker is one goroutine of a pool.
type worker struct {
	pool     *Pool
	current  atomic.Pointer[taskContext] // of the work that it does, or did last; nil while it sleeps.
	busy     bool
	takes    uint          // counts, for the turn of the lower priorities.
	contexts []taskContext // made and not yet used.
	self     *sleeper
	timer    *time.Timer

	// ended counts the work that this worker has done, on a cache line of its own: the workers would wait for one another if they
	// all counted in one place. It goes into the pool's when the worker leaves.
	_     [64]byte
	ended atomic.Int64
	_     [56]byte
}

// lowFirst is how often a worker looks at a lower priority first: at PriorityLow and at PriorityNormal by turns.
const lowFirst = 16

// The orders in which a worker looks at the levels of a pool.
var (
	highFirst   = [levelCount]int{0, 1, 2}
	normalFirst = [levelCount]int{1, 2, 0}
	lowestFirst = [levelCount]int{2, 1, 0}
)

// work takes work and does it until the worker is not needed any more.
func (w *worker) work() {
	p := w.pool
	defer func() {
		if w.busy {
			// The work has ended this goroutine, by Goexit. Another one goes on in its place.
			w.busy = false
			p.finished(&w.ended)
			go w.work()
		}
	}()
	for {
		if p.redundant() && p.dismiss(w) {
			return
		}
		x, ok := w.take()
		if !ok {
			var timely bool
			if x, ok, timely = w.wait(); !timely && p.retire(w) {
				return
			}
		}
		if ok {
			w.do(x)
		}
	}
}

func (w *worker) do(x work) {
	task := w.newContext(x.parent)
	w.current.Store(task)
	w.busy = true
	if w.pool.gaveUp.Load() {
		// Either abandon has seen the task as current, or this worker sees that it has given up.
		x.job.drop(w.pool, ErrPoolStopped)
	} else {
		x.job.run(w.pool, task)
	}
	w.busy = false
	w.pool.finished(&w.ended)
}

// contextsMade is how many contexts a worker makes at once.
const contextsMade = 16

// newContext gives a context for work. Each is used once, as the work may keep it.
func (w *worker) newContext(parent context.Context) *taskContext {
	if len(w.contexts) == 0 {
		w.contexts = make([]taskContext, contextsMade)
	}
	task := &w.contexts[0]
	w.contexts = w.contexts[1:]
	task.parent = parent
	return task
}

// take takes the most urgent work. It gives none when there is none or the pool is paused.
func (w *worker) take() (x work, ok bool) {
	p := w.pool
	if p.held() {
		return x, false
	}
	w.takes++
	for _, i := range w.order() {
		l := &p.levels[i]
		if x, ok = l.pop(); ok {
			l.space.wake()
			return x, true
		}
	}
	return x, false
}

// order gives the levels in the order for this take.
func (w *worker) order() *[levelCount]int {
	switch w.takes % (2 * lowFirst) {
	case 0:
		return &normalFirst
	case lowFirst:
		return &lowestFirst
	}
	return &highFirst
}

// wait waits for work, or for a reason to leave. timely is false when nothing came in the time that workers wait for.
func (w *worker) wait() (x work, ok, timely bool) {
	p := w.pool
	w.current.Store(nil)
	w.contexts = nil // They would keep alive what the contexts before them hold.
	if w.timer == nil {
		w.timer = time.NewTimer(p.idleTimeout)
		w.timer.Stop()
	}
	timely = p.hungry.waitFor(w.self, func() bool {
		x, ok = w.take()
		return ok || p.redundant()
	}, w.timer, p.idleTimeout)
	if ok && p.queued() > 0 && !p.hungry.wake() {
		p.grow() // Submitters count on a worker that searches, but this one has found its work.
	}
	return x, ok, timely
}

// queued says how much work there is for workers to take.
func (p *Pool) queued() int {
	if p.held() {
		return 0
	}
	n := 0
	for i := range p.levels {
		n += p.levels[i].len()
	}
	return n
}

// held says whether workers may take nothing. A pool that stops finishes its work, paused or not.
func (p *Pool) held() bool { return p.paused.Load() && !p.stopping.Load() }

// redundant says whether there may be a worker too many.
func (p *Pool) redundant() bool { return p.closing.Load() || p.workers.Load() > p.most.Load() }

// grow starts a worker, if the pool may have one more and has work for it.
func (p *Pool) grow() {
	if p.workers.Load() >= p.most.Load() || p.held() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if int64(len(p.crew)) >= p.most.Load() || p.closing.Load() {
		return
	}
	w := &worker{pool: p, self: newSleeper()}
	p.crew[w] = true
	p.workers.Store(int64(len(p.crew)))
	go w.work()
}

// dismiss lets a worker go that is one too many. It returns false when it is not, after all.
func (p *Pool) dismiss(w *worker) bool {
	return p.letGo(w, func() bool { return p.closing.Load() || int64(len(p.crew)) > p.most.Load() })
}

// retire lets a worker go that has found nothing to do for long. It returns false when it is one of those to be kept.
func (p *Pool) retire(w *worker) bool {
	return p.letGo(w, func() bool { return int64(len(p.crew)) > p.least.Load() })
}

func (p *Pool) letGo(w *worker, may func() bool) bool {
	p.mu.Lock()
	gone := may()
	if gone {
		delete(p.crew, w)
		p.ended.Add(w.ended.Load())
		p.workers.Store(int64(len(p.crew)))
		if len(p.crew) == 0 && p.closing.Load() {
			close(p.crewGone)
		}
	}
	p.mu.Unlock()
	// Work that came meanwhile has counted on this worker.
	if gone && p.queued() > 0 && !p.hungry.wake() {
		p.grow()
	}
	return gone
}
