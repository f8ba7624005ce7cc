package victim

import (
	"context"
	"errors"

	"github.com/godwit-go/godwit"
)

// The faults that can be planted in the store of many machines.
const (
	AmbiguousDone  Fault = "ambiguous commit answered as done" // a write that was cut off during its commit is answered as if it had happened
	UnfencedRescue Fault = "rescue that does not fence"        // a run that was taken from its worker can still be settled by it
)

// loose is a store with a fault that shows only when the server or the network does.
type loose struct {
	godwit.Store
	fault Fault
}

// Submit believes that a commit of which nobody knows has happened.
func (l loose) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	answers, err := l.Store.Submit(ctx, jobs)
	if l.fault != AmbiguousDone || !errors.Is(err, godwit.ErrOutcomeUnknown) {
		return answers, err
	}
	answers = make([]godwit.SubmitAnswer, len(jobs))
	for i := range jobs {
		answers[i] = godwit.SubmitAnswer{ID: jobs[i].ID, Created: true, State: godwit.StateReady}
	}
	return answers, nil
}

// Settle believes the same, or lets whoever comes settle the run that goes on.
func (l loose) Settle(ctx context.Context, s []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	answers, err := l.Store.Settle(ctx, s)
	switch {
	case l.fault == AmbiguousDone && errors.Is(err, godwit.ErrOutcomeUnknown):
		answers = make([]godwit.SettleAnswer, len(s))
		for i := range s {
			if s[i].Outcome == godwit.OutcomeSucceed {
				answers[i].State = godwit.StateSucceeded
			}
		}
		return answers, nil
	case l.fault == UnfencedRescue && err == nil:
		return l.settleAnyway(ctx, s, answers)
	}
	return answers, err
}

func (l loose) settleAnyway(ctx context.Context, s []godwit.Settlement, answers []godwit.SettleAnswer) ([]godwit.SettleAnswer, error) {
	for i, a := range answers {
		if a.Code != godwit.CodeSessionEnded && a.Code != godwit.CodeStaleRun {
			continue
		}
		jobs, err := l.Get(ctx, []godwit.ID{s[i].Job})
		if err != nil {
			return nil, err
		}
		job := &jobs[0].Job
		if jobs[0].Code != "" || job.State != godwit.StateRunning {
			continue
		}
		again := s[i]
		again.Token = godwit.Token{Job: job.ID, Run: job.Run, Session: job.Session}
		settled, err := l.Store.Settle(ctx, []godwit.Settlement{again})
		if err != nil {
			return nil, err
		}
		answers[i] = settled[0]
	}
	return answers, nil
}
