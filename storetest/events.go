package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// barrierQueue is paused and resumed to see that all events before have been told.
const barrierQueue = "storetest.barrier"

// patience bounds how long an event may take that was never told; no passing test waits for it.
const patience = time.Minute

// eventLog keeps what a store tells.
type eventLog struct {
	store godwit.Store
	stop  func()

	mu   sync.Mutex
	list []godwit.Event // guarded by mu: not taken yet
	more chan struct{}  // has room for one: something was added
}

// watch begins to keep the events of a store; it gives nil when the store tells none.
func watch(s godwit.Store) *eventLog {
	w, ok := s.(godwit.Watcher)
	if !ok {
		return nil
	}
	l := &eventLog{store: s, more: make(chan struct{}, 1)}
	l.stop = w.Watch(l.add)
	return l
}

func (l *eventLog) add(events []godwit.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, events...)
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// take gives the events told since it was last called, of which want are expected: when there are fewer, it waits until the
// store has told all it will.
func (l *eventLog) take(t testing.TB, want int) []godwit.Event {
	t.Helper()
	l.mu.Lock()
	if len(l.list) >= want {
		defer l.mu.Unlock()
		return l.cut(len(l.list))
	}
	l.mu.Unlock()
	return l.takeAll(t)
}

// takeAll gives all events of what has happened, since a store tells them in the order of its commits: it makes a last one
// and waits for that.
func (l *eventLog) takeAll(t testing.TB) []godwit.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, paused := range []bool{true, false} {
		if err := l.store.PauseQueue(ctx, barrierQueue, paused); err != nil {
			t.Fatalf("pause the barrier queue: %v", err)
		}
	}
	for {
		l.mu.Lock()
		at := slices.IndexFunc(l.list, isLastBarrier)
		if at >= 0 {
			defer l.mu.Unlock()
			return slices.DeleteFunc(l.cut(at+1), isBarrier)
		}
		l.mu.Unlock()
		select {
		case <-l.more:
		case <-ctx.Done():
			t.Fatal("the store does not tell that a queue was resumed")
		}
	}
}

func (l *eventLog) cut(n int) []godwit.Event {
	taken := slices.Clone(l.list[:n])
	l.list = l.list[n:]
	return taken
}

func isBarrier(e godwit.Event) bool { return e.Queue == barrierQueue && e.Job.IsZero() }

func isLastBarrier(e godwit.Event) bool {
	return isBarrier(e) && e.Kind == godwit.EventQueueResumed
}
