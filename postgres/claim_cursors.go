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
// stay there: a claim that begins at the beginning walks over all of them. So while there is a backlog a claim goes on where those
// before it have stopped, in each lane and rank. What the store itself makes ready below, it knows of; what others do is found by a
// look from the beginning: when nothing else is left, and now and then, as often as may take a twentieth of the time.
const (
	recallMin   = 250 * time.Millisecond // between two looks from the beginning while there is a backlog, at least
	recallShare = 20                     // so many times as long as such a look takes passes before the next, at least
	recallMax   = 10 * time.Second       // and at most
	cursorsMax  = 64                     // of a queue; where there are more, all claims begin at the beginning
)

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
	exact bool // all claims begin at the beginning

	mu     sync.Mutex
	queues map[string]*cursor // guarded by mu
}

// cursor is where the claims of one queue have stopped.
type cursor struct {
	at      map[file]point // below it nothing is known to be ready
	backlog bool           // the last claim left something
	recall  time.Time      // when a look from the beginning is due
	looks   map[*claimLook]bool
}

// claimLook is how one claim looks for jobs.
type claimLook struct {
	queue string
	whole bool // from the beginning
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

func newCursors(exact bool) *cursors { return &cursors{exact: exact, queues: map[string]*cursor{}} }

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
	l := &claimLook{queue: queue, began: time.Now(), fell: map[file]point{}}
	l.whole = whole || c.exact || !q.backlog || len(q.at) == 0 || !l.began.Before(q.recall)
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

// stop takes up how far a claim got: the last that it took in each lane and rank, and whether it left something.
func (c *cursors) stop(l *claimLook, took map[file]point, backlog bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queueLocked(l.queue)
	delete(q.looks, l)
	q.backlog = backlog
	if l.whole {
		now := time.Now()
		q.recall = now.Add(min(max(recallMin, recallShare*now.Sub(l.began)), recallMax))
	}
	for f, p := range took {
		if fell, ok := l.fell[f]; ok && fell.compare(p) < 0 {
			p = fell
		}
		if old, ok := q.at[f]; !ok || old.compare(p) < 0 {
			q.at[f] = p
		}
	}
	if len(q.at) > cursorsMax {
		clear(q.at)
	}
}

// fall moves the points back to jobs that have become ready.
func (c *cursors) fall(jobs []*job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range jobs {
		if j.kind != ready {
			continue
		}
		q, f, p := c.queueLocked(j.lane.queue), file{j.lane.id, int16(-j.priority)}, point{j.runAt, j.id}
		if old, ok := q.at[f]; ok && p.compare(old) < 0 {
			q.at[f] = p
		}
		for l := range q.looks {
			if old, ok := l.fell[f]; !ok || p.compare(old) < 0 {
				l.fell[f] = p
			}
		}
	}
}
