package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	errGuilty = errors.New("guilty")
	errDisk   = errors.New("disk")
)

// disk is a store with transactions: what is written counts once it is committed. It is used by the group's goroutine, and by
// the test when that rests.
type disk struct {
	mu        sync.Mutex
	pending   []string // guarded by mu
	kept      []string // guarded by mu
	commits   int      // guarded by mu
	commitErr error    // guarded by mu: what the next commits answer
	probeErr  error    // guarded by mu
	told      int      // guarded by mu: commits told of
}

func (d *disk) write(s string) func() error {
	return func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.pending = append(d.pending, s)
		return nil
	}
}

func (d *disk) set(commitErr, probeErr error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.commitErr, d.probeErr = commitErr, probeErr
}

func (d *disk) state() (kept []string, commits int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.kept), d.commits
}

func (d *disk) config() Config {
	locked := func(f func() error) func() error {
		return func() error {
			d.mu.Lock()
			defer d.mu.Unlock()
			return f()
		}
	}
	return Config{
		GroupTime: time.Hour, // a busy machine must not part what a test means to be one group
		Begin: locked(func() error {
			if len(d.pending) > 0 {
				return errors.New("a transaction is open")
			}
			return nil
		}),
		Commit: locked(func() error {
			if d.commitErr != nil {
				return d.commitErr
			}
			d.kept, d.pending = append(d.kept, d.pending...), nil
			d.commits++
			return nil
		}),
		Rollback: func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.pending = nil
		},
		Committed: func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.told++
		},
		Disk:      func(err error) bool { return errors.Is(err, errDisk) },
		Ambiguous: func(err error) bool { return strings.Contains(err.Error(), "ambiguous") },
		Probe:     locked(func() error { return d.probeErr }),
	}
}

func setup(t *testing.T) (*Group, *disk) {
	t.Helper()
	d := &disk{}
	g := New(d.config())
	t.Cleanup(g.Close)
	return g, d
}

// hold keeps the writer busy in an item until release is called.
func hold(t *testing.T, g *Group) (release func()) {
	t.Helper()
	entered, gate, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		first := true
		err := g.Do(context.Background(), func() error {
			if first {
				first = false
				close(entered)
				<-gate
			}
			return nil
		})
		if err != nil {
			t.Errorf("the holding item: %v", err)
		}
	}()
	<-entered
	return func() {
		close(gate)
		<-done
	}
}

// await waits until n items stand in the queue.
func await(g *Group, n int) {
	for {
		g.mu.Lock()
		waiting := len(g.waiting)
		g.mu.Unlock()
		if waiting >= n {
			return
		}
		g.signal()
	}
}

func TestWhatWaitsSharesOneCommit(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	release := hold(t, g)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if err := g.Do(t.Context(), d.write(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	await(g, 100)
	release()
	wg.Wait()
	if kept, commits := d.state(); len(kept) != 100 || commits != 1 || d.told != 1 {
		t.Errorf("%d kept in %d commits, want 100 in 1", len(kept), commits)
	}
}

func TestOnlyTheGuiltyFails(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	release := hold(t, g)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			err := g.Do(t.Context(), func() error {
				_ = d.write(fmt.Sprint(i))() // it never fails
				switch i {
				case 3:
					return errGuilty
				case 7:
					panic("seven")
				}
				return nil
			})
			var panicked *PanicError
			switch {
			case i == 3 && !errors.Is(err, errGuilty), i == 7 && !errors.As(err, &panicked), i != 3 && i != 7 && err != nil:
				t.Errorf("item %d: %v", i, err)
			}
		})
	}
	await(g, 10)
	release()
	wg.Wait()
	kept, _ := d.state()
	slices.Sort(kept)
	if want := []string{"0", "1", "2", "4", "5", "6", "8", "9"}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
}

func TestDiskClosesTheDoorUntilAProbeSucceeds(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	d.set(errDisk, errDisk)
	if err := g.Do(t.Context(), d.write("a")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errDisk) {
		t.Errorf("a failed commit: %v", err)
	}
	d.set(nil, errDisk)
	ran := false
	if err := g.Do(t.Context(), func() error { ran = true; return nil }); !errors.Is(err, ErrUnavailable) || ran {
		t.Errorf("a closed door: %v, ran %v", err, ran)
	}
	d.set(nil, nil)
	if err := g.Do(t.Context(), d.write("b")); err != nil {
		t.Errorf("after the probe succeeded: %v", err)
	}
	if kept, _ := d.state(); !slices.Equal(kept, []string{"b"}) {
		t.Errorf("kept %v", kept)
	}
}

func TestDiskFailingInAnItemFailsTheGroup(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	d.set(nil, errDisk)
	gate, entered := make(chan struct{}), make(chan struct{})
	answers := make(chan error, 3)
	go func() { answers <- g.Do(t.Context(), func() error { close(entered); <-gate; return nil }) }()
	<-entered
	go func() { answers <- g.Do(t.Context(), d.write("a")) }()
	await(g, 1)
	go func() { answers <- g.Do(t.Context(), func() error { return errDisk }) }()
	await(g, 2)
	close(gate)
	for range 3 {
		if err := <-answers; !errors.Is(err, ErrUnavailable) {
			t.Errorf("an item of the group: %v", err)
		}
	}
	if kept, _ := d.state(); len(kept) != 0 {
		t.Errorf("kept %v", kept)
	}
}

func TestAmbiguousCommitSaysSo(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	d.set(fmt.Errorf("ambiguous: %w", errDisk), nil)
	if err := g.Do(t.Context(), d.write("a")); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("an ambiguous commit: %v", err)
	}
}

func TestCancelledCallerDoesNotDisturbTheGroup(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Do(cancelled, d.write("never")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}

	release := hold(t, g)
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error, 1)
	go func() { waits <- g.Do(ctx, d.write("withdrawn")) }()
	await(g, 1)
	cancel()
	if err := <-waits; !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("cancelled while it waited: %v", err)
	}
	release()

	// An item that has run and waits for the others of its group: the caller leaves, the group goes on.
	ctx, cancel = context.WithCancel(t.Context())
	gate, second := make(chan struct{}), make(chan error, 1)
	left := make(chan error, 1)
	release = hold(t, g)
	go func() { left <- g.Do(ctx, d.write("unknown")) }()
	await(g, 1)
	go func() { second <- g.Do(t.Context(), func() error { cancel(); <-gate; return d.write("kept")() }) }()
	await(g, 2)
	go release()
	if err := <-left; !errors.Is(err, ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled after it ran: %v", err)
	}
	close(gate)
	if err := <-second; err != nil {
		t.Errorf("another item of the group: %v", err)
	}
	if kept, _ := d.state(); !slices.Equal(kept, []string{"unknown", "kept"}) {
		t.Errorf("kept %v", kept)
	}
}

// What is urgent does not wait behind what others write, and a group of large items is committed before all of them have run.
func TestUrgentItemsDoNotWaitBehindLargeOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		config := d.config()
		config.GroupTime = 0 // the default
		g := New(config)
		release := hold(t, g)
		var wg sync.WaitGroup
		do := func(do func(context.Context, func() error) error, name string, takes time.Duration) {
			wg.Go(func() {
				if err := do(t.Context(), func() error { time.Sleep(takes); return d.write(name)() }); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for _, name := range []string{"a", "b", "c"} {
			do(g.Do, name, GroupTimeDefault)
		}
		do(g.DoSoon, "urgent", 0)
		release()
		wg.Wait()
		if kept, commits := d.state(); !slices.Equal(kept, []string{"urgent", "a", "b", "c"}) || commits < 3 {
			t.Errorf("kept %v in %d commits", kept, commits)
		}
		g.Close()
	})
}

func TestCloseRunsWhatWaitsAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	g, d := setup(t)
	release := hold(t, g)
	waits := make(chan error, 1)
	go func() { waits <- g.Do(t.Context(), d.write("a")) }()
	await(g, 1)
	closed := make(chan struct{})
	go func() {
		g.Close()
		close(closed)
	}()
	release()
	if err := <-waits; err != nil {
		t.Error(err)
	}
	<-closed
	if err := g.Do(t.Context(), d.write("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	g.Close()
}

func BenchmarkDo(b *testing.B) {
	d := &disk{}
	g := New(d.config())
	defer g.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := g.Do(b.Context(), func() error { return nil }); err != nil {
				b.Error(err)
			}
		}
	})
}
