package async

import "context"

// Future is the outcome of work that runs in this process: a value or an error, some time. Many goroutines may await it, any
// number of times. It is made by [Go], by [Submit], by a [Resolver], or settled from the start by [Resolved] and [Rejected].
//
// The zero value is not usable. A future must not be copied.
type Future[T any] struct {
	core

	// work is what is to be done; nil when it has begun or never will. Who has started it, or settles it unstarted, may touch it.
	work func(context.Context) (T, error)

	// value is written once, before state says settled, and only read afterwards.
	value T
}

// Resolved gives a future that has already succeeded with v.
func Resolved[T any](v T) *Future[T] {
	f := &Future[T]{value: v}
	f.state.Store(stateSettled)
	return f
}

// Rejected gives a future that has already failed with err. It belongs to no scope, so nobody is told when nobody looks at it. A nil
// err is answered with a panic: there is nothing it could mean.
func Rejected[T any](err error) *Future[T] {
	if err == nil {
		panic("async: Rejected was given a nil error")
	}
	f := &Future[T]{}
	f.err = err
	f.state.Store(stateSettled)
	return f
}

// Await waits for the outcome. When ctx ends first, the error matches ctx.Err() and its cause; a settled future answers whatever
// ctx says.
//
// Tasks that wait for one another, and for nobody else, would do so for ever. The one whose wait came last gets [ErrCycle] when it
// has lasted some milliseconds, and 10 microseconds more for every other task that waits then. This holds for a task that awaits
// itself, and for waits through futures, combinators, scopes, [Pool.Drain] and [Pool.Stop], by tasks that await with the contexts that
// they were given. It also holds where a timeout, or a Cancel or Stop by somebody else, would end the wait some time.
//
// A wait belongs to the task whose context it has, and keeps that from going on. Tasks of a scope wait for themselves, and the task
// that runs the scope waits for them when its body has returned; so do the inputs of combinators that are not futures. The calls of
// [Map] and [ForEach] wait as the task with the loop, also where leaving the loop would end them. A task that waits for a place under
// the limit of a scope, or for room in a queue, is taken to go on.
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
func (f *Future[T]) Done() <-chan struct{} { return f.doneChannel() }

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
	f.mu.Lock()
	owner := f.owner
	f.mu.Unlock()
	if owner == nil || !owner.enter() {
		return
	}
	defer owner.leave()
	err := withCause(context.Canceled, cause)
	if !f.start() {
		if task := f.task.Load(); task != nil {
			task.need().cancel(cause)
		}
		return
	}
	if f.work == nil {
		f.forgo(err)
		return
	}
	var zero T
	f.work = nil
	f.finish(owner, zero, err, true)
}

// forgo fails the future of a Resolver, unless it is settled. That it is not needed is no failure for somebody to look at.
func (f *core) forgo(err error) {
	f.mu.Lock()
	if f.settled() {
		f.mu.Unlock()
		return
	}
	f.err = err
	f.observe() // Only now, as the failure of a Reject is one.
	f.announce()
}

// do does the work in the context, unless that was cancelled before it started, and settles the future with its outcome.
func (f *Future[T]) do(task *taskContext) {
	if !f.begin(task) {
		return
	}
	work := f.work
	f.work = nil
	if task.Err() != nil {
		var zero T
		err := cancelErr(task)
		task.over()
		f.task.Store(nil)
		f.finish(f.owner, zero, err, true)
		return
	}
	f.call(task, work)
}

// call calls fn and settles the future with its outcome, whichever way fn ends.
func (f *Future[T]) call(task *taskContext, fn func(context.Context) (T, error)) {
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
		cut := err != nil && matchesEnd(task, err)
		if cut {
			err = withCause(err, context.Cause(task))
		}
		task.over()
		f.task.Store(nil)
		f.finish(f.owner, value, err, cut)
	}()
	value, err = fn(task)
}

// finish settles the future, unless it is settled, and tells the owner of a failure that nobody has looked at, also where a callback
// ends the goroutine. cut says that the failure is the consequence of a cancellation.
func (f *Future[T]) finish(owner owner, value T, err error, cut bool) {
	first := true
	if err != nil {
		var zero T
		value = zero
		defer func() {
			if first {
				owner.taskFailed(&f.core, cut)
			}
		}()
	}
	first = f.settle(value, err)
}

// settle makes the outcome known. It returns false when there was one already.
func (f *Future[T]) settle(value T, err error) bool {
	f.mu.Lock()
	if f.settled() {
		f.mu.Unlock()
		return false
	}
	f.value, f.err = value, err
	f.announce()
	return true
}
