package main

import (
	"context"
	"iter"
	"sync"

	conciter "github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/pool"
	"github.com/sourcegraph/conc/stream"
	"golang.org/x/sync/errgroup"

	"github.com/godwit-go/godwit/async"
)

const (
	items = 10_000_000
	fewer = items / 10 // for those who take a goroutine or a queue of functions for each.
)

// Names that the targets use.
const (
	mapName            = "async.Map, in order"
	forEachName        = "async.ForEach (no results)"
	channelMapName     = "channel workers, results over a channel, unordered"
	channelForEachName = "channel workers, no results"
)

func mapping() group {
	ordered := mapWith(async.MapConfig{})
	return group{"Map: one result for each of ten million integers, or of a million where that says enough", 1, []contender{
		{mapName, items, ordered},
		{mapName + again, items, ordered},
		{"async.Map, unordered", items, mapWith(async.MapConfig{Unordered: true})},
		{forEachName, items, forEach},
		{channelMapName, items, channelMap},
		{channelForEachName, items, channelForEach},
		{limited("errgroup", ", a slice of results"), fewer, errgroupMap},
		{"pond group, results in order", fewer, pondGroup},
		{"ants, a slice of results", fewer, antsResults},
		{"conc iter.Map over a slice", items, func(n int) {
			in := make([]int, n)
			for i := range in {
				in[i] = i
			}
			sum := 0
			for _, v := range conciter.Map(in, func(v *int) int { return *v }) {
				sum += v
			}
			check(sum, sumTo(n))
		}},
		{"conc stream, in order", fewer, func(n int) {
			s := stream.New().WithMaxGoroutines(workers)
			sum := 0
			for i := range n {
				s.Go(func() stream.Callback { return func() { sum += i } })
			}
			s.Wait()
			check(sum, sumTo(n))
		}},
	}}
}

func mapWith(cfg async.MapConfig) func(int) {
	return func(n int) {
		same := func(_ context.Context, i int) (int, error) { return i, nil }
		sum := 0
		for v, err := range async.Map(ctx, iter.Seq[int](numbers(n)), cfg, same) {
			sum += must(v, err)
		}
		check(sum, sumTo(n))
	}
}

func forEach(n int) {
	var c counter
	if err := async.ForEach(ctx, iter.Seq[int](numbers(n)), async.MapConfig{}, func(_ context.Context, i int) error {
		c.add(i)
		return nil
	}); err != nil {
		panic(err)
	}
	c.check(n)
}

func channelMap(n int) {
	in, out := make(chan int, buffer), make(chan int, buffer)
	for range workers {
		go func() {
			for v := range in {
				out <- v
			}
		}()
	}
	go func() {
		for i := range n {
			in <- i
		}
		close(in)
	}()
	sum := 0
	for range n {
		sum += <-out
	}
	check(sum, sumTo(n))
}

func channelForEach(n int) {
	var c counter
	in := make(chan int, buffer)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for v := range in {
				c.add(v)
			}
		})
	}
	for i := range n {
		in <- i
	}
	close(in)
	wg.Wait()
	c.check(n)
}

func errgroupMap(n int) {
	results := make([]int, n)
	var g errgroup.Group
	g.SetLimit(workers)
	for i := range n {
		g.Go(func() error { results[i] = i; return nil })
	}
	if err := g.Wait(); err != nil {
		panic(err)
	}
	sum := 0
	for _, v := range results {
		sum += v
	}
	check(sum, sumTo(n))
}

const joined = 10_000

func joining() group {
	all := func(ctx context.Context, n int) error {
		return async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			resolvers := make([]*async.Resolver[int], n)
			futures := make([]*async.Future[int], n)
			for i := range n {
				resolvers[i] = async.NewResolver[int](s)
				futures[i] = resolvers[i].Future()
			}
			s.Go(func(context.Context) error {
				for i, r := range resolvers {
					r.Resolve(i)
				}
				return nil
			})
			sum := 0
			for _, v := range must(async.All(ctx, futures...)) {
				sum += v
			}
			check(sum, sumTo(n))
			return nil
		})
	}
	outside := func(n int) {
		if err := all(ctx, n); err != nil {
			panic(err)
		}
	}
	inside := func(n int) {
		err := async.Run(ctx, func(_ context.Context, s *async.Scope) error {
			_, err := async.Go(s, func(ctx context.Context) (int, error) { return 0, all(ctx, n) }).Await(ctx)
			return err
		})
		if err != nil {
			panic(err)
		}
	}
	return group{"All over 10,000 pending futures: make, settle and join", 100, []contender{
		{"async.All", joined, outside},
		{"async.All" + again, joined, outside},
		{"async.All inside a task", joined, inside},
		{"errgroup, a goroutine each that receives its value", joined, func(n int) {
			results, cells := make([]int, n), cellsFor(n)
			var g errgroup.Group
			for i, c := range cells {
				g.Go(func() error { results[i] = <-c; return nil })
			}
			settle(cells)
			if err := g.Wait(); err != nil {
				panic(err)
			}
			checkAll(results)
		}},
		{"conc ResultPool, a goroutine each that receives its value", joined, func(n int) {
			cells := cellsFor(n)
			p := pool.NewWithResults[int]()
			for _, c := range cells {
				p.Go(func() int { return <-c })
			}
			settle(cells)
			checkAll(p.Wait())
		}},
		{"a channel each, received in turn", joined, func(n int) {
			cells := cellsFor(n)
			settle(cells)
			sumChannels(cells)
		}},
	}}
}

func cellsFor(n int) []chan int {
	cells := make([]chan int, n)
	for i := range cells {
		cells[i] = make(chan int, 1)
	}
	return cells
}

// settle gives each cell its value, on a goroutine that ends by itself, as each has room.
func settle(cells []chan int) {
	go func() {
		for i, c := range cells {
			c <- i
		}
	}()
}

func checkAll(results []int) {
	sum := 0
	for _, v := range results {
		sum += v
	}
	check(sum, sumTo(len(results)))
}

const chained = 10_000

// chaining is work in which each piece waits for the one before it.
func chaining() group {
	then := func(n int) {
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			r := async.NewResolver[int](s)
			last := r.Future()
			for range n {
				last = async.Then(s, last, func(_ context.Context, v int) (int, error) { return v + 1, nil })
			}
			r.Resolve(0)
			check(must(last.Await(ctx)), n)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	return group{"A chain of 10,000 Then", 100, []contender{
		{"async.Then", chained, then},
		{"async.Then" + again, chained, then},
		{"a goroutine and a channel each", chained, func(n int) {
			first := make(chan int, 1)
			last := first
			for range n {
				next := make(chan int, 1)
				go func(last chan int) { next <- 1 + <-last }(last)
				last = next
			}
			first <- 0
			check(<-last, n)
		}},
	}}
}
