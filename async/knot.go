package async

import (
	"context"
	"math"
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

	// The search for sets counts the waiters in the order in which it comes to them. low is the first that is known to be in the
	// same set.
	index, low int
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
	steps   int // how often the searches have looked at a waiter.
}

// markKnots marks the last wait of every knot, which is a set of waiting tasks that need one another and nobody else. A task that
// is no waiter can go on, and so can who needs only such tasks.
func markKnots(all []*wait) *waitGraph {
	g := &waitGraph{waiters: make(map[*taskContext]*waiter, len(all))}
	for _, w := range all {
		g.waiter(w.task)
	}
	for _, w := range all {
		g.addWait(w)
	}
	var free []*waiter
	for _, w := range g.order {
		if w.left == 0 {
			free = append(free, w)
		}
	}
	goOn(free...)
	g.untie()
	return g
}

// untie breaks knots until every waiter can go on. It divides the stuck ones into sets and takes those first that others need, so
// that whoever a set needs outside of it has gone on when it is its turn. Those of a set that are stuck then are divided anew or, when
// they are one set still, are a knot. So sets that hang together by few waits, such as rings in a chain, cost one search, and a set in
// which everybody needs everybody as many searches as have to be told.
func (g *waitGraph) untie() {
	pending := [][]*waiter{g.order}
	for len(pending) > 0 {
		last := len(pending) - 1
		stuck := slices.DeleteFunc(pending[last], func(w *waiter) bool { return w.left == 0 })
		pending = pending[:last]
		if len(stuck) == 0 {
			continue
		}
		sets := g.divide(stuck)
		if len(sets) == 1 {
			n := lastNeed(stuck)
			n.wait.knot = true
			n.left = 1
			if n.meet() {
				goOn(n.of)
			}
		}
		slices.Reverse(sets)
		pending = append(pending, sets...)
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

// meet is called when one of those that the need is on goes on. It says whether who has the need can go on by that.
func (n *need) meet() bool {
	if n.left == 0 {
		return false
	}
	n.left--
	if n.left > 0 {
		return false
	}
	n.of.left--
	return n.of.left == 0
}

// goOn lets waiters go on, each once, and those that can by that.
func goOn(free ...*waiter) {
	for len(free) > 0 {
		last := len(free) - 1
		w := free[last]
		free = free[:last]
		for _, n := range w.neededBy {
			if n.meet() {
				free = append(free, n.of)
			}
		}
	}
}

// visit is a waiter on the way of a search, with those that the search has yet to see from there.
type visit struct {
	*waiter
	rest []*waiter
}

// divide divides stuck waiters into the largest sets whose members need one another, at whatever remove. A set comes after those
// that it needs (R. Tarjan, "Depth-first search and linear graph algorithms"). No waiter may need a stuck one outside.
func (g *waitGraph) divide(stuck []*waiter) (sets [][]*waiter) {
	for _, w := range stuck {
		w.index = 0
	}
	count := 0
	var open []*waiter // those that are in no set yet.
	var way []visit
	come := func(w *waiter) {
		count++
		w.index, w.low = count, count
		open = append(open, w)
		way = append(way, visit{w, w.neededOnes()})
	}
	for _, root := range stuck {
		if root.index == 0 {
			come(root)
		}
		for len(way) > 0 {
			g.steps++
			at := &way[len(way)-1]
			if len(at.rest) > 0 {
				next := at.rest[0]
				at.rest = at.rest[1:]
				if next.index == 0 {
					come(next)
				} else {
					at.low = min(at.low, next.index)
				}
				continue
			}
			w := at.waiter
			way = way[:len(way)-1]
			if len(way) > 0 {
				before := way[len(way)-1]
				before.low = min(before.low, w.low)
			}
			if w.low == w.index {
				var set []*waiter
				set, open = setOf(w, open)
				sets = append(sets, set)
			}
		}
	}
	return sets
}

// setOf takes the set that the search has come into by w out of open, and out of the search.
func setOf(w *waiter, open []*waiter) (set, rest []*waiter) {
	first := len(open)
	for first == len(open) || open[first] != w {
		first--
		open[first].index = math.MaxInt
	}
	return slices.Clone(open[first:]), open[:first]
}

// neededOnes gives the stuck waiters that the needs of w are on.
func (w *waiter) neededOnes() (ones []*waiter) {
	for _, n := range w.needs {
		for _, on := range n.on {
			if n.left > 0 && on.left > 0 {
				ones = append(ones, on)
			}
		}
	}
	return ones
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
