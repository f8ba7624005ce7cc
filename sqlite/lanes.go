package sqlite

import (
	"fmt"
	"sync"
	"time"
)

// laneCache remembers what the numbers of lanes stand for, for the writer and the readers. A number is never used again while
// the store is open, not even after a rollback, so an entry is true for good.
type laneCache struct {
	mu   sync.RWMutex
	byID map[int64]*lane // guarded by mu
	next int64           // guarded by mu: a number that is free
}

func (k *laneCache) put(l *lane) *lane {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.byID[l.id]; ok {
		return known
	}
	k.byID[l.id] = l
	k.next = max(k.next, l.id+1)
	return l
}

// number takes a number for a new lane.
func (k *laneCache) number() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = max(k.next, 1)
	k.next++
	return k.next - 1
}

// resolver gives lanes by number, those that are not known from the file.
func (k *laneCache) resolver(c *conn) func(int64) (*lane, error) {
	return func(id int64) (*lane, error) {
		k.mu.RLock()
		l, ok := k.byID[id]
		k.mu.RUnlock()
		if ok {
			return l, nil
		}
		err := c.query("SELECT id, queue, task, version FROM godwit_lanes WHERE id = ?", func(s *row) error {
			l = k.put(scanLane(s))
			return nil
		}, id)
		if err == nil && l == nil {
			err = damaged("godwit_lanes", fmt.Errorf("lane %d is not there", id))
		}
		return l, err
	}
}

func duration(ns int64) time.Duration { return time.Duration(ns) }
