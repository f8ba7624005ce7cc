package godwittest

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// finishStepsMax bounds how often [Harness.Finish] moves the clock.
const finishStepsMax = 10_000

// Harness is a client on a store in memory, with a clock of its own.
type Harness struct {
	*godwit.Client
	store *model.Store
	t     testing.TB

	mu      sync.Mutex
	now     time.Time // guarded by mu
	started bool      // guarded by mu
}

// New makes a harness, whose clock begins now. The client is started by the first call that runs jobs, so handlers are
// registered before; it is stopped with the test. The logger defaults to none; maintenance (rescue and pruning) is off.
func New(t testing.TB, config godwit.Config) *Harness {
	t.Helper()
	h := &Harness{t: t, now: time.Now().UTC().Truncate(time.Microsecond)}
	h.store = model.New(model.Config{Now: h.Now})
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if config.Lease == 0 {
		config.Lease = godwit.LeaseMax
	}
	config.DisableMaintenance = true
	c, err := godwit.New(h.store, config)
	if err != nil {
		t.Fatalf("godwittest: %v", err)
	}
	h.Client = c
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("godwittest: %v", err)
		}
	})
	return h
}

// Now gives the time of the harness's clock.
func (h *Harness) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// Store gives the store, for a second client or for what the client does not offer.
func (h *Harness) Store() godwit.Store { return h.store }

// Advance moves the clock on by d and, when the client was started, drains.
func (h *Harness) Advance(d time.Duration) {
	h.t.Helper()
	h.mu.Lock()
	h.now = h.now.Add(max(d, 0))
	started := h.started
	h.mu.Unlock()
	if started {
		h.Drain()
	}
}

// Drain does all that can be done without moving the clock.
func (h *Harness) Drain() {
	h.t.Helper()
	h.mu.Lock()
	first := !h.started
	h.started = true
	h.mu.Unlock()
	if first {
		if err := h.Start(context.WithoutCancel(h.t.Context())); err != nil {
			h.t.Fatalf("godwittest: start: %v", err)
		}
	}
	if err := h.Client.Drain(h.t.Context()); err != nil {
		h.t.Fatalf("godwittest: drain: %v", err)
	}
}

// Finish does all there is, moving the clock from one scheduled job to the next.
func (h *Harness) Finish() {
	h.t.Helper()
	for range finishStepsMax {
		h.Drain()
		if !h.step() {
			return
		}
	}
	h.t.Fatalf("godwittest: jobs are still scheduled after the clock was moved %d times", finishStepsMax)
}

// step moves the clock to the next time at which something is due, and reports whether there is one.
func (h *Harness) step() bool {
	h.t.Helper()
	answer, err := h.store.Advance(h.t.Context(), godwit.BatchMax)
	if err != nil {
		h.t.Fatalf("godwittest: advance: %v", err)
	}
	if answer.NextAt.IsZero() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if answer.NextAt.After(h.now) {
		h.now = answer.NextAt
	}
	return true
}

// Run submits a job and does it to its end, moving the clock over back-offs and delays, and gives its outcome. A job that can never end,
// since no handler is registered or its queue is paused, fails the test.
func Run[A, R any](t testing.TB, h *Harness, task *godwit.Task[A, R], args A) (R, error) {
	t.Helper()
	p, err := task.Submit(t.Context(), h, args, godwit.SubmitOptions{})
	if err != nil {
		t.Fatalf("godwittest: %v", err)
	}
	return Await(t, h, p)
}

// Await does what there is to do until a promise settles, as [Run] does.
func Await[R any](t testing.TB, h *Harness, p *godwit.Promise[R]) (R, error) {
	t.Helper()
	for range finishStepsMax {
		h.Drain()
		outcomes, err := h.store.Outcomes(t.Context(), []godwit.ID{p.ID()})
		if err != nil {
			t.Fatalf("godwittest: %v", err)
		}
		if outcomes[0].Code != "" || outcomes[0].State.Final() {
			break
		}
		if !h.step() {
			e, err := h.Explain(t.Context(), p.ID())
			if err != nil {
				t.Fatalf("godwittest: %v", err)
			}
			t.Fatalf("godwittest: the job cannot end: %s (%s)", e.Reasons[0].Message, e.Reasons[0].Mend)
		}
	}
	return p.Await(t.Context())
}
