package async_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/godwit-go/godwit/async"
)

// An elastic pool keeps two workers and grows to eight while there is work for them.
func ExamplePoolConfig() {
	ctx := context.Background()
	pool, err := async.NewPool(async.PoolConfig{WorkersMin: 2, Workers: 8, IdleTimeout: time.Minute})
	if err != nil {
		panic(err)
	}
	release := make(chan struct{})
	for range 8 {
		if err := pool.Go(ctx, func(context.Context) error { <-release; return nil }); err != nil {
			panic(err)
		}
	}
	fmt.Println(pool.Stats().Workers > 2, pool.Stats().Workers <= 8)
	close(release)
	fmt.Println(pool.Stop(ctx))
	// Output:
	// true true
	// <nil>
}

// Failures of work without a future go to OnError.
func ExamplePoolConfig_onError() {
	ctx := context.Background()
	pool, err := async.NewPool(async.PoolConfig{OnError: func(err error) { fmt.Println("failed:", err) }})
	if err != nil {
		panic(err)
	}
	if err := pool.Go(ctx, func(context.Context) error { return errors.New("no such file") }); err != nil {
		panic(err)
	}
	fmt.Println(pool.Stop(ctx))
	// Output:
	// failed: no such file
	// <nil>
}

// Drain waits for all work, and the pool goes on.
func ExamplePool_Drain() {
	ctx := context.Background()
	pool, err := async.NewPool(async.PoolConfig{})
	if err != nil {
		panic(err)
	}
	var done atomic.Int64
	for round := range 2 {
		for range 100 {
			if err := pool.Go(ctx, func(context.Context) error { done.Add(1); return nil }); err != nil {
				panic(err)
			}
		}
		fmt.Println(pool.Drain(ctx), round, done.Load())
	}
	fmt.Println(pool.Stop(ctx))
	// Output:
	// <nil> 0 100
	// <nil> 1 200
	// <nil>
}

// A full queue makes room by dropping what has waited longest.
func ExampleOverflow_dropOldest() {
	ctx := context.Background()
	pool, err := async.NewPool(async.PoolConfig{Queue: 1, Overflow: async.OverflowDropOldest})
	if err != nil {
		panic(err)
	}
	pool.Pause()
	first, _ := async.Submit(ctx, pool, func(context.Context) (string, error) { return "first", nil })
	second, _ := async.Submit(ctx, pool, func(context.Context) (string, error) { return "second", nil })
	_, err = first.Await(ctx)
	fmt.Println(err)
	pool.Resume()
	fmt.Println(second.Await(ctx))
	fmt.Println(pool.Stop(ctx))
	// Output:
	// async: dropped from the pool's queue to make room
	// second <nil>
	// <nil>
}

// By default a submission waits for room, as long as its context lasts.
func ExampleOverflow_block() {
	ctx := context.Background()
	pool, err := async.NewPool(async.PoolConfig{Queue: 1})
	if err != nil {
		panic(err)
	}
	pool.Pause()
	nothing := func(context.Context) error { return nil }
	fmt.Println(pool.Go(ctx, nothing))
	timed, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	fmt.Println(errors.Is(pool.Go(timed, nothing), context.DeadlineExceeded))
	fmt.Println(pool.Stop(ctx))
	// Output:
	// <nil>
	// true
	// <nil>
}

// A subscriber that may miss values never makes the publisher wait.
func ExampleSubscription_Missed() {
	ctx := context.Background()
	var prices async.Broadcast[int]
	sub, err := prices.Subscribe(async.SubscriptionConfig{Buffer: 2, Overflow: async.OverflowDropOldest})
	if err != nil {
		panic(err)
	}
	for price := range 5 {
		if err := prices.Publish(ctx, price); err != nil {
			panic(err)
		}
	}
	prices.Close()
	fmt.Println(slices.Collect(sub.Values(ctx)), "missed", sub.Missed())
	// Output: [3 4] missed 3
}

// Unordered results come as they are ready, here with the slow one last.
func ExampleMapConfig_unordered() {
	slow := make(chan struct{})
	wait := func(_ context.Context, i int) (int, error) {
		if i == 0 {
			<-slow
		}
		return i, nil
	}
	given := 0
	for v, err := range async.Map(context.Background(), slices.Values([]int{0, 1, 2, 3}), async.MapConfig{Concurrency: 2, Unordered: true}, wait) {
		fmt.Println(v, err)
		if given++; given == 3 {
			close(slow)
		}
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
	// 0 <nil>
}

// To leave the loop ends the work: the input is read no further and the calls that run are cancelled.
func ExampleMap_break() {
	naturals := func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
	}
	square := func(_ context.Context, i int) (int, error) { return i * i, nil }
	for v, err := range async.Map(context.Background(), naturals, async.MapConfig{}, square) {
		if err != nil || v > 10 {
			break
		}
		fmt.Println(v)
	}
	// Output:
	// 0
	// 1
	// 4
	// 9
}
