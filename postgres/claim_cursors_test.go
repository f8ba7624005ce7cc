package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

// backlog leaves the store amid a backlog, in which claims go on where the last stopped for as long as the test lasts: of n jobs the
// first three were claimed. It gives their tokens.
func (b *bundle) backlog(n int) []godwit.Token {
	b.Helper()
	for range n {
		b.submit(newJob())
	}
	tokens := b.claim(b.store, 3)
	b.lookAgainIn(time.Hour)
	return tokens
}

// lookAgainIn sets the time of the next look from the beginning.
func (b *bundle) lookAgainIn(d time.Duration) {
	b.store.cursors.mu.Lock()
	defer b.store.cursors.mu.Unlock()
	b.store.cursors.queueLocked("queue").recall = time.Now().Add(d)
}

// resumed is claim, and fails unless the claim went on where the last stopped.
func (b *bundle) resumed(limit int) []godwit.Token {
	b.Helper()
	look := b.store.cursors.start("queue", false)
	b.store.cursors.stop(look, nil, 0, true)
	if look.whole {
		b.Fatal("the claim begins at the beginning")
	}
	return b.claim(b.store, limit)
}

func TestAClaimGoesOnWhereTheLastOneStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.backlog(3*claimSlack + 3)
	b.resumed(claimSlack)
	b.resumed(claimSlack) // less is left than it looks for, and all the same it gets what there is
	b.claim(b.store, claimSlack)
	a, err := b.store.Claim(t.Context(), godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: 1})
	if err != nil || a.Code != "" || len(a.Jobs) > 0 || a.More {
		t.Fatalf("after the last: %+v, %v", a, err)
	}
}

func TestWhatComesBackBelowIsClaimedFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tokens := b.backlog(2 * claimSlack)
	release := godwit.Settlement{Token: tokens[1], Outcome: godwit.OutcomeRelease}
	if a, err := b.store.Settle(t.Context(), []godwit.Settlement{release}); err != nil || a[0].Code != "" {
		t.Fatalf("release: %+v, %v", a, err)
	}
	if got := b.resumed(1)[0].Job; got != tokens[1].Job {
		t.Errorf("claimed %s before the older %s, which had come back", got, tokens[1].Job)
	}
	for range 2 { // of a rank that nobody has claimed from, and of one that somebody has
		urgent := newJob()
		urgent.Priority = 5
		b.submit(urgent)
		if got := b.resumed(1)[0].Job; got != urgent.ID {
			t.Errorf("claimed %s before the urgent %s", got, urgent.ID)
		}
	}
}

func TestWhatOtherProcessesMakeReadyBelowIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.open(Config{URL: b.url})
	const n = 2*claimSlack + 3
	tokens := b.backlog(n)
	releases := make([]godwit.Settlement, len(tokens))
	for i := range tokens {
		releases[i] = godwit.Settlement{Token: tokens[i], Outcome: godwit.OutcomeRelease}
	}
	if _, err := other.Settle(t.Context(), releases); err != nil {
		t.Fatal(err)
	}
	if got := b.resumed(1)[0].Job; got == tokens[0].Job {
		t.Fatal("the claim began at the beginning, and shows nothing")
	}
	b.lookAgainIn(0)
	if got := b.claim(b.store, 1)[0].Job; got != tokens[0].Job {
		t.Errorf("claimed %s when it was time to look from the beginning, not %s", got, tokens[0].Job)
	}
	b.lookAgainIn(time.Hour)
	if got := b.resumed(1)[0].Job; got != tokens[1].Job {
		t.Errorf("claimed %s, not %s, up to which the look from the beginning had not come", got, tokens[1].Job)
	}
	claimed := 0
	for {
		a, err := b.store.Claim(t.Context(), godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: 4})
		if err != nil || a.Code != "" {
			t.Fatalf("claim: %q, %v", a.Code, err)
		}
		if len(a.Jobs) == 0 {
			break
		}
		claimed += len(a.Jobs)
	}
	if want := n - 3; claimed != want { // all but the three that were claimed above
		t.Errorf("%d jobs were claimed after the others, of %d: an answer of none came while one was ready", claimed, want)
	}
}

// manyDead leaves the store as a look from the beginning does that has walked over many dead entries.
func (b *bundle) manyDead() {
	b.Helper()
	look := b.store.cursors.start("queue", true)
	b.store.cursors.stop(look, nil, deadMany, false)
	b.lookAgainIn(time.Hour)
}

func TestWhereManyEntriesAreDeadAClaimTakesTheLittleThatIsAhead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.open(Config{URL: b.url})
	b.submit(newJob())
	b.submit(newJob())
	first := b.claim(b.store, 2)[0]
	b.manyDead()
	if _, err := other.Settle(t.Context(), []godwit.Settlement{{Token: first, Outcome: godwit.OutcomeRelease}}); err != nil {
		t.Fatal(err)
	}
	ahead := b.submit(newJob())
	for _, want := range []godwit.ID{ahead, first.Job} { // nothing is ahead any more when the other one is found
		if got := b.claim(b.store, 1)[0].Job; got != want {
			t.Errorf("claimed %s, want %s", got, want)
		}
	}
	b.manyDead()
	b.lookAgainIn(0)
	b.submit(newJob())
	b.claim(b.store, 1)
	b.lookAgainIn(time.Hour)
	if !b.store.cursors.start("queue", false).whole {
		t.Error("a look from the beginning met no dead entries, and the next does not begin there though there is no backlog")
	}
}

func TestAClaimCountsTheDeadEntriesThatASnapshotKeeps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	holder, err := connect(t, b.url).BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	for range deadMany/1000 + 1 {
		jobs := make([]godwit.NewJob, 1000)
		for i := range jobs {
			jobs[i] = newJob()
		}
		if _, err := b.store.Submit(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
		b.claim(b.store, len(jobs))
	}
	look := func(dead bool) {
		t.Helper()
		b.lookAgainIn(0)
		b.submit(newJob())
		b.claim(b.store, 1)
		if got := b.store.cursors.queues["queue"].dead; got != dead {
			t.Errorf("the claim found that many entries are dead: %v, want %v", got, dead)
		}
	}
	look(true)
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(t, b.url).Exec(t.Context(), "VACUUM godwit.places"); err != nil {
		t.Fatal(err)
	}
	look(false)
}

func TestOnlyQueuesThatAreClaimedFromHaveCursors(t *testing.T) {
	t.Parallel()
	c := newCursors()
	j := &job{kind: ready, lane: &lane{id: 1, queue: "elsewhere"}}
	c.fall([]*job{j})
	if len(c.queues) > 0 {
		t.Errorf("a queue that nobody has claimed from has a cursor: %v", c.queues)
	}
}

func TestCursorsAreBounded(t *testing.T) {
	t.Parallel()
	c := newCursors()
	for lane := range int32(3 * cursorsMax) {
		look := c.start("queue", true)
		c.stop(look, map[file]point{{lane, 0}: {runAt: 1}}, 1, true)
	}
	if n := len(c.queues["queue"].at); n != cursorsMax {
		t.Errorf("%d cursors of one queue, want %d", n, cursorsMax)
	}
}

func TestACursorStaysBelowWhatBecameReadyDuringTheLook(t *testing.T) {
	t.Parallel()
	here := file{lane: 1, rank: 0}
	for _, whole := range []bool{true, false} {
		t.Run(fmt.Sprintf("whole=%v", whole), func(t *testing.T) {
			t.Parallel()
			c := newCursors()
			c.stop(c.start("queue", true), map[file]point{here: {runAt: 10}}, 1, true)
			c.queues["queue"].recall = time.Now().Add(time.Hour)
			look := c.start("queue", whole)
			c.fall([]*job{{kind: ready, runAt: 15, lane: &lane{id: 1, queue: "queue"}}})
			c.stop(look, map[file]point{here: {runAt: 20}}, 1, true)
			if got := c.queues["queue"].at[here].runAt; got != 15 {
				t.Errorf("the next claim goes on at %d, want 15: that was ready when this one had passed it", got)
			}
		})
	}
}

func TestSpansLeaveOutWhatWasClaimedAndNothingElse(t *testing.T) {
	t.Parallel()
	at := func(n int64) point { return point{runAt: n} }
	q := &cursor{at: map[file]point{{7, -3}: at(30), {7, 2}: at(20), {9, -32768}: at(90)}}
	s := q.spans()
	inside := func(lane int32, rank int16, p point) (in bool) {
		named := false
		for i := range s.lanes {
			if s.lanes[i] != lane {
				continue
			}
			named = true
			above := int32(rank) > s.from[i] || int32(rank) == s.from[i] && p.runAt >= s.runAts[i]
			in = in || above && int32(rank) <= s.to[i]
		}
		return in || !named
	}
	for lane := int32(7); lane <= 9; lane++ {
		for _, rank := range []int16{-32768, -32767, -4, -3, -2, 1, 2, 3, 32767} {
			for _, runAt := range []int64{-1 << 63, 0, 19, 20, 29, 30, 89, 90, 1<<63 - 1} {
				stopped, known := q.at[file{lane, rank}]
				if want := !known || runAt >= stopped.runAt; inside(lane, rank, at(runAt)) != want {
					t.Errorf("lane %d, rank %d, at %d: looked at %v, want %v", lane, rank, runAt, !want, want)
				}
			}
		}
	}
}

// TestAClaimThatIsNotCommittedTakesNothing has a claim that goes on, and one that joins a submission, fail at their commit, when the jobs
// were read.
func TestAClaimThatIsNotCommittedTakesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.backlog(3 * claimSlack)
	conn, err := pgx.Connect(t.Context(), b.url)
	if err != nil {
		t.Fatal(err)
	}
	const refuse = `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
		CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON godwit.places DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()`
	if _, err := conn.Exec(t.Context(), refuse); err != nil {
		t.Fatal(err)
	}
	request := godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: 5}
	if a, err := b.store.Claim(t.Context(), request); err == nil {
		t.Errorf("the claim was to fail, and got %d jobs", len(a.Jobs))
	}
	j := b.join(b.store, b.session, 5)
	if b.submit(newJob()); len(j.errs) != 1 || j.errs[0] == nil {
		t.Errorf("a claim that joins was to fail without its submission: %v", j.errs)
	}
	if _, err := conn.Exec(t.Context(), "DROP FUNCTION refuse CASCADE"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	page, err := b.store.List(t.Context(), godwit.ListFilter{State: godwit.StateReady, Limit: godwit.PageMax})
	if err != nil {
		t.Fatal(err)
	}
	first := page.Jobs[len(page.Jobs)-1].ID
	b.lookAgainIn(time.Hour)
	if got := b.claim(b.store, 1)[0].Job; got != first {
		t.Errorf("claimed %s before the older %s, whose claims were not committed", got, first)
	}
}
