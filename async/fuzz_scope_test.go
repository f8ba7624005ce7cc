package async

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scopeProgram is what FuzzScope runs, and what it has seen.
type scopeProgram struct {
	*tape
	s            *Scope
	errTask      error
	begun, ended atomic.Int64
	panics       atomic.Int64 // how many of its functions have panicked.

	mu  sync.Mutex
	all []*Future[int] // guarded by mu
}

// at gives a future that was made before the call.
func (p *scopeProgram) at(i int) *Future[int] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[i%len(p.all)]
}

func (p *scopeProgram) add(f *Future[int]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, f)
}

func (p *scopeProgram) panic(text string) {
	p.panics.Add(1)
	panic(text)
}

// FuzzScope starts futures that succeed, fail, panic, end their goroutine, wait for others, for later ones too, or are cancelled; it
// combines them, settles resolvers twice, calls back from callbacks, and stops in between.
func FuzzScope(f *testing.F) {
	fuzzBubble(f, func(t *testing.T, ctx context.Context, tape *tape) {
		p := &scopeProgram{tape: tape, errTask: errors.New("task"), all: []*Future[int]{Resolved(0)}}
		hookPanics := p.next(16) == 15
		cfg := ScopeConfig{Limit: p.next(4), OnUnobserved: func(err error) {
			expected := false
			for _, known := range []error{p.errTask, ErrCycle, ErrGoexit, context.Canceled, context.DeadlineExceeded} {
				expected = expected || errors.Is(err, known)
			}
			if !expected && !isPanic(err) {
				t.Errorf("reported: %v", err)
			}
			if hookPanics {
				p.panic("hook")
			}
		}}
		defer func() {
			pe, _ := recover().(*PanicError)
			if (pe != nil) != (p.panics.Load() > 0) {
				t.Errorf("%d functions have panicked, and Run has with %v", p.panics.Load(), pe)
			}
			if p.begun.Load() != p.ended.Load() {
				t.Errorf("%d tasks were begun and %d have ended", p.begun.Load(), p.ended.Load())
			}
		}()
		err := cfg.Run(ctx, func(ctx context.Context, s *Scope) error {
			p.s = s
			for len(*p.tape) > 0 {
				p.add(p.step())
				nap(p.pause())
				if p.next(60) == 59 {
					s.Stop()
				}
			}
			if p.next(2) == 0 {
				_, _ = AllSettled(ctx, p.all...)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// task gives the function of a task that takes d.
func (p *scopeProgram) task(d time.Duration, v int, err error) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		p.begun.Add(1)
		defer p.ended.Add(1)
		return after(d, v, err)(ctx)
	}
}

func (p *scopeProgram) step() *Future[int] {
	d, other := p.pause(), p.at(p.next(100))
	switch p.next(16) {
	case 0:
		return Go(p.s, p.task(d, 1, nil))
	case 1:
		return Go(p.s, p.task(d, 0, p.errTask))
	case 2:
		return Then(p.s, other, func(ctx context.Context, v int) (int, error) { return p.task(d, v, nil)(ctx) })
	case 3:
		return Catch(p.s, other, func(ctx context.Context, err error) (int, error) { return p.task(d, 2, nil)(ctx) })
	case 4:
		return Delay(p.s, d, p.task(d, 3, nil))
	case 5:
		other.Cancel(nil)
		return Finally(p.s, other, func() {})
	case 6:
		return p.resolve(d)
	case 7:
		other.OnEnd(func(int, error) { other.OnSuccess(func(int) { Delay(p.s, d, p.task(d, 4, nil)) }) })
		return other
	case 8:
		return Go(p.s, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
	case 9: // The task may be the one that calls back, and ends by that.
		return Go(p.s, func(context.Context) (int, error) { other.OnEnd(goexit); return 5, nil })
	case 10:
		if p.next(8) == 7 {
			return Go(p.s, func(ctx context.Context) (int, error) { p.panic("task"); return 0, nil })
		}
		return Compose(p.s, other, func(context.Context, int) (Awaitable[int], error) { return Delay(p.s, d, p.task(d, 6, nil)), nil })
	default:
		return p.combine(other)
	}
}

// resolve settles a resolver from a task, twice.
func (p *scopeProgram) resolve(d time.Duration) *Future[int] {
	r := NewResolver[int](p.s)
	p.s.TryGo(func(ctx context.Context) error {
		_ = sleep(ctx, d)
		if first, second := r.Resolve(1), r.Reject(p.errTask); second {
			panic("settled twice")
		} else if first {
			_, _ = r.Future().Result()
		}
		return nil
	})
	return Go(p.s, func(ctx context.Context) (int, error) { return AwaitDefault(ctx, r.Future(), d, 4) })
}

// combine starts a task that waits for two futures, one of which may be made after it. Where the tasks are limited, those that it
// waits for may wait for its place, so it has a timeout.
func (p *scopeProgram) combine(other *Future[int]) *Future[int] {
	kind, later, d := p.next(7), p.next(100), p.pause()
	return Go(p.s, func(ctx context.Context) (_ int, err error) {
		if err := sleep(ctx, d); err != nil {
			return 0, err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		fs := []*Future[int]{other, p.at(later)}
		switch kind {
		case 0:
			_, err = All(ctx, fs...)
		case 1:
			_, err = Any(ctx, fs...)
		case 2:
			_, err = Race(ctx, fs...)
		case 3:
			_, _, err = Both(ctx, fs[0], fs[1])
		case 4:
			cancel()
			_, err = AllSettled(ctx, fs...)
			if errors.Is(err, context.Canceled) {
				err = nil
			}
		case 5:
			for _, r := range AsCompleted(ctx, fs...) {
				if err = r.Err; err == nil {
					break
				}
			}
		default:
			_, err = fs[1].Await(ctx)
		}
		return 7, err
	})
}
