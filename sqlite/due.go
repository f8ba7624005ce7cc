package sqlite

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// godwit_finished_due and godwit_pruned_due say when finished jobs and pruned ids are over. One row has all that is over at a time, and
// jobs that are settled together and kept alike have the same: what an index would write for each job is written once for many. Rows
// are not changed when a job is retried or deleted by hand before its time; whoever reads them looks whether it is still so.

// dueTable is one of the two, with its statements.
type dueTable struct {
	first, drop, leave string
	upsert             *multi
}

func newDueTable(name string) dueTable {
	return dueTable{
		first:  "SELECT at, ids FROM " + name + " WHERE at <= ? ORDER BY at LIMIT 1",
		drop:   "DELETE FROM " + name + " WHERE at = ?",
		leave:  "UPDATE " + name + " SET ids = ? WHERE at = ?",
		upsert: values(name, "at, ids", " ON CONFLICT (at) DO UPDATE SET ids = CAST(ids || excluded.ids AS BLOB)"),
	}
}

var finishedDue, prunedDue = newDueTable("godwit_finished_due"), newDueTable("godwit_pruned_due")

// due is an id that is over at some time.
type due struct {
	id   godwit.ID
	lane int64 // of a finished job on which nothing hangs: no parent, key, record or report; 0: it is to be looked at
}

// dueSize is how many bytes a due takes in a row: the id, and the lane, big endian.
const dueSize = len(godwit.ID{}) + 4

// Prune drops what has been kept long enough.
func (s *Store) Prune(ctx context.Context, limit int) (godwit.PruneAnswer, error) {
	if err := checkLimit(limit); err != nil {
		return godwit.PruneAnswer{}, err
	}
	return write(ctx, s, func(u *unit) (godwit.PruneAnswer, error) { return u.prune(limit) })
}

func (u *unit) prune(limit int) (godwit.PruneAnswer, error) {
	var answer godwit.PruneAnswer
	for _, part := range []struct {
		table *dueTable
		drop  func(list []due, at int64, answer *godwit.PruneAnswer) (looked int, err error)
	}{{&prunedDue, u.forgetIDs}, {&finishedDue, u.pruneJobs}} {
		looked := 0
		for looked < limit {
			at, list, err := u.firstDue(part.table)
			if err != nil {
				return answer, err
			}
			if len(list) == 0 {
				break
			}
			now := list[:min(len(list), limit-looked)]
			if err := u.leaveDue(part.table, at, list[len(now):]); err != nil {
				return answer, err
			}
			n, err := part.drop(now, at, &answer)
			if err != nil {
				return answer, err
			}
			looked += n
		}
		answer.More = answer.More || looked >= limit
	}
	return answer, nil
}

// firstDue gives what is over at the earliest time that has come, by id; nothing when there is no such time.
func (u *unit) firstDue(t *dueTable) (at int64, list []due, err error) {
	err = u.c.query(t.first, func(s *row) error {
		at, list = columnMicros(s, 0), columnDue(s, 1)
		return nil
	}, u.now)
	return at, list, err
}

// leaveDue leaves a list at a time, or nothing.
func (u *unit) leaveDue(t *dueTable, at int64, list []due) error {
	if len(list) == 0 {
		return u.c.exec(t.drop, at)
	}
	b := make([]byte, 0, len(list)*dueSize)
	for i := range list {
		b = appendDue(b, list[i])
	}
	return u.c.exec(t.leave, b, at)
}

// pruneJobs prunes those of the list that are finished jobs whose time is still that, and says how many they were.
func (u *unit) pruneJobs(list []due, at int64, answer *godwit.PruneAnswer) (looked int, err error) {
	plain, err := u.plainOver(list, at)
	if err != nil {
		return 0, err
	}
	var others, absent []godwit.ID
	for i := range list {
		if plain[list[i].id] == nil {
			others = append(others, list[i].id)
		}
	}
	if err := u.loadFinished(others); err != nil {
		return 0, err
	}
	for i := range list {
		if j := plain[list[i].id]; j != nil {
			u.jobs[j.id] = j
			looked++
			answer.Pruned++
			u.tell(godwit.EventPruned, j, "")
			continue
		}
		j := u.jobs[list[i].id]
		if j.kind == none {
			absent = append(absent, j.id)
		}
		if !j.kind.final() || j.keepUntil != at {
			continue // it was retried or deleted since
		}
		looked++
		if err := u.pruneOne(j, answer); err != nil {
			return looked, err
		}
	}
	if err := u.removePlain(plain, list, at); err != nil {
		return looked, err
	}
	return looked, u.noneOf(absent)
}

var selectOver = in("SELECT id, keep_until, finished_at, run FROM godwit_finished WHERE id IN")

// plainOver gives those of the list that are still over at the time, and on which nothing hangs, as they will be when they are pruned.
func (u *unit) plainOver(list []due, at int64) (map[godwit.ID]*job, error) {
	plain := make(map[godwit.ID]*job, len(list))
	ids, jobs := make([]godwit.ID, 0, len(list)), make([]job, len(list))
	for i := range list {
		d := &list[i]
		l := u.ctl.lanes[d.lane] // nil: what was over went before, and its lane with the last job of it
		if l == nil || u.jobs[d.id] != nil {
			continue
		}
		jobs[i] = job{id: d.id, kind: pruned, stored: pruned, lane: l.lane}
		ids, plain[d.id] = append(ids, d.id), &jobs[i]
	}
	err := u.c.selectIDs(selectOver, ids, func(s *row) error {
		if j := plain[columnID(s, 0)]; columnMicros(s, 1) == at {
			j.run = columnNumber(s, 3)
			keep := time.Duration(at-columnMicros(s, 2)) * time.Microsecond
			j.keepUntil = after(u.now, max(keep, godwit.ExpiredMin))
		}
		return nil
	})
	for _, id := range ids {
		if plain[id].keepUntil == 0 {
			delete(plain, id) // it was retried or deleted since
		}
	}
	return plain, err
}

// removePlain leaves of jobs only the ids.
func (u *unit) removePlain(plain map[godwit.ID]*job, list []due, at int64) error {
	p := plan{}
	ids := make([]godwit.ID, 0, len(plain))
	for i := range list {
		j := plain[list[i].id]
		if j == nil {
			continue
		}
		if err := u.ctl.count(j.lane, succeeded, -1); err != nil {
			return err
		}
		ids, p.prunedNow = append(ids, j.id), append(p.prunedNow, j)
	}
	p.leftFinished, p.goneJobs = ids, ids
	if err := u.writeGone(&p); err != nil {
		return err
	}
	return u.postDue(&p)
}

func (u *unit) pruneOne(j *job, answer *godwit.PruneAnswer) error {
	pinned, err := u.pinned(j)
	if err != nil {
		return err
	}
	if pinned {
		j.keepUntil, j.dirty, j.keptOn = after(u.now, godwit.PinnedPause), true, true
		return nil
	}
	answer.Pruned++
	return u.remove(j, states.Decide(states.OpPrune, u.place(j), 0))
}

// loadFinished loads jobs most of which are finished.
func (u *unit) loadFinished(ids []godwit.ID) error {
	var unknown []godwit.ID
	for _, id := range ids {
		if u.jobs[id] == nil {
			unknown = append(unknown, id)
		}
	}
	err := u.fetchFinished(unknown, false, func(j *job) error {
		u.put(j)
		return nil
	})
	if err != nil {
		return err
	}
	return u.load(ids, false)
}

// forgetIDs forgets pruned ids.
func (u *unit) forgetIDs(list []due, _ int64, answer *godwit.PruneAnswer) (looked int, err error) {
	ids := make([]godwit.ID, len(list))
	for i := range list {
		ids[i] = list[i].id
		delete(u.jobs, ids[i])
	}
	answer.Forgotten += len(ids)
	return len(ids), u.c.changeIDs(deletePruned, ids, nil)
}

// postDue notes when jobs that have just finished, were pruned or are kept on are over.
func (u *unit) postDue(p *plan) error {
	if err := u.post(&finishedDue, p.finished, p.keptOn); err != nil {
		return err
	}
	return u.post(&prunedDue, p.prunedNow)
}

// post notes when jobs are over.
func (u *unit) post(t *dueTable, lists ...[]*job) error {
	var times []int64 // in the order in which they were met
	over := map[int64][]byte{}
	for _, jobs := range lists {
		for _, j := range jobs {
			at := j.keepUntil
			if over[at] == nil {
				times = append(times, at)
			}
			d := due{id: j.id}
			if t == &finishedDue && j.plain() {
				d.lane = j.lane.id
			}
			over[at] = appendDue(over[at], d)
		}
	}
	return u.c.many(t.upsert, len(times), func(s *zs.Stmt, at, i int) int {
		s.BindInt64(at, times[i])
		s.BindBytes(at+1, over[times[i]])
		return at + 2
	}, nil)
}

// plain reports whether nothing hangs on a job that has finished.
func (j *job) plain() bool {
	return j.extra == nil && j.records == 0 && !j.reported && j.lane.id <= math.MaxUint32
}

func appendDue(b []byte, d due) []byte {
	b = append(b, d.id[:]...)
	return binary.BigEndian.AppendUint32(b, uint32(d.lane))
}

// columnDue reads what is over at a time, and gives it by id, each once.
func columnDue(s *row, col int) []due {
	b := columnBlob(s, col)
	if len(b) == 0 || len(b)%dueSize != 0 {
		s.fault(col, "has %d bytes, which is no list of ids", len(b))
		return nil
	}
	list := make([]due, len(b)/dueSize)
	for i := range list {
		part := b[i*dueSize:]
		n := copy(list[i].id[:], part)
		list[i].lane = int64(binary.BigEndian.Uint32(part[n:]))
	}
	// Of an id that is there twice, as one that was retried and finished anew within a microsecond, the one to be looked at comes first.
	slices.SortFunc(list, func(a, b due) int { return cmp.Or(a.id.Compare(b.id), cmp.Compare(a.lane, b.lane)) })
	return slices.CompactFunc(list, func(a, b due) bool { return a.id == b.id })
}
