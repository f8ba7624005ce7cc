package async

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
)

var (
	// ErrScopeEnded is the outcome of work given to a scope whose Run has returned, and of a resolver that was still pending then.
	ErrScopeEnded = errors.New("async: the scope has ended")

	// ErrStopped is the cause with which the tasks of a scope are cancelled by [Scope.Stop].
	ErrStopped = errors.New("async: the scope was stopped")

	// ErrCycle is what Await returns to a task that awaits itself, directly or through other futures; see [Future.Await].
	ErrCycle = errors.New("async: await cycle (the task awaits itself, directly or through others)")

	// ErrGoexit is the outcome of a task that ended its goroutine with runtime.Goexit (t.FailNow does) instead of returning.
	ErrGoexit = errors.New("async: the task called runtime.Goexit")

	// ErrNone is the outcome of [Any] and [Race] over nothing.
	ErrNone = errors.New("async: nothing to await")

	// ErrPoolStopped is the outcome of work given to a pool after its Stop, and of queued work that Stop gave up.
	ErrPoolStopped = errors.New("async: the pool is stopped")

	// ErrPoolFull is the refusal of a pool whose queue is full, under [OverflowReject].
	ErrPoolFull = errors.New("async: the pool's queue is full")

	// ErrDropped is the outcome of queued work that made room for newer work, under [OverflowDropOldest].
	ErrDropped = errors.New("async: dropped from the pool's queue to make room")

	// ErrBroadcastClosed is the refusal of [Broadcast.Publish] and [Broadcast.Subscribe] after Close.
	ErrBroadcastClosed = errors.New("async: the broadcast is closed")
)

// PanicError is a panic of a task, carried to another goroutine. Run and the Map family panic with it; Await returns it. A panic on
// their caller's own goroutine goes on as it is, unless it would hide other failures: then it is the Value of a PanicError too.
type PanicError struct {
	// Value is what was given to panic.
	Value any

	// Stack is the stack of the goroutine that panicked, at that point.
	Stack []byte

	// Also holds the other failures and panics of the same scope or Map, which the panic would hide. It is nil where there are none.
	Also error
}

// Error gives the panic's value, its original stack and the failures beside it, since a panic that nobody recovers prints just
// this.
func (e *PanicError) Error() string {
	text := fmt.Sprintf("async: task panicked: %v\n\n%s", e.Value, e.Stack)
	if e.Also != nil {
		text += fmt.Sprintf("\nbeside the panic:\n%v", e.Also)
	}
	return text
}

// Unwrap gives the panic's value where that is an error, and the failures it hides.
func (e *PanicError) Unwrap() []error {
	var errs []error
	if err, ok := e.Value.(error); ok {
		errs = append(errs, err)
	}
	if e.Also != nil {
		errs = append(errs, e.Also)
	}
	return errs
}

// newPanicError wraps what recover gave. A panic that crosses several scopes keeps its first stack.
func newPanicError(recovered any) *PanicError {
	if pe, ok := recovered.(*PanicError); ok {
		return pe
	}
	return &PanicError{Value: recovered, Stack: debug.Stack()}
}

// with gives the panic with more failures beside it.
func (e *PanicError) with(errs ...error) *PanicError {
	also := joinErrors(append([]error{e.Also}, errs...)...)
	return &PanicError{Value: e.Value, Stack: e.Stack, Also: also}
}

// panicAgain lets panics go on in the caller's goroutine: own is what that has recovered itself, or nil, and caught is from its
// tasks, or nil. The failures errs are put beside them. Without a panic it returns.
func panicAgain(own any, caught *PanicError, errs error) {
	switch {
	case own == nil && caught == nil:
		return
	case own == nil:
		panic(caught.with(errs))
	case caught != nil:
		panic(newPanicError(own).with(caught, errs))
	case errs != nil:
		panic(newPanicError(own).with(errs))
	}
	panic(own)
}

// apart calls fn on a goroutine of its own and waits for it, so that a function of the user that ends its goroutine, as t.FailNow
// does, ends that one and not the caller's. fn is called until it has returned: each call goes on where the last one was broken
// off. It must not panic.
func apart(fn func()) {
	for returned := false; !returned; {
		var call sync.WaitGroup
		call.Go(func() {
			fn()
			returned = true
		})
		call.Wait()
	}
}

// tell calls hook with each of errs, apart from the caller. A panic of hook is given to panicked, with the error that it was called
// with, and does not keep the others from being told.
func tell(hook func(error), errs []error, panicked func(*PanicError)) {
	if len(errs) == 0 {
		return
	}
	one := func(err error) {
		defer func() {
			if r := recover(); r != nil {
				panicked(newPanicError(r).with(err))
			}
		}()
		hook(err)
	}
	apart(func() {
		for len(errs) > 0 {
			err := errs[0]
			errs = errs[1:]
			one(err)
		}
	})
}

// joinErrors is errors.Join that gives a single error as it is.
func joinErrors(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// ItemError is the failure of one item of [Map] or [ForEach].
type ItemError struct {
	// Index is the item's place in the input, from 0.
	Index int

	// Err is what the function returned.
	Err error
}

func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap gives the function's own error.
func (e *ItemError) Unwrap() error { return e.Err }

// cancelError is a cancellation with its cause: it matches both.
type cancelError struct {
	err   error
	cause error
}

func (e *cancelError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *cancelError) Unwrap() []error { return []error{e.err, e.cause} }

// cutError is why a combinator has left without an outcome, joined with the failures that this would hide.
type cutError struct{ error }

func (e *cutError) Unwrap() error { return e.error }

// cancelErr gives the error of an ended context: it matches ctx.Err() and context.Cause(ctx).
func cancelErr(ctx context.Context) error {
	return withCause(ctx.Err(), context.Cause(ctx))
}

func withCause(err, cause error) error {
	switch {
	case cause == nil, errors.Is(err, cause):
		return err
	case errors.Is(cause, err):
		return cause
	}
	return &cancelError{err: err, cause: cause}
}

// matchesEnd says whether err is a consequence of the end of ctx and not a failure of its own.
func matchesEnd(ctx context.Context, err error) bool {
	end := ctx.Err()
	if end == nil || !errors.Is(err, end) && !errors.Is(err, context.Cause(ctx)) {
		return false
	}
	var cut *cutError
	return !errors.As(err, &cut)
}

// mustFunc panics on a nil function: a mistake of the program that no caller can handle at run time.
func mustFunc(isNil bool, name string) {
	if isNil {
		panic("async: " + name + " was given a nil function")
	}
}

// within checks a field of a configuration.
func within(field string, least, most, got int) error {
	switch {
	case got < least:
		return fmt.Errorf("async: %s must be at least %d, got %d", field, least, got)
	case got > most:
		return fmt.Errorf("async: %s must be at most %d, got %d", field, most, got)
	}
	return nil
}
