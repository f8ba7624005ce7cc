package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// world is everything a durable store would keep. Its methods are the operations; the caller holds the lock.
type world struct {
	jobs     map[godwit.ID]*job
	pruned   map[godwit.ID]time.Time            // until when the id answers expired
	children map[godwit.ID]map[string]godwit.ID // parent, child name
	ready    map[string][]*job                  // by queue, in claim order
	waiters  map[godwit.ID]map[godwit.ID]bool   // promise, jobs that wait for it
	cascades map[godwit.ID]godwit.ID            // cancelled parents whose children are to be cancelled, the last one taken
	known    map[key]knownKey                   // idempotency keys
	unique   map[key]godwit.ID
	sessions map[godwit.ID]*session

	pausedQueues map[string]bool
	pausedTasks  map[string]bool

	events []godwit.Event // of the operation under way
	undo   []func()       // takes back what the submission under way did, last first
}

type key struct{ scope, key string }

type knownKey struct {
	job   godwit.ID
	until time.Time
}

// job is a job and what its view does not show. The view's State is never derived from elsewhere; its Held, and the Failure
// of a job that is not final, are.
type job struct {
	view         godwit.Job
	fingerprint  [16]byte
	idempotency  key
	unique       key
	while        godwit.UniqueWhile
	holdsUnique  bool
	epoch        int // Retries of the parent when it last submitted this child
	cancelReason string
	known        time.Time // until when the idempotency key is known

	awaits map[godwit.ID]bool // of a waiting job: what has not settled
	any    bool
	woken  bool

	attempts []godwit.Attempt
	logs     []godwit.LogLine
	items    []godwit.Item

	reportedRun, reportedSeq int64 // of the last numbered report
}

type session struct {
	godwit.NewSession
	startedAt  time.Time
	leaseUntil time.Time
	orphan     bool // its process ended: the store was opened anew
}

func newWorld() *world {
	return &world{
		jobs: map[godwit.ID]*job{}, pruned: map[godwit.ID]time.Time{},
		children: map[godwit.ID]map[string]godwit.ID{}, ready: map[string][]*job{},
		waiters: map[godwit.ID]map[godwit.ID]bool{}, cascades: map[godwit.ID]godwit.ID{},
		known: map[key]knownKey{}, unique: map[key]godwit.ID{}, sessions: map[godwit.ID]*session{},
		pausedQueues: map[string]bool{}, pausedTasks: map[string]bool{},
	}
}

func (w *world) clone() *world {
	c := newWorld()
	for id, j := range w.jobs {
		k := *j
		k.awaits = maps.Clone(j.awaits)
		k.attempts, k.logs, k.items = slices.Clone(j.attempts), slices.Clone(j.logs), slices.Clone(j.items)
		c.jobs[id] = &k
	}
	for queue, list := range w.ready {
		copied := make([]*job, len(list))
		for i, j := range list {
			copied[i] = c.jobs[j.view.ID]
		}
		c.ready[queue] = copied
	}
	for id, names := range w.children {
		c.children[id] = maps.Clone(names)
	}
	for id, set := range w.waiters {
		c.waiters[id] = maps.Clone(set)
	}
	for id, s := range w.sessions {
		k := *s
		c.sessions[id] = &k
	}
	maps.Copy(c.pruned, w.pruned)
	maps.Copy(c.cascades, w.cascades)
	maps.Copy(c.known, w.known)
	maps.Copy(c.unique, w.unique)
	maps.Copy(c.pausedQueues, w.pausedQueues)
	maps.Copy(c.pausedTasks, w.pausedTasks)
	return c
}

// Fingerprint gives a text that is equal for two stores exactly when they hold the same.
func (s *Store) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.world
	var b strings.Builder
	for _, id := range sortedIDs(w.jobs) {
		j := w.jobs[id]
		shown := w.show(j)
		failure := shown.Failure
		shown.Failure = nil
		progress := shown.Progress
		shown.Progress = nil
		fmt.Fprintf(&b, "%+v %+v %+v %x %v %v %d %v %q", shown, failure, progress, j.fingerprint, j.holdsUnique, j.known,
			j.epoch, j.woken, j.cancelReason)
		fmt.Fprintf(&b, " %v %v %d %d", sortedIDs(j.awaits), j.any, len(j.logs), len(j.items))
		for _, a := range j.attempts {
			failure := a.Failure
			a.Failure = nil
			fmt.Fprintf(&b, " %+v %+v", a, failure)
		}
		b.WriteByte('\n')
	}
	for _, id := range sortedIDs(w.sessions) {
		fmt.Fprintf(&b, "%+v\n", *w.sessions[id])
	}
	fmt.Fprint(&b, w.pruned, w.cascades, w.known, w.unique, w.pausedQueues, w.pausedTasks)
	return b.String()
}

func sortedIDs[V any](m map[godwit.ID]V) []godwit.ID {
	return slices.SortedFunc(maps.Keys(m), godwit.ID.Compare)
}

// place gives the job's place in the table, and the job unless it is not there.
func (w *world) place(id godwit.ID) (states.Place, *job) {
	j, ok := w.jobs[id]
	if !ok {
		if _, pruned := w.pruned[id]; pruned {
			return states.Pruned, nil
		}
		return states.None, nil
	}
	if w.held(&j.view) != "" {
		return states.Held, j
	}
	return states.Place(j.view.State), j
}

// held says why a ready job is kept back; empty when it is not.
func (w *world) held(v *godwit.Job) godwit.Held {
	switch {
	case v.State != godwit.StateReady:
		return ""
	case w.pausedQueues[v.Queue]:
		return godwit.HeldQueuePaused
	case w.pausedTasks[v.Task]:
		return godwit.HeldTaskPaused
	}
	held := godwit.HeldUnknownTask
	for _, s := range w.sessions {
		knowsTask, knowsVersion := s.knows(v.Task, v.Version)
		switch {
		case !knowsTask:
		case !knowsVersion:
			if held == godwit.HeldUnknownTask {
				held = godwit.HeldUnknownVersion
			}
		case slices.Contains(s.Queues, v.Queue):
			return ""
		default:
			held = godwit.HeldUnservedQueue
		}
	}
	return held
}

func (s *session) knows(task string, version int) (knowsTask, knowsVersion bool) {
	for _, c := range s.Tasks {
		if c.Task == task {
			knowsTask = true
			if c.MinVersion <= version && version <= c.MaxVersion {
				return true, true
			}
		}
	}
	return knowsTask, false
}

// claimOrder is the order in which ready jobs of a queue are claimed.
func claimOrder(a, b *job) int {
	if a.view.Priority != b.view.Priority {
		return b.view.Priority - a.view.Priority
	}
	if c := a.view.RunAt.Compare(b.view.RunAt); c != 0 {
		return c
	}
	return a.view.ID.Compare(b.view.ID)
}

// setState moves a job and keeps the list of ready jobs. RunAt must not change while the job is ready.
func (w *world) setState(j *job, to godwit.State) {
	list := w.ready[j.view.Queue]
	if j.view.State == godwit.StateReady {
		i, _ := slices.BinarySearchFunc(list, j, claimOrder)
		list = slices.Delete(list, i, i+1)
	}
	j.view.State = to
	if to == godwit.StateReady {
		i, _ := slices.BinarySearchFunc(list, j, claimOrder)
		list = slices.Insert(list, i, j)
	}
	w.ready[j.view.Queue] = list
}

// tell notes an event about a job.
func (w *world) tell(kind godwit.EventKind, now time.Time, j *job, code godwit.Code) {
	if kind == "" {
		return
	}
	e := godwit.Event{
		Kind: kind, At: now, Job: j.view.ID, Task: j.view.Task, Queue: j.view.Queue, State: j.view.State,
		Run: j.view.Run, Code: code,
	}
	if j.view.State == godwit.StateScheduled {
		e.RunAt = j.view.RunAt
	}
	if kind == godwit.EventCancelRequested || kind == godwit.EventCancelled {
		e.Reason = j.cancelReason
	}
	w.events = append(w.events, e)
}
