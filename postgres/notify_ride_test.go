package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// told submits one job as merged submissions do, and reports whether others were told in the same round trip.
func (b *bundle) told(n godwit.NewJob) (told bool) {
	b.Helper()
	err := b.store.call(b.Context(), b.store.conns, func(ctx context.Context, conn *pgxpool.Conn) error {
		done, err := b.store.submitPlain(ctx, conn, []godwit.NewJob{n})
		if err == nil {
			told = done.told
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return told
}

// rests says for how long the store tells nothing.
func (b *bundle) rests(d time.Duration) {
	b.store.teller.mu.Lock()
	defer b.store.teller.mu.Unlock()
	b.store.teller.next, b.store.teller.rests = news{}, time.Now().Add(d)
}

func (b *bundle) listens() *pgx.Conn {
	b.Helper()
	conn := connect(b.T, b.url)
	exec(b.T, conn, "LISTEN "+b.store.channel)
	return conn
}

func TestANotificationSharesTheRoundTripOfItsCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob()) // makes its lane known
	conn := b.listens()
	b.rests(0)
	if !b.told(newJob()) {
		t.Fatal("the first submission after a rest was not told of with its commit")
	}
	got, err := conn.WaitForNotification(t.Context())
	if err != nil || !strings.Contains(got.Payload, `"queues":["queue"]`) {
		t.Errorf("what listens hears %+v, %v", got, err)
	}
	b.rests(time.Hour)
	if b.told(newJob()) {
		t.Error("a submission was told of while the teller rests")
	}
}

// TestASubmissionStandsWhoseNotificationFails has the server refuse what comes after the commit.
func TestASubmissionStandsWhoseNotificationFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rests(time.Hour)
	b.submit(newJob()) // makes its lane known
	b.store.channel = strings.Repeat("x", 100)
	b.rests(0)
	n := newJob()
	if b.told(n) {
		t.Error("a notification that failed passes for told")
	}
	if got := b.state(n.ID); got != godwit.StateReady {
		t.Errorf("the job is %q", got)
	}
}

// TestAClaimThatTookAllIsNotToldOf has other processes left in peace where there is nothing for them to claim.
func TestAClaimThatTookAllIsNotToldOf(t *testing.T) {
	t.Parallel()
	for older, want := range map[int]bool{1: true, 2: false} { // the claim takes two, the older ones first
		b := setup(t)
		for range older {
			b.submit(newJob())
		}
		j := b.join(b.store, b.session, 2)
		b.rests(time.Hour) // nothing is told with a commit
		if got := b.told(newJob()); got != want || len(j.asked) != 1 {
			t.Errorf("behind %d others, with %d claims, the submission passes for told: %t, want %t", older, len(j.asked), got, want)
		}
	}
}
