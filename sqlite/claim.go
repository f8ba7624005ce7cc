package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Claim hands out ready jobs of a queue.
func (s *Store) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	return write(ctx, s, func(u *unit) (godwit.ClaimAnswer, error) { return u.claim(r) })
}

func (u *unit) claim(r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	var answer godwit.ClaimAnswer
	sess := u.ctl.sessions[r.Session]
	switch {
	case sess == nil:
		answer.Code = godwit.CodeSessionEnded
		return answer, nil
	case sess.leaseUntil <= u.now:
		answer.Code = godwit.CodeLeaseExpired
		return answer, nil
	}
	ids, err := u.firstReady(u.claimable(sess, r.Queue), r.Limit)
	if err != nil || len(ids) == 0 {
		return answer, err
	}
	if err := u.load(ids, true); err != nil {
		return answer, err
	}
	row := states.Decide(states.OpClaim, states.Place(godwit.StateReady), 0)
	answer.Jobs = make([]godwit.Job, 0, len(ids))
	for _, id := range ids {
		j, err := u.pointed("godwit_places", id, ready, ready)
		if err != nil {
			return answer, err
		}
		j.startedAt, j.session, j.claimed = u.now, r.Session, true
		if j.extra != nil && j.extra.While == godwit.UniqueUnstarted {
			if err := u.letGo(j); err != nil {
				return answer, err
			}
		}
		if err := u.apply(row, j, nil, nil); err != nil {
			return answer, err
		}
		failure, err := u.newestFailure(j)
		if err != nil {
			return answer, err
		}
		shown, err := u.show(j, failure)
		if err != nil {
			return answer, err
		}
		answer.Jobs = append(answer.Jobs, shown)
	}
	answer.More = len(answer.Jobs) == r.Limit
	return answer, nil
}

// claimable gives the lanes of a queue that the session can run, that are not held and that have something ready.
func (u *unit) claimable(sess *session, queue string) []*laneState {
	if !slices.Contains(sess.Queues, queue) || u.ctl.pausedQueues[queue] {
		return nil
	}
	var lanes []*laneState
	for _, l := range u.ctl.byQueue[queue] {
		if l.count[ready] > 0 && !u.ctl.pausedTasks[l.task] && sess.knows(l.task, l.version) {
			lanes = append(lanes, l)
		}
	}
	return lanes
}

// cursor walks the ready jobs of one lane in claim order, reading a few at a time.
type cursor struct {
	lane  int64
	chunk int
	spots []spot // read and not taken yet
	last  spot   // read last
	over  bool   // nothing follows what was read
}

// spot is where a job stands in the order of claims.
type spot struct {
	rank, runAt int64
	id          godwit.ID
}

func (a *spot) compare(b *spot) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.runAt, b.runAt), a.id.Compare(b.id))
}

const (
	readFirst = "SELECT rank, run_at, id FROM godwit_places INDEXED BY godwit_places_ready WHERE place = 2 AND lane = ?" +
		" ORDER BY rank, run_at, id LIMIT 0 + ?"
	readNext = "SELECT rank, run_at, id FROM godwit_places INDEXED BY godwit_places_ready WHERE place = 2 AND lane = ?" +
		" AND (rank, run_at, id) > (?, ?, ?) ORDER BY rank, run_at, id LIMIT 0 + ?"
)

// fill reads on when everything that was read has been taken.
func (k *cursor) fill(c *conn) error {
	if k.over || len(k.spots) > 0 {
		return nil
	}
	got := func(s *row) error {
		k.spots = append(k.spots, spot{s.ColumnInt64(0), s.ColumnInt64(1), columnID(s, 2)})
		return nil
	}
	k.spots = k.spots[:0]
	var err error
	if k.last.id.IsZero() {
		err = c.query(readFirst, got, k.lane, k.chunk)
	} else {
		err = c.query(readNext, got, k.lane, k.last.rank, k.last.runAt, k.last.id, k.chunk)
	}
	k.over = len(k.spots) < k.chunk
	if len(k.spots) > 0 {
		k.last = k.spots[len(k.spots)-1]
	}
	return err
}

// firstReady merges lanes in claim order and gives the first jobs of them.
func (u *unit) firstReady(lanes []*laneState, limit int) ([]godwit.ID, error) {
	if len(lanes) == 0 || limit <= 0 {
		return nil, nil
	}
	chunk := limit
	if len(lanes) > 1 {
		chunk = min(limit, 4+2*limit/len(lanes))
	}
	cursors := make([]*cursor, 0, len(lanes))
	for _, l := range lanes {
		k := &cursor{lane: l.id, chunk: chunk}
		if err := k.fill(u.c); err != nil {
			return nil, err
		}
		cursors = append(cursors, k)
	}
	var ids []godwit.ID
	for len(ids) < limit {
		var best *cursor
		for _, k := range cursors {
			if len(k.spots) > 0 && (best == nil || k.spots[0].compare(&best.spots[0]) < 0) {
				best = k
			}
		}
		if best == nil {
			break
		}
		ids = append(ids, best.spots[0].id)
		best.spots = best.spots[1:]
		if err := best.fill(u.c); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
