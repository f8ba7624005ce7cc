package async

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file make the moments between two steps of the pool, which no clock brings about: when work comes while a worker
// leaves, when a submitter gives up while it is woken. They put a worker into the crew that does only what the test tells it to.

// inHandedPool runs a test with a pool of one such worker and room for one piece of work of each priority.
func inHandedPool(t *testing.T, name string, test func(t *testing.T, ctx context.Context, p *Pool, w *worker)) {
	t.Helper()
	bubble(t, name, func(t *testing.T, ctx context.Context) {
		p, err := NewPool(PoolConfig{Workers: 1, Queue: 1})
		wantNoErr(t, err)
		w := &worker{pool: p, self: newSleeper()}
		p.crew[w] = true
		p.workers.Store(1)
		test(t, ctx, p, w)
		p.dismiss(w)
		p.retire(w)
		wantNoErr(t, p.Stop(ctx))
	})
}

// doOne does the next piece of work, which must be there.
func (w *worker) doOne() {
	x, ok := w.take()
	if !ok {
		panic("there is no work")
	}
	w.do(x)
}

func TestPoolHandover(t *testing.T) {
	inHandedPool(t, "work that comes while the last worker leaves is not left lying", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		f, err := Submit(ctx, p, value(7)) // There is a worker, so none is started.
		wantNoErr(t, err)
		synctest.Wait()
		_, settled := f.Result()
		want(t, "settled", settled, false)
		want(t, "leaves", p.retire(w), true)
		v, err := AwaitTimeout(ctx, f, time.Hour)
		wantNoErr(t, err)
		want(t, "value", v, 7)
	})
	inHandedPool(t, "work that was taken and not yet begun when Stop gave up is not begun", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		f, err := Submit(ctx, p, func(context.Context) (int, error) { t.Error("begun"); return 0, nil })
		wantNoErr(t, err)
		x, _ := w.take()
		p.abandon()
		w.do(x)
		_, err = f.Await(ctx)
		want(t, "error", err, ErrPoolStopped)
	})
	inHandedPool(t, "work that began just before Stop gave up is cancelled", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		f, err := Submit(ctx, p, func(ctx context.Context) (int, error) { p.abandon(); return 0, ctx.Err() })
		wantNoErr(t, err)
		w.doOne()
		_, err = f.Await(ctx)
		wantErr(t, err, context.Canceled, ErrPoolStopped)
	})
}

func TestPoolRoom(t *testing.T) {
	inHandedPool(t, "a submitter that gives up passes its room on", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		p.hook = func(error) {} // Of work that was accepted and whose context has ended.
		// Whether the first submitter takes the room or gives up is left to select, so that both happen in some round.
		for range 50 {
			mustGo(t, p, sleeping)
			second := make(chan error, 1)
			own, cancel := context.WithCancel(ctx)
			onDone := func() <-chan struct{} {
				go func() { second <- p.Go(ctx, sleeping) }()
				synctest.Wait() // Now both wait for room, the first before the second.
				w.doOne()
				cancel()
				return own.Done()
			}
			if err := p.Go(&trapContext{Context: own, onDone: onDone}, func(context.Context) error { return nil }); err == nil {
				w.doOne()
			}
			synctest.Wait()
			select {
			case err := <-second:
				wantNoErr(t, err)
			default:
				t.Fatal("the second submitter waits though there is room")
			}
			w.doOne()
		}
	})
	inHandedPool(t, "nobody waits for room that there is, nor in a pool that stops", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		l := &p.levels[PriorityHigh-PriorityNormal]
		timed, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		wantNoErr(t, p.awaitRoom(timed, l))
		mustGo(t, p, sleeping)
		p.stopping.Store(true)
		wantNoErr(t, p.awaitRoom(timed, l))
		want(t, "blocked", p.Stats().Blocked, 0)
		w.doOne()
	})
}

func TestPoolQuiet(t *testing.T) {
	inHandedPool(t, "Drain hears of a submitter that has given up", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		mustGo(t, p, sleeping)
		own, cancel := context.WithCancel(ctx)
		go func() { _ = p.Go(own, sleeping) }()
		synctest.Wait()
		drained := make(chan error, 1)
		go func() { drained <- p.Drain(ctx) }()
		x, _ := p.levels[PriorityHigh-PriorityNormal].pop() // Without a word to those who wait for room.
		w.do(x)
		synctest.Wait()
		want(t, "drained", len(drained), 0)
		cancel()
		synctest.Wait()
		want(t, "drained", len(drained), 1)
		wantNoErr(t, <-drained)
	})
	inHandedPool(t, "Drain prefers the end of the work to that of its context", func(t *testing.T, ctx context.Context, p *Pool, w *worker) {
		for range 50 { // Which of the two select takes is chance.
			mustGo(t, p, sleeping)
			own, cancel := context.WithCancel(ctx)
			wantNoErr(t, p.Drain(&trapContext{Context: own, onDone: func() <-chan struct{} {
				w.doOne()
				cancel()
				return own.Done()
			}}))
		}
	})
}
