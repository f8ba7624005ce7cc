package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

func readRules() []rule {
	return []rule{
		{"get answers in the order asked", ruleGetOrder},
		{"a list is filtered", ruleListFilters},
		{"a list comes in pages, newest first", ruleListPages},
		{"a list leaves arguments and results out", ruleListLight},
		{"queues and tasks are counted", ruleCounts},
		{"a queue goes when nothing is left of it", ruleQueueGoes},
	}
}

func ruleGetOrder(r *rig) {
	a, b := r.plain(), r.plain()
	none := r.id()
	answers, err := r.store.Get(r.ctx, []godwit.ID{b, none, a, b})
	r.ok(err)
	var got []godwit.ID
	for _, x := range answers {
		got = append(got, x.Job.ID)
	}
	r.want("the jobs", got, []godwit.ID{b, {}, a, b})
	r.code("an unknown id", answers[1].Code, godwit.CodeNotFound)
	outcomes, err := r.store.Outcomes(r.ctx, []godwit.ID{none, a})
	r.ok(err)
	r.want("the outcomes", outcomes, []godwit.OutcomeAnswer{{Code: godwit.CodeNotFound}, {State: godwit.StateReady}})
}

func (r *rig) list(f godwit.ListFilter) []godwit.ID {
	r.Helper()
	page, err := r.store.List(r.ctx, f)
	r.ok(err)
	ids := []godwit.ID{}
	for i := range page.Jobs {
		ids = append(ids, page.Jobs[i].ID)
	}
	return ids
}

func ruleListFilters(r *rig) {
	worker := r.session()
	parent := r.running(worker)
	a, b, c := r.job(), r.child(parent, "b"), r.job()
	a.Queue, a.Tags = "aside", []string{"red", "blue"}
	b.Tags = []string{"blue"}
	c.Task, c.Delay = "other", time.Hour
	r.submit(a, b, c)
	for name, x := range map[string]struct {
		filter godwit.ListFilter
		want   []godwit.ID
	}{
		"everything":     {godwit.ListFilter{}, []godwit.ID{c.ID, b.ID, a.ID, parent.Job}},
		"a state":        {godwit.ListFilter{State: godwit.StateReady}, []godwit.ID{b.ID, a.ID}},
		"running":        {godwit.ListFilter{State: godwit.StateRunning}, []godwit.ID{parent.Job}},
		"a queue":        {godwit.ListFilter{Queue: "aside"}, []godwit.ID{a.ID}},
		"a task":         {godwit.ListFilter{Task: "other"}, []godwit.ID{c.ID}},
		"a tag":          {godwit.ListFilter{Tag: "blue"}, []godwit.ID{b.ID, a.ID}},
		"another tag":    {godwit.ListFilter{Tag: "red"}, []godwit.ID{a.ID}},
		"part of a tag":  {godwit.ListFilter{Tag: "re"}, []godwit.ID{}},
		"a parent":       {godwit.ListFilter{Parent: parent.Job}, []godwit.ID{b.ID}},
		"several":        {godwit.ListFilter{Tag: "blue", Queue: "queue", State: godwit.StateReady}, []godwit.ID{b.ID}},
		"before":         {godwit.ListFilter{Before: b.ID}, []godwit.ID{a.ID, parent.Job}},
		"none of a task": {godwit.ListFilter{Task: "no such"}, []godwit.ID{}},
	} {
		r.want(name, r.list(x.filter), x.want)
	}
}

func ruleListPages(r *rig) {
	var want []godwit.ID
	for range 7 {
		want = append(want, r.plain())
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 7, 8} {
		var got []godwit.ID
		for _, j := range allJobs(r.ctx, r.TB, r.store, limit) {
			got = append(got, j.ID)
		}
		r.want("the pages", got, want)
	}
	page, err := r.store.List(r.ctx, godwit.ListFilter{Limit: 7})
	r.ok(err)
	r.want("the cursor of the last page", page.Next, godwit.ID{})
	page, err = r.store.List(r.ctx, godwit.ListFilter{Limit: 6})
	r.ok(err)
	r.want("the cursor of a full page", page.Next, want[5])
}

func ruleListLight(r *rig) {
	token := r.running(r.session())
	r.finish(token, godwit.OutcomeSucceed)
	page, err := r.store.List(r.ctx, godwit.ListFilter{})
	r.ok(err)
	want := r.get(token.Job)
	want.Args, want.Result = godwit.Payload{}, godwit.Payload{}
	r.want("the job in the list", page.Jobs, []godwit.Job{want})
}

func ruleCounts(r *rig) {
	worker := r.start(godwit.NewSession{
		Queues: []string{"queue", "idle"},
		Tasks:  []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 1}, {Task: "task", MinVersion: 3, MaxVersion: 4}},
	})
	oldest := r.now()
	r.running(worker)
	r.plain()
	r.clock.Advance(time.Second)
	held := r.job()
	held.Version = 2
	r.add(held)
	r.later(time.Hour)
	r.cancel(r.plain(), "")
	r.ok(r.store.PauseQueue(r.ctx, "paused", true))
	r.ok(r.store.PauseTask(r.ctx, "paused", true))
	queues, err := r.store.Queues(r.ctx)
	r.ok(err)
	depth := map[godwit.State]int{godwit.StateRunning: 1, godwit.StateReady: 2, godwit.StateScheduled: 1}
	r.want("the queues", queues, []godwit.QueueInfo{
		{Name: "idle", Workers: 1},
		{Name: "paused", Paused: true},
		{Name: "queue", Depth: depth, Held: 1, OldestReady: oldest, Workers: 1},
	})
	tasks, err := r.store.Tasks(r.ctx)
	r.ok(err)
	r.want("the tasks", tasks, []godwit.TaskInfo{{Name: "paused", Paused: true}, {Name: "task", Depth: depth, Workers: 1}})
}

func ruleQueueGoes(r *rig) {
	id := r.plain()
	worker := r.session()
	r.cancel(id, "")
	r.end(worker)
	queues, err := r.store.Queues(r.ctx)
	r.ok(err)
	r.want("the queues", queues, []godwit.QueueInfo{})
	tasks, err := r.store.Tasks(r.ctx)
	r.ok(err)
	r.want("the tasks", tasks, []godwit.TaskInfo{})
}

func callRules() []rule {
	return []rule{
		{"a closed store refuses every call", ruleClosed},
		{"a cancelled context is refused before the call", ruleCancelledContext},
		{"a batch over its bound is refused", ruleBatchBound},
		{"a limit below one is refused", ruleLimits},
		{"an empty batch is no fault", ruleEmptyBatch},
		{"events come in the order of the commits", ruleEventOrder},
		{"no event comes after stop", ruleWatchStop},
		{"arguments are not kept", ruleArguments},
		{"what was kept is there when the store is opened again", ruleReopen},
	}
}

// everyCall is one call of each method.
func (r *rig) everyCall() []call {
	none := r.id()
	token := godwit.Token{Job: none, Run: 1, Session: none}
	rows := rowsRequest{ID: none, Limit: 1}
	return []call{
		callOf("submit", []godwit.NewJob{r.job()}, godwit.Store.Submit),
		callOf("start_session", godwit.NewSession{ID: none, Lease: time.Minute}, godwit.Store.StartSession),
		callOf("heartbeat", godwit.HeartbeatRequest{Session: none}, godwit.Store.Heartbeat),
		callOf("end_session", none, godwit.Store.EndSession),
		callOf("rescue", 1, godwit.Store.Rescue),
		callOf("claim", godwit.ClaimRequest{Session: none, Queue: "queue", Limit: 1}, godwit.Store.Claim),
		callOf("settle", []godwit.Settlement{{Token: token, Outcome: godwit.OutcomeFail}}, godwit.Store.Settle),
		callOf("park", []godwit.ParkRequest{{Token: token, Await: []godwit.ID{none}}}, godwit.Store.Park),
		callOf("resume", []godwit.Token{token}, godwit.Store.Resume),
		callOf("report", []godwit.Report{{Token: token}}, godwit.Store.Report),
		callOf("advance", 1, godwit.Store.Advance),
		callOf("prune", 1, godwit.Store.Prune),
		callOf("cancel", []godwit.CancelRequest{{ID: none}}, godwit.Store.Cancel),
		callOf("retry", []godwit.RetryRequest{{ID: none}}, godwit.Store.Retry),
		callOf("reschedule", []godwit.RescheduleRequest{{ID: none}}, godwit.Store.Reschedule),
		callOf("delete", []godwit.ID{none}, godwit.Store.Delete),
		pauseOf("pause_queue", pauseRequest{"queue", true}, godwit.Store.PauseQueue),
		pauseOf("pause_task", pauseRequest{"task", true}, godwit.Store.PauseTask),
		callOf("get", []godwit.ID{none}, godwit.Store.Get),
		callOf("outcomes", []godwit.ID{none}, godwit.Store.Outcomes),
		callOf("list", godwit.ListFilter{}, godwit.Store.List),
		attemptsOf(none), rowsOf("logs", rows, godwit.Store.Logs), rowsOf("items", rows, godwit.Store.Items),
		readOf("queues", godwit.Store.Queues), readOf("tasks", godwit.Store.Tasks), readOf("sessions", godwit.Store.Sessions),
	}
}

func ruleClosed(r *rig) {
	other := &rig{TB: r.TB, ctx: r.ctx, cfg: r.cfg, clock: NewClock()}
	other.store = r.cfg.Open(r.TB, other.clock)
	for range 2 {
		if err := other.store.Close(); err != nil {
			r.Fatalf("close: %v", err)
		}
	}
	for _, c := range other.everyCall() {
		if _, err := c.do(r.ctx, other.store); !errors.Is(err, godwit.ErrClosed) {
			r.Errorf("%s on a closed store gives the error %v", c.kind, err)
		}
	}
}

func ruleCancelledContext(r *rig) {
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	calls := r.everyCall()
	if len(calls) != len(kinds) {
		r.Errorf("%d calls for %d kinds", len(calls), len(kinds))
	}
	r.told()
	for _, c := range calls {
		if _, err := c.do(ctx, r.store); !errors.Is(err, context.Canceled) {
			r.Errorf("%s under a cancelled context gives the error %v", c.kind, err)
		}
	}
	r.want("the events", r.told(), []godwit.Event{})
	r.want("the jobs", len(allJobs(r.ctx, r.TB, r.store, 10)), 0)
}

func ruleBatchBound(r *rig) {
	over := make([]godwit.ID, godwit.BatchMax+1)
	for _, c := range []call{
		callOf("submit", make([]godwit.NewJob, len(over)), godwit.Store.Submit),
		callOf("settle", make([]godwit.Settlement, len(over)), godwit.Store.Settle),
		callOf("park", make([]godwit.ParkRequest, len(over)), godwit.Store.Park),
		callOf("resume", make([]godwit.Token, len(over)), godwit.Store.Resume),
		callOf("report", make([]godwit.Report, len(over)), godwit.Store.Report),
		callOf("cancel", make([]godwit.CancelRequest, len(over)), godwit.Store.Cancel),
		callOf("retry", make([]godwit.RetryRequest, len(over)), godwit.Store.Retry),
		callOf("reschedule", make([]godwit.RescheduleRequest, len(over)), godwit.Store.Reschedule),
		callOf("delete", over, godwit.Store.Delete),
		callOf("get", over, godwit.Store.Get),
		callOf("outcomes", over, godwit.Store.Outcomes),
	} {
		if _, err := c.do(r.ctx, r.store); !errors.Is(err, godwit.ErrTooLarge) {
			r.Errorf("%s of %d items gives the error %v", c.kind, len(over), err)
		}
	}
}

func ruleLimits(r *rig) {
	for _, c := range []call{
		callOf("rescue", 0, godwit.Store.Rescue), callOf("advance", 0, godwit.Store.Advance), callOf("prune", -1, godwit.Store.Prune),
	} {
		if _, err := c.do(r.ctx, r.store); !errors.Is(err, godwit.ErrInvalid) {
			r.Errorf("%s with the limit %v gives the error %v", c.kind, c.req, err)
		}
	}
}

func ruleEmptyBatch(r *rig) {
	if answers, err := r.store.Submit(r.ctx, nil); err != nil || len(answers) != 0 {
		r.Errorf("submit of nothing gives %v, %v", answers, err)
	}
	if answers, err := r.store.Settle(r.ctx, nil); err != nil || len(answers) != 0 {
		r.Errorf("settle of nothing gives %v, %v", answers, err)
	}
	if answers, err := r.store.Get(r.ctx, nil); err != nil || len(answers) != 0 {
		r.Errorf("get of nothing gives %v, %v", answers, err)
	}
}

// ruleEventOrder lets goroutines change jobs of their own; the events of each have to come in the order of its changes.
func ruleEventOrder(r *rig) {
	if r.events == nil {
		return
	}
	const workers, rounds = 4, 10
	var ids []godwit.ID
	for range workers {
		ids = append(ids, r.plain())
	}
	r.told()
	var group sync.WaitGroup
	for _, id := range ids {
		group.Go(func() {
			for range rounds {
				if _, err := r.store.Cancel(r.ctx, []godwit.CancelRequest{{ID: id}}); err != nil {
					r.Error(err)
				}
				if _, err := r.store.Retry(r.ctx, []godwit.RetryRequest{{ID: id}}); err != nil {
					r.Error(err)
				}
			}
		})
	}
	group.Wait()
	got := map[godwit.ID][]godwit.EventKind{}
	for _, e := range r.told() {
		got[e.Job] = append(got[e.Job], e.Kind)
	}
	for _, id := range ids {
		r.want("the events of a job", got[id], slices.Repeat([]godwit.EventKind{godwit.EventCancelled, godwit.EventRetried}, rounds))
	}
}

func ruleWatchStop(r *rig) {
	if r.events == nil {
		return
	}
	second := watch(r.store)
	r.plain()
	second.takeAll(r.TB)
	second.stop()
	r.plain()
	r.told() // the store has told all it will
	second.mu.Lock()
	defer second.mu.Unlock()
	r.want("the events after stop", second.list, []godwit.Event{})
}

func ruleArguments(r *rig) {
	n := r.job()
	n.Tags, n.Headers = []string{"red"}, map[string]string{"a": "b"}
	r.add(n)
	want := r.get(n.ID)
	n.Tags[0], n.Headers["a"], n.Args.Data[0] = "blue", "c", '!'
	got := r.get(n.ID)
	if got.Tags[0] != "red" || got.Headers["a"] != "b" || got.Args.Data[0] != '{' {
		r.Errorf("the store kept what the caller changed: %s", describeShort(got))
	}
	got.Tags[0], got.Headers["a"] = "blue", "c" // an answer belongs to the caller
	r.want("the job, after an answer was changed", r.get(n.ID).Tags, []string{"red"})
	r.want("the time", want.CreatedAt, got.CreatedAt)
}

func ruleReopen(r *rig) {
	if r.cfg.Reopen == nil {
		return
	}
	worker := r.session()
	token := r.running(worker)
	r.report(token, r.lines(2))
	r.running(worker)
	r.finish(token, godwit.OutcomeRetry)
	r.later(time.Hour)
	r.ok(r.store.PauseQueue(r.ctx, "queue", true))
	before := allJobs(r.ctx, r.TB, r.store, 10)
	log := r.logs(token.Job, 0, 10)
	r.clock.Advance(time.Second)
	now := r.now()
	r.clock.Advance(-time.Hour)
	if r.events != nil {
		r.events.stop()
	}
	r.store = r.cfg.Reopen(r.TB, r.store, r.clock)
	r.events = watch(r.store)
	r.want("store time, when the clock was set back meanwhile", r.now(), now)
	r.want("the jobs", allJobs(r.ctx, r.TB, r.store, 10), before)
	r.want("the log", r.logs(token.Job, 0, 10), log)
	r.code("a claim before a heartbeat", r.claim(worker, "queue", 1).Code, godwit.CodeLeaseExpired)
	r.ok(r.store.PauseQueue(r.ctx, "queue", false))
	r.heartbeat(worker)
	r.run(worker, "queue", token.Job)
}
