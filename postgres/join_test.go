package postgres

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

// joining has claims join submissions, and notes what came of them and of the events.
type joining struct {
	asked   []int
	answers []godwit.ClaimAnswer
	errs    []error
	order   []string // what was told, in order
}

func (b *bundle) join(s *Store, session godwit.ID, limit int) *joining {
	b.Helper()
	j := &joining{}
	b.Cleanup(s.Watch(func(events []godwit.Event) {
		for i := range events {
			j.order = append(j.order, string(events[i].Kind))
		}
	}))
	b.Cleanup(s.Join(func(queue string, n int) (godwit.ClaimRequest, func(godwit.ClaimAnswer, error)) {
		j.asked = append(j.asked, n)
		return godwit.ClaimRequest{Session: session, Queue: queue, Limit: limit}, func(a godwit.ClaimAnswer, err error) {
			j.answers, j.errs, j.order = append(j.answers, a), append(j.errs, err), append(j.order, "answered")
		}
	}))
	return j
}

func TestAClaimJoinsASubmission(t *testing.T) {
	t.Parallel()
	b := setup(t)
	older := b.submit(newJob())
	j := b.join(b.store, b.session, 2)
	id := b.submit(newJob())
	if len(j.answers) != 1 || j.errs[0] != nil || len(j.answers[0].Jobs) != 2 || j.answers[0].Jobs[0].ID != older || j.answers[0].Jobs[1].ID != id {
		t.Fatalf("the claim got %+v, %v, and the order of claims is %s, %s", j.answers, j.errs, older, id)
	}
	if got := j.order; len(got) != 4 || got[0] != "submitted" || got[1] != "started" || got[2] != "started" || got[3] != "answered" {
		t.Errorf("it was told of as %v", got)
	}
	if got := b.state(id); got != godwit.StateRunning {
		t.Errorf("the job is %s", got)
	}
	settle := succeed(godwit.Token{Job: id, Run: j.answers[0].Jobs[1].Run, Session: b.session})
	if a, err := b.store.Settle(t.Context(), []godwit.Settlement{settle}); err != nil || a[0].Code != "" {
		t.Errorf("settle: %+v, %v", a, err)
	}
}

func TestNoClaimJoinsWhatIsNotReadyAtOnceOrMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob()) // makes its lane known
	j := b.join(b.store, b.session, 1)
	later := newJob()
	later.RunAt = b.store.Now().Add(time.Hour)
	many := make([]godwit.NewJob, joinMax+1)
	for i := range many {
		many[i] = newJob()
	}
	for _, jobs := range [][]godwit.NewJob{{later}, many} {
		if _, err := b.store.Submit(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.asked) > 0 {
		t.Errorf("it was asked for claims of %v", j.asked)
	}
}

func TestNoClaimJoinsWhereLooksAreSlow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob())
	j := b.join(b.store, b.session, 1)
	look := b.store.cursors.start("queue", true)
	look.began = look.began.Add(-2 * joinSlow)
	b.store.cursors.stop(look, nil, 0, false)
	b.submit(newJob())
	if len(j.asked) > 0 {
		t.Errorf("it was asked for claims of %v", j.asked)
	}
	look = b.store.cursors.start("queue", true)
	b.store.cursors.stop(look, nil, 0, false)
	b.submit(newJob())
	if len(j.asked) != 1 {
		t.Errorf("after a look that was quick it was asked for %d claims", len(j.asked))
	}
}

// TestASubmissionDoesNotDependOnTheClaimThatJoins lets the claim fail in each way that is the claim's own.
func TestASubmissionDoesNotDependOnTheClaimThatJoins(t *testing.T) {
	t.Parallel()
	t.Run("a session that is unknown", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.submit(newJob())
		j := b.join(b.store, godwit.NewID(), 1)
		id := b.submit(newJob())
		if len(j.answers) != 1 || j.errs[0] != nil || j.answers[0].Code != godwit.CodeSessionEnded || b.state(id) != godwit.StateReady {
			t.Errorf("answered %+v, %v, and the job is %s", j.answers, j.errs, b.state(id))
		}
	})
	t.Run("claims are kept out", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.submit(newJob())
		conn, err := pgx.Connect(t.Context(), b.url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", b.store.claimsKey); err != nil {
			t.Fatal(err)
		}
		j := b.join(b.store, b.session, 1)
		id := b.submit(newJob())
		if len(j.answers) != 1 || j.errs[0] == nil || errors.Is(j.errs[0], godwit.ErrOutcomeUnknown) || b.state(id) != godwit.StateReady {
			t.Errorf("answered %+v, %v, and the job is %s", j.answers, j.errs, b.state(id))
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("the id is known", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		again := newJob()
		b.submit(again)
		j := b.join(b.store, b.session, 1)
		a, err := b.store.Submit(t.Context(), []godwit.NewJob{again})
		if err != nil || a[0].Code != "" || a[0].Created {
			t.Errorf("submitted again: %+v, %v", a, err)
		}
		if len(j.answers) != 1 || j.errs[0] == nil || b.state(again.ID) != godwit.StateReady {
			t.Errorf("answered %+v, %v, and the job is %s", j.answers, j.errs, b.state(again.ID))
		}
	})
}
