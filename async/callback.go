package async

import "slices"

// callbackList holds the functions that a user has registered with a future. Its fields are guarded by the future's mu.
type callbackList struct {
	waiting []*func()
	running bool
}

// OnEnd registers fn to be called once with the outcome. The callbacks of a future are called one after the other, in the order of
// their registration, on the goroutine that settles the future, before the scope or pool lets go of it: for a task its own, after the
// work has returned; else that of the caller of Cancel, of a method of the [Resolver], or of a submission under
// [OverflowDropOldest]; or one that Stop or the end of the scope waits for. One registered when the others have run already is called
// on the registering goroutine before OnEnd returns. Goroutines in Await do not wait for callbacks.
//
// stop takes fn back and says whether it did; it returns false when fn was called or is being called. An error counts as observed when
// fn is called with it, and not by a fn that was taken back.
//
// A panic of fn does not keep the other callbacks from being called. When they have been, it goes to the scope or pool that the
// future belongs to, if that has not ended and it was settling the future that called fn; else on up the goroutine that called fn.
//
// Who settles the future waits for fn, and so does the scope or pool, for which fn therefore must not wait.
func (f *Future[T]) OnEnd(fn func(v T, err error)) (stop func() bool) {
	mustFunc(fn == nil, "OnEnd")
	return f.register(func() {
		f.observe()
		fn(f.value, f.err)
	})
}

// OnSuccess is [Future.OnEnd] for a fn that is called only when there is a value. It does not observe an error.
func (f *Future[T]) OnSuccess(fn func(v T)) (stop func() bool) {
	mustFunc(fn == nil, "OnSuccess")
	return f.register(func() {
		if f.err == nil {
			fn(f.value)
		}
	})
}

// OnError is [Future.OnEnd] for a fn that is called only when there is an error.
func (f *Future[T]) OnError(fn func(err error)) (stop func() bool) {
	mustFunc(fn == nil, "OnError")
	return f.register(func() {
		f.observe()
		if f.err != nil {
			fn(f.err)
		}
	})
}

func (f *core) register(fn func()) (stop func() bool) {
	entry := &fn
	f.mu.Lock()
	if f.callbacks == nil {
		f.callbacks = &callbackList{}
	}
	list := f.callbacks
	list.waiting = append(list.waiting, entry)
	runNow := f.settled() && !list.running
	if runNow {
		list.running = true
	}
	f.mu.Unlock()
	if runNow {
		f.runCallbacks(list, nil)
	}
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		i := slices.Index(list.waiting, entry)
		if i < 0 {
			return false
		}
		list.waiting = slices.Delete(list.waiting, i, i+1)
		return true
	}
}

// runCallbacks calls what is registered until nothing is left. The caller has set running, so that one goroutine at a time does so.
// It outlives a panic and a Goexit of a callback: the rest is called while the goroutine unwinds.
func (f *core) runCallbacks(list *callbackList, owner owner) {
	var panicked *PanicError
	defer func() {
		if panicked != nil && (owner == nil || !owner.callbackPanicked(panicked)) {
			panic(panicked)
		}
	}()
	f.callRest(list, &panicked)
}

// callRest calls callbacks in order. When one of them unwinds the goroutine, the deferred call goes on with the next.
func (f *core) callRest(list *callbackList, panicked **PanicError) {
	finished := false
	defer func() {
		if finished {
			return
		}
		if r := recover(); r != nil {
			pe := newPanicError(r)
			if *panicked != nil {
				pe = (*panicked).with(pe)
			}
			*panicked = pe
		}
		f.callRest(list, panicked)
	}()
	for {
		f.mu.Lock()
		if len(list.waiting) == 0 {
			list.running = false
			list.waiting = nil
			f.mu.Unlock()
			finished = true
			return
		}
		fn := *list.waiting[0]
		list.waiting = list.waiting[1:]
		f.mu.Unlock()
		fn()
	}
}
