package sqlite

import (
	"slices"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

func TestReadyJobsAreForetoldBeforeTheirCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var told []string
	stop := b.store.Foretell(func(queue string) { told = append(told, "will be ready in "+queue) })
	unwatch := b.store.Watch(func(events []godwit.Event) {
		for _, e := range events {
			told = append(told, string(e.Kind))
		}
	})
	defer unwatch()
	later := b.job("mail")
	later.Delay = time.Hour
	other := b.job("mail")
	other.Queue = "other"
	b.submit(b.job("mail"), b.job("mail"), later, other)
	want := []string{"will be ready in default", "will be ready in other", "submitted", "submitted", "submitted", "submitted"}
	b.told("a submission", told, want...)

	told = nil
	b.pass(2 * time.Hour)
	_, err := b.store.Advance(b.ctx, 10)
	b.ok(err)
	b.told("what comes due", told, "will be ready in default", "ready")

	told = nil
	stop()
	b.submit(b.job("mail"))
	b.told("after stop", told, "submitted")
}

// TestAClaimMayJoinTheCommitThatMakesItsJobReady calls Claim when the store foretells. Whichever commit it is in, it gets the job.
func TestAClaimMayJoinTheCommitThatMakesItsJobReady(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.session("mail")
	claims := make(chan godwit.ClaimAnswer, 10)
	stop := b.store.Foretell(func(queue string) {
		go func() {
			a, err := b.store.Claim(b.ctx, godwit.ClaimRequest{Session: session, Queue: queue, Limit: 1})
			if err != nil {
				b.Error(err)
			}
			claims <- a
		}()
	})
	defer stop()
	n := b.job("mail")
	b.submit(n)
	if a := <-claims; len(a.Jobs) != 1 || a.Jobs[0].ID != n.ID {
		t.Errorf("the claim got %+v", a)
	}
}

func (b *bundle) told(what string, got []string, want ...string) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("%s told %q and should have told %q", what, got, want)
	}
}
