package sqlite

import (
	"encoding/json"
	"fmt"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// unit is the unit of work of one call: it loads jobs, the operations change them in memory one after the other, and flush
// writes what has changed in statements of many rows. Nothing of a call that is refused as a whole has to be taken back.
type unit struct {
	source
	ctl   *control
	store *Store
	now   int64 // the one instant of the call

	jobs     map[godwit.ID]*job // as they stand; kind none: looked for and not there
	order    []*job             // in the order in which they were met
	attempts []attempt          // records to be written
	known    map[key]*knownKey
	unique   map[key]*uniqueKey
	children map[childKey]*child
	cascades map[godwit.ID]*note // of cancelled parents; nil: no longer noted
	lines    []line              // log lines and items to be written
	waiters  map[godwit.ID]bool  // promises that somebody waits for; nil: ask the file
	events   []godwit.Event
	commits  []func() // to be done once the call is committed
}

type knownKey struct {
	job   godwit.ID // zero: unknown
	until int64
	dirty bool
}

type uniqueKey struct {
	job   godwit.ID // zero: free
	dirty bool
}

// note says that the children of a cancelled parent are to be cancelled.
type note struct {
	after godwit.ID // the last child taken
}

type childKey struct {
	parent godwit.ID
	name   string
}

type child struct {
	id       godwit.ID // zero: there is none
	detached bool
	epoch    int
	dirty    bool
}

type attempt struct {
	job *job
	seq int64
	godwit.Attempt
	startedAt int64
}

// line is a log line or an item.
type line struct {
	job  godwit.ID
	log  *godwit.LogLine
	item *godwit.Item
}

// load brings jobs into the unit. full asks for their arguments and results too.
func (u *unit) load(ids []godwit.ID, full bool) error {
	missing := make([]godwit.ID, 0, len(ids))
	for _, id := range ids {
		if _, ok := u.jobs[id]; ok {
			continue
		}
		if known := u.store.recent.get(id, full); known != nil {
			j := *known
			u.put(&j)
			continue
		}
		u.put(&job{id: id})
		if id.Compare(u.ctl.maxID) <= 0 {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return u.fetch(missing, full, func(j *job) error {
		asked := u.jobs[j.id]
		if asked == nil || asked.kind != none {
			return damagedJob("godwit_jobs", j.id, "stands where another one is looked for")
		}
		*asked = *j
		return nil
	})
}

func (u *unit) put(j *job) {
	u.jobs[j.id] = j
	u.order = append(u.order, j)
}

// get gives one job; its kind is none or pruned when it is not there.
func (u *unit) get(id godwit.ID) (*job, error) {
	if j, ok := u.jobs[id]; ok {
		return j, nil
	}
	if err := u.load([]godwit.ID{id}, false); err != nil {
		return nil, err
	}
	return u.jobs[id], nil
}

// pointed gives a job to which something in the file points, which must be there in one of the kinds from low to high.
func (u *unit) pointed(table string, id godwit.ID, low, high kind) (*job, error) {
	j, err := u.get(id)
	if err == nil && (j.kind < low || j.kind > high) {
		err = damagedJob(table, id, "is not where it should be")
	}
	return j, err
}

// place gives the place of a job in the table.
func (u *unit) place(j *job) states.Place {
	switch j.kind {
	case none:
		return states.None
	case pruned:
		return states.Pruned
	case ready:
		if u.ctl.held(j.lane) {
			return states.Held
		}
	}
	return states.Place(j.kind.state())
}

// lane gives the lane of a name, a new one if need be.
func (u *unit) laneOf(queue, task string, version int) (*lane, error) {
	name := laneName{queue, task, version}
	if l, ok := u.ctl.byName[name]; ok {
		return l.lane, nil
	}
	l := &lane{id: u.store.lanes.number(), queue: queue, task: task, version: version}
	err := u.c.exec("INSERT INTO godwit_lanes (id, queue, task, version) VALUES (?, ?, ?, ?)", l.id, queue, task, version)
	if err != nil {
		return nil, err
	}
	u.ctl.addLane(&laneState{lane: u.store.lanes.put(l)})
	return l, nil
}

// tell notes an event about a job.
func (u *unit) tell(k godwit.EventKind, j *job, code godwit.Code) {
	if k == "" || !u.store.watchers.any() && !u.store.foretold.any() {
		return
	}
	e := godwit.Event{
		Kind: k, At: fromMicros(u.now), Job: j.id, Task: j.lane.task, Queue: j.lane.queue, State: j.kind.state(), Run: j.run, Code: code,
	}
	if j.kind == scheduled {
		e.RunAt = fromMicros(j.runAt)
	}
	if k == godwit.EventCancelRequested || k == godwit.EventCancelled {
		e.Reason = j.cancelReason
	}
	if u.events == nil {
		u.events = make([]godwit.Event, 0, len(u.jobs)) // most operations tell of each job once
	}
	u.events = append(u.events, e)
}

// tellOf notes an event that is about no job.
func (u *unit) tellOf(e godwit.Event) {
	e.At = fromMicros(u.now)
	u.events = append(u.events, e)
}

// holder gives the job that holds a unique key.
func (u *unit) holder(k key) (*uniqueKey, error) {
	if e, ok := u.unique[k]; ok {
		return e, nil
	}
	e := &uniqueKey{}
	err := u.c.query("SELECT job FROM godwit_unique WHERE scope = ? AND key = ?", func(s *row) error {
		e.job = columnID(s, 0)
		return nil
	}, k.Scope, k.Key)
	u.unique[k] = e
	return e, err
}

// letGo frees the job's unique key.
func (u *unit) letGo(j *job) error {
	if j.extra == nil || j.extra.Unique.Key == "" {
		return nil
	}
	e, err := u.holder(j.extra.Unique)
	if err == nil && e.job == j.id {
		e.job, e.dirty = godwit.ID{}, true
	}
	return err
}

// knownBy gives what an idempotency key stands for.
func (u *unit) knownBy(k key) (*knownKey, error) {
	if e, ok := u.known[k]; ok {
		return e, nil
	}
	e := &knownKey{}
	err := u.c.query("SELECT job, until FROM godwit_idempotency WHERE scope = ? AND key = ?", func(s *row) error {
		e.job, e.until = columnID(s, 0), s.ColumnInt64(1)
		return nil
	}, k.Scope, k.Key)
	u.known[k] = e
	return e, err
}

// childOf gives the child of a parent by its name.
func (u *unit) childOf(parent godwit.ID, name string) (*child, error) {
	k := childKey{parent, name}
	if e, ok := u.children[k]; ok {
		return e, nil
	}
	e := &child{}
	err := u.c.query("SELECT id, detached, epoch FROM godwit_children WHERE parent = ? AND name = ?", func(s *row) error {
		e.id, e.detached, e.epoch = columnID(s, 0), s.ColumnInt64(1) != 0, columnCount(s, 2)
		return nil
	}, parent, name)
	u.children[k] = e
	return e, err
}

func encodeExtra(x *extra) (string, error) {
	b, err := json.Marshal(x)
	if err != nil {
		return "", fmt.Errorf("encode what belongs to a job: %w", err)
	}
	return string(b), nil
}
