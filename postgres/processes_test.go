package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// run starts a client, which stops with the test.
func (b *bundle) run(c *godwit.Client) {
	b.Helper()
	if err := c.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := c.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Errorf("stop: %v", err)
		}
	})
}

// arrival is a handler that has begun and waits to be let go.
type arrival struct {
	worker int
	leave  chan struct{}
}

// crew is workers with so many slots each, whose handlers begin and end as the test says.
type crew struct {
	*bundle
	slots    []int
	arrivals chan arrival
	home     chan struct{} // closed when handlers need no leave any more

	at   [][]arrival // by worker, those that have begun
	runs []int       // by worker
}

func (b *bundle) crew(slots ...int) *crew {
	b.Helper()
	k := &crew{bundle: b, slots: slots, arrivals: make(chan arrival), home: make(chan struct{}), at: make([][]arrival, len(slots)), runs: make([]int, len(slots))}
	for worker, n := range slots {
		c := client(b, b.open(Config{URL: b.url}), n)
		godwit.Handle(c, ship, func(ctx context.Context, n int) (int, error) {
			a := arrival{worker, make(chan struct{})}
			select {
			case k.arrivals <- a:
			case <-k.home:
			}
			select {
			case <-a.leave:
			case <-k.home:
			}
			return n, nil
		})
		b.run(c)
	}
	b.Cleanup(func() { close(k.home) }) // before they are stopped
	return k
}

// fill waits until every slot has a job.
func (k *crew) fill() {
	k.Helper()
	for full := false; !full; {
		full = true
		for worker, n := range k.slots {
			full = full && len(k.at[worker]) == n
		}
		if full {
			break
		}
		select {
		case a := <-k.arrivals:
			k.at[a.worker] = append(k.at[a.worker], a)
			k.runs[a.worker]++
		case <-k.patience():
			k.Fatalf("slots stay empty beside ready jobs: of %v only these are in use: %v", k.slots, k.runs)
		}
	}
}

// held gives how many jobs each session has, in order.
func (k *crew) held() []int {
	k.Helper()
	sessions, err := k.store.Sessions(k.Context())
	if err != nil {
		k.Fatal(err)
	}
	var held []int
	for i := range sessions {
		if sessions[i].ID != k.session {
			held = append(held, sessions[i].Running)
		}
	}
	slices.Sort(held)
	return held
}

// leaves lets the handlers of a worker end.
func (k *crew) leaves(worker int) {
	for _, a := range k.at[worker] {
		close(a.leave)
	}
	k.at[worker] = nil
}

func (b *bundle) many(n int) []godwit.ID {
	b.Helper()
	var ids []godwit.ID
	for len(ids) < n {
		jobs := make([]godwit.NewJob, min(n-len(ids), godwit.BatchMax))
		for i := range jobs {
			jobs[i] = newJob()
			ids = append(ids, jobs[i].ID)
		}
		if _, err := b.store.Submit(b.Context(), jobs); err != nil {
			b.Fatal(err)
		}
	}
	return ids
}

// Work is spread as slots are: at every moment each worker has as many jobs as slots, no more and no fewer.
func TestWorkIsSpreadBySlotsAndASlowWorkerHoardsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	k := b.crew(1, 2, 4)
	const rounds, slow = 30, 2 // the last worker takes ten times as long for a job
	b.many(rounds*7 + 7)
	for round := range rounds {
		k.fill()
		// What ended a moment ago may not have been settled yet.
		b.eventually("each worker holds as many jobs as it has slots", func() bool { return slices.Equal(k.held(), k.slots) })
		for worker := range k.slots {
			if worker != slow || round%10 == 9 {
				k.leaves(worker)
			}
		}
	}
	k.fill()
	want := []int{rounds + 1, 2*rounds + 2, 4*rounds/10 + 4}
	if !slices.Equal(k.runs, want) {
		t.Errorf("the workers began %v runs, want %v", k.runs, want)
	}
}

// counting counts how often it is asked for outcomes.
type counting struct {
	*Store
	asked atomic.Int64
}

func (c *counting) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	c.asked.Add(1)
	return c.Store.Outcomes(ctx, ids)
}

func TestManyWaitersLearnCheaplyWhatAnotherProcessSettled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		waiters int
		deaf    bool // there are no notifications
	}{
		"told": {10_000, false}, "by asking": {1000, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			store := &counting{Store: b.open(Config{URL: b.url, Pooler: c.deaf})}
			waiter, err := godwit.New(store, godwit.Config{})
			if err != nil {
				t.Fatal(err)
			}
			ids := b.many(c.waiters)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			for _, id := range ids {
				wg.Go(func() {
					outcomes, err := waiter.AwaitOutcomes(ctx, []godwit.ID{id})
					if err != nil || outcomes[0].State != godwit.StateSucceeded || string(outcomes[0].Result.Data) != "1" {
						t.Errorf("await: %+v, %v", outcomes, err)
					}
				})
			}
			b.eventually("somebody waits", func() bool { return store.asked.Load() > 0 })
			worker := client(b, b.open(Config{URL: b.url}), 500)
			godwit.Handle(worker, ship, func(_ context.Context, n int) (int, error) { return n, nil })
			b.run(worker)
			wg.Wait()
			t.Logf("%d waiters, %d questions", c.waiters, store.asked.Load())
			if asked := store.asked.Load(); asked > int64(c.waiters)/10 {
				t.Errorf("%d waiters asked %d times", c.waiters, asked)
			}
		})
	}
}

func TestWhatAHandlerSaysIsSeenAndACancelReachesItInAnotherProcess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	worker := client(b, b.open(Config{URL: b.url}), 1)
	godwit.Handle(worker, ship, func(ctx context.Context, n int) (int, error) {
		godwit.SetProgress(ctx, 1, 2, "half way")
		godwit.Logger(ctx).Info("a line")
		err := godwit.Emit(ctx, fmt.Sprintf("item %d", n))
		close(begun)
		<-ctx.Done()
		ended <- errors.Join(err, context.Cause(ctx))
		return 0, ctx.Err()
	})
	b.run(worker)
	other := client(b, b.open(Config{URL: b.url}), 1)
	promise, err := ship.Submit(t.Context(), other, 7, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	id := promise.ID()
	b.eventually("progress, items and logs are seen", func() bool {
		j, err := other.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		items, err := other.Items(t.Context(), id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := other.Logs(t.Context(), id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return j.Progress != nil && j.Progress.Done == 1 && j.Progress.Message == "half way" &&
			len(items) == 1 && string(items[0].Data.Data) == `"item 7"` && len(lines) == 1 && lines[0].Message == "a line"
	})
	if err := other.Cancel(t.Context(), id, "enough"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, godwit.ErrCancelled) {
			t.Errorf("the handler's context ended with %v", err)
		}
	case <-b.patience():
		t.Fatal("the cancel did not reach the handler")
	}
	if _, err := promise.Await(t.Context()); !errors.Is(err, godwit.ErrCancelled) {
		t.Errorf("await: %v", err)
	}
}
