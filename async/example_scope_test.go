package async_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/godwit-go/godwit/async"
)

// Scopes nest by calling Run in a task: the inner one is over before the task is.
func ExampleRun_nested() {
	err := async.Run(context.Background(), func(_ context.Context, s *async.Scope) error {
		s.Go(func(ctx context.Context) error {
			err := async.Run(ctx, func(_ context.Context, inner *async.Scope) error {
				inner.Go(func(context.Context) error { return errors.New("the disk is full") })
				return nil
			})
			fmt.Println("inner:", err)
			return nil // The outer scope need not fail.
		})
		return nil
	})
	fmt.Println("outer:", err)
	// Output:
	// inner: the disk is full
	// outer: <nil>
}

// Cancel ends what runs with a cause, which Run returns.
func ExampleScope_Cancel() {
	err := async.Run(context.Background(), func(_ context.Context, s *async.Scope) error {
		s.Go(func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println("task:", context.Cause(ctx))
			return ctx.Err()
		})
		s.Cancel(errors.New("the user has left"))
		return nil
	})
	fmt.Println("Run:", err)
	// Output:
	// task: the user has left
	// Run: the user has left
}

// An error that nobody looks at is returned by Run, or goes to the hook where there is one.
func ExampleScopeConfig_unobserved() {
	cfg := async.ScopeConfig{OnUnobserved: func(err error) { fmt.Println("unobserved:", err) }}
	err := cfg.Run(context.Background(), func(_ context.Context, s *async.Scope) error {
		async.Go(s, func(context.Context) (int, error) { return 0, errors.New("no such order") })
		return nil
	})
	fmt.Println(err)
	// Output:
	// unobserved: no such order
	// <nil>
}

// Tasks that wait for one another are told.
func ExampleFuture_Await_cycle() {
	err := async.Run(context.Background(), func(ctx context.Context, s *async.Scope) error {
		var b *async.Future[int]
		ready := make(chan struct{})
		a := async.Go(s, func(ctx context.Context) (int, error) { <-ready; return b.Await(ctx) })
		b = async.Go(s, func(ctx context.Context) (int, error) { return a.Await(ctx) })
		close(ready)
		_, err := b.Await(ctx)
		return err
	})
	fmt.Println(errors.Is(err, async.ErrCycle))
	// Output: true
}

// Callbacks for one way of ending only.
func ExampleFuture_OnError() {
	failed := async.Rejected[int](errors.New("no such order"))
	failed.OnSuccess(func(v int) { fmt.Println("value", v) })
	failed.OnError(func(err error) { fmt.Println("error:", err) })
	async.Resolved(7).OnSuccess(func(v int) { fmt.Println("value", v) })
	// Output:
	// error: no such order
	// value 7
}

// A future that has failed from the start stands in for work that need not be tried.
func ExampleRejected() {
	lookUp := func(s *async.Scope, id int) *async.Future[string] {
		if id < 0 {
			return async.Rejected[string](fmt.Errorf("no order has the number %d", id))
		}
		return async.Go(s, func(context.Context) (string, error) { return "an order", nil })
	}
	err := async.Run(context.Background(), func(ctx context.Context, s *async.Scope) error {
		_, err := lookUp(s, -1).Await(ctx)
		return err
	})
	fmt.Println(err)
	// Output: no order has the number -1
}

// Settle takes what a Go function returns; only the first settling counts.
func ExampleResolver_Settle() {
	err := async.Run(context.Background(), func(ctx context.Context, s *async.Scope) error {
		r := async.NewResolver[int](s)
		fmt.Println(r.Settle(0, errors.New("the connection is lost")), r.Resolve(1))
		_, err := r.Future().Await(ctx)
		fmt.Println(err)
		refused := async.NewResolver[int](s)
		refused.Reject(errors.New("refused"))
		_, err = refused.Future().Await(ctx)
		return err
	})
	fmt.Println(err)
	// Output:
	// true false
	// the connection is lost
	// refused
}
