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
	for seed := range uint64(20000) {
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

// randomWaits gives waits of a few tasks for a few others, out of order. Some of the tasks run the scope of another.
func randomWaits(r *rand.Rand) (all []*wait) {
	n := 2 + r.IntN(7)
	tasks, futures := make([]*taskContext, n), make([]*core, n)
	for i := range n {
		parent := context.Background()
		if i > 0 && r.IntN(5) == 0 {
			parent = &ownedContext{parent, tasks[r.IntN(i)]}
		}
		tasks[i] = &taskContext{parent: parent}
		futures[i] = &core{}
		futures[i].task.Store(tasks[i])
	}
	for range r.IntN(2 * n) {
		w := &wait{task: tasks[r.IntN(n)], any: r.IntN(3) == 0, number: uint64(len(all) + 1)}
		for range 1 + r.IntN(3) {
			w.futures = append(w.futures, futures[r.IntN(n)])
		}
		all = append(all, w)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// naiveMarks gives the numbers of the waits to be marked: as long as there are tasks that cannot go on, it takes the smallest set of
// them that needs nobody else, and ends the last wait in it.
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
			if knot[w.task] && !naiveMet(w, stuck) && (last < 0 || w.number > all[last].number) {
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
		for task := w.task; task != nil; task = task.outer() {
			stuck[task] = true
		}
	}
	for before := -1; before != len(stuck); {
		before = len(stuck)
		for task := range stuck {
			waits := slices.ContainsFunc(all, func(w *wait) bool { return w.task == task && !naiveMet(w, stuck) })
			for other := range stuck {
				waits = waits || other.outer() == task
			}
			if !waits {
				delete(stuck, task)
			}
		}
	}
	return stuck
}

// naiveMet says whether the wait ends when those go on that are not stuck.
func naiveMet(w *wait, stuck map[*taskContext]bool) bool {
	isStuck := func(f *core) bool { return stuck[f.task.Load()] }
	if w.any {
		return slices.ContainsFunc(w.futures, func(f *core) bool { return !isStuck(f) })
	}
	return !slices.ContainsFunc(w.futures, isStuck)
}

// naiveNeeds gives the task and those of the stuck ones that it needs, at whatever remove.
func naiveNeeds(all []*wait, stuck map[*taskContext]bool, task *taskContext) map[*taskContext]bool {
	set := map[*taskContext]bool{task: true}
	for before := 0; before != len(set); {
		before = len(set)
		for other := range stuck {
			set[other] = set[other] || set[other.outer()]
			if !set[other] {
				delete(set, other)
			}
		}
		for _, w := range all {
			if !set[w.task] || naiveMet(w, stuck) {
				continue
			}
			for _, f := range w.futures {
				if on := f.task.Load(); stuck[on] {
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
