package postgres

import (
	"context"
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Settle ends runs.
func (s *Store) Settle(ctx context.Context, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	if successes(items) {
		if done, err := s.settles.call(ctx, s, items); err != nil {
			return nil, err
		} else if done {
			return slices.Repeat([]godwit.SettleAnswer{{State: godwit.StateSucceeded}}, len(items)), nil
		}
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) { return u.settleAll(items) })
}

func (u *unit) settleAll(items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	tokens := make([]godwit.Token, len(items))
	for i := range items {
		tokens[i] = items[i].Token
	}
	if err := u.loadTokens(tokens); err != nil {
		return nil, err
	}
	if err := u.prepareEnds(jobsOf(tokens)); err != nil {
		return nil, err
	}
	if err := u.loadReported(tokens, func(i int) *godwit.Reported { return &items[i].Reported }); err != nil {
		return nil, err
	}
	return each(items, u.settle)
}

// one makes the answers of a call of one item.
func one[A any](answer A, err error) ([]A, error) {
	if err != nil {
		return nil, err
	}
	return []A{answer}, nil
}

// each runs an operation item by item.
func each[Q any](items []Q, op func(item *Q) (godwit.SettleAnswer, error)) ([]godwit.SettleAnswer, error) {
	answers := make([]godwit.SettleAnswer, len(items))
	for i := range items {
		var err error
		if answers[i], err = op(&items[i]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// fence finds the job of a token and the conditions that hold about the token.
func (u *unit) fence(t godwit.Token) (*job, states.Cond, error) {
	j, err := u.get(t.Job)
	if err != nil {
		return nil, 0, err
	}
	var holds states.Cond
	if !u.sessions[t.Session] {
		holds |= states.SessionEnded
	}
	if j.run != t.Run || t.Run < 1 || j.kind.underWay() && j.session != t.Session {
		holds |= states.OtherRun
	}
	if j.cancelRequestedAt != 0 {
		holds |= states.CancelRequested
	}
	return j, holds, nil
}

// refuse makes the answer of a row that changes nothing.
func (u *unit) refuse(r *states.Row, j *job) godwit.SettleAnswer {
	a := godwit.SettleAnswer{Code: r.Code}
	if r.Code != godwit.CodeSessionEnded && r.Code != godwit.CodeStaleRun {
		a.State = u.glimpse(j)
	}
	return a
}

func (u *unit) settle(s *godwit.Settlement) (godwit.SettleAnswer, error) {
	op, ok := states.OpOf(s.Outcome)
	if !ok {
		return godwit.SettleAnswer{Code: godwit.CodeInvalid}, nil
	}
	j, holds, err := u.fence(s.Token)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	runAt := after(u.now, s.Delay)
	if j.attempt >= j.maxAttempts {
		holds |= states.AttemptsUsed
	}
	if j.passed(runAt) {
		holds |= states.Deadline
	}
	if runAt > u.now {
		holds |= states.Delayed
	}
	over, err := u.overLimit(j, &s.Reported)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	if over {
		holds |= states.Limit
	}
	row := states.Decide(op, u.place(j), holds)
	if !row.Changes() {
		return u.refuse(row, j), nil
	}
	if err := u.report(j, &s.Reported); err != nil {
		return godwit.SettleAnswer{}, err
	}
	kept, own := failures(op, row, j, s.Failure)
	if op == states.OpSucceed {
		j.result = s.Result
	}
	if op == states.OpRetry || op == states.OpSnooze {
		if k := kindOf(row.To); k == scheduled || k == ready {
			j.runAt = runAt
		}
	}
	if err := u.apply(row, j, kept, own); err != nil {
		return godwit.SettleAnswer{}, err
	}
	return godwit.SettleAnswer{State: j.kind.state()}, nil
}

// failures gives the failure that a job keeps after a settle and the one of the run itself.
func failures(op states.Op, row *states.Row, j *job, given *godwit.Failure) (kept, own *godwit.Failure) {
	if op == states.OpSucceed {
		return nil, nil
	}
	if given != nil {
		f := *given
		own = &f
	} else if op == states.OpFail || op == states.OpRetry || op == states.OpReject {
		own = &godwit.Failure{Code: godwit.CodeFailed}
	}
	return states.FailureKept(row, own, j.cancelReason), own
}

// Report records progress, log lines and items.
func (s *Store) Report(ctx context.Context, items []godwit.Report) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return write(ctx, s, func(u *unit) ([]godwit.SettleAnswer, error) {
		tokens := make([]godwit.Token, len(items))
		for i := range items {
			tokens[i] = items[i].Token
		}
		if err := u.loadTokens(tokens); err != nil {
			return nil, err
		}
		if err := u.loadReported(tokens, func(i int) *godwit.Reported { return &items[i].Reported }); err != nil {
			return nil, err
		}
		return each(items, u.reportOne)
	})
}

// loadReported loads what the handlers of those jobs said of which something is reported now.
func (u *unit) loadReported(tokens []godwit.Token, reported func(i int) *godwit.Reported) error {
	var jobs []*job
	for i := range tokens {
		r, j := reported(i), u.jobs[tokens[i].Job]
		if j.kind.underWay() && (r.Progress != nil || len(r.Logs) > 0 || len(r.Items) > 0) {
			jobs = append(jobs, j)
		}
	}
	return u.loadReports(jobs)
}

// reportOf gives what the handlers of a job said.
func (u *unit) reportOf(j *job) (*report, error) {
	err := u.loadReports([]*job{j})
	return j.report, err
}

func (u *unit) reportOne(r *godwit.Report) (godwit.SettleAnswer, error) {
	j, holds, err := u.fence(r.Token)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	over, err := u.overLimit(j, &r.Reported)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	if over {
		holds |= states.Limit
	}
	repeated, err := u.repeated(j, r)
	if err != nil {
		return godwit.SettleAnswer{}, err
	}
	if repeated {
		holds |= states.Repeated
	}
	row := states.Decide(states.OpReport, u.place(j), holds)
	if !row.Changes() {
		return u.refuse(row, j), nil
	}
	if err := u.report(j, &r.Reported); err != nil {
		return godwit.SettleAnswer{}, err
	}
	if err := u.number(j, r); err != nil {
		return godwit.SettleAnswer{}, err
	}
	u.tell(row.Event, j, "") // nothing but the report changes, so the place is not written
	return godwit.SettleAnswer{State: j.kind.state()}, nil
}

// overLimit reports whether a job would have more log lines or items than it may.
func (u *unit) overLimit(j *job, r *godwit.Reported) (bool, error) {
	if len(r.Logs) == 0 && len(r.Items) == 0 || !j.kind.underWay() {
		return false, nil
	}
	rep, err := u.reportOf(j)
	if err != nil {
		return false, err
	}
	return len(r.Logs) > 0 && rep.logs+int64(len(r.Logs)) > godwit.LogLinesMax ||
		len(r.Items) > 0 && rep.items+int64(len(r.Items)) > godwit.ItemsMax, nil
}

// repeated reports whether a numbered report, or a later one of the same run, was recorded before.
func (u *unit) repeated(j *job, r *godwit.Report) (bool, error) {
	if r.Seq <= 0 || !j.kind.underWay() {
		return false, nil
	}
	rep, err := u.reportOf(j)
	return err == nil && rep.run == r.Run && r.Seq <= rep.seq, err
}

// number notes the number of a report that was recorded.
func (u *unit) number(j *job, r *godwit.Report) error {
	if r.Seq <= 0 {
		return nil
	}
	rep, err := u.reportOf(j)
	if err != nil {
		return err
	}
	if !j.reported {
		j.reported, j.dirty = true, true
	}
	rep.run, rep.seq, rep.dirty = r.Run, r.Seq, true
	return nil
}

// report records what a handler said.
func (u *unit) report(j *job, r *godwit.Reported) error {
	if r.Progress == nil && len(r.Logs) == 0 && len(r.Items) == 0 {
		return nil
	}
	rep, err := u.reportOf(j)
	if err != nil {
		return err
	}
	if !j.reported {
		j.reported, j.dirty = true, true
	}
	rep.dirty = true
	if r.Progress != nil {
		p := *r.Progress
		p.At = fromMicros(u.now)
		rep.progress = &p
	}
	for i := range r.Logs {
		l := r.Logs[i]
		rep.logs++
		l.Seq, l.Run = rep.logs, j.run
		u.lines = append(u.lines, line{job: j.id, log: &l})
	}
	for _, data := range r.Items {
		rep.items++
		u.lines = append(u.lines, line{job: j.id, item: &godwit.Item{Seq: rep.items, Run: j.run, Data: data}})
	}
	return nil
}
