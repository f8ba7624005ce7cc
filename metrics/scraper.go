package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// snapshot is what a read of the store gave.
type snapshot struct {
	up       bool
	now      time.Time // store time
	took     time.Duration
	queues   []godwit.QueueInfo
	tasks    []godwit.TaskInfo
	sessions []godwit.SessionInfo
}

// readStore reads what the gauges show.
func readStore(ctx context.Context, c *godwit.Client) (*snapshot, error) {
	s := &snapshot{up: true, now: c.Now()}
	var err error
	if s.queues, err = c.Queues(ctx); err != nil {
		return nil, err
	}
	if s.tasks, err = c.Tasks(ctx); err != nil {
		return nil, err
	}
	s.sessions, err = c.Sessions(ctx)
	return s, err
}

// scraper reads the store for those who scrape: one read at a time, bounded, each serving everybody for a while. A store that does
// not answer is asked as seldom as one that does.
type scraper struct {
	read           func(context.Context) (*snapshot, error)
	timeout, every time.Duration
	ctx            context.Context // ended by close
	stop           context.CancelFunc

	mu      sync.Mutex
	closed  bool          // guarded by mu
	last    *snapshot     // guarded by mu: nil before the first read
	readAt  time.Time     // guarded by mu: when the last read ended
	started time.Time     // guarded by mu: when the read under way began
	reading chan struct{} // guarded by mu: closed when the read under way has ended; nil when there is none
}

func newScraper(config Config, read func(context.Context) (*snapshot, error)) *scraper {
	ctx, stop := context.WithCancel(context.Background())
	return &scraper{read: read, timeout: config.ReadTimeout, every: config.ReadEvery, ctx: ctx, stop: stop}
}

// get gives a read that is new enough, waiting for one no longer than the timeout after it began.
func (s *scraper) get() *snapshot {
	s.mu.Lock()
	if s.closed {
		defer s.mu.Unlock()
		return &snapshot{}
	}
	if s.last != nil && s.reading == nil && time.Since(s.readAt) < s.every {
		defer s.mu.Unlock()
		return s.last
	}
	if s.reading == nil {
		s.reading, s.started = make(chan struct{}), time.Now()
		go s.readOnce(s.reading)
	}
	reading, left := s.reading, time.Until(s.started.Add(s.timeout))
	s.mu.Unlock()

	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-reading:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.last
	case <-timer.C:
		return &snapshot{took: s.timeout}
	}
}

func (s *scraper) readOnce(reading chan struct{}) {
	ctx, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	start := time.Now()
	got, err := s.read(ctx)
	if err != nil {
		got = &snapshot{}
	}
	got.took = time.Since(start)
	s.mu.Lock()
	s.last, s.readAt, s.reading = got, time.Now(), nil
	s.mu.Unlock()
	close(reading)
}

// close waits for the read under way.
func (s *scraper) close() {
	s.stop()
	s.mu.Lock()
	s.closed = true
	reading := s.reading
	s.mu.Unlock()
	if reading != nil {
		<-reading
	}
}
