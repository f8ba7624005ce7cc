package async

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// gate is where goroutines sleep until something that they look for has come about. A sleeper enlists, looks once more, and only
// then sleeps; who brings something about does so first and calls wake after. So no wake-up is lost, and wake costs one load
// while nobody sleeps.
type gate struct {
	_         [64]byte     // A gate changes all the time, so it keeps to cache lines of its own.
	sleeping  atomic.Int32 // len(sleepers)
	searching atomic.Int32 // those in wait that have not gone to sleep.

	mu       sync.Mutex
	sleepers []*sleeper // guarded by mu; in the order in which they came
	lifo     bool       // wake those that came last first, so that the first can grow old and leave.
	_        [64]byte
}

// sleeper is one goroutine at a gate. It can be used again and again, at one gate at a time.
type sleeper struct {
	woken chan struct{} // has room for one
}

// spinsMax is how often a goroutine looks again before it sleeps: to sleep and be woken costs more than several looks.
const spinsMax = 16

func newSleeper() *sleeper { return &sleeper{woken: make(chan struct{}, 1)} }

// wait returns when ready says so. It needs a wake for every change of what ready looks at.
func (g *gate) wait(s *sleeper, ready func() bool) { g.waitFor(s, ready, nil, 0) }

// waitFor is wait, with a timer that is set to d each time the goroutine goes to sleep. It returns false when that has run out.
func (g *gate) waitFor(s *sleeper, ready func() bool, timer *time.Timer, d time.Duration) bool {
	for {
		g.searching.Add(1)
		found := spin(ready)
		g.searching.Add(-1)
		if found {
			return true
		}
		g.enlist(s)
		if ready() {
			g.withdraw(s)
			return true
		}
		if timer == nil {
			<-s.woken
			continue
		}
		timer.Reset(d)
		select {
		case <-s.woken:
			timer.Stop()
		case <-timer.C:
			if g.withdraw(s) {
				return false
			}
		}
	}
}

// spin looks a few times. Between the looks others may run, whose work it may be that is waited for.
func spin(ready func() bool) bool {
	for range spinsMax {
		if ready() {
			return true
		}
		runtime.Gosched()
	}
	return false
}

// nudge is wake for those who all look for the same things: it wakes nobody while somebody is searching, who will see the new
// thing before going to sleep. Who finds something there must nudge again if there is more.
func (g *gate) nudge() bool {
	return g.searching.Load() > 0 || g.wake()
}

func (g *gate) enlist(s *sleeper) {
	g.mu.Lock()
	g.sleepers = append(g.sleepers, s)
	g.sleeping.Store(int32(len(g.sleepers)))
	g.mu.Unlock()
}

// withdraw takes s out again. It returns false when s was woken already; the caller may have to pass that on.
func (g *gate) withdraw(s *sleeper) bool {
	g.mu.Lock()
	i := slices.Index(g.sleepers, s)
	if i >= 0 {
		g.sleepers = slices.Delete(g.sleepers, i, i+1)
		g.sleeping.Store(int32(len(g.sleepers)))
	}
	g.mu.Unlock()
	if i < 0 {
		<-s.woken
	}
	return i >= 0
}

// wake wakes one sleeper. It returns false when there is none.
func (g *gate) wake() bool {
	if g.sleeping.Load() == 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.sleepers)
	if n == 0 {
		return false
	}
	i := 0
	if g.lifo {
		i = n - 1
	}
	s := g.sleepers[i]
	g.sleepers = slices.Delete(g.sleepers, i, i+1)
	g.sleeping.Store(int32(n - 1))
	s.woken <- struct{}{}
	return true
}

// wakeAll wakes each of those that sleep now, once. Those that look and go to sleep again meanwhile are not waited for.
func (g *gate) wakeAll() {
	if g.sleeping.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sleeping.Store(0)
	for _, s := range g.sleepers {
		s.woken <- struct{}{}
	}
	clear(g.sleepers)
	g.sleepers = g.sleepers[:0]
}
