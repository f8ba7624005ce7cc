package postgres

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
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

// TestASubmissionDoesNotDependOnTheClaimThatJoins lets the claim fail in each way that is the claim's own, for a claim of as many as are
// submitted and for one of more, which may be made with the jobs.
func TestASubmissionDoesNotDependOnTheClaimThatJoins(t *testing.T) {
	t.Parallel()
	for limit := 1; limit <= 2; limit++ {
		t.Run(fmt.Sprintf("limit %d", limit), func(t *testing.T) { t.Parallel(); submissionsOfTheirOwn(t, limit) })
	}
}

func submissionsOfTheirOwn(t *testing.T, limit int) {
	t.Helper()
	t.Run("a session that is unknown", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.submit(newJob())
		j := b.join(b.store, godwit.NewID(), limit)
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
		j := b.join(b.store, b.session, limit)
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
		j := b.join(b.store, b.session, limit)
		a, err := b.store.Submit(t.Context(), []godwit.NewJob{again})
		if err != nil || a[0].Code != "" || a[0].Created {
			t.Errorf("submitted again: %+v, %v", a, err)
		}
		if len(j.answers) != 1 || j.errs[0] == nil || b.state(again.ID) != godwit.StateReady {
			t.Errorf("answered %+v, %v, and the job is %s", j.answers, j.errs, b.state(again.ID))
		}
	})
}

// written tells how often the place of a job was written.
func (b *bundle) written(id godwit.ID) (place string) {
	b.Helper()
	const sql = "SELECT CASE WHEN ctid = '(0,1)' THEN 'once' ELSE 'again' END FROM godwit.places WHERE id = $1" // the table was empty
	if err := connect(b.T, b.url).QueryRow(b.Context(), sql, uuid(id)).Scan(&place); err != nil {
		b.Fatal(err)
	}
	return place
}

// TestWhatIsAloneIsClaimedAsItIsMade has the same job claimed with its submission and after it: the two give the same.
func TestWhatIsAloneIsClaimedAsItIsMade(t *testing.T) {
	t.Parallel()
	rich := newJob()
	rich.Priority, rich.Tags, rich.Headers, rich.KeepFailed = -7, []string{"a", "b"}, map[string]string{"k": "v"}, 2*time.Hour
	bare := newJob()
	bare.Args, bare.Timeout = godwit.Payload{}, 0
	for name, n := range map[string]godwit.NewJob{"rich": rich, "bare": bare} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got [2]godwit.Job
			for i, limit := range []int{1, 2} { // a claim of as many as are submitted has to look whether there are more
				b := setup(t)
				j := b.join(b.store, b.session, limit)
				id := b.submit(n)
				if len(j.answers) != 1 || j.errs[0] != nil || len(j.answers[0].Jobs) != 1 || j.answers[0].More != (limit == 1) {
					t.Fatalf("limit %d: the claim got %+v, %v", limit, j.answers, j.errs)
				}
				if got, want := b.written(id), []string{"again", "once"}[i]; got != want {
					t.Errorf("limit %d: the place was written %s, want %s", limit, got, want)
				}
				if want := []string{"submitted", "started", "answered"}; !reflect.DeepEqual(j.order, want) {
					t.Errorf("limit %d: it was told of as %v", limit, j.order)
				}
				got[i] = j.answers[0].Jobs[0]
				found, err := b.store.Get(t.Context(), []godwit.ID{id})
				stored := found[0].Job
				if err != nil || stored.State != godwit.StateRunning || stored.Run != 1 || stored.Attempt != 1 || stored.Session != b.session ||
					!stored.StartedAt.Equal(got[i].StartedAt) || !stored.RunAt.Equal(got[i].RunAt) || !stored.CreatedAt.Equal(got[i].CreatedAt) {
					t.Errorf("limit %d: it was claimed as %+v, and is stored as %+v, %v", limit, got[i], stored, err)
				}
				settle := succeed(godwit.Token{Job: id, Run: 1, Session: b.session})
				if a, err := b.store.Settle(t.Context(), []godwit.Settlement{settle}); err != nil || a[0].Code != "" {
					t.Errorf("limit %d: settle: %+v, %v", limit, a, err)
				}
				got[i].Session, got[i].CreatedAt, got[i].RunAt, got[i].StartedAt = godwit.ID{}, time.Time{}, time.Time{}, time.Time{}
			}
			if !reflect.DeepEqual(got[0], got[1]) {
				t.Errorf("claimed after the submission it is\n%+v, with it\n%+v", got[0], got[1])
			}
		})
	}
}

// TestWhatIsNotAloneIsClaimedAfterItWasMade has others before the job, or a job that may not run: the claim looks, and the jobs that
// follow are not written as running before one was alone again.
func TestWhatIsNotAloneIsClaimedAfterItWasMade(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		before func(b *bundle) []godwit.ID // what the claim gets besides
		job    func(n *godwit.NewJob)
		takes  bool
	}{
		"another is ready": {before: func(b *bundle) []godwit.ID { return []godwit.ID{b.submit(newJob())} }, takes: true},
		"another of a lower priority is ready": {before: func(b *bundle) []godwit.ID {
			low := newJob()
			low.Priority = -5
			return []godwit.ID{b.submit(low)}
		}, takes: true},
		"the queue is paused": {before: func(b *bundle) []godwit.ID {
			if err := b.store.PauseQueue(b.Context(), "queue", true); err != nil {
				b.Fatal(err)
			}
			return nil
		}},
		"the session does not know the task": {job: func(n *godwit.NewJob) { n.Task = "unknown" }},
		"the lease is over": {before: func(b *bundle) []godwit.ID {
			if _, err := connect(b.T, b.url).Exec(b.Context(), "UPDATE godwit.sessions SET lease_until = 1"); err != nil {
				b.Fatal(err)
			}
			return nil
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var want []godwit.ID
			if c.before != nil {
				want = c.before(b)
			}
			j := b.join(b.store, b.session, 5)
			n := newJob()
			if c.job != nil {
				c.job(&n)
			}
			b.submit(n)
			state := godwit.StateReady
			if c.takes {
				want, state = append(want, n.ID), godwit.StateRunning
			}
			if len(j.answers) != 1 || j.errs[0] != nil || len(j.answers[0].Jobs) != len(want) || b.state(n.ID) != state {
				t.Fatalf("the claim got %+v, %v; the job is %s", j.answers, j.errs, b.state(n.ID))
			}
			for _, job := range j.answers[0].Jobs {
				if !slices.Contains(want, job.ID) {
					t.Errorf("the claim got %s, not one of %v", job.ID, want)
				}
			}
			if alone := b.store.cursors.alone("queue"); alone != c.takes {
				t.Errorf("the next is taken for alone: %t", alone)
			}
		})
	}
}
