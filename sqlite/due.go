package sqlite

import (
	"context"
	"slices"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// godwit_due says when finished jobs and pruned ids are over. One row has all the ids of a time, and jobs that are settled together and
// kept alike have the same: what an index would write for each job is written once for many. Rows are not changed when a job is
// retried or deleted by hand before its time; whoever reads them looks whether it is still so.

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
		drop  func(ids []godwit.ID, at int64, answer *godwit.PruneAnswer) (looked int, err error)
	}{{pruned, u.forgetIDs}, {succeeded, u.pruneJobs}} {
		looked := 0
		for looked < limit {
			at, ids, err := u.firstDue(part.place)
			if err != nil {
				return answer, err
			}
			if len(ids) == 0 {
				break
			}
			now := ids[:min(len(ids), limit-looked)]
			if err := u.leaveDue(part.place, at, ids[len(now):]); err != nil {
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

// firstDue gives the ids of the earliest time that has come, in order; none when there is no such time.
func (u *unit) firstDue(place kind) (at int64, ids []godwit.ID, err error) {
	const sql = "SELECT at, ids FROM godwit_due WHERE place = ? AND at <= ? ORDER BY at LIMIT 1"
	err = u.c.query(sql, func(s *row) error {
		at = columnMicros(s, 0)
		ids = columnIDs(s, 1)
		return nil
	}, int64(place), u.now)
	return at, ids, err
}

// leaveDue leaves ids at a time, or nothing.
func (u *unit) leaveDue(place kind, at int64, ids []godwit.ID) error {
	if len(ids) == 0 {
		return u.c.exec("DELETE FROM godwit_due WHERE place = ? AND at = ?", int64(place), at)
	}
	return u.c.exec("UPDATE godwit_due SET ids = ? WHERE place = ? AND at = ?", bytesOf(ids), int64(place), at)
}

// pruneJobs prunes those of the ids that are finished jobs whose time is still that, and says how many they were.
func (u *unit) pruneJobs(ids []godwit.ID, at int64, answer *godwit.PruneAnswer) (looked int, err error) {
	if err := u.loadFinished(ids); err != nil {
		return 0, err
	}
	var absent []godwit.ID
	for _, id := range ids {
		j := u.jobs[id]
		if j.kind == none {
			absent = append(absent, id)
		}
		if !j.kind.final() || j.keepUntil != at {
			continue // it was retried or deleted since
		}
		looked++
		if err := u.pruneOne(j, answer); err != nil {
			return looked, err
		}
	}
	return looked, u.noneOf(absent)
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
func (u *unit) forgetIDs(ids []godwit.ID, _ int64, answer *godwit.PruneAnswer) (looked int, err error) {
	if err := u.c.changeIDs(deletePruned, ids, nil); err != nil {
		return 0, err
	}
	for _, id := range ids {
		delete(u.jobs, id)
	}
	answer.Forgotten += len(ids)
	return len(ids), nil
}

var upsertDue = values("godwit_due", "place, at, ids", " ON CONFLICT (place, at) DO UPDATE SET ids = CAST(ids || excluded.ids AS BLOB)")

// postDue notes when jobs that have just finished, were pruned or are kept on are over.
func (u *unit) postDue(p *plan) error {
	type key struct {
		place kind
		at    int64
	}
	var keys []key // in the order in which they were met
	ids := map[key][]byte{}
	for _, part := range []struct {
		place kind
		jobs  []*job
	}{{succeeded, p.finished}, {succeeded, p.keptOn}, {pruned, p.prunedNow}} {
		for _, j := range part.jobs {
			k := key{part.place, j.keepUntil}
			if ids[k] == nil {
				keys = append(keys, k)
			}
			ids[k] = append(ids[k], j.id[:]...)
		}
	}
	return u.c.many(upsertDue, len(keys), func(s *zs.Stmt, at, i int) int {
		s.BindInt64(at, int64(keys[i].place))
		s.BindInt64(at+1, keys[i].at)
		s.BindBytes(at+2, ids[keys[i]])
		return at + 3
	}, nil)
}

// columnIDs reads ids that stand one after the other, and gives them in order, each once.
func columnIDs(s *row, col int) []godwit.ID {
	b := columnBlob(s, col)
	if len(b)%len(godwit.ID{}) != 0 {
		s.fault(col, "has %d bytes, which are no ids", len(b))
		return nil
	}
	ids := make([]godwit.ID, len(b)/len(godwit.ID{}))
	for i := range ids {
		copy(ids[i][:], b[i*len(godwit.ID{}):])
	}
	slices.SortFunc(ids, godwit.ID.Compare)
	return slices.Compact(ids)
}

func bytesOf(ids []godwit.ID) []byte {
	b := make([]byte, 0, len(ids)*len(godwit.ID{}))
	for i := range ids {
		b = append(b, ids[i][:]...)
	}
	return b
}
