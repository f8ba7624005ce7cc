package postgres

import (
	"testing"

	"github.com/godwit-go/godwit"
)

func TestWhoHasLockedAReadyJobHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"for update": "SELECT 1 FROM godwit.places WHERE id = $1 FOR UPDATE",
		"as claims":  "SELECT 1 FROM godwit.places WHERE id = $1 FOR NO KEY UPDATE",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			locked := b.submit(newJob())
			others := []godwit.ID{b.submit(newJob()), b.submit(newJob()), b.submit(newJob())}
			tx := b.begin()
			locks(t, tx, sql, locked)
			claim := func(limit int, more bool, want ...godwit.ID) {
				t.Helper()
				a, err := b.store.Claim(t.Context(), godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: limit})
				if err != nil || a.Code != "" || a.More != more || len(a.Jobs) != len(want) {
					t.Fatalf("claim %d: %q, %d jobs, more %v, %v, want %d, %v", limit, a.Code, len(a.Jobs), a.More, err, len(want), more)
				}
				for i := range want {
					if a.Jobs[i].ID != want[i] {
						t.Errorf("claimed %s, want %s", a.Jobs[i].ID, want[i])
					}
				}
			}
			claim(1, true, others[0])
			claim(4, true, others[1:]...)
			claim(4, false)
			claim(4, false)
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			claim(4, false, locked)
		})
	}
}
