package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// rig is a fresh store with a clock and what makes calling it short. Its methods end the test when a call fails; refusals are
// answers and are the test's to judge.
type rig struct {
	testing.TB
	ctx    context.Context
	cfg    Config
	clock  *Clock
	store  godwit.Store
	events *eventLog // nil: the store tells none

	made int // ids and names made
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	r := &rig{TB: t, ctx: t.Context(), cfg: cfg, clock: NewClock()}
	r.store = cfg.Open(t, r.clock)
	r.events = watch(r.store)
	t.Cleanup(r.close)
	return r
}

func (r *rig) close() {
	r.Helper()
	if !r.Failed() {
		Check(r.TB, r.store)
	}
	if r.events != nil {
		r.events.stop()
	}
	if err := r.store.Close(); err != nil {
		r.Errorf("close the store: %v", err)
	}
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// want fails the test when two values differ, saying where.
func (r *rig) want(what string, got, want any) {
	r.Helper()
	if diff := difference(got, want); diff != "" {
		r.Errorf("%s (- is wanted, + is what the store gave):\n%s", what, diff)
	}
}

// id makes an id greater than those before.
func (r *rig) id() godwit.ID {
	r.made++
	return testID(uint64(r.made), uint64(r.made)*0x9e3779b97f4a7c15)
}

// testID makes an id that sorts by its first number.
func testID(order, random uint64) godwit.ID {
	var id godwit.ID
	for i := range 6 {
		id[i] = byte(order >> 12 >> (40 - 8*i))
	}
	id[6] = 0x70 | byte(order>>8)&0x0f
	id[7] = byte(order)
	for i := range 8 {
		id[8+i] = byte(random >> (56 - 8*i))
	}
	id[8] = 0x80 | id[8]&0x3f
	return id
}

func (r *rig) name(prefix string) string {
	r.made++
	return fmt.Sprintf("%s%d", prefix, r.made)
}

// now is the store's time.
func (r *rig) now() time.Time { return r.store.Now() }

// job is a plain submission of task "task" in queue "queue".
func (r *rig) job() godwit.NewJob {
	return godwit.NewJob{
		ID: r.id(), Task: "task", Version: 1, Queue: "queue",
		Args:        godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`{"a":1}`)},
		MaxAttempts: 3, MaxCrashes: 5, Timeout: time.Minute,
		KeepSucceeded: time.Hour, KeepFailed: 2 * time.Hour,
		Fingerprint: [16]byte{1},
	}
}

func (r *rig) submit(jobs ...godwit.NewJob) []godwit.SubmitAnswer {
	r.Helper()
	answers, err := r.store.Submit(r.ctx, jobs)
	r.ok(err)
	if len(answers) != len(jobs) {
		r.Fatalf("submit of %d jobs answers %d times", len(jobs), len(answers))
	}
	return answers
}

// add submits a job that has to be made.
func (r *rig) add(n godwit.NewJob) godwit.ID {
	r.Helper()
	if a := r.submit(n)[0]; a.Code != "" || !a.Created || a.ID != n.ID {
		r.Fatalf("submit of a plain job answers %+v", a)
	}
	return n.ID
}

// plain adds a plain job.
func (r *rig) plain() godwit.ID {
	r.Helper()
	return r.add(r.job())
}

// session starts a session that serves the queue "queue" and knows the task "task".
func (r *rig) session() godwit.ID {
	r.Helper()
	return r.start(godwit.NewSession{
		Queues: []string{"queue"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 1}},
	})
}

// start starts a session with a lease of an hour unless it has one.
func (r *rig) start(n godwit.NewSession) godwit.ID {
	r.Helper()
	n.ID, n.Host, n.PID = r.id(), "host", 7
	if n.Lease == 0 {
		n.Lease = time.Hour
	}
	a, err := r.store.StartSession(r.ctx, n)
	r.ok(err)
	if a.Code != "" {
		r.Fatalf("start of a session answers %+v", a)
	}
	return n.ID
}

func (r *rig) end(session godwit.ID) {
	r.Helper()
	a, err := r.store.EndSession(r.ctx, session)
	r.ok(err)
	if a.Code != "" {
		r.Fatalf("end of a session answers %+v", a)
	}
}

func (r *rig) heartbeat(session godwit.ID, runs ...godwit.Token) godwit.HeartbeatAnswer {
	r.Helper()
	a, err := r.store.Heartbeat(r.ctx, godwit.HeartbeatRequest{Session: session, Runs: runs})
	r.ok(err)
	return a
}

func (r *rig) claim(session godwit.ID, queue string, limit int) godwit.ClaimAnswer {
	r.Helper()
	a, err := r.store.Claim(r.ctx, godwit.ClaimRequest{Session: session, Queue: queue, Limit: limit})
	r.ok(err)
	return a
}

// run claims the next job of a queue, which has to be the one named.
func (r *rig) run(session godwit.ID, queue string, id godwit.ID) godwit.Token {
	r.Helper()
	a := r.claim(session, queue, 1)
	if a.Code != "" || len(a.Jobs) != 1 || a.Jobs[0].ID != id {
		r.Fatalf("claim in %s answers %q and %d jobs, want the job %s", queue, a.Code, len(a.Jobs), id)
	}
	return godwit.Token{Job: id, Run: a.Jobs[0].Run, Session: session}
}

// running adds a plain job and claims it.
func (r *rig) running(session godwit.ID) godwit.Token {
	r.Helper()
	return r.run(session, "queue", r.plain())
}

func one[T any](r *rig, answers []T, err error) T {
	r.Helper()
	r.ok(err)
	if len(answers) != 1 {
		r.Fatalf("a call about one job answers %d times", len(answers))
	}
	return answers[0]
}

func (r *rig) settle(s godwit.Settlement) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Settle(r.ctx, []godwit.Settlement{s})
	return one(r, answers, err)
}

// finish settles a run, which has to be accepted.
func (r *rig) finish(token godwit.Token, o godwit.Outcome) {
	r.Helper()
	s := godwit.Settlement{Token: token, Outcome: o}
	switch o {
	case godwit.OutcomeSucceed:
		s.Result = godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`"done"`)}
	case godwit.OutcomeFail, godwit.OutcomeRetry, godwit.OutcomeReject:
		s.Failure = &godwit.Failure{Code: godwit.CodeFailed, Message: "no luck"}
	}
	if a := r.settle(s); a.Code != "" {
		r.Fatalf("%s answers %+v", o, a)
	}
}

func (r *rig) park(token godwit.Token, anyOf bool, await ...godwit.ID) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Park(r.ctx, []godwit.ParkRequest{{Token: token, Await: await, Any: anyOf}})
	return one(r, answers, err)
}

func (r *rig) resume(token godwit.Token) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Resume(r.ctx, []godwit.Token{token})
	return one(r, answers, err)
}

func (r *rig) report(token godwit.Token, reported godwit.Reported) godwit.SettleAnswer {
	r.Helper()
	return r.numbered(token, 0, reported)
}

// numbered reports under a number.
func (r *rig) numbered(token godwit.Token, seq int64, reported godwit.Reported) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Report(r.ctx, []godwit.Report{{Token: token, Seq: seq, Reported: reported}})
	return one(r, answers, err)
}

func (r *rig) cancel(id godwit.ID, reason string) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Cancel(r.ctx, []godwit.CancelRequest{{ID: id, Reason: reason}})
	return one(r, answers, err)
}

func (r *rig) retry(q godwit.RetryRequest) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Retry(r.ctx, []godwit.RetryRequest{q})
	return one(r, answers, err)
}

func (r *rig) reschedule(q godwit.RescheduleRequest) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Reschedule(r.ctx, []godwit.RescheduleRequest{q})
	return one(r, answers, err)
}

func (r *rig) delete(id godwit.ID) godwit.SettleAnswer {
	r.Helper()
	answers, err := r.store.Delete(r.ctx, []godwit.ID{id})
	return one(r, answers, err)
}

func (r *rig) advance(limit int) godwit.AdvanceAnswer {
	r.Helper()
	a, err := r.store.Advance(r.ctx, limit)
	r.ok(err)
	return a
}

func (r *rig) rescue(limit int) godwit.RescueAnswer {
	r.Helper()
	a, err := r.store.Rescue(r.ctx, limit)
	r.ok(err)
	return a
}

func (r *rig) prune(limit int) godwit.PruneAnswer {
	r.Helper()
	a, err := r.store.Prune(r.ctx, limit)
	r.ok(err)
	return a
}

func (r *rig) look(id godwit.ID) godwit.JobAnswer {
	r.Helper()
	answers, err := r.store.Get(r.ctx, []godwit.ID{id})
	return one(r, answers, err)
}

// get reads a job that has to be there.
func (r *rig) get(id godwit.ID) godwit.Job {
	r.Helper()
	a := r.look(id)
	if a.Code != "" {
		r.Fatalf("get of %s answers %q", id, a.Code)
	}
	return a.Job
}

// code fails the test unless an answer has the code.
func (r *rig) code(what string, got, want godwit.Code) {
	r.Helper()
	if got != want {
		r.Errorf("%s answers %q, want %q", what, got, want)
	}
}

// state fails the test unless a job is in the state.
func (r *rig) state(id godwit.ID, want godwit.State) {
	r.Helper()
	if got := r.get(id).State; got != want {
		r.Errorf("job %s is %s, want %s", id, got, want)
	}
}

func (r *rig) attempts(id godwit.ID) []godwit.Attempt {
	r.Helper()
	list, _, err := r.store.Attempts(r.ctx, id)
	r.ok(err)
	return list
}

// told gives the events since it was last called.
func (r *rig) told() []godwit.Event {
	r.Helper()
	if r.events == nil {
		return nil
	}
	return r.events.takeAll(r.TB)
}

// kinds names the events about jobs told since, as "kind".
func (r *rig) kinds() []godwit.EventKind {
	r.Helper()
	var kinds []godwit.EventKind
	for _, e := range r.told() {
		if !e.Job.IsZero() {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func (r *rig) wantKinds(what string, want ...godwit.EventKind) {
	r.Helper()
	if r.events != nil {
		r.want("events of "+what, r.kinds(), want)
	}
}
