package model

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// Config makes a Store.
type Config struct {
	// Now is the clock behind store time. Defaults to time.Now. Store time never goes back even if Now does.
	Now func() time.Time
}

// Store keeps jobs in memory. It is safe for use by many goroutines.
type Store struct {
	now func() time.Time

	mu     sync.Mutex
	world  *world    // guarded by mu
	last   time.Time // guarded by mu: store time given last
	closed bool      // guarded by mu

	// watch is held while events are told, so that they are told in the order of the changes; taken before mu.
	watch    sync.Mutex
	watchers map[int]func([]godwit.Event) // guarded by watch
	nextID   int                          // guarded by watch
}

var (
	_ godwit.Store   = (*Store)(nil)
	_ godwit.Watcher = (*Store)(nil)
)

// New makes an empty Store.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Store{now: c.Now, world: newWorld(), watchers: map[int]func([]godwit.Event){}}
}

// Clone makes an independent copy without watchers. It reads the same clock.
func (s *Store) Clone() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Store{
		now: s.now, world: s.world.clone(), last: s.last, closed: s.closed,
		watchers: map[int]func([]godwit.Event){},
	}
}

// Reopen does what closing and opening a durable store does: the process of every session is over, and so is its lease.
func (s *Store) Reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.timeLocked()
	for _, sess := range s.world.sessions {
		sess.orphan = true
		if sess.leaseUntil.After(now) {
			sess.leaseUntil = now
		}
	}
}

// Now gives store time.
func (s *Store) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timeLocked()
}

func (s *Store) timeLocked() time.Time {
	now := s.now().UTC().Truncate(time.Microsecond)
	if now.Before(s.last) {
		now = s.last
	}
	s.last = now
	return now
}

// Watch calls fn with the events of each change.
func (s *Store) Watch(fn func([]godwit.Event)) (stop func()) {
	s.watch.Lock()
	defer s.watch.Unlock()
	id := s.nextID
	s.nextID++
	s.watchers[id] = fn
	return func() {
		s.watch.Lock()
		defer s.watch.Unlock()
		delete(s.watchers, id)
	}
}

// Close refuses later calls.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func checkLimit(limit int) error {
	if limit < 1 {
		return &godwit.Error{Code: godwit.CodeInvalid, Field: "limit", Message: fmt.Sprintf("must be at least 1, got %d", limit)}
	}
	return nil
}

// do runs one operation at one instant and tells its events.
func do[T any](ctx context.Context, s *Store, op func(w *world, now time.Time) T) (T, error) {
	s.watch.Lock()
	defer s.watch.Unlock()
	answer, events, err := change(ctx, s, op)
	if len(events) > 0 {
		for _, fn := range s.watchers {
			fn(events)
		}
	}
	return answer, err
}

func change[T any](ctx context.Context, s *Store, op func(w *world, now time.Time) T) (T, []godwit.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none T
	if err := ctx.Err(); err != nil {
		return none, nil, err
	}
	if s.closed {
		return none, nil, &godwit.Error{Code: godwit.CodeClosed, Message: "the store is closed"}
	}
	s.world.events = nil
	answer := op(s.world, s.timeLocked())
	return answer, s.world.events, nil
}

// read runs one reading operation.
func read[T any](ctx context.Context, s *Store, op func(w *world, now time.Time) T) (T, error) {
	answer, _, err := change(ctx, s, op)
	return answer, err
}

// batch runs an operation item by item.
func batch[Q, A any](ctx context.Context, s *Store, items []Q, op func(w *world, now time.Time, item Q) A) ([]A, error) {
	if len(items) > godwit.BatchMax {
		return nil, batchTooLarge(len(items))
	}
	return do(ctx, s, func(w *world, now time.Time) []A {
		answers := make([]A, 0, len(items))
		for _, item := range items {
			answers = append(answers, op(w, now, item))
		}
		return answers
	})
}
