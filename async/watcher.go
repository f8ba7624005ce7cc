package async

// watcher is how a combinator learns that a future has settled without a goroutine of its own. It is linked into the future's
// list and can be taken out again, so that a Race that is over leaves nothing behind in a future that stays pending.
type watcher struct {
	prev, next *watcher // guarded by the future's mu until told
	told       bool     // guarded by the future's mu

	listener listener
	index    int // what the listener knows the future by.
}

// listener is told once of each future that it watches, on the goroutine that settles it. It must neither block nor panic.
type listener interface {
	told(index int)
}

// watch puts w into the future's list. It returns false, and does nothing, when the future is settled.
func (f *core) watch(w *watcher) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settled() {
		return false
	}
	w.next = f.watchers
	if w.next != nil {
		w.next.prev = w
	}
	f.watchers = w
	return true
}

// unwatch takes w out again, unless it has been told.
func (f *core) unwatch(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.told {
		return
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		f.watchers = w.next
	}
}
