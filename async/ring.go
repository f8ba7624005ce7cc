package async

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

// ring is a bounded queue for many producers and consumers that takes no lock (D. Vyukov, "Bounded MPMC queue"). Each slot
// carries the turn at which it is next to be used: in the nth round through the slots, counted from 0, it is free at the turn 2n and
// holds an item at 2n+1. So a new ring needs no setting up.
type ring[T any] struct {
	slots []ringSlot[T]
	mask  uint64
	bits  int   // log2 of len(slots)
	limit int64 // how many items it may hold; at most len(slots).

	before uint64                  // how many items the rings before this one have held, where rings follow one another.
	next   atomic.Pointer[ring[T]] // the larger one that takes its place; nil until it is sealed.

	_    [64]byte // Producers and consumers write to lines of their own.
	tail atomic.Uint64
	_    [56]byte
	head atomic.Uint64
	_    [56]byte
}

type ringSlot[T any] struct {
	at   atomic.Uint64
	item T
}

// sealed is set in the tail of a ring that takes no more items.
const sealed = 1 << 63

// newRing makes a ring that holds up to limit items, which must be at least 1.
func newRing[T any](limit int) *ring[T] {
	size := ringSize(limit)
	return &ring[T]{slots: make([]ringSlot[T], size), mask: uint64(size - 1), bits: bits.TrailingZeros(uint(size)), limit: int64(limit)}
}

// ringSize gives the number of slots: a power of two.
func ringSize(limit int) int {
	size := 1
	for size < limit {
		size *= 2
	}
	return size
}

// turn is that of a free slot in the round of pos.
func (r *ring[T]) turn(pos uint64) uint64 { return pos >> r.bits << 1 }

// push adds an item. It returns false when the ring is full.
func (r *ring[T]) push(item T) bool {
	for {
		pos := r.tail.Load()
		if pos&sealed != 0 {
			return false
		}
		slot := &r.slots[pos&r.mask]
		switch diff := int64(slot.at.Load() - r.turn(pos)); {
		case diff < 0:
			return false
		case diff > 0:
			continue // Another push has taken this position.
		}
		if r.limit < int64(len(r.slots)) && int64(pos-r.head.Load()) >= r.limit {
			return false
		}
		if r.tail.CompareAndSwap(pos, pos+1) {
			slot.item = item
			slot.at.Store(r.turn(pos) + 1)
			return true
		}
	}
}

// pop takes the oldest item. It returns false when there is none, or when a push has not finished putting it there; that push
// wakes whoever sleeps when it has.
func (r *ring[T]) pop() (item T, ok bool) {
	for {
		pos := r.head.Load()
		slot := &r.slots[pos&r.mask]
		switch diff := int64(slot.at.Load() - r.turn(pos) - 1); {
		case diff < 0:
			return item, false
		case diff > 0:
			continue // Another pop has taken this position.
		}
		if r.head.CompareAndSwap(pos, pos+1) {
			item = slot.item
			var zero T
			slot.item = zero
			slot.at.Store(r.turn(pos) + 2)
			return item, true
		}
	}
}

// len gives the number of items, counting those being put in. It may be too high when items come and go meanwhile.
func (r *ring[T]) len() int {
	head := r.head.Load()
	return int(min(r.limit, int64(r.tail.Load()&^sealed-head)))
}

// full says whether a push would fail now.
func (r *ring[T]) full() bool {
	pos := r.tail.Load()
	return int64(pos-r.head.Load()) >= r.limit || int64(r.slots[pos&r.mask].at.Load()-r.turn(pos)) < 0
}

// rings is a ring that can be made larger: the next one takes new items, while the one before it is emptied. Many goroutines may
// push and pop; one may grow it.
type rings[T any] struct {
	first atomic.Pointer[ring[T]] // items are taken from it.
	last  atomic.Pointer[ring[T]] // and put into it.
}

func (q *rings[T]) init(limit int) {
	r := newRing[T](limit)
	q.first.Store(r)
	q.last.Store(r)
}

// grow makes room for limit items.
func (q *rings[T]) grow(limit int) {
	old, larger := q.last.Load(), newRing[T](limit)
	larger.before = old.before + old.tail.Or(sealed)
	old.next.Store(larger)
	q.last.Store(larger)
}

func (q *rings[T]) push(item T) bool {
	for {
		r := q.last.Load()
		if r.push(item) {
			return true
		}
		if r.tail.Load()&sealed == 0 {
			return false
		}
		runtime.Gosched() // The next ring is about to be the last.
	}
}

func (q *rings[T]) pop() (item T, ok bool) {
	for {
		r := q.first.Load()
		if item, ok = r.pop(); ok {
			return item, true
		}
		next := r.next.Load()
		if next == nil || r.head.Load() != r.tail.Load()&^sealed {
			return item, false
		}
		q.first.CompareAndSwap(r, next)
	}
}

// popped says how many items have been taken out. It may be too low while that goes on.
func (q *rings[T]) popped() int64 {
	r := q.first.Load()
	return int64(r.before + r.head.Load())
}

func (q *rings[T]) len() (n int) {
	for r := q.first.Load(); r != nil; r = r.next.Load() {
		n += r.len()
	}
	return n
}
