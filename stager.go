package godwit

import (
	"context"
	"sync"
	"time"
)

const (
	maintenanceBatch = 1000
	advancePauseMax  = time.Second // a deadline, of which no event tells, is kept this exactly
	advancePauseMin  = time.Millisecond
)

// stager makes what has become due happen: scheduled jobs ready, jobs past their deadline failed, children of cancelled parents
// cancelled.
type stager struct {
	w       *worker
	loop    *loop
	trouble trouble

	mu   sync.Mutex
	next time.Time // guarded by mu: store time of the next step
}

func newStager(w *worker) *stager {
	s := &stager{w: w, trouble: trouble{log: w.c.log, doing: "advance"}}
	s.loop = newLoop("stager", s.step)
	return s
}

// hint says that something becomes due at that store time.
func (s *stager) hint(at time.Time) {
	s.mu.Lock()
	sooner := at.Before(s.next)
	s.mu.Unlock()
	if sooner {
		s.loop.kick()
	}
}

func (s *stager) step(ctx context.Context) time.Duration {
	s.plan(s.w.store.Now().Add(time.Hour)) // a hint that comes during the call counts
	answer, err := s.w.store.Advance(ctx, maintenanceBatch)
	if err != nil {
		return s.trouble.met(ctx, err)
	}
	s.trouble.over()
	if answer.More {
		return advancePauseMin
	}
	now := s.w.store.Now()
	next := now.Add(jittered(advancePauseMax))
	if !answer.NextAt.IsZero() && answer.NextAt.Before(next) {
		next = answer.NextAt
	}
	s.plan(next)
	return max(next.Sub(now), advancePauseMin)
}

func (s *stager) plan(next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}
