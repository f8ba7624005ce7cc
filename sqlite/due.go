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

// godwit_due says when finished jobs and pruned ids are over. One row has all that is over at a time, and jobs that are settled together
// and kept alike have the same: what an index would write for each job is written once for many. Rows are not changed when a job is
// retried or deleted by hand before its time; whoever reads them looks whether it is still so.

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
		place kind
		drop  func(list []due, at int64, answer *godwit.PruneAnswer) (looked int, err error)
	}{{pruned, u.forgetIDs}, {succeeded, u.pruneJobs}} {
		looked := 0
		for looked < limit {
			at, list, err := u.firstDue(part.place)
			if err != nil {
				return answer, err
			}
			if len(list) == 0 {
				break
			}
			now := list[:min(len(list), limit-looked)]
			if err := u.leaveDue(part.place, at, list[len(now):]); err != nil {
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
func (u *unit) firstDue(place kind) (at int64, list []due, err error) {
	const sql = "SELECT at, ids FROM godwit_due WHERE place = ? AND at <= ? ORDER BY at LIMIT 1"
	err = u.c.query(sql, func(s *row) error {
		at, list = columnMicros(s, 0), columnDue(s, 1)
		return nil
	}, int64(place), u.now)
	return at, list, err
}

// leaveDue leaves a list at a time, or nothing.
func (u *unit) leaveDue(place kind, at int64, list []due) error {
	if len(list) == 0 {
		return u.c.exec("DELETE FROM godwit_due WHERE place = ? AND at = ?", int64(place), at)
	}
	var b []byte
	for i := range list {
		b = appendDue(b, list[i])
	}
	return u.c.exec("UPDATE godwit_due SET ids = ? WHERE place = ? AND at = ?", b, int64(place), at)
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

var upsertDue = values("godwit_due", "place, at, ids", " ON CONFLICT (place, at) DO UPDATE SET ids = CAST(ids || excluded.ids AS BLOB)")

// postDue notes when jobs that have just finished, were pruned or are kept on are over.
func (u *unit) postDue(p *plan) error {
	type key struct {
		place kind
		at    int64
	}
	var keys []key // in the order in which they were met
	lists := map[key][]byte{}
	for _, part := range []struct {
		place kind
		jobs  []*job
	}{{succeeded, p.finished}, {succeeded, p.keptOn}, {pruned, p.prunedNow}} {
		for _, j := range part.jobs {
			k := key{part.place, j.keepUntil}
			if lists[k] == nil {
				keys = append(keys, k)
			}
			d := due{id: j.id}
			if part.place == succeeded && j.plain() {
				d.lane = j.lane.id
			}
			lists[k] = appendDue(lists[k], d)
		}
	}
	return u.c.many(upsertDue, len(keys), func(s *zs.Stmt, at, i int) int {
		s.BindInt64(at, int64(keys[i].place))
		s.BindInt64(at+1, keys[i].at)
		s.BindBytes(at+2, lists[keys[i]])
		return at + 3
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
