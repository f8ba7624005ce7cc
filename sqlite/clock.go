package sqlite

import (
	"sync"
	"time"
)

// clock gives store time in microseconds. It never goes back, also not over a restart: it begins at the newest time that the
// file knows. It follows the wall clock when that jumps forward (a machine that slept). When the wall clock is set back it goes
// on at the pace of the machine's monotonic clock, so that leases and delays last as long as they should. A jump forward makes
// scheduled jobs due, but it ends no lease: the store adds it to the leases of live sessions.
type clock struct {
	read func() time.Time // the configured clock; nil: the machine's

	mu     sync.Mutex
	last   int64     // guarded by mu: given last
	anchor int64     // guarded by mu: store time at since
	since  time.Time // guarded by mu: with its monotonic reading
	jumped int64     // guarded by mu: microseconds jumped forward that no lease knows of yet
}

// jumpMin is the least difference to the monotonic clock that counts as a jump; less is drift.
const jumpMin = int64(100 * time.Millisecond / time.Microsecond)

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
		if jump := wall - us; jump >= jumpMin {
			c.jumped += jump
		}
		c.anchor, c.since, us = wall, t, wall
	}
	c.last = max(c.last, us)
	return c.last
}

// jump gives how far the clock has jumped that no lease knows of.
func (c *clock) jump() int64 {
	c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jumped
}

// told says that the leases know of a jump.
func (c *clock) told(jump int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jumped -= jump
}

// begin sets the time below which the clock does not go.
func (c *clock) begin(floor int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, floor)
	c.since = time.Now()
	c.anchor = max(c.last, c.since.UnixMicro())
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
