package async

import (
	"context"
	"sync"
	"sync/atomic"
)

// Future is the outcome of work that runs in this process: a value or an error, some time. Many goroutines may await it, any
// number of times. It is made by [Go], by [Submit], by a [Resolver], or settled from the start by [Resolved] and [Rejected].
//
// The zero value is not usable. A future must not be copied.
type Future[T any] struct {
	// state holds the bits below and, above them, the number of goroutines that wait in Await or in a combinator.
	state atomic.Uint32

	// mu guards done, watchers and callbacks, and orders them with settling.
	mu        sync.Mutex
	done      chan struct{} // made when somebody first needs it, closed when settled.
	watchers  *watcher      // told of the settling; the combinators put them here.
	callbacks *callbackList // the user's functions; nil until there is one.
	owner     owner         // who is told of panics and unobserved errors; nil for none.
	task      taskContext   // the context of the work; its parent is nil when there is none to cancel.

	// value and err are written once, before state says settled, and only read afterwards.
	value T
	err   error
}

// owner is a scope or a pool: it answers for the goroutine that settles a future.
type owner interface {
	// taskPanicked is told of a panic that becomes the outcome of a future. It returns true when it will report the panic,
	// whoever awaits the future.
	taskPanicked(*PanicError) bool

	// callbackPanicked takes over a panic of a callback. It returns false when the owner has ended and can not.
	callbackPanicked(*PanicError) bool

	// taskFailed is told of a failed future. cut says that the failure is the consequence of a cancellation.
	taskFailed(f failure, cut bool)
}

// failure is a failed future without its type.
type failure interface {
	// unobservedErr gives the error as long as nobody has looked at it, else nil.
	unobservedErr() error

	// awaited says whether somebody waits for the outcome, or is about to take it.
	awaited() bool
}

const (
	stateSettled  = 1 << iota // the outcome is there.
	stateObserved             // somebody has seen the outcome, or undertaken to.
	stateStarted              // the work has begun, or never will.
	stateWaiter               // one waiting goroutine or combinator; counts up from here.
)

// noWaiter takes one waiter back when it is added.
const noWaiter = ^uint32(stateWaiter - 1)

// closedDone is the channel of every future that was settled before anybody asked for its channel.
var closedDone = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Resolved gives a future that has already succeeded with v.
func Resolved[T any](v T) *Future[T] {
	f := &Future[T]{value: v}
	f.state.Store(stateSettled)
	return f
}

// Rejected gives a future that has already failed with err. A nil err is answered with a panic: there is nothing it could mean.
func Rejected[T any](err error) *Future[T] {
	if err == nil {
		panic("async: Rejected was given a nil error")
	}
	f := &Future[T]{err: err}
	f.state.Store(stateSettled)
	return f
}

// Await waits for the outcome. When ctx ends first, the error matches ctx.Err() and its cause; a settled future answers whatever
// ctx says. The task that this future belongs to gets [ErrCycle], and so does a task that it awaits through others, where the
// waiting goes through futures and scopes of this package and the tasks await with the contexts that they were given; also where a
// timeout would end the wait some time.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	if !f.settled() {
		if err := f.wait(ctx); err != nil {
			var zero T
			return zero, err
		}
	}
	if f.err != nil {
		f.observe()
	}
	return f.value, f.err
}

// Done gives a channel that is closed when the outcome is there, for use in select.
func (f *Future[T]) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done == nil {
		if f.settled() {
			return closedDone
		}
		f.done = make(chan struct{})
	}
	return f.done
}

// Result gives the outcome without waiting; ok is false while there is none. To see an error here is to observe it.
func (f *Future[T]) Result() (r Result[T], ok bool) {
	if !f.settled() {
		return r, false
	}
	if f.err != nil {
		f.observe()
	}
	return Result[T]{Value: f.value, Err: f.err}, true
}

// Cancel asks the work to end: its context is cancelled with the cause (nil means [context.Canceled]). The outcome is what the
// work returns then; when that is a cancellation, the error matches the cause too. Work that has not started does not start, and
// its future fails at once; so does the future of a [Resolver], which has no work to ask. Cancel of a settled future does nothing.
//
// Cancel goes to this future alone: what it was derived from and what was derived from it are told by awaiting it.
func (f *Future[T]) Cancel(cause error) {
	if f.settled() {
		return
	}
	var zero T
	if f.task.parent != nil {
		f.task.need().cancel(cause)
		if f.start() {
			f.finish(zero, cancelErr(&f.task))
		}
		return
	}
	f.observe()
	f.settle(zero, withCause(context.Canceled, cause))
}

func (f *Future[T]) settled() bool { return f.state.Load()&stateSettled != 0 }

func (f *Future[T]) observe() { f.state.Or(stateObserved) }

func (f *Future[T]) awaited() bool { return f.state.Load() >= stateWaiter }

// start says whether the caller is the first to decide what becomes of the work.
func (f *Future[T]) start() bool { return f.state.Or(stateStarted)&stateStarted == 0 }

// wait blocks until the future is settled or ctx ends.
func (f *Future[T]) wait(ctx context.Context) error {
	f.state.Add(stateWaiter)
	if task := taskOf(ctx); task != nil {
		if err := waits.enter(task, &f.task); err != nil {
			f.state.Add(noWaiter)
			return err
		}
		defer waits.leave(task, &f.task)
	}
	select {
	case <-f.Done():
		f.observe()
		f.state.Add(noWaiter)
	case <-ctx.Done():
		// A failure that found this waiter counts on it, so the outcome is given if it is there when the waiter leaves.
		if f.state.Add(noWaiter)&stateSettled == 0 {
			return cancelErr(ctx)
		}
	}
	return nil
}

// run does the work of a task, unless that was cancelled before it started.
func (f *Future[T]) run(fn func(context.Context) (T, error)) {
	if !f.start() {
		return
	}
	if f.task.Err() != nil {
		var zero T
		f.finish(zero, cancelErr(&f.task))
		return
	}
	f.call(fn)
}

// call does the work of a task and settles the future with its outcome, whichever way fn ends.
func (f *Future[T]) call(fn func(context.Context) (T, error)) {
	var value T
	err := ErrGoexit
	defer func() {
		if r := recover(); r != nil {
			pe := newPanicError(r)
			if f.owner.taskPanicked(pe) {
				f.observe()
			}
			err = pe
		}
		f.finish(value, err)
	}()
	value, err = fn(&f.task)
}

// finish settles a task's future and tells the owner of a failure that nobody has looked at.
func (f *Future[T]) finish(value T, err error) {
	cut := false
	if err != nil {
		cut = matchesEnd(&f.task, err)
		if cut {
			err = withCause(err, context.Cause(&f.task))
		}
		var zero T
		value = zero
	}
	f.task.over()
	defer func() {
		if err != nil {
			f.owner.taskFailed(f, cut)
		}
	}()
	f.settle(value, err)
}

// settle makes the outcome known: first to the waiting goroutines, then to the combinators, then to the callbacks. It returns
// false when there was an outcome already.
func (f *Future[T]) settle(value T, err error) bool {
	f.mu.Lock()
	if f.settled() {
		f.mu.Unlock()
		return false
	}
	f.value, f.err = value, err
	f.state.Or(stateSettled)
	if f.done != nil {
		close(f.done)
	}
	watchers := f.watchers
	f.watchers = nil
	callbacks := f.callbacks
	if callbacks != nil {
		callbacks.running = true // One that is registered from now on is left to this goroutine.
	}
	for w := watchers; w != nil; w = w.next {
		w.told = true
	}
	f.mu.Unlock()
	for w := watchers; w != nil; {
		next := w.next
		w.listener.told(w.index)
		w = next
	}
	if callbacks != nil {
		f.runCallbacks(callbacks)
	}
	return true
}

func (f *Future[T]) unobservedErr() error {
	if f.state.Load()&(stateSettled|stateObserved) != stateSettled {
		return nil
	}
	return f.err
}
