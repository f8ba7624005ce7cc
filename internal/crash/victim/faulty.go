package victim

import (
	"context"
	"slices"
	"sync"

	"github.com/godwit-go/godwit"
)

// Fault is a defect of the store that the harness must find.
type Fault string

// The faults that can be planted. The store below does its work; what is planted is between it and the program.
const (
	NoFault       Fault = ""
	LostJob       Fault = "lost job"                // a submission is acknowledged that nobody keeps
	DoubleWinner  Fault = "double winner"           // one run is handed out twice
	ZombieSettle  Fault = "zombie settle"           // a run that is over settles the one that goes on
	RefundedToken Fault = "refunded token accepted" // a run number is used again when its attempt was given back
	ForgottenActs Fault = "forgotten acts"          // pauses, reschedules and deletes are acknowledged, and nothing comes of them
	GoneEarly     Fault = "gone early"              // a job that is kept for a short time answers expired at once
	ChangedResult Fault = "changed result"          // a promise tells something else when it is asked again
)

// faulty is a store with a fault.
type faulty struct {
	godwit.Store
	fault Fault

	mu    sync.Mutex
	runs  map[godwit.ID]godwit.Token // guarded by mu: the newest of each job, as the store has it
	again []godwit.Job               // guarded by mu: handed out by the last claim
	asked map[godwit.ID]int          // guarded by mu: how often for its outcome
}

func newFaulty(store godwit.Store, fault Fault) *faulty {
	return &faulty{Store: store, fault: fault, runs: map[godwit.ID]godwit.Token{}, asked: map[godwit.ID]int{}}
}

// Submit loses some jobs.
func (f *faulty) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		jobs[i].Parent = f.below(jobs[i].Parent)
	}
	if f.fault == LostJob && len(jobs) == 1 && jobs[0].ID[15]%4 == 0 {
		return []godwit.SubmitAnswer{{ID: jobs[0].ID, Created: true, State: godwit.StateReady}}, nil
	}
	return f.Store.Submit(ctx, jobs)
}

// Claim hands some jobs out twice, or under a number that was used.
func (f *faulty) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	a, err := f.Store.Claim(ctx, r)
	if err != nil {
		return a, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range a.Jobs {
		j := &a.Jobs[i]
		f.runs[j.ID] = godwit.Token{Job: j.ID, Run: j.Run, Session: r.Session}
		if f.fault == RefundedToken {
			j.Run = int64(j.Attempt)
		}
	}
	if f.fault == DoubleWinner && len(a.Jobs) < r.Limit {
		repeated := f.again
		f.again = slices.Clone(a.Jobs)
		a.Jobs = append(a.Jobs, repeated[:min(len(repeated), r.Limit-len(a.Jobs))]...)
	}
	return a, nil
}

// below gives the token as the store has it.
func (f *faulty) below(t godwit.Token) godwit.Token {
	if f.fault != RefundedToken && f.fault != ZombieSettle {
		return t
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if newest, ok := f.runs[t.Job]; ok {
		return newest
	}
	return t
}

// above gives tokens as the program knows them.
func (f *faulty) above(asked, answered []godwit.Token) []godwit.Token {
	if f.fault != RefundedToken {
		return answered
	}
	return slices.DeleteFunc(slices.Clone(asked), func(t godwit.Token) bool {
		return !slices.ContainsFunc(answered, func(a godwit.Token) bool { return a.Job == t.Job })
	})
}

// Settle does not look at the number of the run.
func (f *faulty) Settle(ctx context.Context, s []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	s = slices.Clone(s)
	for i := range s {
		s[i].Token = f.below(s[i].Token)
	}
	return f.Store.Settle(ctx, s)
}

// Park passes the token on.
func (f *faulty) Park(ctx context.Context, r []godwit.ParkRequest) ([]godwit.SettleAnswer, error) {
	r = slices.Clone(r)
	for i := range r {
		r[i].Token = f.below(r[i].Token)
	}
	return f.Store.Park(ctx, r)
}

// Resume passes the tokens on.
func (f *faulty) Resume(ctx context.Context, tokens []godwit.Token) ([]godwit.SettleAnswer, error) {
	return f.Store.Resume(ctx, f.allBelow(tokens))
}

// Report passes the token on.
func (f *faulty) Report(ctx context.Context, r []godwit.Report) ([]godwit.SettleAnswer, error) {
	r = slices.Clone(r)
	for i := range r {
		r[i].Token = f.below(r[i].Token)
	}
	return f.Store.Report(ctx, r)
}

// Heartbeat passes the tokens on, both ways.
func (f *faulty) Heartbeat(ctx context.Context, r godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	asked := r.Runs
	r.Runs = f.allBelow(asked)
	a, err := f.Store.Heartbeat(ctx, r)
	a.Cancelled, a.Lost = f.above(asked, a.Cancelled), f.above(asked, a.Lost)
	return a, err
}

func (f *faulty) allBelow(tokens []godwit.Token) []godwit.Token {
	below := make([]godwit.Token, 0, len(tokens))
	for _, t := range tokens {
		below = append(below, f.below(t))
	}
	return below
}

// PauseQueue forgets it.
func (f *faulty) PauseQueue(ctx context.Context, queue string, paused bool) error {
	if f.fault == ForgottenActs {
		return nil
	}
	return f.Store.PauseQueue(ctx, queue, paused)
}

// PauseTask forgets it.
func (f *faulty) PauseTask(ctx context.Context, task string, paused bool) error {
	if f.fault == ForgottenActs {
		return nil
	}
	return f.Store.PauseTask(ctx, task, paused)
}

// Reschedule forgets the time, and not that a job is to run now.
func (f *faulty) Reschedule(ctx context.Context, r []godwit.RescheduleRequest) ([]godwit.SettleAnswer, error) {
	if f.fault == ForgottenActs && !r[0].RunAt.IsZero() {
		return make([]godwit.SettleAnswer, len(r)), nil
	}
	return f.Store.Reschedule(ctx, r)
}

// Delete forgets it.
func (f *faulty) Delete(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
	if f.fault == ForgottenActs {
		return make([]godwit.SettleAnswer, len(ids)), nil
	}
	return f.Store.Delete(ctx, ids)
}

// Get changes some results, or says that what is kept for a short time is gone.
func (f *faulty) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	answers, err := f.Store.Get(ctx, ids)
	for i := range answers {
		if j := &answers[i].Job; f.fault == GoneEarly && j.State.Final() && j.KeepSucceeded == keepBrief {
			answers[i] = godwit.JobAnswer{Code: godwit.CodeExpired}
		}
	}
	if err != nil || f.fault != ChangedResult {
		return answers, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range answers {
		j := &answers[i].Job
		if f.asked[j.ID]++; j.State == godwit.StateSucceeded && f.asked[j.ID]%2 == 0 {
			j.Result = godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`{"value":-1,"run":1}`)}
		}
	}
	return answers, nil
}
