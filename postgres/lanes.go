package postgres

import (
	"context"
	"fmt"
	"sync"

	"github.com/godwit-go/godwit"
)

// laneName is what makes a lane.
type laneName struct {
	queue, task string
	version     int
}

// laneCache remembers what the numbers of lanes stand for. Lanes are made in transactions of their own and never removed, so an
// entry is true for as long as the server is. A server that took another one's place may have lost the newest lanes, and given their
// numbers to others since: whatever connects anew looks at the cache again (see [Store.recallLanes]).
type laneCache struct {
	mu     sync.RWMutex
	byID   map[int32]*lane    // guarded by mu
	byName map[laneName]*lane // guarded by mu
}

func newLaneCache() *laneCache {
	return &laneCache{byID: map[int32]*lane{}, byName: map[laneName]*lane{}}
}

func (k *laneCache) get(id int32) *lane {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byID[id]
}

func (k *laneCache) named(n laneName) *lane {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.byName[n]
}

func (k *laneCache) put(l *lane) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID[l.id] = l
	k.byName[laneName{l.queue, l.task, l.version}] = l
}

// refresh reads all lanes.
func (k *laneCache) refresh(ctx context.Context, l link) error {
	return l.run(ctx, ask("SELECT id, queue, task, version FROM godwit.lanes", func(r scanner) error {
		n := &lane{}
		if err := r.Scan(&n.id, &n.queue, &n.task, &n.version); err != nil {
			return err
		}
		k.put(n)
		return nil
	}))
}

// within reports whether every lane of k is one of other's too, by the same number.
func (k *laneCache) within(other *laneCache) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for id, l := range k.byID {
		if o := other.get(id); o == nil || *o != *l {
			return false
		}
	}
	return true
}

// recallLanes reads the lanes anew, and forgets those that it knew when one of them is not there any more. A unit takes the cache when
// it has its connection, which was looked at by then.
func (s *Store) recallLanes(ctx context.Context, l link) error {
	known, now := s.lanes.Load(), newLaneCache()
	if err := now.refresh(ctx, l); err != nil {
		return err
	}
	if !known.within(now) {
		s.lanes.CompareAndSwap(known, now)
	}
	return nil
}

// makeLanes makes the lanes of submissions that have none yet, before their transaction begins and in transactions of their own, whatever
// becomes of the call that asks: a lane without jobs does no harm, and its number stays true. Of calls that need the same one, as when
// many come to a program that has just begun, one makes it and the others wait for it.
func (s *Store) makeLanes(ctx context.Context, jobs []godwit.NewJob) error {
	lanes := s.lanes.Load()
	for i := range jobs {
		n := laneName{jobs[i].Queue, jobs[i].Task, jobs[i].Version}
		if lanes.named(n) != nil {
			continue
		}
		made := s.naming.DoChan(fmt.Sprintf("%q %q %d", n.queue, n.task, n.version), func() (any, error) {
			return nil, s.makeLane(s.background, lanes, n)
		})
		select {
		case answer := <-made:
			if answer.Err != nil {
				return answer.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// makeLane makes a lane unless there is one, and remembers it.
func (s *Store) makeLane(ctx context.Context, lanes *laneCache, n laneName) error {
	if lanes.named(n) != nil {
		return nil // it was made between the look and the call
	}
	l := &lane{queue: n.queue, task: n.task, version: n.version}
	err := s.pool.run(ctx,
		do("INSERT INTO godwit.lanes (queue, task, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", n.queue, n.task, n.version),
		ask("SELECT id FROM godwit.lanes WHERE queue = $1 AND task = $2 AND version = $3", func(r scanner) error {
			return r.Scan(&l.id)
		}, n.queue, n.task, n.version))
	if err != nil {
		return fmt.Errorf("make a lane: %w", err)
	}
	lanes.put(l)
	return nil
}
