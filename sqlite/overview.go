package sqlite

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/godwit-go/godwit"
)

// laneCount is a lane with how many jobs it has in each place.
type laneCount struct {
	*lane
	count [waiting + 1]int
}

// eachLane reads the lanes that have unfinished jobs.
func (r *reader) eachLane(got func(l *laneCount) error) error {
	const sql = "SELECT id, scheduled, ready, running, waiting FROM godwit_lanes WHERE scheduled + ready + running + waiting > 0"
	var list []*laneCount
	err := r.c.query(sql, func(s *row) error {
		l, err := r.lanes(s.ColumnInt64(0))
		n := &laneCount{lane: l}
		for k := scheduled; k <= waiting; k++ {
			n.count[k] = columnCount(s, int(k))
		}
		list = append(list, n)
		return err
	})
	for _, l := range list {
		if err != nil {
			break
		}
		err = got(l)
	}
	return err
}

func (l *laneCount) addTo(depth map[godwit.State]int) {
	for k := scheduled; k <= waiting; k++ {
		if l.count[k] > 0 {
			depth[k.state()] += l.count[k]
		}
	}
}

// names reads one column of text.
func (r *reader) names(sql string, got func(name string, n int)) error {
	return r.c.query(sql, func(s *row) error {
		got(s.ColumnText(0), s.ColumnInt(1))
		return nil
	})
}

// Queues reads every queue that has a job, a session or a pause, by name.
func (s *Store) Queues(ctx context.Context) ([]godwit.QueueInfo, error) {
	return read(ctx, s, func(r *reader) ([]godwit.QueueInfo, error) {
		all := map[string]*godwit.QueueInfo{}
		at := func(name string) *godwit.QueueInfo {
			if all[name] == nil {
				all[name] = &godwit.QueueInfo{Name: name, Depth: map[godwit.State]int{}}
			}
			return all[name]
		}
		err := r.names("SELECT name, 1 FROM godwit_paused_queues", func(name string, _ int) { at(name).Paused = true })
		if err != nil {
			return nil, err
		}
		err = r.names("SELECT queue, count(*) FROM godwit_serves GROUP BY queue", func(name string, n int) { at(name).Workers = n })
		if err != nil {
			return nil, err
		}
		err = r.eachLane(func(l *laneCount) error {
			q := at(l.queue)
			l.addTo(q.Depth)
			if l.count[ready] == 0 {
				return nil
			}
			held, err := r.heldReason(l.lane)
			if err != nil {
				return err
			}
			if held != "" {
				q.Held += l.count[ready]
			}
			oldest, err := r.oldestReady(l.lane)
			if t := fromMicros(oldest); q.OldestReady.IsZero() || t.Before(q.OldestReady) {
				q.OldestReady = t
			}
			return err
		})
		return sorted(all), err
	})
}

// oldestReady gives the earliest RunAt of the ready jobs of a lane: the index has it first for each priority, so it is asked
// once for each priority in use.
func (r *reader) oldestReady(l *lane) (int64, error) {
	const sql = "SELECT rank, run_at FROM godwit_places INDEXED BY godwit_places_ready WHERE place = 2 AND lane = ? AND rank > ?" +
		" ORDER BY rank, run_at LIMIT 1"
	var oldest int64
	for rank, more := int64(-godwit.PriorityMax-1), true; more; {
		more = false
		err := r.c.query(sql, func(s *row) error {
			more = s.ColumnInt64(0) > rank // always, but in a damaged file
			rank = s.ColumnInt64(0)
			if at := columnMicros(s, 1); oldest == 0 || at < oldest {
				oldest = at
			}
			return nil
		}, l.id, rank)
		if err != nil {
			return 0, err
		}
	}
	return oldest, nil
}

// Tasks reads every task that has a job, a session or a pause, by name.
func (s *Store) Tasks(ctx context.Context) ([]godwit.TaskInfo, error) {
	return read(ctx, s, func(r *reader) ([]godwit.TaskInfo, error) {
		all := map[string]*godwit.TaskInfo{}
		at := func(name string) *godwit.TaskInfo {
			if all[name] == nil {
				all[name] = &godwit.TaskInfo{Name: name, Depth: map[godwit.State]int{}}
			}
			return all[name]
		}
		err := r.names("SELECT name, 1 FROM godwit_paused_tasks", func(name string, _ int) { at(name).Paused = true })
		if err != nil {
			return nil, err
		}
		err = r.names("SELECT task, count(DISTINCT session) FROM godwit_capabilities GROUP BY task", func(name string, n int) {
			at(name).Workers = n
		})
		if err != nil {
			return nil, err
		}
		err = r.eachLane(func(l *laneCount) error {
			l.addTo(at(l.task).Depth)
			return nil
		})
		return sorted(all), err
	})
}

// sorted gives the values in the order of their names.
func sorted[T any](all map[string]*T) []T {
	var list []T
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, *all[name])
	}
	return list
}

// Sessions reads the live sessions, by id. The writer knows what they hold; while it does not take anything, as when the disk is
// full or damage was found, the file is walked for it.
func (s *Store) Sessions(ctx context.Context) ([]godwit.SessionInfo, error) {
	list, err := write(ctx, s, func(u *unit) ([]godwit.SessionInfo, error) {
		list := make([]godwit.SessionInfo, 0, len(u.ctl.sessions))
		for _, n := range u.ctl.sessions {
			info := n.info()
			info.Running, info.Waiting = s.holding.count(n.ID)
			list = append(list, info)
		}
		slices.SortFunc(list, func(a, b godwit.SessionInfo) int { return a.ID.Compare(b.ID) })
		return list, nil
	})
	if errors.Is(err, godwit.ErrUnavailable) || errors.Is(err, godwit.ErrCorrupt) {
		return read(ctx, s, (*reader).sessions)
	}
	return list, err
}

func (r *reader) sessions() ([]godwit.SessionInfo, error) {
	list := []godwit.SessionInfo{}
	if err := eachSession(r.c, func(n *session) { list = append(list, n.info()) }); err != nil {
		return nil, err
	}
	const sql = "SELECT session, count(*) FILTER (WHERE place = 3), count(*) FILTER (WHERE place = 4) FROM godwit_places" +
		" WHERE session IS NOT NULL GROUP BY session"
	return list, r.c.query(sql, func(s *row) error {
		for i := range list {
			if list[i].ID == columnID(s, 0) {
				list[i].Running, list[i].Waiting = s.ColumnInt(1), s.ColumnInt(2)
			}
		}
		return nil
	})
}

// info gives a session as its users see it, without what it holds.
func (s *session) info() godwit.SessionInfo {
	i := godwit.SessionInfo{NewSession: s.NewSession, StartedAt: fromMicros(s.startedAt), LeaseUntil: fromMicros(s.leaseUntil)}
	i.Queues, i.Tasks = slices.Clone(s.Queues), slices.Clone(s.Tasks)
	return i
}
