package storetest

import (
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

func settleRules() []rule {
	return []rule{
		{"a settle that was carried out is a duplicate and changes nothing", ruleSettleTwice},
		{"items of one call see those before them", ruleSettleOrder},
		{"a result is kept", ruleSettleResult},
		{"what a settle reports is recorded with it", ruleSettleReports},
		{"a settle whose report goes over a bound may be repeated without", ruleSettleOverBound},
		{"log lines and items are numbered over all runs", ruleReports},
		{"a numbered report is recorded once", ruleReportNumbers},
		{"attempt records are bounded", ruleRecordsBounded},
		{"the failure of the newest record is shown", ruleFailureShown},
		{"retries stop at the maximum", ruleAttemptsUsed},
	}
}

func ruleSettleTwice(r *rig) {
	token := r.running(r.session())
	r.finish(token, godwit.OutcomeFail)
	before := r.get(token.Job)
	r.told()
	r.clock.Advance(time.Second)
	for _, o := range []godwit.Outcome{godwit.OutcomeFail, godwit.OutcomeSucceed, godwit.OutcomeRelease} {
		r.want(string(o), r.settle(godwit.Settlement{Token: token, Outcome: o}), godwit.SettleAnswer{Code: godwit.CodeDuplicate, State: godwit.StateFailed})
	}
	r.want("the job", r.get(token.Job), before)
	r.wantKinds("duplicates")
	never := r.running(token.Session)
	never.Run = 0
	r.code("a run below 1", r.settle(godwit.Settlement{Token: never, Outcome: godwit.OutcomeFail}).Code, godwit.CodeStaleRun)
}

func ruleSettleOrder(r *rig) {
	worker := r.session()
	a, b := r.running(worker), r.running(worker)
	answers, err := r.store.Settle(r.ctx, []godwit.Settlement{
		{Token: a, Outcome: godwit.OutcomeSucceed},
		{Token: a, Outcome: godwit.OutcomeFail},
		{Token: godwit.Token{Job: r.id(), Run: 1, Session: worker}, Outcome: godwit.OutcomeFail},
		{Token: b, Outcome: godwit.OutcomeSucceed},
	})
	r.ok(err)
	r.want("the answers", answers, []godwit.SettleAnswer{
		{State: godwit.StateSucceeded}, {Code: godwit.CodeDuplicate, State: godwit.StateSucceeded}, {Code: godwit.CodeNotFound}, {State: godwit.StateSucceeded},
	})
}

func ruleSettleResult(r *rig) {
	token := r.running(r.session())
	result := godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`{"x":[1,2]}`)}
	data := result.Data
	r.settle(godwit.Settlement{Token: token, Outcome: godwit.OutcomeSucceed, Result: godwit.Payload{Encoding: result.Encoding, Data: data}})
	data[0] = '!' // the store has its own
	want := godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`{"x":[1,2]}`)}
	r.want("the result", r.get(token.Job).Result, want)
	outcomes, err := r.store.Outcomes(r.ctx, []godwit.ID{token.Job})
	r.want("the outcome", one(r, outcomes, err), godwit.OutcomeAnswer{State: godwit.StateSucceeded, Result: want})
}

func (r *rig) lines(n int) godwit.Reported {
	var reported godwit.Reported
	for i := range n {
		reported.Logs = append(reported.Logs, godwit.LogLine{At: r.now(), Level: "INFO", Message: fmt.Sprint(i)})
		reported.Items = append(reported.Items, godwit.Payload{Encoding: godwit.EncodingJSON, Data: fmt.Append(nil, i)})
	}
	return reported
}

func (r *rig) logs(id godwit.ID, after int64, limit int) []godwit.LogLine {
	r.Helper()
	lines, code, err := r.store.Logs(r.ctx, id, after, limit)
	r.ok(err)
	r.code("the log", code, "")
	return lines
}

func (r *rig) items(id godwit.ID, after int64, limit int) []godwit.Item {
	r.Helper()
	items, code, err := r.store.Items(r.ctx, id, after, limit)
	r.ok(err)
	r.code("the items", code, "")
	return items
}

func ruleSettleReports(r *rig) {
	token := r.running(r.session())
	reported := r.lines(1)
	reported.Progress = &godwit.Progress{Done: 3, Total: 3, Message: "done"}
	r.settle(godwit.Settlement{Token: token, Outcome: godwit.OutcomeSucceed, Reported: reported})
	r.want("the progress", r.get(token.Job).Progress, &godwit.Progress{Done: 3, Total: 3, Message: "done", At: r.now()})
	r.want("the log", r.logs(token.Job, 0, 10), []godwit.LogLine{{Seq: 1, Run: 1, At: r.now(), Level: "INFO", Message: "0"}})
	r.want("the items", r.items(token.Job, 0, 10), []godwit.Item{{Seq: 1, Run: 1, Data: reported.Items[0]}})
}

func ruleSettleOverBound(r *rig) {
	token := r.running(r.session())
	r.want("a full log", r.report(token, godwit.Reported{Logs: make([]godwit.LogLine, godwit.LogLinesMax)}), godwit.SettleAnswer{State: godwit.StateRunning})
	over := godwit.Settlement{Token: token, Outcome: godwit.OutcomeSucceed, Reported: r.lines(1)}
	r.want("one more line", r.settle(over), godwit.SettleAnswer{Code: godwit.CodeLimitReached, State: godwit.StateRunning})
	r.want("the items of a refused settle", len(r.items(token.Job, 0, 10)), 0)
	over.Reported.Logs = nil
	r.want("items and no line", r.settle(over), godwit.SettleAnswer{State: godwit.StateSucceeded})
}

func ruleReports(r *rig) {
	worker := r.session()
	token := r.running(worker)
	r.report(token, r.lines(3))
	r.finish(token, godwit.OutcomeRetry)
	r.report(r.run(worker, "queue", token.Job), r.lines(2))
	var seqs, runs []int64
	for _, line := range r.logs(token.Job, 1, 3) {
		seqs, runs = append(seqs, line.Seq), append(runs, line.Run)
	}
	r.want("the numbers of a page", seqs, []int64{2, 3, 4})
	r.want("the runs of a page", runs, []int64{1, 1, 2})
	r.want("items after the fourth", len(r.items(token.Job, 4, 10)), 1)
	r.want("items after the last", len(r.items(token.Job, 5, 10)), 0)
}

func ruleRecordsBounded(r *rig) {
	worker := r.session()
	id := r.plain()
	for range godwit.AttemptsKeptMax + 3 {
		r.finish(r.run(worker, "queue", id), godwit.OutcomeRelease)
	}
	records := r.attempts(id)
	if len(records) != godwit.AttemptsKeptMax || records[0].Run != 4 || records[len(records)-1].Run != godwit.AttemptsKeptMax+3 {
		r.Errorf("%d records are kept, the first is %s", len(records), describeShort(records[0]))
	}
}

func ruleFailureShown(r *rig) {
	worker := r.session()
	token := r.running(worker)
	fail := godwit.Settlement{Token: token, Outcome: godwit.OutcomeRetry, Failure: &godwit.Failure{Code: godwit.CodePanic, Message: "boom", Stack: "x.go:1"}}
	r.settle(fail)
	r.want("after a retry", r.get(token.Job).Failure, fail.Failure)
	token = r.run(worker, "queue", token.Job)
	r.finish(token, godwit.OutcomeRelease)
	r.want("after a release, too", r.get(token.Job).Failure, fail.Failure)
	r.finish(r.run(worker, "queue", token.Job), godwit.OutcomeSucceed)
	if f := r.get(token.Job).Failure; f != nil {
		r.Errorf("a job that succeeded shows the failure %+v", f)
	}
}

func ruleAttemptsUsed(r *rig) {
	worker := r.session()
	id := r.plain()
	for _, want := range []godwit.State{godwit.StateReady, godwit.StateReady, godwit.StateFailed} {
		r.finish(r.run(worker, "queue", id), godwit.OutcomeRetry)
		r.state(id, want)
	}
}

func waitRules() []rule {
	return []rule{
		{"all: the last that settles wakes", ruleWaitAll},
		{"any: the first that settles wakes", ruleWaitAny},
		{"a job that waits may wait for more, of which any wakes it", ruleWaitUnion},
		{"naming again what is awaited changes nothing", ruleWaitAgain},
		{"a wait without a holder ends in the queue", ruleWaitUnheld},
		{"a woken job whose holder goes is ready", ruleWaitWokenUnheld},
		{"a resume forgets what was waited for", ruleWaitResume},
		{"a waiting job may be settled", ruleWaitSettle},
		{"an ancestor is not awaited", ruleWaitCycle},
		{"a pruned promise counts as settled", ruleWaitPruned},
	}
}

// waiting parks a fresh run on fresh jobs of another queue.
func (r *rig) waiting(worker godwit.ID, anyOf bool, n int) (godwit.Token, []godwit.ID) {
	r.Helper()
	token := r.running(worker)
	var ids []godwit.ID
	for range n {
		other := r.job()
		other.Queue = "aside"
		ids = append(ids, r.add(other))
	}
	if a := r.park(token, anyOf, append(ids, ids[0])...); a.Code != "" || a.State != godwit.StateWaiting {
		r.Fatalf("park answers %+v", a)
	}
	r.told()
	return token, ids
}

func ruleWaitAll(r *rig) {
	token, ids := r.waiting(r.session(), false, 2)
	r.cancel(ids[0], "")
	r.wantKinds("the first", godwit.EventCancelled)
	r.cancel(ids[1], "")
	r.wantKinds("the last", godwit.EventCancelled, godwit.EventWoken)
	r.state(token.Job, godwit.StateWaiting)
	r.want("the resume", r.resume(token), godwit.SettleAnswer{State: godwit.StateRunning})
}

func ruleWaitAny(r *rig) {
	token, ids := r.waiting(r.session(), true, 2)
	r.cancel(ids[1], "")
	r.wantKinds("one of them", godwit.EventCancelled, godwit.EventWoken)
	r.cancel(ids[0], "")
	r.wantKinds("the other", godwit.EventCancelled, godwit.EventWoken)
	r.state(token.Job, godwit.StateWaiting)
	r.end(token.Session)
	r.state(token.Job, godwit.StateReady)
}

func ruleWaitUnion(r *rig) {
	token, ids := r.waiting(r.session(), false, 2)
	third := r.job()
	third.Queue = "aside"
	r.add(third)
	r.told()
	r.want("the second park", r.park(token, false, third.ID), godwit.SettleAnswer{State: godwit.StateWaiting})
	r.wantKinds("the second park")
	r.cancel(ids[0], "")
	r.wantKinds("any of them", godwit.EventCancelled, godwit.EventWoken)
	r.want("a park when it is woken", r.park(token, false, third.ID), godwit.SettleAnswer{State: godwit.StateWaiting})
	r.end(token.Session)
	r.state(token.Job, godwit.StateReady)
}

func ruleWaitAgain(r *rig) {
	token, ids := r.waiting(r.session(), false, 2)
	r.want("the second park", r.park(token, false, ids[1]), godwit.SettleAnswer{State: godwit.StateWaiting})
	r.told()
	r.cancel(ids[0], "")
	r.wantKinds("one of two", godwit.EventCancelled)
	r.cancel(ids[1], "")
	r.wantKinds("both", godwit.EventCancelled, godwit.EventWoken)
}

func ruleWaitUnheld(r *rig) {
	worker := r.session()
	token, ids := r.waiting(worker, false, 1)
	runAt := r.get(token.Job).RunAt
	r.clock.Advance(time.Second)
	r.end(worker)
	j := r.get(token.Job)
	if j.State != godwit.StateWaiting || !j.Session.IsZero() || j.Attempt != 0 || j.Releases != 1 {
		r.Errorf("without its holder the job is %s", describeShort(j))
	}
	r.told()
	r.cancel(ids[0], "")
	r.wantKinds("the settle", godwit.EventCancelled, godwit.EventReady)
	r.want("its turn", r.get(token.Job).RunAt, runAt)
	next := r.run(r.session(), "queue", token.Job)
	if next.Run != 2 {
		r.Errorf("the next run is %d, want 2", next.Run)
	}
}

func ruleWaitWokenUnheld(r *rig) {
	token, ids := r.waiting(r.session(), false, 1)
	r.cancel(ids[0], "")
	r.end(token.Session)
	r.state(token.Job, godwit.StateReady)
}

func ruleWaitResume(r *rig) {
	token, ids := r.waiting(r.session(), false, 2)
	r.resume(token)
	r.told()
	r.cancel(ids[0], "")
	r.wantKinds("what is no longer awaited", godwit.EventCancelled)
	r.want("a park on the other", r.park(token, false, ids[1]), godwit.SettleAnswer{State: godwit.StateWaiting})
	r.told()
	r.cancel(ids[1], "")
	r.wantKinds("the other", godwit.EventCancelled, godwit.EventWoken)
}

func ruleWaitSettle(r *rig) {
	token, ids := r.waiting(r.session(), false, 1)
	r.finish(token, godwit.OutcomeSucceed)
	r.state(token.Job, godwit.StateSucceeded)
	r.told()
	r.cancel(ids[0], "")
	r.wantKinds("what nobody awaits", godwit.EventCancelled)
}

func ruleWaitCycle(r *rig) {
	worker := r.session()
	top := r.running(worker)
	middle := r.run(worker, "queue", r.add(r.child(top, "a")))
	low := r.run(worker, "queue", r.add(r.child(middle, "a")))
	r.code("a wait for the parent's parent", r.park(low, true, top.Job).Code, godwit.CodeAwaitCycle)
	r.code("a wait for a child", r.park(top, false, low.Job).Code, "")
	r.cancel(top.Job, "")
	r.code("a wait for an ancestor that is final", r.park(low, true, top.Job).Code, godwit.CodeSettled)
}

func ruleWaitPruned(r *rig) {
	gone := r.plain()
	r.cancel(gone, "")
	r.delete(gone)
	token := r.running(r.session())
	r.code("a wait for a pruned job", r.park(token, false, gone).Code, godwit.CodeSettled)
	open := r.plain()
	r.code("a wait for it and another", r.park(token, false, gone, open).Code, "")
	r.resume(token)
	r.code("a wait for any of them", r.park(token, true, gone, open).Code, godwit.CodeSettled)
}

func retryRules() []rule {
	return []rule{
		{"a job retried by hand starts anew", ruleRetryFresh},
		{"a deadline that has passed is dropped", ruleRetryDeadline},
		{"other arguments are taken", ruleRetryArgs},
		{"the unique key is taken again", ruleRetryUnique},
		{"a parent retried by hand is not cancelled with its children", ruleRetryCascade},
	}
}

func ruleRetryFresh(r *rig) {
	worker := r.session()
	token := r.running(worker)
	r.report(token, r.lines(1))
	r.finish(token, godwit.OutcomeRelease)
	token = r.run(worker, "queue", token.Job)
	r.cancel(token.Job, "stop")
	r.finish(token, godwit.OutcomeFail)
	r.clock.Advance(time.Second)
	r.want("the retry", r.retry(godwit.RetryRequest{ID: token.Job}), godwit.SettleAnswer{State: godwit.StateReady})
	j := r.get(token.Job)
	if j.Attempt != 0 || j.Run != 2 || j.Releases != 1 || j.Retries != 1 || !j.CancelRequestedAt.IsZero() || !j.StartedAt.IsZero() {
		r.Errorf("the job is %s", describeShort(j))
	}
	r.want("the records", len(r.attempts(token.Job)), 2)
	r.want("the log", len(r.logs(token.Job, 0, 10)), 1)
	r.finish(r.run(worker, "queue", token.Job), godwit.OutcomeSucceed)
	r.want("a retry of a success", r.retry(godwit.RetryRequest{ID: token.Job}), godwit.SettleAnswer{Code: godwit.CodeWrongState, State: godwit.StateSucceeded})
}

func ruleRetryDeadline(r *rig) {
	past, coming := r.job(), r.job()
	past.Deadline, coming.Deadline = r.now().Add(time.Minute), r.now().Add(time.Hour)
	r.submit(past, coming)
	r.cancel(coming.ID, "")
	r.clock.Advance(time.Minute)
	r.advance(10)
	for _, id := range []godwit.ID{past.ID, coming.ID} {
		r.retry(godwit.RetryRequest{ID: id})
	}
	r.want("a deadline gone by", r.get(past.ID).Deadline, time.Time{})
	r.want("a deadline to come", r.get(coming.ID).Deadline, coming.Deadline)
}

func ruleRetryArgs(r *rig) {
	id := r.plain()
	r.cancel(id, "")
	args := godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`{"new":1}`)}
	r.retry(godwit.RetryRequest{ID: id, Args: &args, Version: 2})
	worker := r.start(godwit.NewSession{Queues: []string{"queue"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 2, MaxVersion: 2}}})
	a := r.claim(worker, "queue", 1)
	if len(a.Jobs) != 1 || a.Jobs[0].Version != 2 || string(a.Jobs[0].Args.Data) != `{"new":1}` {
		r.Errorf("the claim answers %s", describeShort(a))
	}
}

func ruleRetryUnique(r *rig) {
	first := r.add(r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse))
	r.cancel(first, "")
	second := r.add(r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse))
	r.want("a retry while it is held", r.retry(godwit.RetryRequest{ID: first}), godwit.SettleAnswer{Code: godwit.CodeUniqueConflict, State: godwit.StateCancelled})
	r.cancel(second, "")
	r.want("a retry", r.retry(godwit.RetryRequest{ID: first}), godwit.SettleAnswer{State: godwit.StateReady})
	r.code("the key", r.submit(r.unique(godwit.UniqueUnfinished, godwit.ClashRefuse))[0].Code, godwit.CodeUniqueConflict)
}

func ruleRetryCascade(r *rig) {
	parent := r.running(r.session())
	child := r.add(r.child(parent, "a"))
	r.cancelRunning(parent)
	r.retry(godwit.RetryRequest{ID: parent.Job})
	if a := r.advance(10); a.Cancelled != 0 || a.More {
		r.Errorf("the advance answers %+v", a)
	}
	r.state(child, godwit.StateReady)
}

func ruleReportNumbers(r *rig) {
	worker := r.session()
	token := r.running(worker)
	for i, c := range []struct {
		seq  int64
		code godwit.Code
		want int // log lines afterwards
	}{
		{1, "", 2}, {1, godwit.CodeDuplicate, 2}, {0, "", 4}, {3, "", 6}, {2, godwit.CodeDuplicate, 6}, {3, godwit.CodeDuplicate, 6}, {4, "", 8},
	} {
		if a := r.numbered(token, c.seq, r.lines(2)); a.Code != c.code || a.State != godwit.StateRunning {
			r.Errorf("report %d, number %d: answered %+v, want %q", i, c.seq, a, c.code)
		}
		if n := len(r.logs(token.Job, 0, 100)); n != c.want {
			r.Errorf("report %d, number %d: there are %d log lines, want %d", i, c.seq, n, c.want)
		}
	}
	r.finish(token, godwit.OutcomeRelease)
	again := r.run(worker, "queue", token.Job)
	if a := r.numbered(again, 1, r.lines(1)); a.Code != "" || len(r.logs(token.Job, 0, 100)) != 9 {
		r.Errorf("the next run begins anew: answered %+v", a)
	}
	if a := r.numbered(token, 5, r.lines(1)); a.Code != godwit.CodeStaleRun {
		r.Errorf("a report of the run before answered %+v", a)
	}
}
