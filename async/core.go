package async

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// core is a future without the type of its value: all that those who wait for it, its callbacks and its owner need.
type core struct {
	// state holds the bits below and, above them, the number of goroutines that wait in Await or in a combinator.
	state atomic.Uint32

	// mu guards done, watchers, callbacks and owner, and orders them with settling.
	mu        sync.Mutex
	done      chan struct{} // made when somebody first needs it, closed when settled.
	watchers  *watcher      // told of the settling; the combinators put them here.
	callbacks *callbackList // the user's functions; nil until there is one.
	owner     owner         // who is told of panics and unobserved errors; nil for none, and when settled.

	// task is the context of the work while that goes on. It is no part of the future, which may be kept for long, while the
	// context holds on to what the caller's holds.
	task atomic.Pointer[taskContext]

	// err is written once, before state says settled, and only read afterwards.
	err error
}

// owner is a scope or a pool: it answers for the goroutine that settles a future.
type owner interface {
	// enter makes the owner wait for whoever is about to settle a future from outside, until leave. It returns false when the
	// owner has ended, and then settles what is pending itself.
	enter() bool
	leave()

	// taskPanicked is told of a panic that becomes the outcome of a future. It returns true when it will report the panic,
	// whoever awaits the future.
	taskPanicked(*PanicError) bool

	// callbackPanicked takes over a panic of a callback. It returns false when the owner has ended and can not.
	callbackPanicked(*PanicError) bool

	// taskFailed is told of a failed future. cut says that the failure is the consequence of a cancellation.
	taskFailed(f *core, cut bool)
}

const (
	stateSettled   = 1 << iota // the outcome is there.
	stateObserved              // somebody has seen the outcome, or undertaken to.
	stateWaived                // a combinator has its own outcome without this one: an error of it does not matter, a panic does.
	stateStarted               // the work has begun, or never will.
	stateEntrusted             // the owner has left the error to those who wait, and tells of it no more.
	stateWaiter                // one waiting goroutine or combinator; counts up from here.
)

// noWaiter takes one waiter back when it is added.
const noWaiter = ^uint32(stateWaiter - 1)

// closedDone is the channel of every future that was settled before anybody asked for its channel.
var closedDone = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (f *core) doneChannel() <-chan struct{} {
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

func (f *core) settled() bool { return f.state.Load()&stateSettled != 0 }

func (f *core) observe() { f.state.Or(stateObserved) }

func (f *core) waive() { f.state.Or(stateWaived) }

// awaited says whether somebody waits for the outcome, or is about to take it.
func (f *core) awaited() bool { return f.state.Load() >= stateWaiter }

// entrust leaves the error to those who wait for the outcome. It returns false when there are none.
func (f *core) entrust() bool {
	for {
		state := f.state.Load()
		if state < stateWaiter {
			return false
		}
		if f.state.CompareAndSwap(state, state|stateEntrusted) {
			return true
		}
	}
}

// start says whether the caller is the first to decide what becomes of the work.
func (f *core) start() bool { return f.state.Or(stateStarted)&stateStarted == 0 }

// begin is start for who does the work, with the context for it: who finds that the work has started can cancel that.
func (f *core) begin(task *taskContext) bool {
	f.task.Store(task)
	if f.start() {
		return true
	}
	f.task.Store(nil)
	return false
}

// unobservedErr gives the error as long as somebody should still look at it, else nil.
func (f *core) unobservedErr() error {
	state := f.state.Load()
	if state&stateSettled == 0 || state&stateObserved != 0 {
		return nil
	}
	if state&stateWaived != 0 && !isPanic(f.err) {
		return nil
	}
	return f.err
}

func isPanic(err error) bool {
	var pe *PanicError
	return errors.As(err, &pe)
}

// wait blocks until the future is settled or ctx ends.
func (f *core) wait(ctx context.Context) error {
	f.state.Add(stateWaiter)
	err := f.sleep(ctx)
	if err == nil {
		f.observe()
	}
	// A failure that found this waiter counts on it, so the outcome is given if it is there when the waiter leaves.
	if f.state.Add(noWaiter)&stateSettled != 0 {
		return nil
	}
	if err == errEnded {
		return cancelErr(ctx)
	}
	return err
}

// errEnded stands for the end of the context of a wait.
var errEnded = errors.New("async: the context has ended")

func (f *core) sleep(ctx context.Context) error {
	v := newVigil(ctx)
	defer v.end()
	done := f.doneChannel()
	for {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return errEnded
		case <-v.due:
			if err := v.check(func(w *wait) { w.futures = []*core{f} }); err != nil {
				return err
			}
		}
	}
}

// announce makes the outcome known, which the caller has put there, holding mu: first to the waiting goroutines, then to the
// combinators, then to the callbacks. It unlocks mu.
func (f *core) announce() {
	f.state.Or(stateSettled)
	if f.done != nil {
		close(f.done)
	}
	watchers := f.watchers
	f.watchers = nil
	callbacks, owner := f.callbacks, f.owner
	f.owner = nil // It may hold on to much, and a settled future may be kept for long.
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
		f.runCallbacks(callbacks, owner)
	}
}
