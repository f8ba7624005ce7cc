package godwit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// slowClaim is a store whose claims take a while to answer.
type slowClaim struct{ *model.Store }

func (s slowClaim) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	answer, err := s.Store.Claim(ctx, r)
	<-time.After(10 * time.Millisecond)
	return answer, err
}

// While a claim for one slot is under way another slot becomes free. It is put to use when the claim answers that there is more.
func TestSlotFreedDuringAClaimIsFilledAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c, err := godwit.New(slowClaim{model.New(model.Config{})}, godwit.Config{
			Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: 2}},
		})
		if err != nil {
			t.Fatal(err)
		}
		const ms = time.Millisecond
		took := []time.Duration{100 * ms, 105 * ms, 1000 * ms, 1000 * ms} // the second slot becomes free while the first one's claim is under way
		task := godwit.NewTask[int, int]("work", godwit.Policy{})
		started := make([]time.Duration, len(took))
		begun := time.Now()
		godwit.Handle(c, task, func(_ context.Context, n int) (int, error) {
			started[n] = time.Since(begun)
			<-time.After(took[n])
			return n, nil
		})
		for n := range took {
			if _, err := task.Submit(t.Context(), c, n, godwit.SubmitOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Second)
		synctest.Wait()
		if gap := started[3] - started[2]; gap > 20*time.Millisecond {
			t.Errorf("the second free slot stood idle for %s: jobs started at %v", gap, started)
		}
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}
