package postgres

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
)

// Jobs that are claimed leave dead entries in the index of ready ones, and as long as anybody holds a snapshot of the time before they
// stay there: a claim that begins at the beginning walks over all of them. So amid a backlog a claim goes on where those before it have
// stopped, in each lane and rank. What this store makes ready below, it knows of; what others do is found by a look from the
// beginning. There is one as often as may take a twentieth of the time, and whenever little is left; where many entries are dead, only
// when nothing is.
const (
	recallShare = 20               // so many times as long as a look from the beginning takes passes before the next
	recallMax   = 10 * time.Second // and at most
	cursorsMax  = 64               // of a queue; the lanes and ranks of others are looked at as a whole
)

// deadMany is how many dead entries of an index a look from the beginning walks over in a millisecond or so.
const deadMany = 5000

// nextRecall gives when the next look from the beginning is due, after one that has just ended.
func nextRecall(took time.Duration) time.Time {
	return time.Now().Add(min(recallShare*took, recallMax))
}

// point is one in the order of claims within a lane and rank.
type point struct {
	runAt int64
	id    godwit.ID
}

func (p point) compare(o point) int { return cmp.Or(cmp.Compare(p.runAt, o.runAt), p.id.Compare(o.id)) }

// file is what is claimed in one order: a lane's jobs of one rank.
type file struct {
	lane int32
	rank int16
}

func (f file) compare(o file) int {
	return cmp.Or(cmp.Compare(f.lane, o.lane), cmp.Compare(f.rank, o.rank))
}

// cursors remember, for each queue, where claims have stopped. It is safe for use by many goroutines.
type cursors struct {
	mu     sync.Mutex
	queues map[string]*cursor // guarded by mu; those that were claimed from
}

// cursor is where the claims of one queue have stopped.
type cursor struct {
	at      map[file]point // below it nothing is known to be ready
	backlog bool           // the last claim saw as much as it looked at
	recall  time.Time      // when a look from the beginning is due
	slow    bool           // the last look from the beginning took longer than joinSlow
	dead    bool           // the last look from the beginning walked over many dead entries
	shared  bool           // a submission met others that were ready, or may not be claimed
	looks   map[*claimLook]bool
}

// claimLook is how one claim looks for jobs.
type claimLook struct {
	queue string
	whole bool // from the beginning
	few   bool // it takes what there is, be that less than it looks for
	began time.Time
	spans spans
	fell  map[file]point // the lowest that became ready while it was under way
}

// spans are what a claim looks at: in each lane named the jobs from a rank and a point on, up to another rank. Lanes that are not named
// are looked at as a whole.
type spans struct {
	lanes, from, to array[int32]
	runAts          array[int64]
	ids             array[pgtype.UUID]
}

func (s *spans) add(lane int32, from, to int, p point) {
	if from > to {
		return
	}
	s.lanes, s.from, s.to = append(s.lanes, lane), append(s.from, int32(from)), append(s.to, int32(to))
	s.runAts, s.ids = append(s.runAts, p.runAt), append(s.ids, uuid(p.id))
}

func newCursors() *cursors { return &cursors{queues: map[string]*cursor{}} }

func (c *cursors) queueLocked(name string) *cursor {
	q := c.queues[name]
	if q == nil {
		q = &cursor{at: map[file]point{}, looks: map[*claimLook]bool{}}
		c.queues[name] = q
	}
	return q
}

// start says where a claim is to look: whole from the beginning. It ends with stop.
func (c *cursors) start(queue string, whole bool) *claimLook {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(queue)
	l := &claimLook{queue: queue, began: time.Now()}
	l.whole = whole || !q.backlog && !q.dead || len(q.at) == 0 || !l.began.Before(q.recall)
	l.few = q.dead
	if !l.whole {
		l.spans = q.spans()
	}
	q.looks[l] = true
	return l
}

// spans gives everything but what lies below the points.
func (q *cursor) spans() spans {
	files := make([]file, 0, len(q.at))
	for f := range q.at {
		files = append(files, f)
	}
	slices.SortFunc(files, file.compare)
	var s spans
	for i, f := range files {
		if i == 0 || files[i-1].lane != f.lane {
			s.add(f.lane, math.MinInt16, int(f.rank)-1, point{runAt: math.MinInt64})
		}
		to := math.MaxInt16
		if i+1 < len(files) && files[i+1].lane == f.lane {
			to = int(files[i+1].rank) - 1
		}
		s.add(f.lane, int(f.rank), to, q.at[f])
	}
	return s
}

// stop takes up how far a claim got: the last that it took in each lane and rank, how many dead entries it walked over at least, and
// whether it saw as much as it looked at. One that failed took nothing, and the next looks from the beginning.
func (c *cursors) stop(l *claimLook, took map[file]point, dead int64, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(l.queue)
	delete(q.looks, l)
	q.backlog = full
	if l.whole {
		lasted := time.Since(l.began)
		q.recall, q.slow, q.dead = nextRecall(lasted), lasted > joinSlow, dead >= deadMany
	}
	for f, p := range took {
		if fell, ok := l.fell[f]; ok && fell.compare(p) < 0 {
			p = fell
		}
		// A look from the beginning knows what is left below; another may have been overtaken by one.
		if old, ok := q.at[f]; l.whole || !ok || old.compare(p) < 0 {
			q.at[f] = p
		}
	}
	for f := range q.at {
		if len(q.at) <= cursorsMax {
			break
		}
		delete(q.at, f)
	}
}

// slow reports whether a look from the beginning takes long.
func (c *cursors) slow(queue string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[queue]
	return q != nil && q.slow
}

// alone reports whether what is about to be made ready is likely to be all that there is.
func (c *cursors) alone(queue string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(queue)
	return !q.shared && !q.backlog && !q.dead
}

// met notes whether a submission met others that were ready.
func (c *cursors) met(queue string, others bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queueLocked(queue).shared = others
}

// fall moves the points back to jobs that have become ready.
func (c *cursors) fall(jobs []*job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range jobs {
		q := c.queues[j.lane.queue]
		if j.kind != ready || q == nil {
			continue
		}
		f, p := file{j.lane.id, int16(-j.priority)}, point{j.runAt, j.id}
		if old, ok := q.at[f]; ok && p.compare(old) < 0 {
			q.at[f] = p
		}
		for l := range q.looks {
			l.fall(f, p)
		}
	}
}

func (l *claimLook) fall(f file, p point) {
	if l.fell == nil {
		l.fell = map[file]point{}
	}
	if old, ok := l.fell[f]; !ok || p.compare(old) < 0 {
		l.fell[f] = p
	}
}
