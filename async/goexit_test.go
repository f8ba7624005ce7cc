package async

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The functions of this file end their goroutine or panic, wherever the package calls a function of the user.

func goexit(int, error) { runtime.Goexit() }

func TestGoexitInPool(t *testing.T) {
	inPool(t, "in a callback of work that makes room ends the submitter and strands nobody", PoolConfig{Workers: 1, Queue: 1, Overflow: OverflowDropOldest}, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		p.Pause()
		f, err := Submit(ctx, p, value(1))
		wantNoErr(t, err)
		f.OnEnd(goexit)
		go func() {
			mustGo(t, p, sleeping)
			t.Error("Goexit did not go on")
		}()
		synctest.Wait()
		_, err = f.Await(ctx)
		want(t, "error", err, ErrDropped)
		p.Resume()
		wantNoErr(t, p.Drain(ctx))
	})
	bubble(t, "in a callback of work that Stop gives up does not keep Stop from ending", func(t *testing.T, ctx context.Context) {
		p, err := NewPool(PoolConfig{Workers: 1})
		wantNoErr(t, err)
		mustGo(t, p, sleeping)
		synctest.Wait()
		var queued []*Future[int]
		for range 3 {
			f, err := Submit(ctx, p, value(1))
			wantNoErr(t, err)
			f.OnEnd(goexit)
			queued = append(queued, f)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		wantErr(t, p.Stop(ended), context.Canceled)
		wantErr(t, p.Stop(ctx), context.Canceled)
		for _, f := range queued {
			_, err := f.Await(ctx)
			want(t, "error", err, ErrPoolStopped)
		}
	})
	calls := 0
	hook := PoolConfig{Workers: 1, OnError: func(error) { calls++; runtime.Goexit() }}
	inPool(t, "in OnError ends neither the worker nor Stop", hook, nil, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, failingPlain)
		for range 2 {
			_, err := Submit(ctx, p, failing[int](errBoom))
			wantNoErr(t, err)
		}
		wantNoErr(t, p.Stop(ctx))
		want(t, "calls", calls, 3)
	})
	inPool(t, "a panic of OnError comes out of Stop with what it was told", PoolConfig{OnError: func(error) { panic("hook") }}, errBoom, func(t *testing.T, ctx context.Context, p *Pool) {
		mustGo(t, p, failingPlain)
		err := p.Stop(ctx)
		var pe *PanicError
		want(t, "is a panic", errors.As(err, &pe), true)
		want(t, "value", pe.Value, any("hook"))
	})
}

func TestGoexitInScope(t *testing.T) {
	bubble(t, "in a callback at the end of the scope strands nobody", func(t *testing.T, ctx context.Context) {
		waits := make(chan error, 2)
		var ended *Scope
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error {
			ended = s
			for range 2 {
				f := NewResolver[int](s).Future()
				f.OnEnd(goexit)
				go func() { _, err := f.Await(ctx); waits <- err }()
			}
			return nil
		}))
		want(t, "error", <-waits, ErrScopeEnded)
		want(t, "error", <-waits, ErrScopeEnded)
		wantErr(t, context.Cause(ended.ctx), ErrScopeEnded)
	})
	bubble(t, "in the hook does not keep the others from being told, nor Run from returning", func(t *testing.T, ctx context.Context) {
		told := 0
		cfg := ScopeConfig{OnUnobserved: func(error) { told++; runtime.Goexit() }}
		want(t, "error", cfg.Run(ctx, func(_ context.Context, s *Scope) error {
			for range 3 {
				Go(s, failing[int](errors.New("unobserved")))
			}
			nap(time.Second)
			return errBoom
		}), errBoom)
		want(t, "told", told, 3)
	})
	bubble(t, "panics of the hook hide no error", func(t *testing.T, ctx context.Context) {
		errOne, errTwo := errors.New("one"), errors.New("two")
		cfg := ScopeConfig{OnUnobserved: func(error) { panic("hook") }}
		wantPanicError(t, "hook", func() {
			_ = cfg.Run(ctx, func(_ context.Context, s *Scope) error {
				Go(s, failing[int](errOne))
				Go(s, failing[int](errTwo))
				nap(time.Second)
				return errBoom
			})
		}, func(pe *PanicError) {
			for _, err := range []error{errOne, errTwo, errBoom} {
				wantErr(t, pe, err)
				want(t, "printed", strings.Contains(pe.Error(), err.Error()), true)
			}
		})
	})
	bubble(t, "a panic of the hook that is told what a gone body leaves goes on", func(t *testing.T, ctx context.Context) {
		cfg := ScopeConfig{OnUnobserved: func(error) { panic("hook") }}
		var panicked any
		go func() {
			defer func() { panicked = recover() }()
			_ = cfg.Run(ctx, func(_ context.Context, s *Scope) error {
				s.Go(func(ctx context.Context) error { <-ctx.Done(); return errBoom })
				runtime.Goexit()
				return nil
			})
		}()
		synctest.Wait()
		pe, _ := panicked.(*PanicError)
		want(t, "is a panic", pe != nil, true)
		wantErr(t, pe, errBoom)
	})
	inScope(t, "or a panic in a foreign Await does not keep Finally from calling its function", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		calls := 0
		foreign := untyped(func(context.Context) error { runtime.Goexit(); return nil })
		_, err := Finally(s, foreign, func() { calls++ }).Await(ctx)
		want(t, "error", err, ErrGoexit)
		wantPanicError(t, "foreign", func() {
			_ = Run(ctx, func(_ context.Context, s *Scope) error {
				Finally(s, untyped(func(context.Context) error { panic("foreign") }), func() { calls++ })
				return nil
			})
		})
		want(t, "calls", calls, 2)
	})
}
