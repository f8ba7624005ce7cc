package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// BenchmarkClaimBesideHeld claims and settles one job at a time beside none and a million held jobs, half of a paused queue, half
// of a paused task in the same queue: the time must not depend on them. Run it with -benchtime 2000x.
func BenchmarkClaimBesideHeld(b *testing.B) {
	for _, held := range []int{0, 1_000_000} {
		b.Run(fmt.Sprint(held), func(b *testing.B) {
			t := setup(b)
			worker := t.ids.New()
			_, err := t.store.StartSession(t.ctx, godwit.NewSession{
				ID: worker, Lease: time.Hour, Queues: []string{"default", "paused"},
				Tasks: []godwit.Capability{{Task: "mail", MinVersion: 1, MaxVersion: 1}, {Task: "paused", MinVersion: 1, MaxVersion: 1}},
			})
			t.ok(err)
			t.ok(t.store.PauseQueue(t.ctx, "paused", true))
			t.ok(t.store.PauseTask(t.ctx, "paused", true))
			for n := 0; n < held; n += 2000 {
				jobs := append(t.jobs(1000, "mail"), t.jobs(1000, "paused")...)
				for i := range 1000 {
					jobs[i].Queue = "paused"
				}
				_, err := t.store.Submit(t.ctx, jobs)
				t.ok(err)
			}
			for n := 0; n < b.N; n += 1000 {
				_, err := t.store.Submit(t.ctx, t.jobs(min(1000, b.N-n), "mail"))
				t.ok(err)
			}
			b.ResetTimer()
			for range b.N {
				a, err := t.store.Claim(t.ctx, godwit.ClaimRequest{Session: worker, Queue: "default", Limit: 1})
				t.ok(err)
				token := godwit.Token{Job: a.Jobs[0].ID, Run: a.Jobs[0].Run, Session: worker}
				_, err = t.store.Settle(t.ctx, []godwit.Settlement{{Token: token, Outcome: godwit.OutcomeSucceed}})
				t.ok(err)
			}
			b.StopTimer()
		})
	}
}
