package httpapi

import (
	"sync"

	"github.com/godwit-go/godwit"
)

// changes tells those who wait for a change of a job that it may have come. It has one subscription and one goroutine while
// somebody waits, whatever their number; the last one to leave ends both.
type changes struct {
	client *godwit.Client

	mu      sync.Mutex
	waiting map[godwit.ID]map[chan struct{}]struct{} // guarded by mu
	stream  *godwit.Subscription                     // guarded by mu: nil while nobody waits, or when the store tells nothing
}

func newChanges(c *godwit.Client) *changes {
	return &changes{client: c, waiting: map[godwit.ID]map[chan struct{}]struct{}{}}
}

// watch begins to wait: changed has a value after a change. told is false when the store tells of none, and the job must be
// asked for.
func (c *changes) watch(id godwit.ID) (changed <-chan struct{}, told bool, leave func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		if stream, err := c.client.Subscribe(godwit.EventFilter{Buffer: changesBuffered}); err == nil {
			c.stream = stream
			go c.tell(stream)
		}
	}
	if c.waiting[id] == nil {
		c.waiting[id] = map[chan struct{}]struct{}{}
	}
	c.waiting[id][ch] = struct{}{}
	return ch, c.stream != nil, func() { c.leave(id, ch) }
}

func (c *changes) leave(id godwit.ID, ch chan struct{}) {
	c.mu.Lock()
	delete(c.waiting[id], ch)
	if len(c.waiting[id]) == 0 {
		delete(c.waiting, id)
	}
	stream := c.stream
	if len(c.waiting) > 0 || stream == nil {
		c.mu.Unlock()
		return
	}
	c.stream = nil
	c.mu.Unlock()
	stream.Close() // ends tell
}

// tell hands events on until the stream is closed.
func (c *changes) tell(stream *godwit.Subscription) {
	for e := range stream.Events() {
		c.mu.Lock()
		for ch := range c.waiting[e.Job] {
			select {
			case ch <- struct{}{}:
			default: // told already
			}
		}
		c.mu.Unlock()
	}
}
