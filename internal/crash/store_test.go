//go:build unix

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

// points kill the process when it passes the one that is named, for the nth time.
type points struct {
	mu   sync.Mutex
	name string
	left int // guarded by mu
}

// pass dies here, if here it is.
func (p *points) pass(name string) {
	if name != p.name {
		return
	}
	p.mu.Lock() // kept: nobody passes after it
	if p.left--; p.left > 0 {
		p.mu.Unlock()
		return
	}
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL) // nothing is left that could be told
	select {}
}

// storePoints are the points that a witness passes, by name.
var storePoints = []string{
	"before-submit", "after-submit", "after-claim", "before-settle", "after-settle", "after-park", "after-resume", "after-cancel",
	"after-retry", "after-rescue", "after-advance", "after-heartbeat",
}

// witness wraps the store: it writes into the log what the store was asked and what it answered, and passes the points
// between the two.
type witness struct {
	*sqlite.Store // what is not wrapped; it tells of changes too
	log           *Log
	points        *points
	fail          func(error)

	mu     sync.Mutex
	tokens map[godwit.ID]godwit.Token // guarded by mu: the newest of each job
	stale  map[godwit.ID]godwit.Token // guarded by mu: the one before
}

var (
	_ godwit.Store   = (*witness)(nil)
	_ godwit.Watcher = (*witness)(nil)
)

func (w *witness) write(events ...Event) {
	if err := w.log.Write(events...); err != nil {
		w.fail(err)
	}
}

// Submit tells of every submission before and after.
func (w *witness) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	events := make([]Event, 0, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		events = append(events, Event{
			Kind: Submitting, Asked: j.ID, Task: j.Task, Args: string(j.Args.Data), Parent: j.Parent.Job, Name: j.ChildName,
			Key: j.Idempotency.Key, Unique: j.Unique.Key,
		})
	}
	w.write(events...)
	w.points.pass("before-submit")
	answers, err := w.Store.Submit(ctx, jobs)
	if err != nil {
		return nil, err
	}
	w.points.pass("after-submit")
	for i, a := range answers {
		e := &events[i]
		e.Kind, e.Job, e.Created, e.State, e.Code = Submitted, a.ID, a.Created, a.State, a.Code
	}
	w.write(events...)
	return answers, nil
}

// Claim tells what was handed out.
func (w *witness) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	a, err := w.Store.Claim(ctx, r)
	if err != nil || len(a.Jobs) == 0 {
		return a, err
	}
	w.points.pass("after-claim")
	events := make([]Event, 0, len(a.Jobs))
	w.mu.Lock()
	for i := range a.Jobs {
		j := &a.Jobs[i]
		if before, ok := w.tokens[j.ID]; ok {
			w.stale[j.ID] = before
		}
		w.tokens[j.ID] = godwit.Token{Job: j.ID, Run: j.Run, Session: r.Session}
		events = append(events, Event{Kind: Claimed, Job: j.ID, Run: j.Run, Session: r.Session, Crashes: j.Crashes, Task: j.Task})
	}
	w.mu.Unlock()
	w.write(events...)
	return a, nil
}

// token gives the token of a run; false when a later run was handed out.
func (w *witness) token(job godwit.ID, run int64) (godwit.Token, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tokens[job]
	return t, t.Run == run
}

// staleToken gives the token of an earlier run of a job that was handed out again.
func (w *witness) staleToken(job godwit.ID) (godwit.Token, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, ok := w.stale[job]
	return t, ok
}

// Settle tells of every settle before and after. Now and then it repeats one of them with another result, as somebody does who did
// not hear the answer and is not the same any more: that must never be accepted.
func (w *witness) Settle(ctx context.Context, s []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	answers, err := w.settle(ctx, s, false)
	if err == nil && rand.IntN(8) == 0 {
		again := s[rand.IntN(len(s))]
		again.Outcome, again.Result, again.Failure = godwit.OutcomeSucceed, encoded(Result{Value: -1, Run: again.Run}), nil
		if _, err := w.settle(ctx, []godwit.Settlement{again}, true); err != nil && !errors.Is(err, godwit.ErrClosed) {
			w.fail(err)
		}
	}
	return answers, err
}

func (w *witness) settle(ctx context.Context, s []godwit.Settlement, zombie bool) ([]godwit.SettleAnswer, error) {
	events := make([]Event, 0, len(s))
	for _, item := range s {
		events = append(events, Event{Kind: Settling, Job: item.Job, Run: item.Run, Session: item.Session, Outcome: item.Outcome, Zombie: zombie})
	}
	w.write(events...)
	if !zombie {
		w.points.pass("before-settle")
	}
	answers, err := w.Store.Settle(ctx, s)
	if err != nil {
		return nil, err
	}
	if !zombie {
		w.points.pass("after-settle")
	}
	for i, a := range answers {
		events[i].Kind, events[i].Code, events[i].State = Settled, a.Code, a.State
	}
	w.write(events...)
	return answers, nil
}

func encoded(v any) godwit.Payload {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types are ours
	}
	return godwit.Payload{Encoding: godwit.EncodingJSON, Data: data}
}

// Cancel tells what was answered.
func (w *witness) Cancel(ctx context.Context, r []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	answers, err := w.Store.Cancel(ctx, r)
	if err != nil {
		return nil, err
	}
	w.points.pass("after-cancel")
	for i, a := range answers {
		w.write(Event{Kind: Cancelled, Job: r[i].ID, Code: a.Code, State: a.State})
	}
	return answers, nil
}

// Retry tells that it is about to be done.
func (w *witness) Retry(ctx context.Context, r []godwit.RetryRequest) ([]godwit.SettleAnswer, error) {
	for _, item := range r {
		w.write(Event{Kind: Retrying, Job: item.ID})
	}
	answers, err := w.Store.Retry(ctx, r)
	w.points.pass("after-retry")
	return answers, err
}

// Park passes its point.
func (w *witness) Park(ctx context.Context, r []godwit.ParkRequest) ([]godwit.SettleAnswer, error) {
	defer w.points.pass("after-park")
	return w.Store.Park(ctx, r)
}

// Resume passes its point.
func (w *witness) Resume(ctx context.Context, tokens []godwit.Token) ([]godwit.SettleAnswer, error) {
	defer w.points.pass("after-resume")
	return w.Store.Resume(ctx, tokens)
}

// Rescue passes its point when it moved something.
func (w *witness) Rescue(ctx context.Context, limit int) (godwit.RescueAnswer, error) {
	a, err := w.Store.Rescue(ctx, limit)
	if len(a.Sessions) > 0 {
		w.points.pass("after-rescue")
	}
	return a, err
}

// Advance passes its point when it moved something.
func (w *witness) Advance(ctx context.Context, limit int) (godwit.AdvanceAnswer, error) {
	a, err := w.Store.Advance(ctx, limit)
	if a.Ready+a.Expired+a.Cancelled > 0 {
		w.points.pass("after-advance")
	}
	return a, err
}

// Heartbeat passes its point.
func (w *witness) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	defer w.points.pass("after-heartbeat")
	return w.Store.Heartbeat(ctx, r)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
