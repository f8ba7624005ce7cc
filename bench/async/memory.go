package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godwit-go/godwit/async"
)

// holding is a kind of pending work. hold makes n of them, which stay as they are until it has called measure.
type holding struct {
	name string
	n    int
	hold func(n int, measure func())
}

const (
	many    = 1_000_000
	running = 100_000 // of those that have a goroutine.
)

// waitingGoroutine names the one that is measured twice, as a control.
const waitingGoroutine = "a waiting goroutine"

func holdings() []holding {
	return []holding{
		{waitingGoroutine, running, goroutinesWait},
		{waitingGoroutine + again, running, goroutinesWait},
		{"async.Go, its waiting goroutine included", running, inScope(func(s *async.Scope) any {
			return async.Go(s, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		})},
		{"async.Resolver with its future", many, inScope(func(s *async.Scope) any { return async.NewResolver[int](s) })},
		{"the same, and a task of async.Go in its Await", running, inScope(func(s *async.Scope) any {
			f := async.NewResolver[int](s).Future()
			return async.Go(s, f.Await)
		})},
		{"the same, and a goroutine of Scope.Go in its Await", running, inScope(func(s *async.Scope) any {
			f := async.NewResolver[int](s).Future()
			s.Go(func(ctx context.Context) error { _, err := f.Await(ctx); return err })
			return f
		})},
		{"async.Submit, its place in the queue included", many, queued},
		{"a channel with room for one int", many, func(n int, measure func()) {
			keep := make([]chan int, n)
			for i := range keep {
				keep[i] = make(chan int, 1)
			}
			measure()
			runtime.KeepAlive(keep)
		}},
	}
}

func goroutinesWait(n int, measure func()) {
	done := make(chan struct{})
	for range n {
		go func() { <-done }()
	}
	measure()
	close(done)
}

// inScope holds what one makes in a scope.
func inScope(one func(s *async.Scope) any) func(n int, measure func()) {
	return func(n int, measure func()) {
		err := async.Run(ctx, func(_ context.Context, s *async.Scope) error {
			keep := make([]any, n)
			for i := range keep {
				keep[i] = one(s)
			}
			measure()
			runtime.KeepAlive(keep)
			s.Stop()
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
}

func queued(n int, measure func()) {
	p := must(async.NewPool(async.PoolConfig{Queue: n}))
	p.Pause()
	keep := make([]any, n)
	for i := range keep {
		keep[i] = must(async.Submit(ctx, p, func(context.Context) (int, error) { return 1, nil }))
	}
	measure()
	runtime.KeepAlive(keep)
	if err := p.Stop(ctx); err != nil {
		panic(err)
	}
}

// memory reports what pending work takes up. Each number comes from a process of its own, as what was there before would take part:
// the runtime keeps the stacks of goroutines that have ended.
func memory(rounds int, scale float64) {
	fmt.Printf("\n## What pending work takes up\n\nEach number is from a process of its own; the slice that holds the things counts too.\n\n")
	fmt.Printf("| | how many | bytes each |\n| --- | ---: | ---: |\n")
	program := must(os.Executable())
	for _, h := range holdings() {
		var each []int
		for range rounds {
			out := must(exec.CommandContext(ctx, program, "-memory", h.name, "-scale", fmt.Sprint(scale)).Output())
			each = append(each, must(strconv.Atoi(strings.TrimSpace(string(out)))))
		}
		slices.Sort(each)
		fmt.Printf("| %s | %d | %d (%d to %d) |\n", h.name, pieces(h.n, scale), each[len(each)/2], each[0], each[len(each)-1])
	}
}

// memoryOf prints what one of the things of that name takes up, in bytes of heap and stacks.
func memoryOf(name string, scale float64) {
	i := slices.IndexFunc(holdings(), func(h holding) bool { return h.name == name })
	if i < 0 {
		fmt.Fprintf(os.Stderr, "async: -memory names no row, got %q\n", name)
		os.Exit(2)
	}
	h := holdings()[i]
	n := pieces(h.n, scale)
	before := inUse()
	h.hold(n, func() {
		time.Sleep(3 * time.Second) // Everybody waits by then, and is on the list of those who may wait for one another.
		fmt.Println((inUse() - before) / n)
	})
}

// inUse gives the bytes of heap and stacks.
func inUse() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc + stats.StackInuse)
}
