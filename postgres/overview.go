package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/godwit-go/godwit"
)

// laneCount is a lane with how many jobs it has in each place, and the earliest RunAt of the ready ones.
type laneCount struct {
	*lane
	count  [waiting + 1]int
	oldest int64
}

// eachLane counts the unfinished jobs of each lane. Nothing is kept up for it: a counter that every transition changes would let
// all transitions of a lane wait for each other.
func (r *reader) eachLane(got func(l *laneCount) error) error {
	byID := map[int32]*laneCount{}
	const sql = "SELECT lane, place, count(*), min(run_at) FROM godwit.places GROUP BY lane, place ORDER BY lane"
	var ids []int32
	err := r.l.run(r.ctx, ask(sql, func(row scanner) error {
		var id int32
		var at kind
		var n int
		var oldest int64
		err := row.Scan(&id, (*int16)(&at), &n, &oldest)
		if byID[id] == nil {
			byID[id] = &laneCount{}
			ids = append(ids, id)
		}
		byID[id].count[at] = n
		if at == ready {
			byID[id].oldest = oldest
		}
		return err
	}))
	for _, id := range ids {
		l := byID[id]
		if err == nil {
			l.lane, err = r.lane(id)
		}
		if err == nil {
			err = got(l)
		}
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
	return r.l.run(r.ctx, ask(sql, func(row scanner) error {
		var name string
		var n int
		err := row.Scan(&name, &n)
		got(name, n)
		return err
	}))
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
		err := r.names("SELECT name, 1 FROM godwit.paused_queues", func(name string, _ int) { at(name).Paused = true })
		if err != nil {
			return nil, err
		}
		err = r.names("SELECT queue, count(*) FROM godwit.serves GROUP BY queue", func(name string, n int) { at(name).Workers = n })
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
			if t := fromMicros(l.oldest); q.OldestReady.IsZero() || t.Before(q.OldestReady) {
				q.OldestReady = t
			}
			return nil
		})
		return sorted(all), err
	})
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
		err := r.names("SELECT name, 1 FROM godwit.paused_tasks", func(name string, _ int) { at(name).Paused = true })
		if err != nil {
			return nil, err
		}
		err = r.names("SELECT task, count(DISTINCT session) FROM godwit.capabilities GROUP BY task", func(name string, n int) {
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

// Sessions reads the live sessions, by id.
func (s *Store) Sessions(ctx context.Context) ([]godwit.SessionInfo, error) {
	return read(ctx, s, func(r *reader) ([]godwit.SessionInfo, error) {
		var list []godwit.SessionInfo
		at := map[godwit.ID]int{}
		err := r.l.run(r.ctx,
			ask("SELECT "+sessionColumns+" FROM godwit.sessions ORDER BY id", func(row scanner) error {
				var n session
				err := n.scan(row)
				at[n.ID] = len(list)
				list = append(list, godwit.SessionInfo{
					NewSession: n.NewSession, StartedAt: fromMicros(n.startedAt), LeaseUntil: fromMicros(n.leaseUntil),
				})
				return err
			}),
			ask("SELECT session, count(*) FILTER (WHERE place = 3), count(*) FILTER (WHERE place = 4) FROM godwit.places"+
				" WHERE session IS NOT NULL GROUP BY session", func(row scanner) error {
				var id godwit.ID
				var running, waiting int
				err := row.Scan(idInto{&id}, &running, &waiting)
				if i, ok := at[id]; ok {
					list[i].Running, list[i].Waiting = running, waiting
				}
				return err
			}))
		return list, err
	})
}
