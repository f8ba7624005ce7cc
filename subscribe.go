package godwit

import (
	"slices"
	"sync"
	"sync/atomic"
)

// EventFilter selects events. Empty fields select all.
type EventFilter struct {
	Job   ID
	Task  string
	Queue string
	Kinds []EventKind
	// Buffer is how many events wait for a slow reader; further ones are dropped, and counted. Defaults to 1024.
	Buffer int
}

const (
	eventBufferDefault = 1024
	eventBufferMax     = 1 << 20
)

// Subscription is a stream of events as they happen. Events are hints: after a drop, or to be sure, read the jobs.
type Subscription struct {
	events  chan Event
	dropped atomic.Int64
	once    sync.Once
	stop    func()
}

// Subscribe begins a stream of the events that this process hears of. A store that tells none answers [CodeInvalid].
func (c *Client) Subscribe(f EventFilter) (*Subscription, error) {
	f.Buffer = orDefault(f.Buffer, eventBufferDefault)
	if f.Buffer < 1 || f.Buffer > eventBufferMax {
		return nil, invalid("Buffer", "must be from 1 to %d, got %d", eventBufferMax, f.Buffer)
	}
	f.Kinds = slices.Clone(f.Kinds)
	w, ok := c.store.(Watcher)
	if !ok {
		return nil, invalid("store", "tells no events (read the jobs)")
	}
	s := &Subscription{events: make(chan Event, f.Buffer)}
	s.stop = w.Watch(func(events []Event) {
		for i := range events {
			if !f.selects(&events[i]) {
				continue
			}
			select {
			case s.events <- events[i]:
			default:
				s.dropped.Add(1)
			}
		}
	})
	return s, nil
}

// Events gives the stream. It is closed by Close.
func (s *Subscription) Events() <-chan Event { return s.events }

// Dropped counts the events that found the buffer full.
func (s *Subscription) Dropped() int64 { return s.dropped.Load() }

// Close ends the stream. It is safe twice.
func (s *Subscription) Close() {
	s.once.Do(func() {
		s.stop() // nothing is sent once it has returned
		close(s.events)
	})
}

func (f *EventFilter) selects(e *Event) bool {
	return (f.Job.IsZero() || f.Job == e.Job) && (f.Task == "" || f.Task == e.Task) && (f.Queue == "" || f.Queue == e.Queue) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind))
}
