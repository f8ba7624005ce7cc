package godwit

import (
	"context"
	"log/slog"
	"time"
)

// never is the pause of a loop that goes on only when woken.
const never = time.Duration(1<<63 - 1)

// loop is the skeleton of every role: a name, a timer, a short step. step says how long to pause; wake ends the pause early.
// Whoever runs it waits for it.
type loop struct {
	name string
	step func(ctx context.Context) (pause time.Duration)
	wake chan struct{}
}

func newLoop(name string, step func(ctx context.Context) time.Duration) *loop {
	return &loop{name: name, step: step, wake: make(chan struct{}, 1)}
}

// kick makes the next step come at once. It never blocks.
func (l *loop) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-timer.C:
		}
		if ctx.Err() != nil {
			return
		}
		timer.Reset(l.step(ctx))
	}
}

// trouble is how a role bears with a store that does not serve: it logs the first failure and the end of the trouble, and
// says how long to pause. It belongs to one goroutine.
type trouble struct {
	log      *slog.Logger
	doing    string
	failures int
}

const (
	troublePauseMin = 50 * time.Millisecond
	troublePauseMax = 5 * time.Second
)

// met notes a failure and gives the pause before the next try.
func (t *trouble) met(ctx context.Context, err error) time.Duration {
	if t.failures == 0 && ctx.Err() == nil {
		t.log.Warn("godwit: store trouble, trying again", "doing", t.doing, "err", err)
	}
	t.failures++
	return jittered(min(troublePauseMin<<min(t.failures-1, 10), troublePauseMax))
}

// over notes a success.
func (t *trouble) over() {
	if t.failures > 0 {
		t.log.Info("godwit: store trouble is over", "doing", t.doing, "failures", t.failures)
		t.failures = 0
	}
}

// pause waits for d or the end of ctx, and reports whether d passed.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
