package async

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestKnotBesideOthersThatGoOn has two tasks that can go on, one of them because of the other, on the list before a knot that
// needs them.
func TestKnotBesideOthersThatGoOn(t *testing.T) {
	inScope(t, "it is told, whatever else its tasks wait for", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		r := NewResolver[int](s)
		var z, q *Future[int]
		ready := make(chan struct{})
		y := Go(s, func(ctx context.Context) (int, error) { return r.Future().Await(ctx) })
		nap(time.Millisecond)
		x := Go(s, func(ctx context.Context) (int, error) { return y.Await(ctx) })
		nap(time.Millisecond)
		z = Go(s, func(ctx context.Context) (int, error) {
			<-ready
			_, err := All(ctx, x, q)
			return 0, err
		})
		q = Go(s, func(ctx context.Context) (int, error) { <-ready; return z.Await(ctx) })
		close(ready)
		_, err := AwaitTimeout(ctx, z, time.Hour)
		wantErr(t, err, ErrCycle)
		_, err = q.Await(ctx)
		wantErr(t, err, ErrCycle)
		r.Resolve(1)
	})
}

// TestKnotsAgainstNaive compares the marks in random graphs with those of a search that is slow and plain.
func TestKnotsAgainstNaive(t *testing.T) {
	t.Parallel()
	knots := 0
	for seed := range uint64(10000) {
		all := randomWaits(rand.New(rand.NewPCG(seed, 1)))
		wanted := naiveMarks(all)
		markKnots(all)
		var marked []uint64
		for _, w := range all {
			if w.knot {
				marked = append(marked, w.number)
			}
		}
		slices.Sort(marked)
		if !slices.Equal(marked, wanted) {
			t.Fatalf("seed %d: marked %v, want %v", seed, marked, wanted)
		}
		if len(marked) > 0 {
			knots++
		}
	}
	if knots < 1000 {
		t.Fatalf("only %d graphs have a knot", knots)
	}
}

// randomWaits gives waits of a few tasks for a few others, out of order. Some of the tasks run scopes of others.
func randomWaits(r *rand.Rand) (all []*wait) {
	n := 2 + r.IntN(7)
	tasks, futures := make([]*taskContext, n), make([]*core, n)
	var scopes []*ownedContext
	for i := range n {
		parent := context.Background()
		if i > 0 && r.IntN(3) == 0 {
			scope := &ownedContext{parent, tasks[r.IntN(i)]}
			scopes = append(scopes, scope)
			parent = scope
		} else if len(scopes) > 0 && r.IntN(3) == 0 {
			parent = scopes[len(scopes)-1]
		}
		tasks[i] = &taskContext{parent: parent}
		futures[i] = &core{}
		futures[i].task.Store(tasks[i])
	}
	for range r.IntN(2 * n) {
		w := &wait{task: tasks[r.IntN(n)], any: r.IntN(3) == 0}
		for range 1 + r.IntN(3) {
			if r.IntN(4) == 0 {
				w.parts = append(w.parts, tasks[r.IntN(n)])
			} else {
				w.futures = append(w.futures, futures[r.IntN(n)])
			}
		}
		all = append(all, w)
	}
	for _, scope := range scopes {
		if r.IntN(2) == 0 {
			all = append(all, &wait{task: scope.runner, scope: scope})
		}
	}
	for i, number := range r.Perm(len(all)) {
		all[i].number = uint64(number + 1)
	}
	return all
}

// naiveMarks gives the numbers of the waits to be marked: as long as there are tasks that cannot go on, it takes the smallest set of
// them that needs nobody else, and ends the last wait in it that is not for a scope.
func naiveMarks(all []*wait) (marked []uint64) {
	all = slices.Clone(all)
	for {
		stuck := naiveStuck(all)
		var knot map[*taskContext]bool
		for task := range stuck {
			if set := naiveNeeds(all, stuck, task); knot == nil || len(set) < len(knot) {
				knot = set
			}
		}
		if knot == nil {
			slices.Sort(marked)
			return marked
		}
		last := -1
		for i, w := range all {
			if knot[w.task] && w.scope == nil && !naiveMet(w, stuck) && (last < 0 || w.number > all[last].number) {
				last = i
			}
		}
		marked = append(marked, all[last].number)
		all = slices.Delete(all, last, last+1)
	}
}

// naiveStuck gives the tasks that cannot go on.
func naiveStuck(all []*wait) map[*taskContext]bool {
	stuck := map[*taskContext]bool{}
	for _, w := range all {
		stuck[w.task] = true
	}
	for before := -1; before != len(stuck); {
		before = len(stuck)
		for task := range stuck {
			if !slices.ContainsFunc(all, func(w *wait) bool { return w.task == task && !naiveMet(w, stuck) }) {
				delete(stuck, task)
			}
		}
	}
	return stuck
}

// naiveTargets gives the tasks that the wait is for, as far as they matter.
func naiveTargets(w *wait, stuck map[*taskContext]bool) (tasks []*taskContext) {
	for _, f := range w.futures {
		tasks = append(tasks, f.task.Load())
	}
	for task := range stuck {
		if w.scope != nil && task.parent == w.scope {
			tasks = append(tasks, task)
		}
	}
	return append(tasks, w.parts...)
}

// naiveMet says whether the wait ends when those go on that are not stuck.
func naiveMet(w *wait, stuck map[*taskContext]bool) bool {
	tasks := naiveTargets(w, stuck)
	if w.any {
		return slices.ContainsFunc(tasks, func(task *taskContext) bool { return !stuck[task] })
	}
	return !slices.ContainsFunc(tasks, func(task *taskContext) bool { return stuck[task] })
}

// naiveNeeds gives the task and those of the stuck ones that it needs, at whatever remove.
func naiveNeeds(all []*wait, stuck map[*taskContext]bool, task *taskContext) map[*taskContext]bool {
	set := map[*taskContext]bool{task: true}
	for before := 0; before != len(set); {
		before = len(set)
		for _, w := range all {
			if !set[w.task] || naiveMet(w, stuck) {
				continue
			}
			for _, on := range naiveTargets(w, stuck) {
				if stuck[on] {
					set[on] = true
				}
			}
		}
	}
	return set
}

// TestKnotsSteps bounds the work of one search by the number of waits, however many knots there are.
func TestKnotsSteps(t *testing.T) {
	t.Parallel()
	graphs := map[string]func(i, n int) []int{
		"tasks that await themselves": func(i, _ int) []int { return []int{i} },
		"one ring":                    func(i, n int) []int { return []int{(i + 1) % n} },
		"pairs":                       func(i, _ int) []int { return []int{i ^ 1} },
		"tasks that await themselves and the next":   func(i, n int) []int { return []int{i, min(i+1, n-1)} },
		"tasks that await themselves and the former": func(i, _ int) []int { return []int{i, max(i-1, 0)} },
	}
	for name, needs := range graphs {
		const n = 8000
		tasks, all := make([]*core, n), make([]*wait, n)
		for i := range n {
			tasks[i] = &core{}
			tasks[i].task.Store(&taskContext{parent: t.Context()})
		}
		for i := range n {
			all[i] = &wait{task: tasks[i].task.Load(), number: uint64(i + 1)}
			for _, on := range needs(i, n) {
				all[i].futures = append(all[i].futures, tasks[on])
			}
		}
		g := markKnots(all)
		if g.steps > 10*n {
			t.Errorf("%s: %d steps for %d waits", name, g.steps, n)
		}
		told := 0
		for _, w := range all {
			if w.knot {
				told++
			}
		}
		wanted, ok := map[string]int{"one ring": 1, "pairs": n / 2}[name]
		if !ok {
			wanted = n
		}
		want(t, name+": told", told, wanted)
	}
}
