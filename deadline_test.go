package godwit

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

type clockStore struct {
	Store
	now time.Time
}

func (s *clockStore) Now() time.Time { return s.now }

func TestARunWhoseDeadlineHasPassedWhenItIsClaimedIsEnded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := &Client{log: slog.New(slog.DiscardHandler), config: Config{StuckAfter: time.Hour}}
	w := &worker{c: c, store: &clockStore{now: now}, base: t.Context()}
	for range 100 { // the deadline's goroutine and the one that prepares the run meet in many ways
		r := &run{w: w, job: &Job{Deadline: now.Add(-time.Second)}}
		r.prepare()
		<-r.ctx.Done()
		if cause := context.Cause(r.ctx); cause != errDeadline {
			t.Fatalf("the cause is %v", cause)
		}
		r.cancel(nil)
		r.release()
	}
}
