package postgres

import (
	"cmp"
	"math"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// What is pruned leaves dead entries in the indexes of what is over, and as long as anybody holds a snapshot of the time before they stay
// there: a look from the beginning walks over all of them. So a prune goes on where those before it have stopped.
//
// What comes to be over later lies above: a job is kept until its end at least, an id for an hour more, and no point is remembered
// beyond the time of the call. Below can lie only what ended before and was committed afterwards, with hardly any retention, and what is
// there again since another server has taken over. Looks from the beginning find that: now and then, as often as may take a twentieth of the
// time; and, unless many entries are dead, whenever fewer jobs are found than were asked for, so that no prune says that it came to the end
// while one is left.

// overPoint is one in the order in which jobs, or ids, are over.
type overPoint struct {
	until int64
	id    godwit.ID
}

func (p overPoint) compare(o overPoint) int {
	return cmp.Or(cmp.Compare(p.until, o.until), p.id.Compare(o.id))
}

// overStart lies before everything.
var overStart = overPoint{until: math.MinInt64}

// overCursors remember where prunes have stopped. They are safe for use by many goroutines.
type overCursors struct {
	mu        sync.Mutex
	jobs, ids overPoint // guarded by mu
	recall    time.Time // guarded by mu; when a look from the beginning is due
	dead      bool      // guarded by mu; the last one walked over many dead entries
}

func newOverCursors() *overCursors { return &overCursors{jobs: overStart, ids: overStart} }

// start says where a prune begins to look for jobs and ids that are over, and whether that is the beginning.
func (c *overCursors) start() (jobs, ids overPoint, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == overStart || !time.Now().Before(c.recall) {
		return overStart, overStart, true
	}
	return c.jobs, c.ids, false
}

// looked takes up how long a look from the beginning took, and how many dead entries it walked over.
func (c *overCursors) looked(took time.Duration, dead int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recall, c.dead = nextRecall(took), dead >= deadMany
}

// suffices reports whether a prune that found little from the points on may leave it at that.
func (c *overCursors) suffices() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// reached takes up how far a look at an instant got, once it is committed.
func (c *overCursors) reached(p *pruning, whole bool, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs = p.jobs.after(c.jobs, whole, now)
	c.ids = p.ids.after(c.ids, whole, now)
}

// overReach is how far a look got: the last that it found, or the start, and whether it may have left something.
type overReach struct {
	to   overPoint
	left bool
}

// after gives where to go on, of which the looks before have said old. One from the beginning that left something may have found what
// lay below that.
func (r overReach) after(old overPoint, whole bool, now int64) overPoint {
	to := r.to
	if at := (overPoint{until: now}); to.compare(at) > 0 {
		to = at // more may come to be over at this instant
	}
	if r.to != overStart && (whole && r.left || old.compare(to) < 0) {
		return to
	}
	return old
}
