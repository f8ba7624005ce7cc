package postgres

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

func childOf(parent godwit.Token, name string) godwit.NewJob {
	n := newJob()
	n.Parent, n.ChildName = parent, name
	return n
}

// TestMergedCallsAreAnsweredOneByOne makes calls of all kinds of answers in one transaction.
func TestMergedCallsAreAnsweredOneByOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 {
		b.submit(newJob())
	}
	parents := b.claim(b.store, 2)
	there := childOf(parents[0], "there")
	b.submit(there)
	stale := parents[1]
	stale.Run++
	again := there
	again.ID = godwit.NewID()
	other := again
	other.Fingerprint[0]++
	first, twice := childOf(parents[1], "twice"), childOf(parents[1], "twice")
	key := newJob()
	key.Idempotency = godwit.IdempotencyKey{Scope: "s", Key: "k", For: time.Hour}

	var calls []*asked[godwit.NewJob, godwit.SubmitAnswer]
	for _, n := range []godwit.NewJob{childOf(parents[0], "new"), childOf(stale, "stale"), again, other, first, twice, key} {
		calls = append(calls, &asked[godwit.NewJob, godwit.SubmitAnswer]{item: n})
	}
	err := b.store.call(t.Context(), b.store.conns, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := b.store.keyed.do(ctx, conn, calls)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ready := godwit.StateReady
	want := []asked[godwit.NewJob, godwit.SubmitAnswer]{
		{answer: godwit.SubmitAnswer{ID: calls[0].item.ID, Created: true, State: ready}},
		{answer: godwit.SubmitAnswer{Code: godwit.CodeStaleRun}},
		{alone: true}, // it tells how a job stands that claims may take at any time
		{answer: godwit.SubmitAnswer{Code: godwit.CodeChildMismatch}},
		{answer: godwit.SubmitAnswer{ID: first.ID, Created: true, State: ready}},
		{answer: godwit.SubmitAnswer{ID: first.ID, State: ready}},
		{answer: godwit.SubmitAnswer{ID: key.ID, Created: true, State: ready}},
	}
	for i, c := range calls {
		if c.alone != want[i].alone || !c.alone && c.answer != want[i].answer {
			t.Errorf("call %d: %+v, alone %t, want %+v, alone %t", i, c.answer, c.alone, want[i].answer, want[i].alone)
		}
	}
	transactions := 0
	err = connect(t, b.url).QueryRow(t.Context(), "SELECT count(DISTINCT xmin::text) FROM godwit.places WHERE id = ANY($1)",
		uuids([]godwit.ID{calls[0].item.ID, first.ID, key.ID})).Scan(&transactions)
	if err != nil || transactions != 1 {
		t.Errorf("the jobs were made by %d transactions, %v", transactions, err)
	}
}

// TestACallThatIsLeftAloneLeavesNothingBehind submits a child that is there to a parent that was retried by hand, which ties the child to the
// new try: only the call that is answered may do so.
func TestACallThatIsLeftAloneLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob())
	parent := b.claim(b.store, 1)[0]
	child := childOf(parent, "child")
	child.Detached, child.RunAt = true, b.store.Now().Add(time.Hour)
	b.submit(child)
	fail := godwit.Settlement{Token: parent, Outcome: godwit.OutcomeFail, Failure: &godwit.Failure{Code: godwit.CodeFailed}}
	if a, err := b.store.Settle(t.Context(), []godwit.Settlement{fail}); err != nil || a[0].Code != "" {
		t.Fatalf("settle: %+v, %v", a, err)
	}
	if a, err := b.store.Retry(t.Context(), []godwit.RetryRequest{{ID: parent.Job}}); err != nil || a[0].Code != "" {
		t.Fatalf("retry: %+v, %v", a, err)
	}
	id := child.ID
	child.ID, child.Parent = godwit.NewID(), b.claim(b.store, 1)[0]
	call := &asked[godwit.NewJob, godwit.SubmitAnswer]{item: child}
	epoch := func() (n int) {
		row := connect(t, b.url).QueryRow(t.Context(), "SELECT epoch FROM godwit.children WHERE parent = $1", uuid(parent.Job))
		if err := row.Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	err := b.store.call(t.Context(), b.store.conns, func(ctx context.Context, conn *pgxpool.Conn) error {
		_, err := b.store.keyed.do(ctx, conn, []*asked[godwit.NewJob, godwit.SubmitAnswer]{call})
		return err
	})
	if got := epoch(); err != nil || !call.alone || got != 0 {
		t.Errorf("left alone: %t, %v; the child belongs to try %d of its parent, want 0", call.alone, err, got)
	}
	answers, err := b.store.Submit(t.Context(), []godwit.NewJob{child})
	if got := epoch(); err != nil || answers[0].Code != "" || answers[0].ID != id || got != 1 {
		t.Errorf("by itself: %+v, %v; the child belongs to try %d, want 1", answers, err, got)
	}
}

// TestALockedJobHoldsUpNobodyElse keeps one parent locked, as an application does that has cancelled it and not committed yet: the others
// start their children, park and go on.
func TestALockedJobHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	b := setupOn(t, Config{URL: pgtest.Database(t), Conns: 8})
	for range 2 {
		b.submit(newJob())
	}
	parents := b.claim(b.store, 2)
	conn := connect(t, b.url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM godwit.places WHERE id = $1 FOR UPDATE", uuid(parents[0].Job)); err != nil {
		t.Fatal(err)
	}
	var held sync.WaitGroup
	held.Go(func() { b.submit(childOf(parents[0], "held up")) })
	watch := connect(t, b.url)
	b.eventually("the call for the locked job waits", func() bool {
		waiting := 0
		err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		return err == nil && waiting > 0
	})
	id := b.submit(childOf(parents[1], "free"))
	if a, err := b.store.Park(t.Context(), []godwit.ParkRequest{{Token: parents[1], Await: []godwit.ID{id}}}); err != nil || a[0].Code != "" {
		t.Errorf("park: %+v, %v", a, err)
	}
	if a, err := b.store.Resume(t.Context(), []godwit.Token{parents[1]}); err != nil || a[0].Code != "" {
		t.Errorf("resume: %+v, %v", a, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	held.Wait()
}

// TestOutcomesThatAreAskedForTogether asks for many jobs, each in a call of its own.
func TestOutcomesThatAreAskedForTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var ids []godwit.ID
	for range 40 {
		ids = append(ids, b.submit(newJob()))
	}
	tokens := b.claim(b.store, 20)
	for _, token := range tokens[:10] {
		if _, err := b.store.Settle(t.Context(), []godwit.Settlement{succeed(token)}); err != nil {
			t.Fatal(err)
		}
	}
	ids = append(ids, godwit.NewID())
	want, err := b.store.Outcomes(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]godwit.OutcomeAnswer, len(ids))
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			a, err := b.store.Outcomes(t.Context(), []godwit.ID{id})
			if err != nil {
				t.Errorf("outcome of %s: %v", id, err)
				return
			}
			got[i] = a[0]
		})
	}
	all.Wait()
	same := func(a, b godwit.OutcomeAnswer) bool {
		return a.Code == b.Code && a.State == b.State && slices.Equal(a.Result.Data, b.Result.Data)
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("asked one by one: %+v, all at once: %+v", got, want)
	}
}
