package godwit

import (
	"context"
	"os"
	"sync"
	"time"
)

// sessionKeeper is the heartbeater: it keeps the session's lease. When it cannot, it ends the runs before others may have
// them, by this process's own monotonic clock, and begins a new session.
type sessionKeeper struct {
	w       *worker
	loop    *loop
	known   []Capability
	trouble trouble
	strays  map[Token]bool // owned by the loop: runs the store had unnamed at the last heartbeat

	mu      sync.Mutex
	id      ID          // guarded by mu: zero when there is none
	fence   *time.Timer // guarded by mu: loses the session before its lease ends
	retired bool        // guarded by mu: no new session is to begin
}

func newSessionKeeper(w *worker, known []Capability) *sessionKeeper {
	k := &sessionKeeper{w: w, known: known, trouble: trouble{log: w.c.log, doing: "heartbeat"}}
	k.loop = newLoop("heartbeater", k.step)
	return k
}

// current gives the session under which to claim.
func (k *sessionKeeper) current() (ID, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id, !k.id.IsZero()
}

// begin starts a session.
func (k *sessionKeeper) begin(ctx context.Context) error {
	c := k.w.c
	host, _ := os.Hostname()
	n := NewSession{
		ID: c.ids.New(), Lease: c.config.Lease, Host: host, PID: os.Getpid(), Queues: c.queueNames(), Tasks: k.known,
	}
	sent := time.Now()
	answer, err := k.w.store.StartSession(ctx, n)
	if err != nil {
		return err
	}
	if answer.Code != "" {
		return &Error{Code: answer.Code, Message: "the store refused the session"}
	}
	c.ids.Observe(answer.MaxID)
	k.mu.Lock()
	k.id = n.ID
	k.fenceLocked(sent)
	k.mu.Unlock()
	return nil
}

// fenceLocked sets the time at which the session is lost without another heartbeat: a sixth of the lease before its end, counted
// from before the call was sent.
func (k *sessionKeeper) fenceLocked(sent time.Time) {
	if k.fence != nil {
		k.fence.Stop()
	}
	id, lease := k.id, k.w.c.config.Lease
	k.fence = time.AfterFunc(time.Until(sent.Add(lease-lease/6)), func() {
		k.w.c.log.Error("godwit: the lease was not renewed in time, its runs are ended", "session", id)
		k.lose(id)
	})
}

// lose ends the runs of a session that is over for this worker.
func (k *sessionKeeper) lose(id ID) {
	k.mu.Lock()
	if k.id != id || k.retired {
		k.mu.Unlock()
		return
	}
	k.id = ID{}
	k.fence.Stop()
	k.mu.Unlock()
	k.w.runs.lose(id)
	k.loop.kick()
}

// retire gives the session up for good.
func (k *sessionKeeper) retire() (ID, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retired = true
	if k.fence != nil {
		k.fence.Stop()
	}
	return k.id, !k.id.IsZero()
}

// step renews the lease, or begins a new session.
func (k *sessionKeeper) step(ctx context.Context) time.Duration {
	lease := k.w.c.config.Lease
	id, ok := k.current()
	ctx, cancel := context.WithTimeout(ctx, lease/3)
	defer cancel()
	if !ok {
		if err := k.begin(ctx); err != nil {
			return k.trouble.met(ctx, err)
		}
		k.trouble.over()
		k.w.c.log.Info("godwit: a new session began after the last one was lost")
		for _, q := range k.w.queues {
			q.tell()
		}
		return jittered(lease / 3)
	}
	sent := time.Now()
	answer, err := k.w.store.Heartbeat(ctx, HeartbeatRequest{Session: id, Runs: k.w.runs.tokens()})
	if err != nil {
		return k.trouble.met(ctx, err)
	}
	k.trouble.over()
	if answer.Code != "" {
		k.w.c.log.Error("godwit: the session was ended, its runs are lost", "session", id, "code", answer.Code)
		k.lose(id)
		return 0
	}
	k.mu.Lock()
	if k.id == id && !k.retired {
		k.fenceLocked(sent)
	}
	k.mu.Unlock()
	for _, t := range answer.Cancelled {
		k.w.runs.endOf(t, errCancel)
	}
	for _, t := range answer.Lost {
		k.w.runs.endOf(t, ErrLeaseLost)
	}
	k.release(ctx, answer.Unnamed)
	return jittered(lease / 3)
}

// release gives back runs that the store says this session holds and that the worker does not have: those of a claim whose answer was
// lost. A claim that is under way looks the same for a moment, so a run is given back only when two heartbeats in a row
// name it.
func (k *sessionKeeper) release(ctx context.Context, unnamed []Token) {
	seen := make(map[Token]bool, len(unnamed))
	var back []Settlement
	for _, t := range unnamed {
		switch {
		case k.w.runs.has(t):
		case k.strays[t]:
			back = append(back, Settlement{Token: t, Outcome: OutcomeRelease})
		default:
			seen[t] = true
		}
	}
	k.strays = seen
	for len(back) > 0 {
		part := back[:min(len(back), BatchMax)]
		if _, err := k.w.store.Settle(ctx, part); err != nil {
			k.trouble.met(ctx, err) // the next heartbeats name them again
			return
		}
		k.w.c.log.Warn("godwit: gave back runs whose claim was lost on its way", "runs", len(part))
		back = back[len(part):]
	}
}
