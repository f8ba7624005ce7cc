package godwit_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/godwit-go/godwit"
)

// A claim is carried out and its answer lost: the job runs under a session that lives and knows nothing of it.
func TestAJobWhoseClaimWasLostRunsAllTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, b := setupFaulty(t, godwit.Config{})
		godwit.Handle(b.Client, block, func(context.Context, string) (string, error) { return "", nil })
		f.set("claim", godwit.ErrOutcomeUnknown)
		p := b.submit(t, "", godwit.SubmitOptions{})
		b.start(t)
		defer b.stop(t)
		synctest.Wait()
		if state := b.job(t, p.ID()).State; state != godwit.StateRunning {
			t.Fatalf("the job is %s, want it claimed by nobody who knows", state)
		}
		f.set("claim", nil)
		if _, err := p.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j := b.job(t, p.ID()); j.Run != 2 || j.Attempt != 1 || j.Releases != 1 {
			t.Errorf("run %d, attempt %d, %d releases; want the lost run given back: 2, 1, 1", j.Run, j.Attempt, j.Releases)
		}
	})
}
