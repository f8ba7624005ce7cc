package async

import (
	"context"
	"math"
	"slices"
)

// ownedContext is the context of a scope as the parent of its tasks. By it a task that the scope waits for is told from other work
// that was given the scope's context, such as that of a pool. It knows the task that runs the scope.
type ownedContext struct {
	context.Context
	runner *taskContext // nil when no task runs the scope.
}

// part gives a context in which waits count as those of a task of its own and not as those of the runner, for a goroutine that works
// beside it. The child context ctx stays what it is otherwise. A wait of a goroutine that is part of no task matters to nobody.
func (c *ownedContext) part(ctx context.Context) (context.Context, *taskContext) {
	if c.runner == nil {
		return ctx, nil
	}
	part := &taskContext{parent: c}
	return context.WithValue(ctx, taskKey{}, part), part
}

// outer gives the task that runs the scope of this one, or has it as a part, or nil.
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

// need is a wait in the graph.
type need struct {
	of   *waiter
	on   []*waiter
	left int // how many of on have yet to go on before it is met; 0 when it is.
	wait *wait
}

// waitGraph has the waiters by their tasks and, so that the same waits make the same graph, in order.
type waitGraph struct {
	waiters map[*taskContext]*waiter
	members map[*ownedContext][]*waiter // those that are tasks of a scope.
	order   []*waiter
	steps   int // how often the searches have looked at a waiter.
}

// markKnots marks the last wait of every knot, which is a set of waiting tasks that need one another and nobody else. A task that
// is no waiter can go on, and so can who needs only such tasks.
func markKnots(all []*wait) *waitGraph {
	g := &waitGraph{waiters: make(map[*taskContext]*waiter, len(all)), members: map[*ownedContext][]*waiter{}}
	for _, w := range all {
		g.addWaiter(w.task)
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
			n := endLast(stuck)
			n.left = 1
			if n.meet() {
				goOn(n.of)
			}
		}
		slices.Reverse(sets)
		pending = append(pending, sets...)
	}
}

// addWaiter makes the waiter that stands for the task, unless there is one.
func (g *waitGraph) addWaiter(task *taskContext) {
	if g.waiters[task] != nil {
		return
	}
	w := &waiter{}
	g.waiters[task] = w
	g.order = append(g.order, w)
	if scope, ok := task.parent.(*ownedContext); ok {
		g.members[scope] = append(g.members[scope], w)
	}
}

func (g *waitGraph) addWait(w *wait) {
	tasks := slices.Clone(w.parts)
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
	if w.scope != nil {
		n.on = g.members[w.scope]
	}
	n.left = len(n.on)
	if w.any {
		n.left = min(n.left, 1)
		if len(n.on) < len(w.futures)+len(w.parts) {
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

// endLast ends the wait of a knot that came last and gives its need. The wait for a scope cannot end early: when it comes later than
// that, it is due to look later and passes on what it sees.
func endLast(knot []*waiter) (last *need) {
	var scopes []*wait
	for _, w := range knot {
		for _, n := range w.needs {
			switch {
			case n.left == 0:
			case n.wait.scope != nil:
				scopes = append(scopes, n.wait)
			case last == nil || n.wait.number > last.wait.number:
				last = n
			}
		}
	}
	last.wait.knot = true
	for _, w := range scopes {
		if w.number > last.wait.number {
			w.ends = last.wait
		}
	}
	return last
}
