package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

const (
	tellPause   = 10 * time.Millisecond // between two notifications; what comes meanwhile is merged
	tellAnew    = time.Second           // after one that failed
	tellTimeout = 5 * time.Second
	tellLast    = time.Second // for what is left to tell at Close
)

// teller tells other processes what this one has changed, outside of the writes: one notification at a time, and so many a second at
// most however much is written.
type teller struct {
	s    *Store
	wake chan struct{} // has room for one: there is something
	over chan struct{} // closed when the goroutine has ended

	mu    sync.Mutex
	next  news      // guarded by mu
	rests time.Time // guarded by mu: until when it tells nothing
}

func newTeller(s *Store) *teller {
	return &teller{s: s, wake: make(chan struct{}, 1), over: make(chan struct{})}
}

// tell takes the events of a commit. It does not wait.
func (t *teller) tell(events []godwit.Event) {
	t.mu.Lock()
	t.next.add(events)
	empty := t.next.empty()
	t.mu.Unlock()
	if !empty {
		t.kick()
	}
}

// ride gives the notification of the events for sending along with their commit, whose round trip it then shares. There is none when
// others need not know, or something else is told now, or was a moment ago.
func (t *teller) ride(events []godwit.Event) (stmt, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := news{From: t.s.name}
	n.add(events)
	if n.empty() || !t.next.empty() || time.Now().Before(t.rests) {
		return stmt{}, false
	}
	t.rests = time.Now().Add(tellPause)
	// It must not keep the answer of the commit: whoever else notifies holds a lock while he commits.
	return do("SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', '10ms', true), pg_notify($1, $2)",
		t.s.channel, n.payload()), true
}

// rest gives how long it still tells nothing.
func (t *teller) rest() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Until(t.rests)
}

func (t *teller) kick() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *teller) take() news {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.next
	t.next, t.rests = news{}, time.Now().Add(tellPause)
	return n
}

// run tells until ctx ends, and then what is left: a process that submits and ends has told by then.
func (t *teller) run(ctx context.Context) {
	defer close(t.over)
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellLast)
			defer cancel()
			_ = t.send(last) // the others find it by asking
			return
		case <-t.wake:
		}
		waitFor(ctx, t.rest())
		if err := t.send(ctx); err != nil {
			t.lost()
			waitFor(ctx, tellAnew)
		}
	}
}

// lost notes that something was not told.
func (t *teller) lost() {
	t.mu.Lock()
	t.next.giveUp()
	t.mu.Unlock()
	t.kick()
}

func (t *teller) send(ctx context.Context) error {
	n := t.take()
	if n.empty() {
		return nil
	}
	n.From = t.s.name
	return t.s.notify(ctx, n)
}

// notify sends one notification, on a connection that listens to nothing.
func (s *Store) notify(ctx context.Context, n news) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	return s.pool.run(ctx, s.notification(n))
}

// waitFor waits for d or the end of ctx.
func waitFor(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
