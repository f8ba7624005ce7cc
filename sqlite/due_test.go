package sqlite

import (
	"errors"
	"slices"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
)

// TestPruneTakesWhatIsDue prunes many jobs of several tasks that were settled together, some of which were retried or deleted since,
// in steps that cut through them.
func TestPruneTakesWhatIsDue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.session("mail", "resize")
	jobs := append(b.jobs(300, "mail"), b.jobs(300, "resize")...)
	for i := range jobs {
		jobs[i].KeepSucceeded = time.Minute
		if i%7 == 0 {
			jobs[i].Tags = []string{"seventh"} // something hangs on it
		}
	}
	b.submit(jobs...)
	claimed := b.claim(session, len(jobs))
	if _, err := b.store.Settle(b.ctx, succeed(claimed)); err != nil {
		t.Fatal(err)
	}
	deleted := []godwit.ID{jobs[3].ID, jobs[450].ID}
	if _, err := b.store.Delete(b.ctx, deleted); err != nil {
		t.Fatal(err)
	}
	b.ok(b.store.Check(b.ctx))
	b.pass(2 * time.Minute)
	left := len(jobs) - len(deleted)
	for left > 0 {
		answer, err := b.store.Prune(b.ctx, 128)
		b.ok(err)
		if want := min(left, 128); answer.Pruned != want || answer.More != (want == 128) {
			t.Fatalf("with %d left: %+v", left, answer)
		}
		left -= answer.Pruned
		b.ok(b.store.Check(b.ctx))
	}
	answers, err := b.store.Get(b.ctx, ids(jobs))
	b.ok(err)
	for i, a := range answers {
		if a.Code != godwit.CodeExpired {
			t.Errorf("job %d answers %q", i, a.Code)
		}
	}
	b.pass(2 * godwit.ExpiredMin)
	answer, err := b.store.Prune(b.ctx, 1000)
	if b.ok(err); answer.Forgotten != len(jobs) || answer.More {
		t.Errorf("the ids are forgotten: %+v", answer)
	}
	b.ok(b.store.Check(b.ctx))
}

// TestStatementsOverNeighbours compares statements over ranges with the ids that they are for, among others that stand between.
func TestStatementsOverNeighbours(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]func(i int) bool{
		"all":         func(int) bool { return true },
		"every other": func(i int) bool { return i%2 == 0 },
		"a few":       func(i int) bool { return i%50 == 0 },
		"none":        func(int) bool { return false },
		"the first":   func(i int) bool { return i < 40 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			jobs := b.jobs(500, "mail")
			b.submit(jobs...)
			var some, others []godwit.ID
			for i := range jobs {
				if keep(i) {
					some = append(some, jobs[i].ID)
				} else {
					others = append(others, jobs[i].ID)
				}
			}
			slices.Reverse(some)
			if len(some) > 0 {
				answers, err := b.store.Cancel(b.ctx, cancels(some))
				b.ok(err)
				for _, a := range answers {
					if a.State != godwit.StateCancelled {
						t.Fatalf("a cancel answers %+v", a)
					}
				}
			}
			for state, want := range map[godwit.State][]godwit.ID{godwit.StateCancelled: some, godwit.StateReady: others} {
				outcomes, err := b.store.Outcomes(b.ctx, append(slices.Clone(want), b.ids.New()))
				b.ok(err)
				if last := outcomes[len(want)]; last.Code != godwit.CodeNotFound {
					t.Errorf("an id that was never seen answers %+v", last)
				}
				for i := range want {
					if outcomes[i].State != state {
						t.Fatalf("job %s is %q and should be %q", want[i], outcomes[i].State, state)
					}
				}
			}
			b.ok(b.store.Check(b.ctx))
		})
	}
}

func TestStatementThatMissesARowIsDamage(t *testing.T) {
	t.Parallel()
	b := opened(t)
	jobs := b.jobs(40, "mail")
	b.submit(jobs...)
	b.ok(b.store.writer.exec("DELETE FROM godwit_places WHERE id = ?", jobs[20].ID))
	if err := b.store.writer.changeIDs(deletePlaces, ids(jobs), nil); !errors.Is(err, godwit.ErrCorrupt) {
		t.Errorf("a delete of 40 rows of which one is gone: %v", err)
	}
}

func ids(jobs []godwit.NewJob) []godwit.ID {
	list := make([]godwit.ID, len(jobs))
	for i := range jobs {
		list[i] = jobs[i].ID
	}
	return list
}

func cancels(ids []godwit.ID) []godwit.CancelRequest {
	list := make([]godwit.CancelRequest, len(ids))
	for i, id := range ids {
		list[i].ID = id
	}
	return list
}

// TestWhatIsDueComesOverFromTheFormerTable opens a file of the schema before, in which one table had what is over, and prunes it.
func TestWhatIsDueComesOverFromTheFormerTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.session("mail")
	jobs := b.jobs(3, "mail")
	for i := range jobs {
		jobs[i].KeepSucceeded = time.Duration(i+1) * time.Minute
	}
	b.submit(jobs...)
	if _, err := b.store.Settle(b.ctx, succeed(b.claim(session, len(jobs)))); err != nil {
		t.Fatal(err)
	}
	b.pass(90 * time.Second)
	if answer, err := b.store.Prune(b.ctx, 10); err != nil || answer.Pruned != 1 {
		t.Fatalf("prune: %+v, %v", answer, err)
	}
	b.ok(b.store.Close())
	db, err := zs.OpenConn(b.path, zs.OpenReadWrite)
	b.ok(err)
	b.ok(sqlitex.ExecuteScript(db, `
		CREATE TABLE godwit_due (place INTEGER NOT NULL CHECK (place IN (5, 8)), at INTEGER NOT NULL, ids BLOB NOT NULL, PRIMARY KEY (place, at)) STRICT, WITHOUT ROWID;
		INSERT INTO godwit_due SELECT 5, at, ids FROM godwit_finished_due UNION ALL SELECT 8, at, ids FROM godwit_pruned_due;
		DROP TABLE godwit_finished_due;
		DROP TABLE godwit_pruned_due;
		PRAGMA user_version = 2;`, nil))
	b.ok(db.Close())
	b.open()
	b.ok(b.store.Check(b.ctx))
	b.pass(2 * godwit.ExpiredMin)
	if answer, err := b.store.Prune(b.ctx, 10); err != nil || answer.Pruned != 2 || answer.Forgotten != 1 {
		t.Errorf("prune: %+v, %v, want the two jobs that were left and the id of the first", answer, err)
	}
}
