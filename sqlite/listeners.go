package sqlite

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/godwit-go/godwit"
)

// listeners are told of something, in the order in which it is told. The zero value is ready for use.
type listeners[T any] struct {
	count atomic.Int64

	mu   sync.Mutex // held while they are told, so that one that was stopped is not told any more
	list []*func(T) // guarded by mu
}

// add adds one, until stop.
func (l *listeners[T]) add(fn func(T)) (stop func()) {
	one := &fn
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, one)
	l.count.Add(1)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if i := slices.Index(l.list, one); i >= 0 {
			l.list = slices.Delete(l.list, i, i+1)
			l.count.Add(-1)
		}
	}
}

// any reports whether there is anybody to tell.
func (l *listeners[T]) any() bool { return l.count.Load() > 0 }

func (l *listeners[T]) tell(what T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fn := range l.list {
		(*fn)(what)
	}
}

// Watch calls fn with the events of each commit, in commit order. fn must not block and must not call the Store.
func (s *Store) Watch(fn func(events []godwit.Event)) (stop func()) { return s.watchers.add(fn) }

// Foretell calls fn with a queue that will have ready jobs when the commit under way has happened. fn must not block and must not
// call the Store.
func (s *Store) Foretell(fn func(queue string)) (stop func()) { return s.foretold.add(fn) }
