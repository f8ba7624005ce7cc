package async_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/godwit-go/godwit/async"
)

var ctx = context.Background()

func Example() {
	err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		user := async.Go(s, func(ctx context.Context) (string, error) { return "Ada", nil })
		greeting := async.Go(s, func(ctx context.Context) (string, error) { return "Hello", nil })
		words, err := async.All(ctx, greeting, user)
		fmt.Println(words, err)
		return err
	})
	fmt.Println(err)
	// Output:
	// [Hello Ada] <nil>
	// <nil>
}

func ExampleRun() {
	err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		s.Go(func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println("cancelled because", context.Cause(ctx))
			return ctx.Err()
		})
		s.Go(func(ctx context.Context) error { return errors.New("the disk is full") })
		return nil
	})
	fmt.Println(err)
	// Output:
	// cancelled because the disk is full
	// the disk is full
}

func ExampleScope_Stop() {
	err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		fast := async.Go(s, func(ctx context.Context) (string, error) { return "from the mirror", nil })
		slow := async.Go(s, func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() })
		v, err := async.Race(ctx, slow, fast)
		fmt.Println(v)
		s.Stop() // The rest is not needed any more.
		return err
	})
	fmt.Println(err)
	// Output:
	// from the mirror
	// <nil>
}

// With a limit, Go waits until there is a place.
func ExampleScopeConfig_Run() {
	var running, most atomic.Int64
	err := async.ScopeConfig{Limit: 2}.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		for range 100 {
			s.Go(func(ctx context.Context) error {
				now := running.Add(1)
				defer running.Add(-1)
				for before := most.Load(); now > before && !most.CompareAndSwap(before, now); before = most.Load() {
				}
				return nil
			})
		}
		return nil
	})
	fmt.Println(err, "never more than two:", most.Load() <= 2)
	// Output: <nil> never more than two: true
}

func ExamplePanicError() {
	defer func() {
		if pe, ok := recover().(*async.PanicError); ok {
			fmt.Println("panicked with", pe.Value, "and has its stack:", len(pe.Stack) > 0)
		}
	}()
	_ = async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		s.Go(func(ctx context.Context) error { panic("ouch") })
		return nil
	})
	// Output: panicked with ouch and has its stack: true
}

// inScope keeps the examples short: it runs body in a scope and prints an error.
func inScope(body func(ctx context.Context, s *async.Scope) error) {
	if err := async.Run(ctx, body); err != nil {
		fmt.Println("error:", err)
	}
}

func ExampleGo() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Go(s, func(ctx context.Context) (int, error) { return 6 * 7, nil })
		v, err := f.Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output: 42
}

func ExampleFuture_Done() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Go(s, func(ctx context.Context) (int, error) { return 42, nil })
		select {
		case <-f.Done():
			r, _ := f.Result()
			fmt.Println(r.Value, r.Err)
		case <-time.After(time.Minute):
			fmt.Println("too slow")
		}
		return nil
	})
	// Output: 42 <nil>
}

func ExampleFuture_Cancel() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Go(s, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		f.Cancel(errors.New("the user has left"))
		_, err := f.Await(ctx)
		fmt.Println(err)
		return nil
	})
	// Output: context canceled: the user has left
}

func ExampleFuture_OnEnd() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Go(s, func(ctx context.Context) (int, error) { return 42, nil })
		f.OnSuccess(func(v int) { fmt.Println("success:", v) })
		f.OnError(func(err error) { fmt.Println("error:", err) })
		f.OnEnd(func(v int, err error) { fmt.Println("end:", v, err) })
		return nil
	})
	// Output:
	// success: 42
	// end: 42 <nil>
}

func ExampleNewResolver() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		reply := async.NewResolver[string](s)
		callMeBack := func(done func(string, error)) { go done("pong", nil) } // A library in the style of callbacks.
		callMeBack(func(text string, err error) { reply.Settle(text, err) })
		v, err := reply.Future().Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output: pong
}

func ExampleResolved() {
	fmt.Println(async.Resolved(42).Await(ctx))
	fmt.Println(async.Rejected[int](errors.New("no")).Await(ctx))
	// Output:
	// 42 <nil>
	// 0 no
}

func ExampleDelay() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Delay(s, time.Millisecond, func(ctx context.Context) (string, error) { return "later", nil })
		fmt.Println("now")
		v, err := f.Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output:
	// now
	// later
}

func ExampleAwaitTimeout() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		never := async.NewResolver[int](s).Future()
		_, err := async.AwaitTimeout(ctx, never, time.Millisecond)
		fmt.Println(err)
		return nil
	})
	// Output: context deadline exceeded
}

func ExampleAwaitDefault() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		never := async.NewResolver[int](s).Future()
		v, err := async.AwaitDefault(ctx, never, time.Millisecond, 42)
		fmt.Println(v)
		return err
	})
	// Output: 42
}

func ExampleThen() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		price := async.Go(s, func(ctx context.Context) (int, error) { return 42, nil })
		label := async.Then(s, price, func(ctx context.Context, v int) (string, error) { return fmt.Sprintf("%d EUR", v), nil })
		v, err := label.Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output: 42 EUR
}

func ExampleCompose() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Compose(s, async.Resolved("Ada"), func(ctx context.Context, name string) (async.Awaitable[int], error) {
			return async.Go(s, func(ctx context.Context) (int, error) { return len(name), nil }), nil
		})
		v, err := f.Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output: 3
}

func ExampleCatch() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Catch(s, async.Rejected[string](errors.New("no network")), func(ctx context.Context, err error) (string, error) {
			return "cached, as there is " + err.Error(), nil
		})
		v, err := f.Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output: cached, as there is no network
}

func ExampleFinally() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		f := async.Finally(s, async.Resolved(42), func() { fmt.Println("tidied up") })
		v, err := f.Await(ctx)
		fmt.Println(v)
		return err
	})
	// Output:
	// tidied up
	// 42
}

// durable stands for the promise of a durable job: anything with an Await is an Awaitable.
type durable struct{ result string }

func (d durable) Await(ctx context.Context) (string, error) { return d.result, ctx.Err() }

func ExampleAll() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		local := async.Go(s, func(ctx context.Context) (string, error) { return "local", nil })
		both := []async.Awaitable[string]{local, durable{"durable"}}
		vs, err := async.All(ctx, both...)
		fmt.Println(vs)
		return err
	})
	// Output: [local durable]
}

func ExampleAllSettled() {
	rs, err := async.AllSettled(ctx, async.Resolved(1), async.Rejected[int](errors.New("no")))
	fmt.Println(rs, err)
	// Output: [{1 <nil>} {0 no}] <nil>
}

func ExampleAny() {
	fmt.Println(async.Any(ctx, async.Rejected[int](errors.New("no")), async.Resolved(2)))
	_, err := async.Any(ctx, async.Rejected[int](errors.New("no")), async.Rejected[int](errors.New("nor this")))
	fmt.Println(err)
	// Output:
	// 2 <nil>
	// no
	// nor this
}

func ExampleRace() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		never := async.NewResolver[int](s).Future()
		v, err := async.Race(ctx, never, async.Resolved(2))
		fmt.Println(v)
		return err
	})
	// Output: 2
}

func ExampleAsCompleted() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		slow := async.Delay(s, 5*time.Millisecond, func(ctx context.Context) (string, error) { return "slow", nil })
		for i, r := range async.AsCompleted(ctx, slow, async.Resolved("fast")) {
			fmt.Println(i, r.Value, r.Err)
		}
		return nil
	})
	// Output:
	// 1 fast <nil>
	// 0 slow <nil>
}

func ExampleBoth() {
	name, age, err := async.Both(ctx, async.Resolved("Ada"), async.Resolved(36))
	fmt.Println(name, age, err)
	// Output: Ada 36 <nil>
}

func ExampleEither() {
	inScope(func(ctx context.Context, s *async.Scope) error {
		never := async.NewResolver[string](s).Future()
		v, err := async.Either(ctx, never, durable{"durable"})
		fmt.Println(v)
		return err
	})
	// Output: durable
}

func ExampleMap() {
	words := slices.Values([]string{"one", "three", "five"})
	length := func(ctx context.Context, word string) (int, error) { return len(word), nil }
	for n, err := range async.Map(ctx, words, async.MapConfig{Concurrency: 2}, length) {
		fmt.Println(n, err)
	}
	// Output:
	// 3 <nil>
	// 5 <nil>
	// 4 <nil>
}

func ExampleMapConfig() {
	check := func(ctx context.Context, n int) (int, error) {
		if n == 2 {
			return 0, errors.New("is even")
		}
		return n, nil
	}
	for v, err := range async.Map(ctx, slices.Values([]int{1, 2, 3}), async.MapConfig{AllErrors: true}, check) {
		fmt.Println(v, err)
	}
	// Output:
	// 1 <nil>
	// 0 item 1: is even
	// 3 <nil>
}

func ExampleCollect() {
	double := func(ctx context.Context, n int) (int, error) { return 2 * n, nil }
	fmt.Println(async.Collect(async.Map(ctx, slices.Values([]int{1, 2, 3}), async.MapConfig{}, double)))
	// Output: [2 4 6] <nil>
}

func ExampleForEach() {
	stock := map[string]int{"pears": 0, "plums": 0}
	err := async.ForEach(ctx, maps.Keys(stock), async.MapConfig{}, func(ctx context.Context, fruit string) error {
		if fruit == "plums" {
			return errors.New("out of plums")
		}
		return nil
	})
	var item *async.ItemError
	fmt.Println(errors.As(err, &item), errors.Unwrap(err))
	// Output: true out of plums
}

func ExamplePool() {
	pool, err := async.NewPool(async.PoolConfig{Workers: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := async.Submit(ctx, pool, func(ctx context.Context) (int, error) { return 42, nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Await(ctx))
	fmt.Println(pool.Stop(ctx))
	// Output:
	// 42 <nil>
	// <nil>
}

func ExamplePool_Pause() {
	pool, _ := async.NewPool(async.PoolConfig{Workers: 1})
	pool.Pause()
	_ = pool.GoAt(ctx, async.PriorityLow, func(ctx context.Context) error { fmt.Println("low"); return nil })
	_ = pool.GoAt(ctx, async.PriorityHigh, func(ctx context.Context) error { fmt.Println("high"); return nil })
	fmt.Println("queued:", pool.Stats().Queued)
	pool.Resume()
	fmt.Println(pool.Stop(ctx))
	// Output:
	// queued: 2
	// high
	// low
	// <nil>
}

func ExampleOverflow() {
	pool, _ := async.NewPool(async.PoolConfig{Workers: 1, Queue: 1, Overflow: async.OverflowReject})
	pool.Pause()
	work := func(ctx context.Context) error { return nil }
	fmt.Println(pool.Go(ctx, work))
	fmt.Println(pool.Go(ctx, work))
	fmt.Println(pool.Stop(ctx))
	// Output:
	// <nil>
	// async: the pool's queue is full
	// <nil>
}

func ExampleBroadcast() {
	var temperature async.Broadcast[int]
	sub, _ := temperature.Subscribe(async.SubscriptionConfig{})
	_ = temperature.Publish(ctx, 20)
	_ = temperature.Publish(ctx, 21)
	temperature.Close()
	for degrees := range sub.Values(ctx) {
		fmt.Println(degrees)
	}
	// Output:
	// 20
	// 21
}

func ExamplePool_Resize() {
	pool, _ := async.NewPool(async.PoolConfig{Workers: 1})
	met := make(chan string)
	_ = pool.Go(ctx, func(ctx context.Context) error { met <- "hello"; return nil })
	_ = pool.Go(ctx, func(ctx context.Context) error { fmt.Println(<-met); return nil })
	_ = pool.Resize(0, 2) // One worker alone would wait for ever.
	fmt.Println(pool.Drain(ctx))
	fmt.Println(pool.Stats().Ended, pool.Stop(ctx))
	// Output:
	// hello
	// <nil>
	// 2 <nil>
}

func ExampleScope_TryGo() {
	err := async.ScopeConfig{Limit: 1}.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		wait := make(chan struct{})
		fmt.Println(s.TryGo(func(ctx context.Context) error { <-wait; return nil }))
		fmt.Println(s.TryGo(func(ctx context.Context) error { return nil }))
		close(wait)
		return nil
	})
	fmt.Println(err)
	// Output:
	// true
	// false
	// <nil>
}
