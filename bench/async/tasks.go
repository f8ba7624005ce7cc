package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/godwit-go/godwit/async"
)

const (
	tasks  = 1_000_000
	buffer = 1024
)

// again marks the contender that runs a second time.
const again = ", again (A/A control)"

// Names that the targets use.
const (
	poolGoName            = "async.Pool.Go"
	channelTasksName      = "channel workers"
	pondQueuedName        = "pond Go, queue 1024"
	submitName            = "async.Submit"
	channelResultsName    = "channel workers, a channel each"
	pondQueuedResultsName = "pond ResultPool.Submit, queue 1024"
)

var (
	ctx     = context.Background()
	workers = runtime.GOMAXPROCS(0)
)

// counter is what a tiny task does: it adds to one of a few sums that lie apart.
type counter struct {
	sums [64]struct {
		n atomic.Int64
		_ [56]byte
	}
}

func (c *counter) add(i int) { c.sums[i%len(c.sums)].n.Add(int64(i)) }

func (c *counter) check(n int) {
	sum := 0
	for i := range c.sums {
		sum += int(c.sums[i].n.Load())
	}
	check(sum, sumTo(n))
}

func plainTasks() group {
	counting := func(run func(n int, add func(int))) func(int) {
		return func(n int) {
			var c counter
			run(n, c.add)
			c.check(n)
		}
	}
	asyncPool := counting(func(n int, add func(int)) {
		p := must(async.NewPool(async.PoolConfig{}))
		for i := range n {
			if err := p.Go(ctx, func(context.Context) error { add(i); return nil }); err != nil {
				panic(err)
			}
		}
		if err := p.Stop(ctx); err != nil {
			panic(err)
		}
	})
	return group{"A million tiny tasks without results", 1, []contender{
		{poolGoName, tasks, asyncPool},
		{poolGoName + again, tasks, asyncPool},
		{"async.Scope.Go, no limit", tasks, counting(scopeTasks(async.ScopeConfig{}))},
		{limited("async.Scope.Go", ""), tasks, counting(scopeTasks(async.ScopeConfig{Limit: workers}))},
		{"goroutines and a WaitGroup", tasks, counting(goroutines)},
		{channelTasksName, tasks, counting(channelTasks)},
		{limited("errgroup", ""), tasks, counting(errgroupTasks)},
		{limited("conc pool", ""), tasks, counting(func(n int, add func(int)) {
			p := pool.New().WithMaxGoroutines(workers)
			for i := range n {
				p.Go(func() { add(i) })
			}
			p.Wait()
		})},
		{"pond Go", tasks, counting(pondTasks())},
		{pondQueuedName, tasks, counting(pondTasks(pond.WithQueueSize(buffer)))},
		{"ants Submit", tasks, counting(antsTasks)},
	}}
}

// limited names a contender that runs as much at once as there are workers.
func limited(name, rest string) string { return fmt.Sprintf("%s, limit %d%s", name, workers, rest) }

func scopeTasks(cfg async.ScopeConfig) func(n int, add func(int)) {
	return func(n int, add func(int)) {
		err := cfg.Run(ctx, func(_ context.Context, s *async.Scope) error {
			for i := range n {
				s.Go(func(context.Context) error { add(i); return nil })
			}
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
}

func goroutines(n int, add func(int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { add(i) })
	}
	wg.Wait()
}

func channelTasks(n int, add func(int)) {
	work := make(chan func(), buffer)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for fn := range work {
				fn()
			}
		})
	}
	for i := range n {
		work <- func() { add(i) }
	}
	close(work)
	wg.Wait()
}

func errgroupTasks(n int, add func(int)) {
	var g errgroup.Group
	g.SetLimit(workers)
	for i := range n {
		g.Go(func() error { add(i); return nil })
	}
	if err := g.Wait(); err != nil {
		panic(err)
	}
}

func pondTasks(options ...pond.Option) func(n int, add func(int)) {
	return func(n int, add func(int)) {
		p := pond.NewPool(workers, options...)
		for i := range n {
			if err := p.Go(func() { add(i) }); err != nil {
				panic(err)
			}
		}
		p.StopAndWait()
	}
}

func antsTasks(n int, add func(int)) {
	p := must(ants.NewPool(workers))
	defer p.Release()
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		if err := p.Submit(func() { add(i); wg.Done() }); err != nil {
			panic(err)
		}
	}
	wg.Wait()
}

func resultTasks() group {
	asyncPool := func(n int) {
		p := must(async.NewPool(async.PoolConfig{}))
		futures := make([]*async.Future[int], n)
		for i := range n {
			futures[i] = must(async.Submit(ctx, p, func(context.Context) (int, error) { return i, nil }))
		}
		sum := 0
		for _, f := range futures {
			sum += must(f.Await(ctx))
		}
		check(sum, sumTo(n))
		if err := p.Stop(ctx); err != nil {
			panic(err)
		}
	}
	return group{"A million tiny tasks with results, each awaited", 1, []contender{
		{submitName, tasks, asyncPool},
		{submitName + again, tasks, asyncPool},
		{"async.Go in a scope", tasks, scopeResults},
		{"a goroutine and a channel each", tasks, goroutineResults},
		{channelResultsName, tasks, channelResults},
		{"pond ResultPool.Submit", tasks, pondResults()},
		{pondQueuedResultsName, tasks, pondResults(pond.WithQueueSize(buffer))},
		{"pond ResultPool, a group", tasks, pondGroup},
		{"ants, results in a slice", tasks, antsResults},
		{limited("errgroup", ", results in a slice"), tasks, errgroupMap},
		{limited("conc ResultPool", " (results as a slice)"), tasks, func(n int) {
			p := pool.NewWithResults[int]().WithMaxGoroutines(workers)
			for i := range n {
				p.Go(func() int { return i })
			}
			sum := 0
			for _, v := range p.Wait() {
				sum += v
			}
			check(sum, sumTo(n))
		}},
	}}
}

func scopeResults(n int) {
	err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		futures := make([]*async.Future[int], n)
		for i := range n {
			futures[i] = async.Go(s, func(context.Context) (int, error) { return i, nil })
		}
		sum := 0
		for _, f := range futures {
			sum += must(f.Await(ctx))
		}
		check(sum, sumTo(n))
		return nil
	})
	if err != nil {
		panic(err)
	}
}

func goroutineResults(n int) {
	results := make([]chan int, n)
	for i := range n {
		c := make(chan int, 1)
		results[i] = c
		go func() { c <- i }()
	}
	sumChannels(results)
}

func channelResults(n int) {
	type item struct {
		fn     func() int
		result chan int
	}
	work := make(chan item, buffer)
	for range workers {
		go func() {
			for it := range work {
				it.result <- it.fn()
			}
		}()
	}
	results := make([]chan int, n)
	for i := range n {
		results[i] = make(chan int, 1)
		work <- item{func() int { return i }, results[i]}
	}
	close(work)
	sumChannels(results)
}

func sumChannels(results []chan int) {
	sum := 0
	for _, c := range results {
		sum += <-c
	}
	check(sum, sumTo(len(results)))
}

func pondResults(options ...pond.Option) func(int) {
	return func(n int) {
		p := pond.NewResultPool[int](workers, options...)
		results := make([]pond.ResultTask[int], n)
		for i := range n {
			results[i] = p.Submit(func() int { return i })
		}
		sum := 0
		for _, r := range results {
			sum += must(r.Wait())
		}
		check(sum, sumTo(n))
		p.StopAndWait()
	}
}

// pondGroup awaits all results at once, as pond's documentation does it for a batch.
func pondGroup(n int) {
	p := pond.NewResultPool[int](workers)
	g := p.NewGroup()
	for i := range n {
		g.Submit(func() int { return i })
	}
	sum := 0
	for _, v := range must(g.Wait()) {
		sum += v
	}
	check(sum, sumTo(n))
	p.StopAndWait()
}

func antsResults(n int) {
	p := must(ants.NewPool(workers))
	defer p.Release()
	results := make([]int, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		if err := p.Submit(func() { results[i] = i; wg.Done() }); err != nil {
			panic(err)
		}
	}
	wg.Wait()
	sum := 0
	for _, v := range results {
		sum += v
	}
	check(sum, sumTo(n))
}
