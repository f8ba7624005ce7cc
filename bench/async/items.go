package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"

	conciter "github.com/sourcegraph/conc/iter"
	"github.com/sourcegraph/conc/stream"
	"golang.org/x/sync/errgroup"

	"github.com/godwit-go/godwit/async"
)

const items = 10_000_000

func mapping() group {
	ordered := mapWith(async.MapConfig{})
	return group{"Map: one result for each of ten million integers", []contender{
		{"async.Map, in order", items, ordered},
		{"async.Map, in order, again (A/A control)", items, ordered},
		{"async.Map, unordered", items, mapWith(async.MapConfig{Unordered: true})},
		{"async.ForEach (no results)", items, forEach},
		{"channel workers, results over a channel, unordered", items, channelMap},
		{"channel workers, no results", items, channelForEach},
		{limited("errgroup", ", results in a slice"), items / 20, errgroupMap},
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
		{"conc stream, in order", items / 20, func(n int) {
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
	all := func(n int) {
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
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
		if err != nil {
			panic(err)
		}
	}
	return group{"All over 10,000 pending futures: make, settle and join", []contender{
		{"async.All", joined, all},
		{"async.All, again (A/A control)", joined, all},
		{"a channel each, received in turn", joined, func(n int) {
			results := make([]chan int, n)
			for i := range results {
				results[i] = make(chan int, 1)
			}
			go func() {
				for i, c := range results {
					c <- i
				}
			}()
			sumChannels(results)
		}},
	}}
}

// memory reports what a million pending futures take up.
func memory(scale float64) {
	n := pieces(1_000_000, scale)
	fmt.Printf("\n## A million pending futures\n\n| | bytes each |\n| --- | ---: |\n")
	err := async.Run(ctx, func(_ context.Context, s *async.Scope) error {
		defer s.Stop()
		fmt.Printf("| async.Resolver with its future | %d |\n", heapEach(n, func() any { return async.NewResolver[int](s) }))
		fmt.Printf("| the same, with a goroutine in Await | %d |\n", heapEach(max(1, n/10), func() any { return waitFor(s, async.NewResolver[int](s).Future()) }))
		return nil
	})
	if err != nil {
		panic(err)
	}
	fmt.Printf("| a channel with room for one int | %d |\n", heapEach(n, func() any { return make(chan int, 1) }))
	done := make(chan struct{})
	fmt.Printf("| a waiting goroutine, stack included | %d |\n", heapEach(max(1, n/10), func() any { go func() { <-done }(); return nil }))
	close(done)
}

// waitFor starts a task that awaits f until its scope ends.
func waitFor(s *async.Scope, f *async.Future[int]) *async.Future[int] {
	s.Go(func(ctx context.Context) error {
		_, err := f.Await(ctx)
		if errors.Is(err, async.ErrScopeEnded) || errors.Is(err, async.ErrStopped) {
			return nil
		}
		return err
	})
	return f
}

// heapEach gives the bytes of heap and stacks that n things take up, each.
func heapEach(n int, one func() any) int {
	keep := make([]any, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keep {
		keep[i] = one()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(keep)
	return int(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse) / n
}
