package async

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Tasks that wait for one another in a ring would do so for ever. A wait of a task that has lasted for cycleAfter is put on a list,
// and the task that waits looks at that list once, when it is its turn: the last wait to come on the list that makes a knot of it
// ends with ErrCycle. So a wait that is over sooner costs a timer and no more, and nobody waits for those who look.

// cycleAfter is how long a wait lasts before it is put on the list.
const cycleAfter = 10 * time.Millisecond

// lookPause is how long a wait that has come on the list takes until it looks at it, for each wait there. All that have come
// meanwhile need not look themselves. A look takes time in proportion to the waits and to what they are for, save where tasks that
// all need one another are told, see untie. So however many waits there are, to look takes up a small share of one processor.
const lookPause = 10 * time.Microsecond

// wait is a task's wait for others, on the list.
type wait struct {
	task    *taskContext
	futures []*core        // those that were pending when the wait came on the list.
	any     bool           // one of the futures ends it; else all have to.
	parts   []*taskContext // what stands for awaitables that are no futures.
	pool    *Pool          // Drain and Stop wait for the work of a pool; else nil.
	scope   *ownedContext  // Run waits for the tasks of a scope, whatever comes; else nil.

	timer  *time.Timer // makes its goroutine look.
	number uint64      // in the order of coming; guarded by the list's mu
	place  int         // in the list; guarded by its mu
	knot   bool        // to be ended; guarded by the list's looking
	ends   *wait       // one that is to be ended and may have looked before this came; guarded by the list's looking
}

// waitList has the waits that have lasted, of all scopes and pools, since a knot may run through several.
type waitList struct {
	mu   sync.Mutex
	all  []*wait // guarded by mu
	last uint64  // the number of the last to come; guarded by mu

	looking  sync.Mutex // held while somebody looks; nobody waits for it.
	lookedAt uint64     // the waits up to this number have been looked at; guarded by looking
}

var waits waitList

// add puts a wait on the list and gives the pause until it is to look.
func (l *waitList) add(w *wait) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	w.number, w.place = l.last, len(l.all)
	l.all = append(l.all, w)
	return time.Duration(len(l.all)) * lookPause
}

// remove takes a wait off the list.
func (l *waitList) remove(w *wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := len(l.all) - 1
	l.all[w.place] = l.all[end]
	l.all[w.place].place = w.place
	l.all[end] = nil
	l.all = l.all[:end]
}

// look says whether w makes a knot. It looks at all waits, unless somebody has since w came. While somebody else does, it gives
// the pause until another try.
func (l *waitList) look(w *wait) (knot bool, pause time.Duration) {
	if !l.looking.TryLock() {
		l.mu.Lock()
		defer l.mu.Unlock()
		return false, time.Duration(len(l.all)) * lookPause
	}
	defer l.looking.Unlock()
	if w.number > l.lookedAt {
		l.mu.Lock()
		all, last := slices.Clone(l.all), l.last
		l.mu.Unlock()
		markKnots(all)
		l.lookedAt = last
	}
	if w.ends != nil {
		w.ends.timer.Reset(0)
	}
	return w.knot, 0
}

// vigil goes with one wait of a task from its beginning to its end. That of a goroutine that is no task does nothing.
type vigil struct {
	due   <-chan time.Time // gives something when check is to be called.
	task  *taskContext
	timer *time.Timer
	wait  *wait // nil until it is on the list.
}

// newVigil begins a wait with ctx. The caller must call end.
func newVigil(ctx context.Context) vigil {
	task := taskOf(ctx)
	if task == nil {
		return vigil{}
	}
	timer := time.NewTimer(cycleAfter)
	return vigil{due: timer.C, task: task, timer: timer}
}

// check puts the wait on the list, where target fills in what it is for, and the next time looks at that. A knot that comes about
// later has a later wait in it, so one look is enough; that wait may be one for a scope and make this one look once more.
func (v *vigil) check(target func(*wait)) error {
	if v.wait == nil {
		v.wait = &wait{task: v.task, timer: v.timer}
		target(v.wait)
		v.timer.Reset(waits.add(v.wait))
		return nil
	}
	knot, pause := waits.look(v.wait)
	if knot {
		return ErrCycle
	}
	if pause > 0 {
		v.timer.Reset(pause)
	}
	return nil
}

func (v *vigil) end() {
	if v.timer != nil {
		v.timer.Stop()
	}
	if v.wait != nil {
		waits.remove(v.wait)
	}
	*v = vigil{}
}
