package victim

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash"
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
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill() // nothing is left that could be told
	}
	select {}
}

// Points are those at which a life can end by its own hand: in a handler, before and after calls of the store, and, when
// the store is a file of SQLite, on either side of a write and of a sync.
func Points(file bool) []string {
	all := []string{
		"mid-job", "after-effect", "before-submit", "after-submit", "after-claim", "before-settle", "after-settle", "after-park",
		"after-resume", "after-cancel", "after-retry", "before-report", "after-report", "after-rescue", "after-advance", "after-heartbeat",
		"after-pause", "after-reschedule", "after-delete", "after-prune",
	}
	if file {
		all = append(all, "write-wal", "before-sync-wal", "after-sync-wal", "write-db", "before-sync-db", "after-sync-db")
	}
	return all
}

// witness wraps the store: it writes into the log what the store was asked and what it answered, and passes the points
// between the two.
type witness struct {
	godwit.Store // what is not wrapped
	log          *crash.Log
	points       *points
	fail         func(error)
	mayMeet      func(error) bool // whether an error is one that a late settle may meet
	started      func()           // called when a worker has its first session
	once         sync.Once

	mu     sync.Mutex
	tokens map[godwit.ID]godwit.Token // guarded by mu: the newest of each job
	stale  map[godwit.ID]godwit.Token // guarded by mu: the one before
}

// watchedWitness is the witness of a store that tells of changes.
type watchedWitness struct {
	*witness
	godwit.Watcher
}

var (
	_ godwit.Store   = watchedWitness{}
	_ godwit.Watcher = watchedWitness{}
)

func (w *witness) write(events ...crash.Event) {
	if err := w.log.Write(events...); err != nil {
		w.fail(err)
	}
}

// StartSession lets the rest begin. What follows from a session that ended is told by Claim: it names the session of each run.
func (w *witness) StartSession(ctx context.Context, n godwit.NewSession) (godwit.SessionAnswer, error) {
	a, err := w.Store.StartSession(ctx, n)
	if err == nil && a.Code == "" {
		w.once.Do(w.started)
	}
	return a, err
}

// Submit tells of the submissions of children, before and after. Of the others their submitter tells, who lives on.
func (w *witness) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	children := map[int]*crash.Event{}
	for i := range jobs {
		if j := &jobs[i]; !j.Parent.Job.IsZero() {
			children[i] = &crash.Event{
				Kind: crash.Submitting, Asked: j.ID, Task: j.Task, Args: string(j.Args.Data), Parent: j.Parent.Job, Name: j.ChildName,
			}
			w.write(*children[i])
		}
	}
	w.points.pass("before-submit")
	answers, err := w.Store.Submit(ctx, jobs)
	if err != nil {
		return nil, err
	}
	w.points.pass("after-submit")
	for i, a := range answers {
		if e := children[i]; e != nil {
			e.Kind, e.Job, e.Created, e.State, e.Code = crash.Submitted, a.ID, a.Created, a.State, a.Code
			w.write(*e)
		}
	}
	return answers, nil
}

// Claim tells what was handed out.
func (w *witness) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	begun := time.Now().UnixMicro()
	a, err := w.Store.Claim(ctx, r)
	if err != nil || len(a.Jobs) == 0 {
		return a, err
	}
	w.points.pass("after-claim")
	events := make([]crash.Event, 0, len(a.Jobs))
	w.mu.Lock()
	for i := range a.Jobs {
		j := &a.Jobs[i]
		if before, ok := w.tokens[j.ID]; ok {
			w.stale[j.ID] = before
		}
		w.tokens[j.ID] = godwit.Token{Job: j.ID, Run: j.Run, Session: r.Session}
		events = append(events, crash.Event{
			Kind: crash.Claimed, Job: j.ID, Run: j.Run, Session: r.Session, Crashes: j.Crashes, Task: j.Task, Queue: j.Queue, Begun: begun,
		})
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
		again.Outcome, again.Result, again.Failure = godwit.OutcomeSucceed, encoded(crash.Result{Value: -1, Run: again.Run}), nil
		if _, err := w.settle(ctx, []godwit.Settlement{again}, true); err != nil && !w.mayMeet(err) {
			w.fail(err)
		}
	}
	return answers, err
}

func (w *witness) settle(ctx context.Context, s []godwit.Settlement, zombie bool) ([]godwit.SettleAnswer, error) {
	events := make([]crash.Event, 0, len(s))
	for _, item := range s {
		events = append(events, crash.Event{Kind: crash.Settling, Job: item.Job, Run: item.Run, Session: item.Session, Outcome: item.Outcome, Delay: item.Delay, Zombie: zombie})
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
		events[i].Kind, events[i].Code, events[i].State = crash.Settled, a.Code, a.State
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

// Cancel passes its point.
func (w *witness) Cancel(ctx context.Context, r []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	defer w.points.pass("after-cancel")
	return w.Store.Cancel(ctx, r)
}

// Retry passes its point.
func (w *witness) Retry(ctx context.Context, r []godwit.RetryRequest) ([]godwit.SettleAnswer, error) {
	defer w.points.pass("after-retry")
	return w.Store.Retry(ctx, r)
}

// Report passes its points.
func (w *witness) Report(ctx context.Context, r []godwit.Report) ([]godwit.SettleAnswer, error) {
	w.points.pass("before-report")
	defer w.points.pass("after-report")
	return w.Store.Report(ctx, r)
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

// Rescue tells which sessions it ended.
func (w *witness) Rescue(ctx context.Context, limit int) (godwit.RescueAnswer, error) {
	a, err := w.Store.Rescue(ctx, limit)
	for _, session := range a.Sessions {
		w.write(crash.Event{Kind: crash.Rescued, Session: session})
	}
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

// PauseQueue passes its point.
func (w *witness) PauseQueue(ctx context.Context, queue string, paused bool) error {
	defer w.points.pass("after-pause")
	return w.Store.PauseQueue(ctx, queue, paused)
}

// PauseTask passes its point.
func (w *witness) PauseTask(ctx context.Context, task string, paused bool) error {
	defer w.points.pass("after-pause")
	return w.Store.PauseTask(ctx, task, paused)
}

// Reschedule passes its point.
func (w *witness) Reschedule(ctx context.Context, r []godwit.RescheduleRequest) ([]godwit.SettleAnswer, error) {
	defer w.points.pass("after-reschedule")
	return w.Store.Reschedule(ctx, r)
}

// Delete passes its point.
func (w *witness) Delete(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	defer w.points.pass("after-delete")
	return w.Store.Delete(ctx, ids)
}

// Prune passes its point when it removed something.
func (w *witness) Prune(ctx context.Context, limit int) (godwit.PruneAnswer, error) {
	a, err := w.Store.Prune(ctx, limit)
	if a.Pruned > 0 {
		w.points.pass("after-prune")
	}
	return a, err
}
