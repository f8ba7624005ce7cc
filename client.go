package godwit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Client submits jobs, awaits them, administers them and, once it has handlers and was started, runs them. It is safe for
// use by many goroutines. A process needs one.
type Client struct {
	store    Store
	config   Config
	log      *slog.Logger
	ids      IDs
	handlers handlers
	notifier *notifier

	mu      sync.Mutex
	phase   phase         // guarded by mu
	worker  *worker       // guarded by mu: nil until started
	unhook  func() bool   // guarded by mu: parts from the context of Start
	stopped chan struct{} // closed when Stop has ended
	stopErr error         // written before stopped is closed
}

// phase is where a client is in its life.
type phase int

const (
	phaseNew phase = iota
	phaseStarted
	phaseStopping // or stopped
)

var _ Submitter = (*Client)(nil)

// New makes a client of a store. The store stays the caller's, to be closed after [Client.Stop]. A process that only submits and
// awaits needs no Start.
func New(store Store, config Config) (*Client, error) {
	if store == nil {
		return nil, invalid("store", "must not be nil")
	}
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	c := &Client{
		store: store, config: config, log: config.Logger,
		handlers: handlers{byName: map[string]*handler{}},
		stopped:  make(chan struct{}),
	}
	c.notifier = newNotifier(c)
	Handle(c, timer, runTimer)
	return c, nil
}

// Start begins to work: it announces the handlers, claims jobs and runs them. The end of ctx is a [Client.Stop]. It answers
// [ErrClosed] after Stop, and does nothing the second time.
func (c *Client) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.phase {
	case phaseStarted:
		return nil
	case phaseStopping:
		return &Error{Code: CodeClosed, Message: "the client was stopped (make a new one)"}
	}
	w, err := newWorker(ctx, c)
	if err != nil {
		return err
	}
	c.worker, c.phase = w, phaseStarted
	c.unhook = context.AfterFunc(ctx, func() {
		if err := c.Stop(context.WithoutCancel(ctx)); err != nil {
			c.log.Error("godwit: stop", "err", err)
		}
	})
	return nil
}

// Stop ends the work in good order. It claims nothing more; runs that wait for other jobs go on waiting in the store; running
// handlers may finish for StopGrace, then their contexts are cancelled with the cause [ErrStopping], and what has not returned
// after HardGrace is given back all the same. The end of ctx cuts the graces short. The error names the handlers that are still
// running. It is safe to call twice, at any time; a later call waits for the first.
func (c *Client) Stop(ctx context.Context) error {
	c.mu.Lock()
	before := c.phase
	c.phase = phaseStopping
	w, unhook := c.worker, c.unhook
	c.mu.Unlock()
	if before == phaseStopping {
		select {
		case <-c.stopped:
			return c.stopErr
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	if w != nil {
		unhook()
		c.stopErr = w.stop(ctx)
	}
	close(c.stopped)
	return c.stopErr
}

// working gives the worker when there is one.
func (c *Client) working() (*worker, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.worker, c.worker != nil
}

// runOf gives the run that ctx belongs to, nil when it is none of this client.
func (c *Client) runOf(ctx context.Context) *run {
	if r := runFrom(ctx); r != nil && r.w.c == c {
		return r
	}
	return nil
}

// pollInterval is how often what the store should have told is asked for.
func (c *Client) pollInterval() time.Duration {
	_, tells := c.store.(Watcher)
	if h, shared := c.store.(Hinter); shared {
		tells = tells && h.Hears()
	}
	if tells {
		return jittered(10 * c.config.PollInterval)
	}
	return jittered(c.config.PollInterval)
}

// watch subscribes to the store's events and to hints of those of other processes, if it tells any.
func (c *Client) watch(fn func([]Event), hint func(Hint)) (stop func()) {
	unwatch, unhint := func() {}, func() {}
	if w, ok := c.store.(Watcher); ok {
		unwatch = w.Watch(fn)
	}
	if h, ok := c.store.(Hinter); ok {
		unhint = h.Hints(hint)
	}
	return func() {
		unwatch()
		unhint()
	}
}

// Stats counts what a client does now.
type Stats struct {
	Running int // runs that hold a slot
	Waiting int // runs parked until other jobs settle
	Stuck   int // runs whose handler did not return long after its context ended; they hold their slot
}

// Stats tells what the client does now; nothing before Start.
func (c *Client) Stats() Stats {
	w, ok := c.working()
	if !ok {
		return Stats{}
	}
	return w.runs.stats()
}
