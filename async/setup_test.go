package async

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errBoom = errors.New("boom")

// TestMain looks for goroutines of this package that outlive the tests. Every test in a synctest bubble also fails by itself when
// it leaves a goroutine behind, so this is for the others.
func TestMain(m *testing.M) {
	code := m.Run()
	for i := 0; code == 0; i++ {
		left := goroutinesLeft()
		if left == "" {
			break
		}
		if i == 1000 {
			fmt.Fprintf(os.Stderr, "goroutines are left:\n%s\n", left)
			code = 1
		}
		runtime.Gosched()
	}
	os.Exit(code)
}

// goroutinesLeft gives the stacks of the goroutines that run code of this package, other than the one that asks.
func goroutinesLeft() string {
	stacks := make([]byte, 1<<20)
	_, others, _ := strings.Cut(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	var left []string
	for stack := range strings.SplitSeq(others, "\n\n") {
		if strings.Contains(stack, "godwit/async.") {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

// bubble runs a test with a fake clock; it fails when a goroutine is left.
func bubble(t *testing.T, name string, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t, t.Context()) })
	})
}

func wantErr(t *testing.T, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Fatalf("got the error %v, want one that matches %v", err, target)
		}
	}
}

func wantNoErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got the error %v, want none", err)
	}
}

func want[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("%s: got %v, want %v", what, got, wanted)
	}
}

// panicOf gives what fn panics with, or nil.
func panicOf(fn func()) (value any) {
	defer func() { value = recover() }()
	fn()
	return nil
}

func wantPanic(t *testing.T, part string, fn func()) {
	t.Helper()
	if got := fmt.Sprint(panicOf(fn)); !strings.Contains(got, part) {
		t.Fatalf("got the panic %q, want one with %q", got, part)
	}
}

// wantPanicError looks for a *PanicError of value, and gives it to the checks.
func wantPanicError(t *testing.T, value any, fn func(), checks ...func(*PanicError)) {
	t.Helper()
	pe, ok := panicOf(fn).(*PanicError)
	if !ok || pe.Value != value {
		t.Fatalf("got the panic %v, want a *PanicError of %v", pe, value)
	}
	for _, check := range checks {
		check(pe)
	}
}

// nap lets the fake time of a bubble pass. It is for bubbles only: elsewhere it would wait.
func nap(d time.Duration) { <-time.After(d) }

func value[T any](v T) func(context.Context) (T, error) {
	return func(context.Context) (T, error) { return v, nil }
}

func failing[T any](err error) func(context.Context) (T, error) {
	return func(context.Context) (v T, _ error) { return v, err }
}

func untilCancelled(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func valueUntilCancelled(ctx context.Context) (int, error) { return 0, untilCancelled(ctx) }

func numbers(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// trapContext calls a function when somebody looks at it, at points where other goroutines could do the same.
type trapContext struct {
	context.Context
	onErr  func()
	onDone func() <-chan struct{}
}

func (c *trapContext) Err() error {
	err := c.Context.Err()
	if err != nil && c.onErr != nil {
		c.onErr()
	}
	return err
}

func (c *trapContext) Done() <-chan struct{} {
	if c.onDone != nil {
		return c.onDone()
	}
	return c.Context.Done()
}

// untyped is an awaitable that is not a future and has no value.
type untyped func(ctx context.Context) error

func (u untyped) Await(ctx context.Context) (struct{}, error) { return struct{}{}, u(ctx) }
