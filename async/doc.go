// Package async runs work inside one process: callbacks, futures and async/await as people know them from Node.js, asyncio and
// CompletableFuture, in Go's own form. Every goroutine has an owner that waits for it, every wait takes a context, and no panic
// and no error is lost. The package imports nothing outside the standard library.
//
// What it starts does not survive a crash. For work that must, see the durable tasks of the module's root package: their promises
// satisfy [Awaitable], so everything here that waits takes local and durable work alike.
//
// # Scopes
//
// [Run] calls a function with a [Scope] and returns when everything that was started in the scope has returned. The first error
// cancels the rest, and a panic reaches the caller with the stack that it had:
//
//	err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
//		s.Go(func(ctx context.Context) error { return warmCache(ctx) })
//		s.Go(func(ctx context.Context) error { return loadRules(ctx) })
//		return nil
//	})
//
// [ScopeConfig] sets a limit. Scopes nest by calling Run in a task. [Scope.Stop] ends one early and successfully.
//
// # Futures
//
// [Go] starts a function in a scope and gives a [Future] of its outcome. [Future.Await] waits for it, in as many goroutines and as
// often as wanted; [Future.Done] is for select, [Future.Cancel] asks the work to end. [Delay] starts it later, [Resolved] and
// [Rejected] are settled from the start, and a [Resolver] settles a future from outside. Callbacks are registered with
// [Future.OnEnd], [Future.OnSuccess] and [Future.OnError].
//
// An error of a future belongs to whoever awaits it. One that nobody has looked at when the scope ends is returned by Run or goes
// to a hook. What a combinator returns stands for all of its inputs: the failures that it passes over, those of the losers of [Race]
// and [Any] and those beside the first of [All], are looked at by that, whether they come before it returns or after. A panic never is.
//
// # Combinators
//
// [All], [AllSettled], [Any], [Race], [AsCompleted], [Both] and [Either] wait for several awaitables at once and block their caller,
// as Go functions do. [Then], [Compose], [Catch] and [Finally] continue a future in a scope and give a new one. [AwaitTimeout] and
// [AwaitDefault] bound the waiting.
//
// # Streams of items
//
// [Map] calls a function for every item of an iter.Seq, several at a time, and gives the results to a range loop, in order or as they
// are ready, with backpressure. [ForEach] is for functions without results. To leave the loop stops the work.
//
// # Pools and broadcasts
//
// A [Pool] runs work on a bounded number of goroutines with a bounded queue before them: priorities, pause, resize, drain and
// statistics. A [Broadcast] gives every value to every subscriber.
//
// # What is not here
//
// Semaphores, rate limits, singleflight, queues, one-time events and timers are well served by golang.org/x/sync,
// golang.org/x/time and the standard library. docs/async-models.md has the code for each, beside its counterpart in other worlds.
package async
