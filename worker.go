package godwit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// worker holds the roles of a started client.
type worker struct {
	c     *Client
	store Store
	base  context.Context // with the values of Start's context, never ended: what runs and store calls live under

	runs      *runs
	runners   *runners
	session   *sessionKeeper // nil without handlers, as are queues
	queues    map[string]*queue
	settler   *settler
	reporter  *reporter
	stager    *stager
	stopping  atomic.Bool
	unwatch   func()
	unjoin    func()
	haltClaim context.CancelFunc // ends the claimers
	haltAll   context.CancelFunc // ends the other roles

	claimers sync.WaitGroup
	roles    sync.WaitGroup
}

// newWorker starts the roles.
func newWorker(ctx context.Context, c *Client) (*worker, error) {
	w := &worker{c: c, store: c.store, base: context.WithoutCancel(ctx), runs: newRuns(), runners: &runners{}, queues: map[string]*queue{}}
	known := c.handlers.capabilities()
	if len(known) > TasksMax {
		return nil, tooLarge("tasks", "must be at most %d with their aliases, got %d", TasksMax, len(known))
	}
	w.stager, w.settler, w.reporter = newStager(w), newSettler(w), newReporter(w)
	all, haltAll := context.WithCancel(w.base)
	claim, haltClaim := context.WithCancel(w.base)
	w.haltAll, w.haltClaim = haltAll, haltClaim
	loops := []*loop{w.stager.loop, w.settler.loop, w.reporter.loop}
	if !c.config.DisableMaintenance {
		loops = append(loops, newRescuer(w), newPruner(w))
	}
	if len(known) > 1 { // the built-in timer alone is no reason to claim
		w.session = newSessionKeeper(w, known)
		if err := w.session.begin(ctx); err != nil {
			haltAll()
			haltClaim()
			return nil, fmt.Errorf("start: %w", err)
		}
		loops = append(loops, w.session.loop)
		for name, q := range c.config.Queues {
			w.queues[name] = newQueue(w, name, q.Concurrency)
		}
	}
	w.unwatch, w.unjoin = w.listen(), w.join()
	for _, l := range loops {
		w.roles.Go(func() { l.run(all) })
	}
	for _, q := range w.queues {
		w.claimers.Go(func() { q.loop.run(claim) })
	}
	return w, nil
}

// listen hears of the store's changes until stop.
func (w *worker) listen() (stop func()) {
	unwatch, unforetell := w.c.watch(w.observe, w.hear), func() {}
	if f, ok := w.store.(Foreteller); ok && len(w.queues) > 0 {
		unforetell = f.Foretell(func(queue string) {
			if q := w.queues[queue]; q != nil {
				q.tell()
			}
		})
	}
	return func() {
		unforetell()
		unwatch()
	}
}

// join lets claims be made with the submissions of this process until stop.
func (w *worker) join() (stop func()) {
	j, ok := w.store.(Joiner)
	if !ok || len(w.queues) == 0 {
		return func() {}
	}
	return j.Join(func(queue string, n int) (ClaimRequest, func(ClaimAnswer, error)) {
		if q := w.queues[queue]; q != nil {
			return q.join(n)
		}
		return ClaimRequest{}, nil
	})
}

// observe takes the store's events: it must not block.
func (w *worker) observe(events []Event) {
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case EventSubmitted, EventReady, EventRetrying, EventSnoozed, EventReleased, EventRescued, EventRetried, EventRescheduled:
			switch e.State {
			case StateReady:
				if q := w.queues[e.Queue]; q != nil && !startedIn(events[i+1:], e.Job) {
					q.tell()
				}
			case StateScheduled:
				w.stager.hint(e.RunAt)
			}
		case EventQueueResumed, EventTaskResumed:
			for _, q := range w.queues {
				q.tell()
			}
		case EventCancelRequested, EventCancelled, EventFailed:
			w.runs.tell(e)
			if e.Kind == EventCancelled {
				w.stager.hint(e.At) // its children may have to follow
			}
		}
	}
}

// startedIn reports whether a job that is ready by a commit was also claimed by it.
func startedIn(rest []Event, job ID) bool {
	return len(rest) > 0 && rest[len(rest)-1].Kind == EventStarted && slices.ContainsFunc(rest, func(e Event) bool {
		return e.Kind == EventStarted && e.Job == job
	})
}

// hear takes the store's hints: it must not block.
func (w *worker) hear(h Hint) {
	for _, name := range h.Queues {
		if q := w.queues[name]; q != nil {
			q.tell()
		}
	}
	if !h.RunAt.IsZero() {
		w.stager.hint(h.RunAt)
	}
	if h.Any {
		for _, q := range w.queues {
			q.tell()
		}
		w.stager.loop.kick()
		if w.session != nil {
			w.session.loop.kick() // it learns which runs are to be cancelled
		}
	}
	w.observe(h.Jobs)
}

// stop ends the work, in the order that [Client.Stop] documents.
func (w *worker) stop(ctx context.Context) error {
	w.stopping.Store(true)
	w.unjoin()
	w.haltClaim()
	w.claimers.Wait()
	w.runs.endParked()
	w.runs.waitUntil(ctx, w.c.config.StopGrace, (*runs).idle)
	w.runs.end(ErrStopping)
	w.runs.waitUntil(ctx, w.c.config.HardGrace, (*runs).idle)
	w.settler.drain(ctx)
	err := w.endSession(ctx)
	w.unwatch()
	w.haltAll()
	w.roles.Wait()
	w.reporter.abandon()
	w.runners.halt()
	if left := w.runs.left(); len(left) > 0 {
		return &Error{Code: CodeStopping, Message: fmt.Sprintf("handlers did not return: %s", strings.Join(left, ", ")), Err: err}
	}
	return err
}

// endSessionTimeout bounds the last word to a store that may not serve.
const endSessionTimeout = 5 * time.Second

func (w *worker) endSession(ctx context.Context) error {
	if w.session == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endSessionTimeout)
	defer cancel()
	id, ok := w.session.retire()
	if !ok {
		return nil
	}
	if _, err := w.store.EndSession(ctx, id); err != nil {
		return fmt.Errorf("end session (its jobs run elsewhere when the lease ends): %w", err)
	}
	return nil
}

// queueNames gives the queues served, sorted.
func (c *Client) queueNames() []string {
	names := make([]string, 0, len(c.config.Queues))
	for name := range c.config.Queues {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
