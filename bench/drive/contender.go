package drive

import (
	"context"
	"time"
)

// Contender is a library, or a server with its client, that keeps jobs and runs them. Jobs are numbered from 0 in the order of their
// submission. Its methods are called by one goroutine, but for Submit.
type Contender interface {
	// Open makes the contender ready to submit. It is called again after Close, and then finds what was there.
	Open(ctx context.Context, spec Spec, r *Recorder) error
	// Submit submits the jobs from to from+n-1 and returns when the contender says that it has them. It uses the call
	// for many where there is one. It is safe for use by many goroutines.
	Submit(ctx context.Context, from, n int) error
	// Start begins to work.
	Start(ctx context.Context) error
	// Drain waits until what was run is settled in the contender's own store. Every handler has returned when it is called.
	Drain(ctx context.Context) error
	// Results reads the kept results of the jobs from to from+n-1 and says how many are there and right. A contender
	// that keeps none answers -1.
	Results(ctx context.Context, from, n int) (int, error)
	// Close stops the work and lets go of everything.
	Close(ctx context.Context) error
}

// Sizer tells how many jobs are left in a contender's store, and how large its files are.
type Sizer interface {
	Size(ctx context.Context) (rows, bytes int64, err error)
}

// Claimer tells how long its claims took: the calls that bring jobs from the store to the worker, those that brought none left out.
type Claimer interface {
	Claims() []Claim
}

// Claim is one of them.
type Claim struct {
	Begin time.Time
	Took  time.Duration
}

// FanInner runs one job that starts n others, awaits them all, and sums up their results.
type FanInner interface {
	FanIn(ctx context.Context, n int) error
}

// Holder brings n jobs to a place where they stay: "scheduled", "held" or "waiting".
type Holder interface {
	Hold(ctx context.Context, place string, n int) error
}

// Poll calls done now and then until it says true.
func Poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
