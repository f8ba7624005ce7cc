package model

import (
	"context"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Settle ends runs.
func (s *Store) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, items, func(w *world, now time.Time, item godwit.Settlement) godwit.SettleAnswer {
		return w.settle(&item, now)
	})
}

// fence finds the job of a token and the conditions that hold about the token.
func (w *world) fence(t godwit.Token) (states.Place, *job, states.Cond) {
	place, j := w.place(t.Job)
	var holds states.Cond
	if w.sessions[t.Session] == nil {
		holds |= states.SessionEnded
	}
	if j == nil {
		return place, nil, holds
	}
	underWay := j.view.State == godwit.StateRunning || j.view.State == godwit.StateWaiting
	if j.view.Run != t.Run || t.Run < 1 || underWay && j.view.Session != t.Session {
		holds |= states.OtherRun
	}
	if !j.view.CancelRequestedAt.IsZero() {
		holds |= states.CancelRequested
	}
	return place, j, holds
}

// refuse makes the answer of a row that changes nothing.
func refuse(r *states.Row, j *job) godwit.SettleAnswer {
	a := godwit.SettleAnswer{Code: r.Code}
	if j != nil && r.Code != godwit.CodeSessionEnded && r.Code != godwit.CodeStaleRun {
		a.State = j.view.State
	}
	return a
}

func (w *world) settle(s *godwit.Settlement, now time.Time) godwit.SettleAnswer {
	op, ok := states.OpOf(s.Outcome)
	if !ok {
		return godwit.SettleAnswer{Code: godwit.CodeInvalid}
	}
	place, j, holds := w.fence(s.Token)
	runAt := now.Add(s.Delay).Truncate(time.Microsecond)
	if j != nil {
		if j.view.Attempt >= j.view.MaxAttempts {
			holds |= states.AttemptsUsed
		}
		if passed(j, runAt) {
			holds |= states.Deadline
		}
		if j.overLimit(&s.Reported) {
			holds |= states.Limit
		}
	}
	if runAt.After(now) {
		holds |= states.Delayed
	}
	row := states.Decide(op, place, holds)
	if !row.Changes() {
		return refuse(row, j)
	}
	own := cloneFailure(s.Failure)
	if own == nil && (op == states.OpFail || op == states.OpRetry || op == states.OpReject) {
		own = &godwit.Failure{Code: godwit.CodeFailed}
	}
	kept := states.FailureKept(row, own, j.cancelReason)
	w.report(j, &s.Reported, now)
	if op == states.OpSucceed {
		j.view.Result, kept, own = clonePayload(s.Result), nil, nil
	}
	if op == states.OpRetry || op == states.OpSnooze {
		if row.To == states.Place(godwit.StateScheduled) || row.To == states.Place(godwit.StateReady) {
			j.view.RunAt = runAt
		}
	}
	w.apply(row, j, now, kept, own)
	return godwit.SettleAnswer{State: j.view.State}
}

// passed reports whether the job's deadline is not after the time.
func passed(j *job, at time.Time) bool {
	return !j.view.Deadline.IsZero() && !j.view.Deadline.After(at)
}

// Report records what handlers say.
func (s *Store) Report(ctx context.Context, items []godwit.Report) ([]godwit.SettleAnswer, error) {
	return batch(ctx, s, items, func(w *world, now time.Time, item godwit.Report) godwit.SettleAnswer {
		place, j, holds := w.fence(item.Token)
		if j != nil && j.overLimit(&item.Reported) {
			holds |= states.Limit
		}
		if j != nil && item.Seq > 0 && j.reportedRun == item.Run && item.Seq <= j.reportedSeq {
			holds |= states.Repeated
		}
		row := states.Decide(states.OpReport, place, holds)
		if !row.Changes() {
			return refuse(row, j)
		}
		w.report(j, &item.Reported, now)
		if item.Seq > 0 {
			j.reportedRun, j.reportedSeq = item.Run, item.Seq
		}
		w.apply(row, j, now, nil, nil)
		return godwit.SettleAnswer{State: j.view.State}
	})
}

func (j *job) overLimit(r *godwit.Reported) bool {
	return len(r.Logs) > 0 && len(j.logs)+len(r.Logs) > godwit.LogLinesMax ||
		len(r.Items) > 0 && len(j.items)+len(r.Items) > godwit.ItemsMax
}

func (w *world) report(j *job, r *godwit.Reported, now time.Time) {
	if r.Progress != nil {
		p := *r.Progress
		p.At = now
		j.view.Progress = &p
	}
	for _, line := range r.Logs {
		line.Seq, line.Run = int64(len(j.logs)+1), j.view.Run
		line.At = line.At.UTC().Truncate(time.Microsecond)
		j.logs = append(j.logs, line)
	}
	for _, data := range r.Items {
		j.items = append(j.items, godwit.Item{Seq: int64(len(j.items) + 1), Run: j.view.Run, Data: clonePayload(data)})
	}
}
