package postgres

import (
	"slices"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// unit is the unit of work of one call: in one transaction it locks and loads jobs, the operations change them in memory one
// after the other, and flush writes what has changed in statements of many rows.
type unit struct {
	source
	store *Store
	now   int64 // the one instant of the call

	jobs     map[godwit.ID]*job // as they stand; kind none: looked for and not there
	order    []*job             // in the order in which they were met
	sessions map[godwit.ID]bool // asked for, whether they are live, and locked if so
	attempts []attempt          // records to be written
	known    map[key]*knownKey
	unique   map[key]*uniqueKey
	children map[childKey]*child
	cascades map[godwit.ID]*note // of cancelled parents; nil: no longer noted
	parents  map[godwit.ID]bool  // of the jobs that may be cancelled: who has children
	lines    []line              // log lines and items to be written
	waits    waits
	removals []stmt // of what hung on jobs that are pruned
	events   []godwit.Event
	commits  []func()           // to be done once the call is committed
	refused  bool               // nothing of the call is to happen
	newLanes map[laneName]*lane // made by the unit
	passing  bool               // what somebody else has locked is passed over
	merged   bool               // it is several calls, of which each is left alone that would have to be locked against claims
	turned   []*job             // that were written as ready

	// exclusive keeps claims out and locks every job that is looked at. glimpsed says that an answer tells how a job stands that is
	// not locked; a call that changes nothing may do so, any other one is run again, exclusively.
	exclusive, glimpsed bool
}

type knownKey struct {
	job    godwit.ID // zero: unknown
	until  int64
	locked bool // by a row of ours, which may stand for no job yet
	dirty  bool
}

type uniqueKey struct {
	job    godwit.ID    // zero: free
	state  godwit.State // of that job
	let    []godwit.ID  // jobs that let it go, if they hold it
	locked bool         // by a row of ours, which may stand for no job yet
	dirty  bool
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

func newUnit(src source, s *Store, now int64) *unit {
	return &unit{
		source: src, store: s, now: now,
		jobs: map[godwit.ID]*job{}, sessions: map[godwit.ID]bool{}, known: map[key]*knownKey{}, unique: map[key]*uniqueKey{},
		children: map[childKey]*child{}, cascades: map[godwit.ID]*note{}, parents: map[godwit.ID]bool{}, waits: newWaits(),
		newLanes: map[laneName]*lane{},
	}
}

// load brings jobs into the unit, under the locks that the mode says. A job that was loaded with fewer locks is read again.
func (u *unit) load(ids []godwit.ID, mode lockMode) error {
	if u.exclusive {
		mode = lockAll
	}
	missing := make([]godwit.ID, 0, len(ids))
	asked := make(map[godwit.ID]bool, len(ids))
	for _, id := range ids {
		j, ok := u.jobs[id]
		if asked[id] || ok && (j.locked || j.mode >= mode) {
			continue
		}
		asked[id] = true
		missing = append(missing, id)
	}
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, godwit.ID.Compare)
	for _, id := range missing {
		if j, ok := u.jobs[id]; ok {
			*j = job{id: id, mode: mode}
			continue
		}
		u.put(&job{id: id, mode: mode})
	}
	return u.fetch(missing, false, mode, func(j *job) {
		j.mode = mode
		*u.jobs[j.id] = *j
	})
}

func (u *unit) put(j *job) {
	u.jobs[j.id] = j
	u.order = append(u.order, j)
}

// get gives one job, without a lock if it was not loaded before; its kind is none or pruned when it is not there.
func (u *unit) get(id godwit.ID) (*job, error) {
	if j, ok := u.jobs[id]; ok {
		return j, nil
	}
	if err := u.load([]godwit.ID{id}, peek); err != nil {
		return nil, err
	}
	return u.jobs[id], nil
}

// glimpse gives the state of a job for an answer.
func (u *unit) glimpse(j *job) godwit.State {
	u.glimpsed = u.glimpsed || !j.locked && j.stored != none && j.stored != pruned
	return j.kind.state()
}

// changes reports whether the unit changes anything.
func (u *unit) changes() bool {
	for _, j := range u.order {
		if j.dirty {
			return true
		}
	}
	for _, e := range u.children {
		if e.dirty {
			return true
		}
	}
	return false
}

// place gives the place of a job in the table. Held is a matter of reading: nothing that is written asks for it.
func (u *unit) place(j *job) states.Place {
	switch j.kind {
	case none:
		return states.None
	case pruned:
		return states.Pruned
	}
	return states.Place(j.kind.state())
}

// laneOf gives the lane of a name, a new one if need be.
func (u *unit) laneOf(n laneName) (*lane, error) {
	if l := u.lanes.named(n); l != nil {
		return l, nil
	}
	if l := u.newLanes[n]; l != nil {
		return l, nil
	}
	l := &lane{queue: n.queue, task: n.task, version: n.version}
	const sql = "INSERT INTO godwit.lanes (queue, task, version) VALUES ($1, $2, $3)" +
		" ON CONFLICT (queue, task, version) DO UPDATE SET version = excluded.version RETURNING id"
	err := u.l.run(u.ctx, ask(sql, func(r scanner) error { return r.Scan(&l.id) }, n.queue, n.task, n.version))
	u.newLanes[n] = l
	u.commits = append(u.commits, func() { u.lanes.put(l) })
	return l, err
}

// loadSessions asks which sessions are live, and keeps those from being ended before the unit does. It comes before jobs are
// locked.
func (u *unit) loadSessions(tokens []godwit.Token) error {
	var ids []godwit.ID
	for _, t := range tokens {
		if _, ok := u.sessions[t.Session]; !ok && !t.Session.IsZero() {
			u.sessions[t.Session] = false
			ids = append(ids, t.Session)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	const sql = "SELECT id FROM godwit.sessions WHERE id = ANY($1) ORDER BY id FOR KEY SHARE"
	return u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var id godwit.ID
		err := r.Scan(idInto{&id})
		u.sessions[id] = true
		return err
	}, uuids(ids)))
}

// loadTokens loads the sessions and jobs of tokens.
func (u *unit) loadTokens(tokens []godwit.Token) error {
	if err := u.loadSessions(tokens); err != nil {
		return err
	}
	return u.load(jobsOf(tokens), lockOthers)
}

func jobsOf(tokens []godwit.Token) []godwit.ID {
	ids := make([]godwit.ID, len(tokens))
	for i := range tokens {
		ids[i] = tokens[i].Job
	}
	return ids
}

// committed does what is to be done once the call is committed, before anybody is told.
func (u *unit) committed() {
	for _, do := range u.commits {
		do()
	}
	u.store.cursors.fall(u.turned)
}

// tell notes an event about a job.
func (u *unit) tell(k godwit.EventKind, j *job, code godwit.Code) {
	if k == "" {
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
	u.events = append(u.events, e)
}

// tellOf notes an event that is about no job.
func (u *unit) tellOf(e godwit.Event) {
	e.At = fromMicros(u.now)
	u.events = append(u.events, e)
}
