package godwit

import (
	"context"
	"sync"
)

// slots are the places of one queue in which runs work. Runs that resume go before new ones.
type slots struct {
	freed func() // called without the lock when a slot became free for new runs

	mu       sync.Mutex
	free     int             // guarded by mu
	resuming []chan struct{} // guarded by mu: closed to hand over a slot, in order
}

// reserve takes up to n slots for new runs.
func (s *slots) reserve(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	s.free -= n
	return n
}

// release gives slots back and wakes the claimer.
func (s *slots) release(n int) {
	if s.putBack(n) {
		s.freed()
	}
}

// putBack gives slots back, to runs that resume first, and reports whether some became free for new runs.
func (s *slots) putBack(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n > 0 && len(s.resuming) > 0 {
		close(s.resuming[0])
		s.resuming = s.resuming[1:]
		n--
	}
	s.free += n
	return n > 0
}

// acquire takes a slot for a run that resumes, and reports false when ctx ended first.
func (s *slots) acquire(ctx context.Context) bool {
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	s.resuming = append(s.resuming, turn)
	s.mu.Unlock()

	select {
	case <-turn:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	for i, other := range s.resuming {
		if other == turn {
			s.resuming = append(s.resuming[:i:i], s.resuming[i+1:]...)
			s.mu.Unlock()
			return false
		}
	}
	s.mu.Unlock()
	return true // it was handed over just now
}
