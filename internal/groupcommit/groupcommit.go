package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// Defaults of a [Config].
const (
	GroupMaxDefault  = 512
	GroupTimeDefault = 100 * time.Millisecond
	YieldsDefault    = 6
)

// Errors that [Group.Do] answers by itself.
var (
	// ErrOutcomeUnknown says that the caller left, or the disk failed, while the item was being committed.
	ErrOutcomeUnknown = errors.New("the call was cut off while it was being committed")
	// ErrUnavailable says that the disk failed and that the item did not happen. It wraps the cause.
	ErrUnavailable = errors.New("the store cannot write now")
	// ErrClosed says that the group was closed.
	ErrClosed = errors.New("closed")
)

// Config says how the transactions of a group are made. The functions are called from the group's goroutine alone.
type Config struct {
	Begin  func() error
	Commit func() error
	// Rollback ends the transaction without effect. It is called after a failed Begin or Commit too.
	Rollback func()
	// Committed is called after each commit, before the callers return. Defaults to nothing.
	Committed func()
	// Disk reports whether an error is the disk's and not the item's: whether the next item would meet it too.
	Disk func(error) bool
	// Ambiguous reports whether an error of Commit leaves open whether the commit happened. Defaults to never.
	Ambiguous func(error) bool
	// Probe tries the disk after it failed; nil opens the door again. Called before an item that comes to a closed door.
	Probe func() error

	GroupMax  int           // most items of a group. Defaults to [GroupMaxDefault].
	GroupTime time.Duration // after which a group takes no further item: what a large one wrote waits for its commit. Defaults to [GroupTimeDefault].
	Yields    int           // how often the writer yields to let others join. Defaults to [YieldsDefault].
}

// Group runs items in shared transactions. Make one with [New].
type Group struct {
	cfg  Config
	done chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	urgent  []*item       // guarded by mu: go before those that wait
	waiting []*item       // guarded by mu
	closed  bool          // guarded by mu
	wake    chan struct{} // holds one token while there may be something to do

	door error // owned by the goroutine: why the disk is not written, nil while it is
}

// item is one call of Do.
type item struct {
	run    func() error
	result chan error // buffered: the writer never waits for a caller

	mu        sync.Mutex // held while run runs
	ran       bool       // guarded by mu: run was called at least once
	abandoned bool       // guarded by mu: the caller left, run must not be called any more
}

// New starts a group. Close ends it.
func New(cfg Config) *Group {
	if cfg.GroupMax == 0 {
		cfg.GroupMax = GroupMaxDefault
	}
	if cfg.GroupTime == 0 {
		cfg.GroupTime = GroupTimeDefault
	}
	if cfg.Yields == 0 {
		cfg.Yields = YieldsDefault
	}
	if cfg.Committed == nil {
		cfg.Committed = func() {}
	}
	if cfg.Ambiguous == nil {
		cfg.Ambiguous = func(error) bool { return false }
	}
	g := &Group{cfg: cfg, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	go g.loop()
	return g
}

// Do runs run inside a transaction, perhaps together with others, and returns when it is committed. run may be called a second
// time, after a rollback; it must then do the same work anew. An error or panic of run undoes it and is returned, and nothing
// of another item with it. Do does not return while run is being called, and run is not called after Do has returned.
func (g *Group) Do(ctx context.Context, run func() error) error { return g.do(ctx, run, false) }

// DoSoon is [Group.Do] for what must not wait long: it goes before everything that waits and is not of its kind.
func (g *Group) DoSoon(ctx context.Context, run func() error) error { return g.do(ctx, run, true) }

func (g *Group) do(ctx context.Context, run func() error, urgent bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	it := &item{run: run, result: make(chan error, 1)}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return ErrClosed
	}
	if urgent {
		g.urgent = append(g.urgent, it)
	} else {
		g.waiting = append(g.waiting, it)
	}
	g.mu.Unlock()
	g.signal()

	select {
	case err := <-it.result:
		return err
	case <-ctx.Done():
		return it.leave(ctx)
	}
}

// leave gives the item up for its caller.
func (it *item) leave(ctx context.Context) error {
	it.mu.Lock()
	defer it.mu.Unlock()
	select {
	case err := <-it.result:
		return err
	default:
	}
	it.abandoned = true
	if !it.ran {
		return ctx.Err()
	}
	return fmt.Errorf("%w: %w", ErrOutcomeUnknown, ctx.Err())
}

// Close refuses later items, runs those that wait, and returns when the goroutine has ended. It is safe twice.
func (g *Group) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.signal()
	<-g.done
}

func (g *Group) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *Group) loop() {
	defer close(g.done)
	for {
		items, closed := g.take(g.cfg.GroupMax)
		switch {
		case len(items) > 0:
			g.commit(items)
		case closed:
			return
		default:
			<-g.wake
		}
	}
}

// take removes up to limit items from the queue, the urgent ones first.
func (g *Group) take(limit int) (items []*item, closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.urgent), limit)
	items, g.urgent = g.urgent[:n:n], g.urgent[n:]
	n = min(len(g.waiting), limit-n)
	if len(items) == 0 {
		items = g.waiting[:n:n]
	} else {
		items = append(items, g.waiting[:n]...)
	}
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil // and with it what was taken
	}
	return items, g.closed
}

// putBack has items wait again, before those that came later.
func (g *Group) putBack(items []*item) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(items, g.waiting...)
}

// commit runs a group that begins with items and takes in what arrives meanwhile.
func (g *Group) commit(items []*item) {
	if g.door != nil {
		if g.door = g.cfg.Probe(); g.door != nil {
			answer(items, unavailable(g.door))
			return
		}
	}
	if err := g.cfg.Begin(); err != nil {
		g.cfg.Rollback()
		g.fail(items, err)
		return
	}
	group, err := g.gather(items)
	if err == nil {
		g.finish(group)
		return
	}
	g.cfg.Rollback()
	if g.cfg.Disk(err) {
		g.fail(group, err)
		return
	}
	g.replay(group)
}

// gather runs the items and those that join them, until nobody joins any more, its time is over or one fails. It returns all it ran;
// the others wait again.
func (g *Group) gather(items []*item) ([]*item, error) {
	group, began := items, time.Now()
	next, idle := 0, 0
	for {
		for ; next < len(group); next++ {
			if next > 0 && time.Since(began) >= g.cfg.GroupTime {
				g.putBack(group[next:])
				return group[:next], nil
			}
			if err := group[next].call(); err != nil {
				return group, err
			}
			idle = 0
		}
		if idle >= g.cfg.Yields || len(group) >= g.cfg.GroupMax {
			return group, nil
		}
		idle++
		runtime.Gosched()
		more, _ := g.take(g.cfg.GroupMax - len(group))
		group = append(group, more...)
	}
}

// replay runs the items of a group that failed, each in a transaction of its own.
func (g *Group) replay(group []*item) {
	for i, it := range group {
		err := g.cfg.Begin()
		if err == nil {
			err = it.call()
		}
		if err == nil {
			g.finish(group[i : i+1])
			if g.door != nil {
				answer(group[i+1:], unavailable(g.door))
				return
			}
			continue
		}
		g.cfg.Rollback()
		if g.cfg.Disk(err) {
			g.fail(group[i:], err)
			return
		}
		it.result <- err
	}
}

// finish commits what has run and answers its callers.
func (g *Group) finish(group []*item) {
	err := g.cfg.Commit()
	if err == nil {
		g.cfg.Committed()
		answer(group, nil)
		return
	}
	g.cfg.Rollback()
	if g.cfg.Disk(err) {
		g.door = err
	}
	if g.cfg.Ambiguous(err) {
		answer(group, fmt.Errorf("%w: %w", ErrOutcomeUnknown, err))
		return
	}
	answer(group, unavailable(err))
}

// fail answers a group that the disk did not take, and closes the door.
func (g *Group) fail(group []*item, err error) {
	if g.cfg.Disk(err) {
		g.door = err
	}
	answer(group, unavailable(err))
}

func answer(group []*item, err error) {
	for _, it := range group {
		it.result <- err
	}
}

func unavailable(cause error) error { return fmt.Errorf("%w: %w", ErrUnavailable, cause) }

// call runs the item unless its caller has left.
func (it *item) call() (err error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.abandoned {
		return nil
	}
	it.ran = true
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return it.run()
}

// PanicError is the error of an item that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error gives the value of the panic.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
