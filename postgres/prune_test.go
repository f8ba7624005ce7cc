package postgres

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
)

// ends makes jobs succeed, which are over after so long, and gives them by id.
func (b *bundle) ends(s *Store, keep time.Duration, n int) []godwit.ID {
	b.Helper()
	for range n {
		one := newJob()
		one.KeepSucceeded = keep
		b.submit(one)
	}
	tokens := b.claim(s, n)
	settles := make([]godwit.Settlement, n)
	ids := make([]godwit.ID, n)
	for i, t := range tokens {
		settles[i], ids[i] = succeed(t), t.Job
	}
	if _, err := s.Settle(b.Context(), settles); err != nil {
		b.Fatal(err)
	}
	slices.SortFunc(ids, godwit.ID.Compare)
	return ids
}

func (b *bundle) prune(limit int, want godwit.PruneAnswer) {
	b.Helper()
	if a, err := b.store.Prune(b.Context(), limit); err != nil || a != want {
		b.Errorf("prune %d: %+v, %v, want %+v", limit, a, err, want)
	}
}

// expired reports whether a job was pruned, and its id not forgotten.
func (b *bundle) expired(id godwit.ID) bool {
	b.Helper()
	answers, err := b.store.Outcomes(b.Context(), []godwit.ID{id})
	if err != nil {
		b.Fatal(err)
	}
	return answers[0].Code == godwit.CodeExpired
}

// unrecalled lets no look from the beginning come to be due.
func (b *bundle) unrecalled() {
	b.store.overs.mu.Lock()
	defer b.store.overs.mu.Unlock()
	b.store.overs.recall = time.Now().Add(time.Hour)
}

// lowered makes a finished job be over long since, as if it had been committed late.
func (b *bundle) lowered(id godwit.ID) {
	b.Helper()
	conn := connect(b.T, b.url)
	if tag, err := conn.Exec(b.Context(), "UPDATE godwit.finished SET keep_until = 1 WHERE id = $1", uuid(id)); err != nil || tag.RowsAffected() != 1 {
		b.Fatalf("%v, %v", tag, err)
	}
}

func TestAPruneGoesOnWhereTheLastOneStopped(t *testing.T) {
	t.Parallel()
	b, clock := timed(t)
	ids := b.ends(b.store, time.Minute, 7)
	clock.move(time.Hour)
	b.prune(2, godwit.PruneAnswer{Pruned: 2, More: true})
	b.lowered(ids[6])
	b.unrecalled()
	b.prune(2, godwit.PruneAnswer{Pruned: 2, More: true})
	if b.expired(ids[6]) {
		t.Error("the prune began at the beginning")
	}
	if !b.expired(ids[3]) {
		t.Error("the prune did not begin where the last one stopped")
	}
	b.prune(3, godwit.PruneAnswer{Pruned: 3, More: true}) // the two that are left, and what lies below
	b.prune(3, godwit.PruneAnswer{})
}

func TestAPruneLooksFromTheBeginningNowAndThen(t *testing.T) {
	t.Parallel()
	b, clock := timed(t)
	ids := b.ends(b.store, time.Minute, 6)
	clock.move(time.Hour)
	b.prune(2, godwit.PruneAnswer{Pruned: 2, More: true})
	b.lowered(ids[5])
	b.store.overs.looked(0, 0) // so one is due
	b.prune(1, godwit.PruneAnswer{Pruned: 1, More: true})
	if !b.expired(ids[5]) {
		t.Error("the prune did not begin at the beginning")
	}
	b.unrecalled()
	b.prune(3, godwit.PruneAnswer{Pruned: 3, More: true})
}

func TestWhereManyEntriesAreDeadAPruneLeavesItAtTheLittleThatIsAhead(t *testing.T) {
	t.Parallel()
	b, clock := timed(t)
	ids := b.ends(b.store, time.Minute, 4)
	clock.move(time.Hour)
	b.prune(2, godwit.PruneAnswer{Pruned: 2, More: true})
	b.lowered(ids[3])
	b.store.overs.looked(time.Hour, deadMany)
	b.prune(5, godwit.PruneAnswer{Pruned: 1})
	if b.expired(ids[3]) {
		t.Error("the prune began at the beginning")
	}
	b.store.overs.looked(0, 0)
	b.prune(5, godwit.PruneAnswer{Pruned: 1})
}

// What ends at the instant of a prune, by an id that is smaller than that of the last job pruned, is pruned in its turn.
func TestAPruneMissesNothingOfItsOwnInstant(t *testing.T) {
	t.Parallel()
	b, _ := timed(t)
	first, second, third := newJob(), newJob(), newJob()
	for _, n := range []*godwit.NewJob{&first, &second, &third} {
		n.KeepSucceeded = 0
	}
	for _, n := range []godwit.NewJob{second, first, third} {
		b.submit(n)
		b.claim(b.store, 1)
		settle := succeed(godwit.Token{Job: n.ID, Run: 1, Session: b.session})
		if _, err := b.store.Settle(t.Context(), []godwit.Settlement{settle}); err != nil {
			t.Fatal(err)
		}
		if n.ID != third.ID {
			b.prune(1, godwit.PruneAnswer{Pruned: 1, More: true})
			b.unrecalled()
		}
	}
	b.prune(2, godwit.PruneAnswer{Pruned: 1})
}

func TestIDsAreForgottenFromWhereTheLastPruneStopped(t *testing.T) {
	t.Parallel()
	b, clock := timed(t)
	ids := b.ends(b.store, time.Minute, 5)
	b.ends(b.store, 2*godwit.ExpiredMin, 4)
	clock.move(time.Minute)
	b.prune(10, godwit.PruneAnswer{Pruned: 5})
	clock.move(2 * godwit.ExpiredMin)
	b.prune(2, godwit.PruneAnswer{Pruned: 2, Forgotten: 2, More: true})
	conn := connect(t, b.url)
	if _, err := conn.Exec(t.Context(), "UPDATE godwit.pruned SET until = 1 WHERE id = $1", uuid(ids[4])); err != nil {
		t.Fatal(err)
	}
	b.unrecalled()
	b.prune(1, godwit.PruneAnswer{Pruned: 1, Forgotten: 1, More: true})
	if !b.expired(ids[4]) {
		t.Error("the prune began at the beginning")
	}
	b.prune(3, godwit.PruneAnswer{Pruned: 1, Forgotten: 2})
}

// Where the server did not take the points for bounds of its indexes, it would walk over all that was removed.
func TestThePointsOfAPruneBoundItsIndexes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conn := connect(t, b.url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }() // it is only looked at
	if _, err := tx.Exec(t.Context(), "SELECT "+byIndex); err != nil {
		t.Fatal(err)
	}
	zero := pgtype.UUID{Valid: true}
	rows, err := tx.Query(t.Context(), "EXPLAIN "+pruneBare, 10, int64(20), int64(30), 10, int64(1), zero, int64(1), zero)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	bounds := 0
	for _, line := range lines {
		if strings.Contains(line, "Index Cond") && strings.Contains(line, "ROW(") {
			bounds++
		}
	}
	if bounds != 2 {
		t.Errorf("%d of 2 points bound an index:\n%s", bounds, strings.Join(lines, "\n"))
	}
}
