package async

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs work on a bounded number of goroutines, with a bounded queue before them. Where a [Scope] belongs to one call, a pool
// belongs to a program or a part of it and lives until [Pool.Stop]. All its methods may be called by any goroutine. It is made by
// [NewPool]; the zero value is not usable.
//
// Work that waits for other work of the same pool can use up all workers and then waits for ever: give such work a scope, or a
// pool of its own.
type Pool struct {
	overflow    Overflow
	idleTimeout time.Duration
	hook        func(error)

	levels [levelCount]level // the most urgent first.
	hungry gate              // workers wait for work.
	quiet  gate              // Drain and Stop wait for all work to have ended.

	paused   atomic.Bool
	stopping atomic.Bool  // no work is accepted.
	gaveUp   atomic.Bool  // no queued work is begun, and what runs is cancelled.
	closing  atomic.Bool  // workers leave.
	workers  atomic.Int64 // len(crew)
	least    atomic.Int64 // the bounds of workers; changed under mu only.
	most     atomic.Int64

	mu         sync.Mutex
	crew       map[*worker]bool // guarded by mu
	failures   failureList      // guarded by mu
	stopCalled bool             // guarded by mu
	stopErr    error            // written before stopDone is closed.
	stopDone   chan struct{}
	crewGone   chan struct{} // closed when closing is set and the last worker has left.

	// Work is idle when as much has ended as was accepted. Each counter has a cache line of its own.
	_        [64]byte
	accepted atomic.Int64 // counts up before work is queued.
	_        [56]byte
	ended    atomic.Int64 // without the work of those in crew.
	failed   atomic.Int64
	dropped  atomic.Int64
	refused  atomic.Int64
	_        [32]byte
}

// PoolConfig says how a pool behaves. The zero value is ready for use.
type PoolConfig struct {
	// Workers is how many goroutines work at once, at most. Defaults to GOMAXPROCS.
	Workers int

	// WorkersMin is how many goroutines are kept when there is nothing to do. They are started when they are first needed.
	// Defaults to 0.
	WorkersMin int

	// IdleTimeout is how long a worker above WorkersMin waits for work before it leaves. Defaults to 10 seconds.
	IdleTimeout time.Duration

	// Queue is how much work of each priority may wait. Work that was cancelled keeps its place until its turn comes. Each place
	// takes up 40 bytes from the first work of that priority on. Defaults to 1024.
	Queue int

	// Overflow says what becomes of work that finds the queue full. Defaults to OverflowBlock.
	Overflow Overflow

	// OnError is called with every failure that nobody else gets to see. It is told at once of a failure of Pool.Go, which ends when
	// OnError has returned, and by Stop of a future that nobody has looked at. Where thousands of such futures pile up, it is told of
	// the oldest earlier, several at once, and each while a worker, or who else settles a future that fails then, waits for it. It must
	// not wait for its own pool, by Drain, Stop or a submission that waits for room, as the pool waits for it. A panic of OnError
	// comes out of Stop, as an error. A future that fails by the end of its context, as one that was cancelled, is no failure to tell
	// of: who ended that knows. Defaults to joining these errors, up to ErrorsMax, to what Stop returns.
	OnError func(err error)
}

// Defaults and bounds of [PoolConfig].
const (
	IdleTimeoutDefault = 10 * time.Second
	PoolQueueDefault   = 1024
	PoolQueueMax       = 1 << 24
)

// Overflow is what a pool does with work that finds its queue full.
type Overflow int

const (
	// OverflowBlock lets the submitter wait for room, as long as its context lasts.
	OverflowBlock Overflow = iota

	// OverflowReject refuses the new work with ErrPoolFull.
	OverflowReject

	// OverflowDropOldest makes room: what has waited longest in the same queue fails with ErrDropped.
	OverflowDropOldest
)

// Priority orders work in a pool. Each priority has a queue of its own; the higher goes first, save that every 16th time a worker
// looks first at PriorityLow and at PriorityNormal, by turns, so that neither waits for ever.
type Priority int

const (
	PriorityLow    Priority = -1
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1
)

const levelCount = int(PriorityHigh-PriorityLow) + 1

// level is the queue of one priority.
type level struct {
	limit int
	queue atomic.Pointer[ring[work]] // nil before there was work of that priority.
	space gate                       // submitters wait for room.
}

func (l *level) push(x work) bool {
	r := l.queue.Load()
	if r == nil {
		l.queue.CompareAndSwap(nil, newRing[work](l.limit))
		r = l.queue.Load()
	}
	return r.push(x)
}

func (l *level) pop() (x work, ok bool) {
	if r := l.queue.Load(); r != nil {
		return r.pop()
	}
	return x, false
}

func (l *level) len() int {
	if r := l.queue.Load(); r != nil {
		return r.len()
	}
	return 0
}

func (l *level) full() bool {
	r := l.queue.Load()
	return r != nil && r.full()
}

// work is one piece of work in a queue.
type work struct {
	job    job
	parent context.Context // of the context that it is done in.
}

// job is what work does: a future, or a function alone. That has no object of its own, as to allocate one is a good part of what a
// small piece of work costs.
type job interface {
	// run does the work in the context and settles what came of it.
	run(p *Pool, task *taskContext)

	// drop settles the job without doing it.
	drop(p *Pool, err error)
}

var _ owner = (*Pool)(nil)

// NewPool makes a pool. It is ready for work, and starts workers as work comes; it must be stopped with [Pool.Stop]. The error
// names a field of cfg that is out of bounds.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if cfg.Workers == 0 {
		cfg.Workers = max(runtime.GOMAXPROCS(0), cfg.WorkersMin)
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = IdleTimeoutDefault
	}
	if cfg.Queue == 0 {
		cfg.Queue = PoolQueueDefault
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Pool{
		overflow:    cfg.Overflow,
		idleTimeout: cfg.IdleTimeout,
		hook:        cfg.OnError,
		crew:        map[*worker]bool{},
		stopDone:    make(chan struct{}),
		crewGone:    make(chan struct{}),
	}
	for i := range p.levels {
		p.levels[i].limit = cfg.Queue
	}
	p.least.Store(int64(cfg.WorkersMin))
	p.most.Store(int64(cfg.Workers))
	p.hungry.lifo = true
	return p, nil
}

func (cfg PoolConfig) validate() error {
	errs := []error{
		validateWorkers("PoolConfig.", cfg.WorkersMin, cfg.Workers),
		within("PoolConfig.Queue", 1, PoolQueueMax, cfg.Queue),
	}
	if cfg.IdleTimeout < 0 {
		errs = append(errs, fmt.Errorf("async: PoolConfig.IdleTimeout must be at least 0, got %v", cfg.IdleTimeout))
	}
	if cfg.Overflow < OverflowBlock || cfg.Overflow > OverflowDropOldest {
		errs = append(errs, fmt.Errorf("async: PoolConfig.Overflow is none of the known ones, got %d", cfg.Overflow))
	}
	return errors.Join(errs...)
}

func validateWorkers(prefix string, least, most int) error {
	if err := within(prefix+"Workers", 1, ConcurrencyMax, most); err != nil {
		return err
	}
	return within(prefix+"WorkersMin", 0, most, least)
}

// PoolStats is a pool at one moment. The numbers are read one after the other, so they may not quite agree while work goes on.
type PoolStats struct {
	// Workers is how many goroutines there are, and Running how many of them have work.
	Workers, Running int

	// Queued is how much work waits in the queues, and Blocked how many submitters wait for room there.
	Queued, Blocked int

	// Ended counts work that was done, well or badly, or given up; Failed and Dropped are the parts of it that failed, and that
	// made room for newer work. Rejected counts what was refused because the queue was full.
	Ended, Failed, Dropped, Rejected int64
}

// Stats gives the numbers of the moment.
func (p *Pool) Stats() PoolStats {
	s := PoolStats{
		Ended:    p.endedInAll(),
		Failed:   p.failed.Load(),
		Dropped:  p.dropped.Load(),
		Rejected: p.refused.Load(),
		Workers:  int(p.workers.Load()),
	}
	for i := range p.levels {
		s.Queued += p.levels[i].len()
		s.Blocked += int(p.levels[i].space.sleeping.Load())
	}
	s.Running = min(s.Workers, max(0, int(p.accepted.Load()-s.Ended)-s.Queued-s.Blocked))
	return s
}

// taskPanicked is told of a panic that is the outcome of a future already; nobody else need know.
func (p *Pool) taskPanicked(*PanicError) bool { return false }

// callbackPanicked treats a panic of a callback as the failure of work without a future, as long as Stop can tell of it.
func (p *Pool) callbackPanicked(pe *PanicError) bool {
	if p.closing.Load() {
		return false
	}
	p.report([]error{pe})
	return true
}

// enter counts somebody who settles a future from outside as work under way.
func (p *Pool) enter() bool { p.accepted.Add(1); return true }

func (p *Pool) leave() {
	p.accepted.Add(-1)
	p.quiet.wakeAll()
}

func (p *Pool) taskFailed(f *core, cut bool) {
	p.failed.Add(1)
	if cut || f.unobservedErr() == nil {
		return
	}
	p.mu.Lock()
	overdue := p.failures.watch(f)
	p.mu.Unlock()
	p.report(unseen(overdue))
}

// report gives errors that nobody sees to the hook, or keeps them for Stop.
func (p *Pool) report(errs []error) {
	if p.hook != nil {
		tell(p.hook, errs, func(pe *PanicError) { p.keep(pe) })
		return
	}
	for _, err := range errs {
		p.keep(err)
	}
}

// keep adds to what Stop returns.
func (p *Pool) keep(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures.add(err)
}
