package sqlite

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
)

// A worker keeps its lease although others have much to write.
func TestHeartbeatGoesBeforeWhatOthersWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		worker := b.session("mail")
		entered, gate := make(chan struct{}), make(chan struct{})
		ended := make(chan error, 3)
		tx := func(do func()) {
			ended <- b.store.Tx(t.Context(), func(*Tx) error {
				do()
				return nil
			})
		}
		var before int64
		go tx(func() {
			before = b.store.ctl.sessions[worker].leaseUntil
			close(entered)
			<-gate
		})
		<-entered
		b.pass(time.Second)
		go tx(func() {
			if until := b.store.ctl.sessions[worker].leaseUntil; until == before {
				t.Error("the lease was not renewed before another call")
			}
		})
		synctest.Wait()
		go func() {
			_, err := b.store.Heartbeat(context.Background(), godwit.HeartbeatRequest{Session: worker})
			ended <- err
		}()
		synctest.Wait()
		close(gate)
		for range cap(ended) {
			b.ok(<-ended)
		}
	})
}
