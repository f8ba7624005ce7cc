package async

import (
	"slices"
	"sync"
)

// waitGraph knows which task awaits which, for as long as it does. Tasks enter only when they are about to block, so it costs
// nothing to those that find their futures settled.
type waitGraph struct {
	mu sync.Mutex
	on map[*taskContext][]*taskContext // guarded by mu
}

// waits is shared by all scopes, since a cycle may run through several.
var waits = waitGraph{on: map[*taskContext][]*taskContext{}}

// enter records that task is about to wait for every one of targets. It refuses with ErrCycle, and records nothing, when one of
// them waits for task already: then none of them could ever go on.
func (g *waitGraph) enter(task *taskContext, targets ...*taskContext) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var seen map[*taskContext]bool
	for _, target := range targets {
		if target == task {
			return ErrCycle
		}
		if len(g.on[target]) == 0 {
			continue
		}
		if seen == nil {
			seen = map[*taskContext]bool{}
		}
		if g.reaches(target, task, seen) {
			return ErrCycle
		}
	}
	g.on[task] = append(g.on[task], targets...)
	return nil
}

// leave takes back what enter recorded.
func (g *waitGraph) leave(task *taskContext, targets ...*taskContext) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.on[task]) == len(targets) {
		delete(g.on, task)
		return
	}
	for _, target := range targets {
		if i := slices.Index(g.on[task], target); i >= 0 {
			g.on[task] = slices.Delete(g.on[task], i, i+1)
		}
	}
}

// reaches follows the waits from one task in search of another. The caller holds mu.
func (g *waitGraph) reaches(from, to *taskContext, seen map[*taskContext]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, next := range g.on[from] {
		if g.reaches(next, to, seen) {
			return true
		}
	}
	return false
}
