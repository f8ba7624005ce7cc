package postgres

import (
	"testing"

	"github.com/godwit-go/godwit"
)

func TestAClaimThatPassedOverOthersSaysThatThereMayBeMore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	jobs := make([]godwit.NewJob, 3*claimSlack)
	for i := range jobs {
		jobs[i] = newJob()
	}
	if _, err := b.store.Submit(t.Context(), jobs); err != nil {
		t.Fatal(err)
	}
	tx := b.begin() // as a claim that is under way
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM godwit.places ORDER BY rank, run_at, id LIMIT $1 FOR NO KEY UPDATE", claimSlack); err != nil {
		t.Fatal(err)
	}
	claim := func(limit, want int, more bool) {
		t.Helper()
		a, err := b.store.Claim(t.Context(), godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: limit})
		if err != nil || len(a.Jobs) != want || a.More != more {
			t.Errorf("a claim of %d answers %d jobs, more %v, %v, want %d, %v", limit, len(a.Jobs), a.More, err, want, more)
		}
	}
	claim(claimSlack, claimSlack, true)   // the limit was reached
	claim(claimSlack+1, claimSlack, true) // the others are being taken
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	claim(claimSlack+1, claimSlack, false) // these were all
}
