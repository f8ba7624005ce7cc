package postgres

import (
	"context"
	"sync"
	"time"
)

// clock gives store time in microseconds: the server's clock, carried on from one measurement to the next by the monotonic clock
// of this machine. It never goes back. The wall clock of this machine is not read, so that a machine whose clock is wrong judges
// leases as every other does.
type clock struct {
	read func() time.Time // the configured clock; nil: the server's

	mu     sync.Mutex
	last   int64     // guarded by mu: given last
	anchor int64     // guarded by mu: store time at since
	since  time.Time // guarded by mu: with its monotonic reading; zero: not measured yet
}

// now gives store time. Before the first measurement of the server's clock there is none.
func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	us := c.last
	switch {
	case c.read != nil:
		us = c.read().UnixMicro()
	case !c.since.IsZero():
		us = c.anchor + time.Since(c.since).Microseconds()
	}
	c.last = max(c.last, us)
	return c.last
}

// measure reads the server's clock. The answer is taken for the middle of the round trip; of several the fastest counts.
func (c *clock) measure(ctx context.Context, l link) error {
	if c.read != nil {
		return nil
	}
	best := time.Duration(1<<63 - 1)
	var anchor int64
	var since time.Time
	for range 3 {
		var server time.Time
		began := time.Now()
		err := l.run(ctx, ask("SELECT clock_timestamp()", func(r scanner) error { return r.Scan(&server) }))
		if err != nil {
			return err
		}
		if trip := time.Since(began); trip < best {
			best, anchor, since = trip, server.UnixMicro(), began.Add(trip/2)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.anchor, c.since = anchor, since
	return nil
}

// micros gives a time in microseconds, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros gives the time, the zero time for 0.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// after gives the time that lies d after us, cut to microseconds.
func after(us int64, d time.Duration) int64 {
	return time.UnixMicro(us).Add(d).UnixMicro()
}
