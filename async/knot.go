package async

import (
	"context"
	"iter"
	"slices"
)

// ownedContext is the context of a scope as the parent of its tasks. By it a task that the scope waits for is told from other work
// that was given the scope's context, such as that of a pool. It knows the task that runs the scope and so waits for every task in it.
type ownedContext struct {
	context.Context
	runner *taskContext // nil when no task runs the scope.
}

// outer gives the task that waits for this one because it runs its scope, or nil.
func (c *taskContext) outer() *taskContext {
	if scope, ok := c.parent.(*ownedContext); ok {
		return scope.runner
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

// waiter is a task that waits, in a graph of such tasks.
type waiter struct {
	needs    []*need // what it waits for; it goes on when all of them are met.
	left     int     // how many of its needs are not met.
	neededBy []*need
}

// need is a wait in the graph, or that of a task for one in a scope that it runs.
type need struct {
	of   *waiter
	on   []*waiter
	left int   // how many of on have yet to go on before it is met; 0 when it is.
	wait *wait // nil for that of a scope.
}

// waitGraph has the waiters by their tasks and, so that the same waits make the same graph, in order.
type waitGraph struct {
	waiters map[*taskContext]*waiter
	order   []*waiter
}

// markKnots marks the last wait of every knot, which is a set of waiting tasks that need one another and nobody else. A task that
// is no waiter can go on, and so can who needs only such tasks.
func markKnots(all []*wait) {
	g := &waitGraph{waiters: make(map[*taskContext]*waiter, len(all))}
	for _, w := range all {
		g.waiter(w.task)
	}
	for _, w := range all {
		g.addWait(w)
	}
	var free []*waiter // Collected first, as those that others let go on must not do so twice.
	for _, w := range g.order {
		if w.left == 0 {
			free = append(free, w)
		}
	}
	for _, w := range free {
		w.goOn()
	}
	for {
		g.order = slices.DeleteFunc(g.order, func(w *waiter) bool { return w.left == 0 })
		if len(g.order) == 0 {
			return
		}
		n := lastNeed(knotOf(g.order))
		n.wait.knot = true
		n.left = 1
		n.meet()
	}
}

// waiter gives the one that stands for the task. It makes it where there is none, and those of the tasks that run its scopes.
func (g *waitGraph) waiter(task *taskContext) *waiter {
	if known := g.waiters[task]; known != nil {
		return known
	}
	w := &waiter{}
	g.waiters[task] = w
	g.order = append(g.order, w)
	if outer := task.outer(); outer != nil {
		(&need{of: g.waiter(outer), on: []*waiter{w}, left: 1}).add()
	}
	return w
}

func (g *waitGraph) addWait(w *wait) {
	tasks := make([]*taskContext, 0, len(w.futures))
	for _, f := range w.futures {
		if !f.settled() {
			tasks = append(tasks, f.task.Load()) // Nil for work that has not begun, and so waits for nobody.
		}
	}
	if w.pool != nil {
		tasks = w.pool.working()
	}
	n := &need{of: g.waiters[w.task], wait: w}
	for _, task := range tasks {
		if on := g.waiters[task]; on != nil {
			n.on = append(n.on, on)
		}
	}
	n.left = len(n.on)
	if w.any {
		n.left = min(n.left, 1)
		if len(n.on) < len(w.futures) {
			n.left = 0 // Somebody who is no waiter can meet it.
		}
	}
	n.add()
}

// add puts a need into the graph, unless it is met.
func (n *need) add() {
	if n.left == 0 {
		return
	}
	n.of.needs = append(n.of.needs, n)
	n.of.left++
	for _, on := range n.on {
		on.neededBy = append(on.neededBy, n)
	}
}

// meet is called when one of those that the need is on goes on.
func (n *need) meet() {
	if n.left == 0 {
		return
	}
	n.left--
	if n.left > 0 {
		return
	}
	n.of.left--
	if n.of.left == 0 {
		n.of.goOn()
	}
}

// goOn meets the needs of others, of whom some may go on by that.
func (w *waiter) goOn() {
	for _, n := range w.neededBy {
		n.meet()
	}
}

// knotOf gives one knot of waiters none of which can go on. Searches against the needs, begun anew until they have seen all,
// begin the last time at a waiter that needs nobody who does not need it, or else they had come to it from there. So that waiter
// and those that it needs, at whatever remove, are a knot.
func knotOf(stuck []*waiter) []*waiter {
	var last *waiter
	seen := map[*waiter]bool{}
	for _, w := range stuck {
		if !seen[w] {
			last = w
			w.reach(seen, (*waiter).thoseInNeed)
		}
	}
	return last.reach(map[*waiter]bool{}, (*waiter).thoseNeeded)
}

// reach gives the waiter and all that a search from it finds and that were not seen before.
func (w *waiter) reach(seen map[*waiter]bool, next func(*waiter) iter.Seq[*waiter]) []*waiter {
	found := []*waiter{w}
	seen[w] = true
	for i := 0; i < len(found); i++ {
		for other := range next(found[i]) {
			if !seen[other] {
				seen[other] = true
				found = append(found, other)
			}
		}
	}
	return found
}

func (w *waiter) thoseInNeed() iter.Seq[*waiter] {
	return func(yield func(*waiter) bool) {
		for _, n := range w.neededBy {
			if n.left > 0 && !yield(n.of) {
				return
			}
		}
	}
}

func (w *waiter) thoseNeeded() iter.Seq[*waiter] {
	return func(yield func(*waiter) bool) {
		for _, n := range w.needs {
			for _, on := range n.on {
				if n.left > 0 && on.left > 0 && !yield(on) {
					return
				}
			}
		}
	}
}

// lastNeed gives the need of a knot whose wait came last.
func lastNeed(knot []*waiter) (last *need) {
	for _, w := range knot {
		for _, n := range w.needs {
			if n.left > 0 && n.wait != nil && (last == nil || n.wait.number > last.wait.number) {
				last = n
			}
		}
	}
	return last
}
