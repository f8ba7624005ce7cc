package godwit

import (
	"context"
	"time"
)

const (
	pruneBatch     = 1000                 // what claims and settles may have to wait for
	prunePauseBusy = 5 * time.Millisecond // more is to be pruned
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
		if answer.More {
			return prunePauseBusy
		}
		return jittered(w.c.config.PruneInterval)
	})
}
