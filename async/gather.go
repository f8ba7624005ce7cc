package async

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// gather is what the combinators share: it waits for many awaitables at once and says in which order they settle.
//
// A future costs it no goroutine: it is watched. Any other awaitable is awaited by a goroutine that gather owns. Either way
// nothing is left behind when the combinator returns early.
//
// When ctx ends, an input that has its outcome counts all the same. A future has it or not; an awaitable that is not a future
// decides that by what its Await makes of ctx.
type gather[T any, A Awaitable[T]] struct {
	inputs   []A
	results  []Result[T]    // for inputs that are not futures; nil when there are none.
	watchers []watcher      // for the futures that were pending; nil when there are none.
	parts    []*taskContext // stand for inputs that are not futures, until next has named them; nil when there are none.
	ready    chan int       // indexes of what has settled; has room for all of them.
	stop     context.CancelFunc
	foreign  sync.WaitGroup
	panicked chan *PanicError
	vigil    *vigil // over the wait for all; nil until there is one.
	any      bool   // the combinator waits for any of the inputs that are left.
	waives   bool   // the combinator has its outcome, and the errors of inputs that it has not looked at do not matter.
	released bool   // the futures are neither watched nor waited for any more.
}

// mustAwaitable panics on a nil awaitable, naming its place.
func mustAwaitable[T any](a Awaitable[T], i int) {
	if f, ok := a.(*Future[T]); a == nil || ok && f == nil {
		panic(fmt.Sprintf("async: awaitable %d is nil", i))
	}
}

// coreOf gives what can be watched of an input, or nil for an awaitable that is not a future.
func coreOf[T any](input Awaitable[T]) *core {
	switch a := any(input).(type) {
	case *Future[T]:
		if a != nil {
			return &a.core
		}
	case *erased:
		return a.core
	}
	return nil
}

// erased is an awaitable whose value goes elsewhere, so that those of different types can stand side by side.
type erased struct {
	core  *core                       // of a future; else nil.
	await func(context.Context) error // of anything else.
}

func (e *erased) Await(ctx context.Context) (struct{}, error) { return struct{}{}, e.await(ctx) }

// erase gives a without its type. Unless a is a future, its value goes to v.
func erase[T any](a Awaitable[T], v *T) *erased {
	if f, ok := a.(*Future[T]); ok {
		return &erased{core: &f.core}
	}
	return &erased{await: func(ctx context.Context) (err error) { *v, err = a.Await(ctx); return err }}
}

// newGather begins to watch the inputs. The caller must call close.
func newGather[T any, A Awaitable[T]](ctx context.Context, inputs []A) *gather[T, A] {
	for i, input := range inputs {
		mustAwaitable[T](input, i)
	}
	g := &gather[T, A]{inputs: inputs, ready: make(chan int, len(inputs)), stop: func() {}}
	var inner *ownedContext
	for i, input := range inputs {
		f := coreOf[T](input)
		if f == nil {
			inner = g.await(ctx, inner, i)
			continue
		}
		f.state.Add(stateWaiter)
		if f.settled() {
			g.ready <- i
		} else {
			g.watch(f, i)
		}
	}
	return g
}

// watch puts a watcher into the future with the index.
func (g *gather[T, A]) watch(f *core, i int) {
	if g.watchers == nil {
		g.watchers = make([]watcher, len(g.inputs))
	}
	w := &g.watchers[i]
	w.listener, w.index = g, i
	if !f.watch(w) {
		g.ready <- i
	}
}

func (g *gather[T, A]) told(i int) { g.ready <- i }

// await starts a goroutine that awaits the foreign awaitable with the index, as a part of the task that calls the combinator. It
// returns the context to do so with next time.
func (g *gather[T, A]) await(ctx context.Context, inner *ownedContext, i int) *ownedContext {
	if inner == nil {
		var cancelled context.Context
		cancelled, g.stop = context.WithCancel(ctx)
		inner = &ownedContext{cancelled, taskOf(ctx)}
		g.results = make([]Result[T], len(g.inputs))
		g.parts = make([]*taskContext, len(g.inputs))
		g.panicked = make(chan *PanicError, 1)
	}
	var awaiting context.Context
	awaiting, g.parts[i] = inner.part(inner.Context)
	g.foreign.Go(func() {
		r := &g.results[i]
		r.Err = ErrGoexit
		defer func() {
			if p := recover(); p != nil {
				pe := newPanicError(p)
				r.Err = pe
				select {
				case g.panicked <- pe:
				default:
				}
			}
			if r.Err == nil || !matchesEnd(ctx, r.Err) {
				g.ready <- i // Else it has no outcome, and next gives the end of ctx.
			}
		}()
		r.Value, r.Err = g.inputs[i].Await(awaiting)
	})
	return inner
}

// next waits for one more input to settle and gives its index. It fails when ctx ends first, or with ErrCycle.
func (g *gather[T, A]) next(ctx context.Context) (int, error) {
	i, err := g.wait(ctx)
	if err == nil && g.parts != nil {
		g.parts[i] = nil
	}
	return i, err
}

func (g *gather[T, A]) wait(ctx context.Context) (int, error) {
	select {
	case i := <-g.ready:
		return i, nil
	default:
	}
	if g.vigil == nil {
		v := newVigil(ctx)
		g.vigil = &v
	}
	if g.any {
		defer g.endVigil() // The next wait is another one: for what is left then.
	}
	for {
		select {
		case i := <-g.ready:
			return i, nil
		case <-g.vigil.due:
			if err := g.vigil.check(g.awaited); err != nil {
				return 0, err
			}
		case <-ctx.Done():
			g.foreign.Wait()
			select {
			case i := <-g.ready:
				return i, nil
			default:
				return 0, cancelErr(ctx)
			}
		}
	}
}

func (g *gather[T, A]) endVigil() {
	if g.vigil != nil {
		g.vigil.end()
		g.vigil = nil
	}
}

// awaited fills in for what the combinator waits.
func (g *gather[T, A]) awaited(w *wait) {
	w.any = g.any
	for i, input := range g.inputs {
		if f := coreOf[T](input); f != nil && !f.settled() {
			w.futures = append(w.futures, f)
		} else if g.parts != nil && g.parts[i] != nil {
			w.parts = append(w.parts, g.parts[i])
		}
	}
}

// result gives the outcome of an input that next has named. It does not count as observed by that.
func (g *gather[T, A]) result(i int) Result[T] {
	if f, ok := any(g.inputs[i]).(*Future[T]); ok {
		return Result[T]{Value: f.value, Err: f.err}
	}
	if f := coreOf[T](g.inputs[i]); f != nil {
		return Result[T]{Err: f.err}
	}
	return g.results[i]
}

// observe says that the combinator passes on the outcome of an input.
func (g *gather[T, A]) observe(i int) {
	if f := coreOf[T](g.inputs[i]); f != nil {
		f.observe()
	}
}

// release takes the watchers out and ends the waiting for the futures.
func (g *gather[T, A]) release() {
	if g.released {
		return
	}
	g.released = true
	for i, input := range g.inputs {
		f := coreOf[T](input)
		if f == nil {
			continue
		}
		if g.watchers != nil && g.watchers[i].listener != nil {
			f.unwatch(&g.watchers[i])
		}
		if g.waives {
			f.waive()
		}
		f.state.Add(noWaiter)
	}
}

// cut is for a combinator that leaves without an outcome, because of err: it gives that with the failures that were entrusted to it,
// as nobody else is left to tell of them.
func (g *gather[T, A]) cut(err error) error {
	g.release()
	errs := []error{err}
	for _, input := range g.inputs {
		f := coreOf[T](input)
		if f == nil || f.state.Load()&stateEntrusted == 0 {
			continue
		}
		if failure := f.unobservedErr(); failure != nil {
			f.observe()
			errs = append(errs, failure)
		}
	}
	if len(errs) == 1 {
		return err
	}
	return &cutError{errors.Join(errs...)}
}

// close takes the watchers out and waits for the goroutines. A panic of a foreign Await goes on in the caller, as does one of a
// loop that is unwinding. The call must be deferred.
func (g *gather[T, A]) close() {
	loop := recover()
	g.endVigil()
	g.stop()
	g.release()
	g.foreign.Wait()
	var caught *PanicError
	select {
	case caught = <-g.panicked:
	default:
	}
	panicAgain(loop, caught, nil)
}
