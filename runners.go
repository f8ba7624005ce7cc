package godwit

import (
	"slices"
	"sync"
	"time"
)

// runnerIdle is how long a goroutine waits for a run before it ends, at least; twice as long at most.
const runnerIdle = time.Second

// runners are the goroutines in which handlers run. A run that is to begin wakes one of them, or makes one, and whichever takes a
// run wakes the next before it begins, if there is more to do. So handlers that return at once are run by a few goroutines, one
// after the other, and handlers that wait have one each. The one that worked last is woken first: its stack has grown.
type runners struct {
	mu     sync.Mutex
	queued []*run      // guarded by mu: not begun
	coming bool        // guarded by mu: a goroutine is on its way to take one
	idle   []chan bool // guarded by mu: of goroutines that wait: true to work, false to end
	spare  int         // guarded by mu: how many of idle, from the first, have waited since trim last looked
	timer  *time.Timer // guarded by mu: calls trim; nil while none is idle
	over   bool        // guarded by mu
}

// start lets a goroutine do a run.
func (rs *runners) start(r *run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.queued = append(rs.queued, r)
	rs.callLocked()
}

// callLocked sends for a goroutine, unless there is nothing to do or one is on its way.
func (rs *runners) callLocked() {
	if rs.coming || len(rs.queued) == 0 {
		return
	}
	rs.coming = true
	last := len(rs.idle) - 1
	if last < 0 {
		go rs.work()
		return
	}
	rs.idle[last] <- true
	rs.idle = rs.idle[:last]
	rs.spare = min(rs.spare, last)
}

// work does one run after the other. It does not outlive a handler that ends its goroutine.
func (rs *runners) work() {
	wake := make(chan bool, 1) // nobody who sends has to wait
	for called := true; called; called = <-wake {
		for r := rs.take(wake, true); r != nil; r = rs.take(wake, false) {
			r.work()
		}
	}
}

// take gives the next run. When there is none the caller is idle, and wake tells it what to do. called says that it was sent for.
func (rs *runners) take(wake chan bool, called bool) *run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if called {
		rs.coming = false
	}
	if len(rs.queued) > 0 {
		r := rs.queued[0]
		rs.queued[0] = nil
		rs.queued = rs.queued[1:]
		rs.callLocked()
		return r
	}
	if rs.over {
		wake <- false
		return nil
	}
	rs.idle = append(rs.idle, wake)
	if rs.timer == nil {
		rs.spare = 0
		rs.timer = time.AfterFunc(runnerIdle, rs.trim)
	}
	return nil
}

// trim ends the goroutines for which there was nothing to do since it last looked.
func (rs *runners) trim() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.endLocked(rs.spare)
	rs.spare, rs.timer = len(rs.idle), nil
	if rs.spare > 0 {
		rs.timer = time.AfterFunc(runnerIdle, rs.trim)
	}
}

// endLocked ends the first n idle goroutines.
func (rs *runners) endLocked(n int) {
	for _, wake := range rs.idle[:n] {
		wake <- false
	}
	rs.idle = slices.Delete(rs.idle, 0, n)
}

// halt ends the idle goroutines; the others end when their handlers return.
func (rs *runners) halt() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.over = true
	rs.endLocked(len(rs.idle))
	if rs.timer != nil {
		rs.timer.Stop()
		rs.timer = nil
	}
}
