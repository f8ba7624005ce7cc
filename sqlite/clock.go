package sqlite

import (
	"sync"
	"time"
)

// clock gives store time in microseconds. It never goes back, also not over a restart: it begins at the newest time that the
// file knows. It follows the wall clock when that jumps forward (a machine that slept). When the wall clock is set back it goes
// on at the pace of the machine's monotonic clock, so that leases and delays last as long as they should.
type clock struct {
	read func() time.Time // the configured clock; nil: the machine's

	mu     sync.Mutex
	last   int64     // guarded by mu: given last
	anchor int64     // guarded by mu: store time at since
	since  time.Time // guarded by mu: with its monotonic reading
}

func (c *clock) now() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read != nil {
		c.last = max(c.last, c.read().UnixMicro())
		return c.last
	}
	t := time.Now()
	us := c.anchor + t.Sub(c.since).Microseconds()
	if wall := t.UnixMicro(); wall > us {
		c.anchor, c.since, us = wall, t, wall
	}
	c.last = max(c.last, us)
	return c.last
}

// begin sets the time below which the clock does not go.
func (c *clock) begin(floor int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, floor)
	c.anchor, c.since = c.last, time.Now()
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
