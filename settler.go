package godwit

import (
	"context"
	"sync"
	"time"
)

const (
	settleBatchMax   = 1000
	settleBytesMax   = 8 << 20 // of results in one call
	settlesQueuedMax = 10_000  // handlers that end beyond it wait
)

// settler writes the outcomes of runs, those of many runs in one call. A call that failed is repeated under the same tokens
// until the store takes it or the session is over.
type settler struct {
	w       *worker
	loop    *loop
	trouble trouble

	mu      sync.Mutex
	queued  []settle      // guarded by mu
	taken   chan struct{} // guarded by mu: closed, and made anew, when the queue was taken
	pending int           // guarded by mu: queued or under way
}

type settle struct {
	r *run
	s Settlement
}

func newSettler(w *worker) *settler {
	s := &settler{w: w, trouble: trouble{log: w.c.log, doing: "settle"}, taken: make(chan struct{})}
	s.loop = newLoop("settler", s.step)
	return s
}

// put hands over the end of a run. It blocks while too many wait.
func (s *settler) put(r *run, item Settlement) {
	s.mu.Lock()
	for len(s.queued) >= settlesQueuedMax {
		taken := s.taken
		s.mu.Unlock()
		<-taken
		s.mu.Lock()
	}
	s.queued = append(s.queued, settle{r, item})
	s.pending++
	s.mu.Unlock()
	s.loop.kick()
}

// take gives what fits into one call.
func (s *settler) take() (batch []settle) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, 0
	for n < len(s.queued) && n < settleBatchMax && size < settleBytesMax {
		size += len(s.queued[n].s.Result.Data)
		n++
	}
	batch, s.queued = s.queued[:n:n], s.queued[n:]
	close(s.taken)
	s.taken = make(chan struct{})
	return batch
}

func (s *settler) step(ctx context.Context) time.Duration {
	for {
		batch := s.take()
		if len(batch) == 0 {
			return never
		}
		for len(batch) > 0 {
			again, err := s.write(ctx, batch)
			s.done(len(batch) - len(again))
			batch = again
			if err != nil && !pause(ctx, s.trouble.met(ctx, err)) {
				return never
			}
		}
	}
}

// write settles a batch and gives what is to be written again.
func (s *settler) write(ctx context.Context, batch []settle) (again []settle, err error) {
	items, live := make([]Settlement, 0, len(batch)), batch[:0:0]
	for _, b := range batch {
		if session, ok := s.w.session.current(); !ok || session != b.s.Session {
			s.w.runs.remove(b.r) // its session is over: others have the job
			continue
		}
		items, live = append(items, b.s), append(live, b)
	}
	if len(live) == 0 {
		return nil, nil
	}
	answers, err := s.w.store.Settle(ctx, items)
	if err != nil {
		return live, err
	}
	s.trouble.over()
	for i, a := range answers {
		b := live[i]
		switch a.Code {
		case CodeLimitReached:
			b.s.Reported = Reported{}
			again = append(again, b)
			continue
		case "", CodeDuplicate:
		default:
			s.w.c.log.Warn("godwit: settle refused, the run was lost", "task", b.r.job.Task, "job", b.r.job.ID,
				"run", b.r.job.Run, "code", a.Code)
		}
		s.w.runs.remove(b.r)
	}
	return again, nil
}

func (s *settler) done(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending -= n
}

// drain gives the last settles a little time before the session ends.
func (s *settler) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endSessionTimeout)
	defer cancel()
	s.w.runs.waitUntil(ctx, endSessionTimeout, func(*runs) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.pending == 0
	})
}
