package async

import (
	"context"
	"iter"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// mapMode says what becomes of the results.
type mapMode int

const (
	mapOrdered   mapMode = iota // wait in places until it is their turn.
	mapUnordered                // queue up.
	mapNothing                  // ForEach has none.
)

// mapper is one run of Map or ForEach. One goroutine produces: it moves items from the input into a ring. Up to cfg.Concurrency
// workers take them out one by one. The consumer is the goroutine with the loop. An item is ahead from when it is taken out of the
// input until the consumer has taken its result; the producer sees to it that there are never more of those than the window.
type mapper[A, B any] struct {
	outer  context.Context
	ctx    context.Context // of the calls
	cancel context.CancelCauseFunc
	in     iter.Seq[A]
	fn     func(context.Context, A) (B, error)
	cfg    MapConfig
	mode   mapMode

	running sync.WaitGroup
	unhook  func() bool    // ends the watch over outer.
	hooked  sync.WaitGroup // the goroutine that the end of outer starts.
	workers atomic.Int64   // started.

	items rings[mapItem[A]]
	rows  atomic.Pointer[mapRow[B]] // ordered: the newest row.
	queue rings[mapOut[B]]          // unordered.

	partial  atomic.Bool  // the end of the context has kept something from being done.
	stopped  atomic.Bool  // no new item is taken in or begun.
	lot      atomic.Int64 // how many results the consumer takes before it makes that known.
	produced atomic.Int64 // how many items there are in all; -1 until the input has ended.
	panicked atomic.Pointer[PanicError]

	mu       sync.Mutex
	failures failureList // guarded by mu

	hungry gate // workers wait for items.
	ahead  gate // the producer waits for room.
	wanted gate // the consumer waits for results.

	// The fields above change seldom. Those below change all the time, so each side has a cache line of its own.
	_     [64]byte
	taken atomic.Int64 // how many results the consumer has made known to have taken. For ForEach, how many calls have ended.
	_     [56]byte
	gone  int64      // how many results the consumer has taken.
	known int64      // what it stored in taken.
	row   *mapRow[B] // ordered: where it takes the next one.
	_     [56]byte
}

type mapItem[A any] struct {
	index int
	item  A
}

type mapOut[B any] struct {
	value B
	err   error
}

type mapPlace[B any] struct {
	full atomic.Bool
	out  mapOut[B]
}

// mapRow has the places of the results of successive items: that of item i is i mod len. A larger row takes its place some time.
type mapRow[B any] struct {
	places []mapPlace[B]
	begin  int64        // the index of the first item that it is for.
	end    atomic.Int64 // that of the first item that the next row is for.
	older  *mapRow[B]
	newer  *mapRow[B] // written before end.
}

func newMapRow[B any](begin, size int64, older *mapRow[B]) *mapRow[B] {
	row := &mapRow[B]{places: make([]mapPlace[B], ringSize(int(size))), begin: begin, older: older}
	row.end.Store(math.MaxInt64)
	return row
}

func (r *mapRow[B]) place(i int64) *mapPlace[B] { return &r.places[int(i)&(len(r.places)-1)] }

func newMapper[A, B any](ctx context.Context, in iter.Seq[A], cfg MapConfig, fn func(context.Context, A) (B, error), mode mapMode) *mapper[A, B] {
	m := &mapper[A, B]{outer: ctx, in: in, fn: fn, cfg: cfg, mode: mode}
	m.ctx, m.cancel = context.WithCancelCause(ctx)
	m.produced.Store(-1)
	size := newWindow(cfg).size
	m.items.init(int(size))
	switch mode {
	case mapOrdered:
		m.row = newMapRow[B](0, size, nil)
		m.rows.Store(m.row)
	case mapUnordered:
		m.queue.init(int(size))
	}
	m.hungry.lifo = true
	if ctx.Err() != nil {
		m.stopped.Store(true)
	}
	m.hooked.Add(1)
	m.unhook = context.AfterFunc(ctx, func() {
		defer m.hooked.Done()
		m.stop()
	})
	return m
}

// stop makes everybody look up and leave.
func (m *mapper[A, B]) stop() {
	m.stopped.Store(true)
	m.hungry.wakeAll()
	m.ahead.wakeAll()
	m.wanted.wakeAll()
}

// join waits for the producer and the workers.
func (m *mapper[A, B]) join() { m.running.Wait() }

// close ends what runs, waits for it, and lets panics go on: those of the calls and that of the loop. The call must be deferred.
func (m *mapper[A, B]) close() {
	loop := recover()
	m.mu.Lock()
	failures := m.failures.join() // Those that come of the cancellation are no news.
	m.mu.Unlock()
	m.cancel(errMapOver)
	m.stop()
	if m.unhook() {
		m.hooked.Done()
	}
	m.hooked.Wait()
	m.join()
	if pe := m.panicked.Load(); pe != nil {
		panicAgain(loop, pe, m.failures.join())
	}
	panicAgain(loop, nil, failures)
}

// panics notes a panic and ends the run.
func (m *mapper[A, B]) panics(pe *PanicError) {
	if !m.panicked.CompareAndSwap(nil, pe) {
		m.mu.Lock()
		m.failures.add(pe)
		m.mu.Unlock()
	}
	m.cancel(pe)
	m.stop()
}

// produce reads the input until it ends or the run stops.
func (m *mapper[A, B]) produce() {
	index := 0
	returned := false
	defer func() {
		if m.mode == mapNothing {
			// This is the goroutine of ForEach's caller, where a panic and a Goexit of the input go on.
		} else if r := recover(); r != nil {
			m.panics(newPanicError(r))
		} else if !returned {
			m.fail(ErrGoexit)
		}
		m.produced.Store(int64(index))
		m.hungry.wakeAll()
		m.wanted.wakeAll()
	}()
	w := newWindow(m.cfg)
	m.lot.Store(max(1, w.size/8))
	me := newSleeper()
	passed := int64(0) // what progress said last; it only grows.
	room := func() bool {
		passed = m.progress()
		return int64(index)-passed < w.size || m.stopped.Load()
	}
	for item := range m.in {
		for int64(index)-passed >= w.size && !room() {
			if w.stretches() {
				m.enlarge(int64(index), w.size)
			} else {
				m.ahead.wait(me, room)
			}
		}
		if m.stopped.Load() {
			m.partial.Store(true)
			break
		}
		for !m.items.push(mapItem[A]{index, item}) {
			runtime.Gosched() // A worker has yet to let go of the place that it has emptied.
		}
		index++
		if !m.hungry.nudge() {
			m.grow()
		}
		if w.grows() {
			m.enlarge(int64(index), w.size)
		}
	}
	returned = true
}

// enlarge makes room for a window that has grown, from the item with the index on.
func (m *mapper[A, B]) enlarge(index, size int64) {
	m.lot.Store(max(1, size/8))
	m.items.grow(int(size))
	switch m.mode {
	case mapOrdered:
		row := m.rows.Load()
		row.newer = newMapRow(index, size, row)
		m.rows.Store(row.newer)
		row.end.Store(index)
	case mapUnordered:
		m.queue.grow(int(size))
	}
}

// grow starts a worker, if there may be one more. The caller is one of those that join waits for.
func (m *mapper[A, B]) grow() {
	for {
		n := m.workers.Load()
		if n >= int64(m.cfg.Concurrency) {
			return
		}
		if m.workers.CompareAndSwap(n, n+1) {
			m.running.Go(m.work)
			return
		}
	}
}

// progress says how many items no longer count as ahead: those whose results were taken or, in ForEach, those that were begun.
func (m *mapper[A, B]) progress() int64 {
	if m.mode == mapNothing {
		return m.items.popped()
	}
	return m.taken.Load()
}

// window is how far the producer may be ahead.
type window struct {
	size    int64
	max     int64
	needed  int64 // up to this it grows when the producer comes to its end, beyond it for items that go through fast.
	counted int64
	since   time.Time
}

// windowPace is the time per item below which the window grows.
const windowPace = 10 * time.Microsecond

// windowStart is the largest window to begin with, so that memory is taken for a large one only when the input comes so far.
const windowStart = AheadGrownMax

func newWindow(cfg MapConfig) *window {
	twice := int64(2 * cfg.Concurrency)
	if ahead := int64(cfg.Ahead); ahead > 0 {
		return &window{size: min(twice, ahead, windowStart), needed: ahead, max: ahead}
	}
	return &window{size: min(twice, windowStart), needed: twice, max: max(AheadGrownMax, twice), since: time.Now()}
}

// stretches makes the window larger, if it may, for a producer that has come to its end.
func (w *window) stretches() bool {
	if w.size >= w.needed {
		return false
	}
	w.size = min(2*w.size, w.needed)
	return true
}

// grows counts an item and, each time two windowfuls have gone by, sees whether the window should grow.
func (w *window) grows() bool {
	if w.needed == w.max || w.size == w.max {
		return false
	}
	w.counted++
	if w.counted < 2*w.size {
		return false
	}
	now := time.Now()
	fast := now.Sub(w.since) < time.Duration(w.counted)*windowPace
	if fast {
		w.size = min(2*w.size, w.max)
	}
	w.counted, w.since = 0, now
	return fast
}

// work is one worker: it takes items until there are no more.
func (m *mapper[A, B]) work() {
	var current mapItem[A]
	var calls int64
	returned := false
	defer func() {
		if m.mode == mapNothing {
			m.taken.Add(calls)
		}
		if r := recover(); r != nil {
			m.panics(newPanicError(r))
		} else if !returned {
			// The call has ended this goroutine. Another one goes on in its place.
			var zero B
			m.deliver(current.index, zero, ErrGoexit)
			m.running.Go(m.work)
		}
	}()
	var me *sleeper
	var ok bool
	look := func() bool {
		if m.stopped.Load() {
			return true
		}
		ended := m.produced.Load() >= 0
		current, ok = m.items.pop()
		return ok || ended
	}
	for {
		if current, ok = m.items.first.Load().pop(); !ok {
			if me == nil {
				me = newSleeper()
			}
			m.hungry.wait(me, look)
			if m.items.len() > 0 && !m.hungry.wake() {
				m.grow() // The producer counts on a worker that searches, but this one has found its item.
			}
		}
		if !ok || m.stopped.Load() {
			break
		}
		if m.mode == mapNothing {
			m.ahead.wake()
		}
		value, err := m.fn(m.ctx, current.item)
		calls++
		m.deliver(current.index, value, err)
	}
	returned = true
}

// deliver puts a result where the consumer finds it.
func (m *mapper[A, B]) deliver(index int, value B, err error) {
	if err != nil {
		if matchesEnd(m.outer, err) {
			m.partial.Store(true)
			return // The consumer gives the error of the context itself.
		}
		err = &ItemError{Index: index, Err: err}
		if !m.cfg.AllErrors || m.mode == mapNothing {
			m.fail(err)
		}
		if !m.cfg.AllErrors {
			return
		}
		var zero B
		value = zero
	}
	switch m.mode {
	case mapNothing:
		return
	case mapOrdered:
		row := m.rows.Load()
		for row.begin > int64(index) {
			row = row.older
		}
		place := row.place(int64(index))
		place.out = mapOut[B]{value, err}
		place.full.Store(true)
	case mapUnordered:
		m.queue.push(mapOut[B]{value, err}) // There is room: the queue holds as much as the window.
	}
	m.wanted.wake()
}

// fail notes a failure. Unless all are wanted, the first ends the run and those that come of that count for nothing.
func (m *mapper[A, B]) fail(err error) {
	m.mu.Lock()
	first := len(m.failures.errs) == 0
	if first || m.cfg.AllErrors {
		m.failures.add(err)
	}
	m.mu.Unlock()
	if first && !m.cfg.AllErrors {
		m.cancel(err)
		m.stop()
	}
}

// outcome gives what went wrong, when everything has ended.
func (m *mapper[A, B]) outcome() error {
	m.mu.Lock()
	err := m.failures.join()
	m.mu.Unlock()
	complete := !m.partial.Load() && m.produced.Load() == m.taken.Load()
	if err == nil && !complete && m.outer.Err() != nil {
		return cancelErr(m.outer)
	}
	return err
}
