package godwit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

func TestClockThatJumpsLosesNothing(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"ahead": 24 * time.Hour, "back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var offset atomic.Int64
				store := model.New(model.Config{Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }})
				b := setupOn(t, store, godwit.Config{})
				godwit.Handle(b.Client, double, func(ctx context.Context, n int) (int, error) {
					select {
					case <-time.After(5 * time.Second):
						return 2 * n, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				})
				b.start(t)
				defer b.stop(t)
				before := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 1, godwit.SubmitOptions{}))
				wait(time.Second)
				offset.Store(int64(jump))
				after := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 2, godwit.SubmitOptions{}))
				results, err := godwit.AwaitAll(t.Context(), before, after)
				if err != nil || results[0] != 2 || results[1] != 4 {
					t.Errorf("got %v, %v", results, err)
				}
			})
		})
	}
}
