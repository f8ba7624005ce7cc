package godwit

import (
	"context"
	"time"
)

// newRescuer makes the role that ends the sessions of dead workers, so that their jobs run elsewhere.
func newRescuer(w *worker) *loop {
	t := trouble{log: w.c.log, doing: "rescue"}
	return newLoop("rescuer", func(ctx context.Context) time.Duration {
		answer, err := w.store.Rescue(ctx, maintenanceBatch)
		if err != nil {
			return t.met(ctx, err)
		}
		t.over()
		for _, id := range answer.Sessions {
			w.c.log.Warn("godwit: a worker died, its jobs are rescued", "session", id, "retried", answer.Retried,
				"failed", answer.Failed, "cancelled", answer.Cancelled, "unheld", answer.Unheld)
		}
		if len(answer.Sessions) == maintenanceBatch {
			return 0
		}
		return jittered(max(w.c.config.Lease/6, 100*time.Millisecond))
	})
}
