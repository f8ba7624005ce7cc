package godwit

import (
	"context"
	"time"
)

const (
	pruneBatch     = 5000
	prunePauseBusy = 10 * time.Millisecond // much is to be pruned
	prunePauseIdle = time.Second           // little is: looking is spread out
)

// newPruner makes the role that removes finished jobs whose retention is over.
func newPruner(w *worker) *loop {
	t := trouble{log: w.c.log, doing: "prune"}
	return newLoop("pruner", func(ctx context.Context) time.Duration {
		answer, err := w.store.Prune(ctx, pruneBatch)
		if err != nil {
			return t.met(ctx, err)
		}
		t.over()
		switch {
		case answer.Pruned+answer.Forgotten >= pruneBatch/4:
			return prunePauseBusy
		case answer.Wrapped:
			return jittered(w.c.config.PruneInterval)
		}
		return jittered(min(prunePauseIdle, w.c.config.PruneInterval))
	})
}
