package sqlite

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/godwit-go/godwit"
)

// control is what the writer keeps in memory besides the file: lanes with their counters, pauses and live sessions. There are
// few of them, every claim needs them, and the writer is alone in changing them. After a rollback it is read anew.
type control struct {
	lanes        map[int64]*laneState
	byName       map[laneName]*laneState
	byQueue      map[string][]*laneState
	pausedQueues map[string]bool
	pausedTasks  map[string]bool
	sessions     map[godwit.ID]*session
	maxID        godwit.ID // no id above it was ever here

	touched []*laneState // counters changed since the last flush
}

type laneName struct {
	queue, task string
	version     int
}

// laneState is a lane and how many jobs it has in each place; all finished ones are counted under succeeded.
type laneState struct {
	*lane
	count   [succeeded + 1]int64
	touched bool
}

// session is a live session.
type session struct {
	godwit.NewSession
	startedAt, leaseUntil int64
}

// knows reports whether the session announced the task in this version.
func (s *session) knows(task string, version int) bool {
	return slices.ContainsFunc(s.Tasks, func(c godwit.Capability) bool {
		return c.Task == task && c.MinVersion <= version && version <= c.MaxVersion
	})
}

// readControl reads everything. lanes resolves and remembers lanes.
func readControl(c *conn, known *laneCache) (*control, error) {
	ctl := &control{
		lanes: map[int64]*laneState{}, byName: map[laneName]*laneState{}, byQueue: map[string][]*laneState{},
		pausedQueues: map[string]bool{}, pausedTasks: map[string]bool{}, sessions: map[godwit.ID]*session{},
	}
	err := c.query("SELECT id, queue, task, version, scheduled, ready, running, waiting, finished FROM godwit_lanes", func(s *row) error {
		l := &laneState{lane: known.put(scanLane(s))}
		for k := scheduled; k <= succeeded; k++ {
			l.count[k] = columnNumber(s, 3+int(k))
		}
		ctl.addLane(l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for table, set := range map[string]map[string]bool{"godwit_paused_queues": ctl.pausedQueues, "godwit_paused_tasks": ctl.pausedTasks} {
		err := c.query("SELECT name FROM "+table, func(s *row) error {
			set[s.ColumnText(0)] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err = eachSession(c, func(s *session) { ctl.sessions[s.ID] = s })
	if err != nil {
		return nil, err
	}
	return ctl, c.query("SELECT max((SELECT coalesce(max(id), zeroblob(16)) FROM godwit_jobs),"+
		" (SELECT coalesce(max(id), zeroblob(16)) FROM godwit_pruned)) AS id",
		func(s *row) error {
			ctl.maxID = columnID(s, 0)
			return nil
		})
}

// eachSession reads the live sessions by id.
func eachSession(c *conn, got func(*session)) error {
	const sql = "SELECT id, lease, lease_until, started_at, host, pid, queues, tasks FROM godwit_sessions ORDER BY id"
	return c.query(sql, func(s *row) error {
		n := &session{leaseUntil: columnMicros(s, 2), startedAt: columnMicros(s, 3)}
		n.ID, n.Lease = columnID(s, 0), duration(s.ColumnInt64(1))
		n.Host, n.PID = s.ColumnText(4), s.ColumnInt(5)
		if json.Unmarshal([]byte(s.ColumnText(6)), &n.Queues) != nil {
			s.fault(6, "of session %s cannot be read", n.ID)
		}
		if json.Unmarshal([]byte(s.ColumnText(7)), &n.Tasks) != nil {
			s.fault(7, "of session %s cannot be read", n.ID)
		}
		got(n)
		return nil
	})
}

func scanLane(s *row) *lane {
	return &lane{id: s.ColumnInt64(0), queue: s.ColumnText(1), task: s.ColumnText(2), version: s.ColumnInt(3)}
}

func (ctl *control) addLane(l *laneState) {
	ctl.lanes[l.id] = l
	ctl.byName[laneName{l.queue, l.task, l.version}] = l
	ctl.byQueue[l.queue] = append(ctl.byQueue[l.queue], l)
}

// count moves the counter of a lane for jobs at a place.
func (ctl *control) count(l *lane, at kind, by int64) error {
	st := ctl.lanes[l.id]
	if st == nil {
		return damaged("godwit_lanes", fmt.Errorf("lane %d is not where it is looked for", l.id))
	}
	st.count[min(at, succeeded)] += by
	if !st.touched {
		st.touched = true
		ctl.touched = append(ctl.touched, st)
	}
	return nil
}

// flush writes the counters that changed.
func (ctl *control) flush(c *conn) error {
	for _, l := range ctl.touched {
		l.touched = false
		err := c.exec("UPDATE godwit_lanes SET scheduled = ?, ready = ?, running = ?, waiting = ?, finished = ? WHERE id = ?",
			l.count[scheduled], l.count[ready], l.count[running], l.count[waiting], l.count[succeeded], l.id)
		if err != nil {
			return err
		}
	}
	ctl.touched = ctl.touched[:0]
	return nil
}

// held reports whether the jobs of a lane are kept back.
func (ctl *control) held(l *lane) bool {
	if ctl.pausedQueues[l.queue] || ctl.pausedTasks[l.task] {
		return true
	}
	for _, s := range ctl.sessions {
		if slices.Contains(s.Queues, l.queue) && s.knows(l.task, l.version) {
			return false
		}
	}
	return true
}

// heldReason says why the ready jobs of a lane are kept back, as the connection sees it; empty when they are not.
func heldReason(c *conn, l *lane) (godwit.Held, error) {
	var reason godwit.Held
	const sql = `SELECT CASE
		WHEN EXISTS (SELECT 1 FROM godwit_paused_queues WHERE name = ?1) THEN 'queue_paused'
		WHEN EXISTS (SELECT 1 FROM godwit_paused_tasks WHERE name = ?2) THEN 'task_paused'
		WHEN NOT EXISTS (SELECT 1 FROM godwit_capabilities WHERE task = ?2) THEN 'unknown_task'
		WHEN NOT EXISTS (SELECT 1 FROM godwit_capabilities WHERE task = ?2 AND ?3 BETWEEN min_version AND max_version)
			THEN 'unknown_version'
		WHEN NOT EXISTS (SELECT 1 FROM godwit_capabilities c JOIN godwit_serves s ON s.session = c.session
			WHERE c.task = ?2 AND ?3 BETWEEN c.min_version AND c.max_version AND s.queue = ?1) THEN 'unserved_queue'
		ELSE '' END`
	err := c.query(sql, func(s *row) error {
		reason = godwit.Held(s.ColumnText(0))
		return nil
	}, l.queue, l.task, l.version)
	return reason, err
}
