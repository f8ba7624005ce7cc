package postgres

import (
	"context"
	"sync"
	"time"
)

// clock gives store time in microseconds: the server's clock, carried on from one measurement to the next by the monotonic clock
// of this machine. It never goes back. The wall clock of this machine is not read, so that a machine whose clock is wrong judges
// leases as every other does.
//
// Set back, the server's clock is not followed: store time goes on at the pace of the monotonic clock, so that leases and delays last
// as long as they should. A process that begins then takes up the time that others wrote into their leases. Set forward it is
// followed, so that what is scheduled runs, but that ends no lease: each session gets the time to renew its own.
type clock struct {
	read func() time.Time // the configured clock; nil: the server's

	mu     sync.Mutex
	last   int64     // guarded by mu: given last
	anchor int64     // guarded by mu: store time at since
	since  time.Time // guarded by mu: with its monotonic reading; zero: not measured yet
	jumped time.Time // guarded by mu: when the server's clock was found to have been set forward; zero: never
}

// jumpMin is the least difference that counts as a clock that was set; less is drift, and what a measurement is off by.
const jumpMin = int64(time.Second / time.Microsecond)

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

// measure reads the server's clock, and the newest time that a lease was renewed at. The answer is taken for the middle of the round
// trip; of several the fastest counts.
func (c *clock) measure(ctx context.Context, l link) error {
	if c.read != nil {
		return nil
	}
	best := time.Duration(1<<63 - 1)
	var anchor, floor int64
	var since time.Time
	const sql = "SELECT clock_timestamp(), coalesce((SELECT max(lease_until - lease / 1000) FROM godwit.sessions), 0)"
	for range 3 {
		var server time.Time
		began := time.Now()
		err := l.run(ctx, ask(sql, func(r scanner) error { return r.Scan(&server, &floor) }))
		if err != nil {
			return err
		}
		if trip := time.Since(began); trip < best {
			best, anchor, since = trip, server.UnixMicro(), began.Add(trip/2)
		}
	}
	c.set(anchor, floor, since)
	return nil
}

// set takes what was measured at some time: the server's clock and the newest store time that anybody is known to have had.
func (c *clock) set(server, floor int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	us, expected := server, c.anchor+at.Sub(c.since).Microseconds()
	known := !c.since.IsZero()
	if known && expected-us >= jumpMin {
		us = expected
	}
	if floor-us >= jumpMin {
		us = floor
	}
	if known && us-expected >= jumpMin {
		c.jumped = at
	}
	c.anchor, c.since = us, at
}

// leaseBeyond gives the longest lease whose end can be believed in. After the clock was set forward, that is one that has passed
// since, and all processes have measured the clock.
func (c *clock) leaseBeyond() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jumped.IsZero() {
		return 1<<63 - 1
	}
	return time.Since(c.jumped) - timeInterval
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
