package async

import (
	"context"
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

// scopeContext is the context of a scope. It knows the task that runs the scope and so waits for every task in it.
type scopeContext struct {
	context.Context
	task *taskContext // nil when no task runs the scope.
}

// outer gives the task that waits for this one because it runs its scope, or nil.
func (c *taskContext) outer() *taskContext {
	if scope, ok := c.parent.(*scopeContext); ok {
		return scope.task
	}
	return nil
}

// isOrRuns says whether c is the task inner, or runs a scope that inner is in, at any depth.
func (c *taskContext) isOrRuns(inner *taskContext) bool {
	for ; inner != nil; inner = inner.outer() {
		if inner == c {
			return true
		}
	}
	return false
}

// enter records that task, and those that run its scopes, are about to wait for every one of targets. It refuses with ErrCycle, and
// records nothing, when one of the targets waits for task already: then none of them could ever go on.
func (g *waitGraph) enter(task *taskContext, targets ...*taskContext) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[*taskContext]bool{}
	for _, target := range targets {
		if g.reaches(target, task, seen) {
			return ErrCycle
		}
	}
	for t := task; t != nil; t = t.outer() {
		g.on[t] = append(g.on[t], targets...)
	}
	return nil
}

// leave takes back what enter recorded.
func (g *waitGraph) leave(task *taskContext, targets ...*taskContext) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t := task; t != nil; t = t.outer() {
		g.forget(t, targets)
	}
}

// forget takes targets out of those that a task waits for. The caller holds mu.
func (g *waitGraph) forget(task *taskContext, targets []*taskContext) {
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

// hopeless says whether every one of targets waits for task.
func (g *waitGraph) hopeless(task *taskContext, targets []*taskContext) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, target := range targets {
		if !g.reaches(target, task, map[*taskContext]bool{}) {
			return false
		}
	}
	return true
}

// reaches follows the waits from one task in search of another, or of one that runs a scope of that. The caller holds mu.
func (g *waitGraph) reaches(from, to *taskContext, seen map[*taskContext]bool) bool {
	if from.isOrRuns(to) {
		return true
	}
	if len(g.on[from]) == 0 || seen[from] {
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
