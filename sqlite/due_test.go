package sqlite

import (
	"errors"
	"slices"
	"testing"
	"time"

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
