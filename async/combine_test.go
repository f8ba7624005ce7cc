package async

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// foreign is an awaitable that is not a future, as a durable promise is.
type foreign[T any] struct {
	after time.Duration
	value T
	err   error
}

func (f foreign[T]) Await(ctx context.Context) (T, error) { return after(f.after, f.value, f.err)(ctx) }

func TestChain(t *testing.T) {
	double := func(_ context.Context, v int) (int, error) { return 2 * v, nil }
	inScope(t, "Then goes on with the value and passes failures by", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		v, err := Then(s, Then(s, Go(s, after(time.Second, 7, nil)), double), double).Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, 28)
		_, err = Then(s, Go(s, failing[int](errBoom)), func(context.Context, int) (int, error) { t.Error("called"); return 0, nil }).Await(ctx)
		want(t, "error", err, errBoom)
		v, _ = Then(s, foreign[int]{value: 3}, double).Await(ctx)
		want(t, "value", v, 6)
	})
	inScope(t, "Compose awaits what fn starts", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		f := Compose(s, Resolved(7), func(_ context.Context, v int) (Awaitable[string], error) {
			return Go(s, after(time.Second, fmt.Sprint(v), nil)), nil
		})
		v, err := f.Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, "7")
		_, err = Compose(s, Resolved(7), func(context.Context, int) (Awaitable[int], error) { return nil, errBoom }).Await(ctx)
		want(t, "error", err, errBoom)
		_, err = Compose(s, Rejected[int](errBoom), func(context.Context, int) (Awaitable[int], error) { return nil, nil }).Await(ctx)
		want(t, "error", err, errBoom)
	})
	inScope(t, "Catch answers failures and passes values by", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		mend := func(_ context.Context, err error) (int, error) { return 42, nil }
		v, err := Catch(s, Go(s, failing[int](errBoom)), mend).Await(ctx)
		wantNoErr(t, err)
		want(t, "value", v, 42)
		v, _ = Catch(s, Resolved(7), mend).Await(ctx)
		want(t, "value", v, 7)
		f := Catch(s, NewResolver[int](s).Future(), mend)
		f.Cancel(errBoom)
		_, err = f.Await(ctx)
		wantErr(t, err, errBoom)
	})
	inScope(t, "Finally runs either way, and when cancelled", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		runs := 0
		count := func() { runs++ }
		v, _ := Finally(s, Resolved(7), count).Await(ctx)
		want(t, "value", v, 7)
		_, err := Finally(s, Rejected[int](errBoom), count).Await(ctx)
		want(t, "error", err, errBoom)
		f := Finally(s, NewResolver[int](s).Future(), count)
		f.Cancel(errBoom)
		_, err = f.Await(ctx)
		wantErr(t, err, errBoom)
		want(t, "runs", runs, 3)
		var ended *Scope
		wantNoErr(t, Run(ctx, func(_ context.Context, s *Scope) error { ended = s; return nil }))
		_, err = Finally(ended, Resolved(7), count).Await(ctx)
		want(t, "error", err, ErrScopeEnded)
		want(t, "runs", runs, 4)
	})
}

func TestFinallyPanics(t *testing.T) {
	other := errors.New("other")
	for name, a := range map[string]Awaitable[int]{
		"the error":           Rejected[int](errBoom),
		"the panic":           awaitFunc(func(context.Context) (int, error) { panic(errBoom) }),
		"the panic's failure": awaitFunc(func(context.Context) (int, error) { panic(newPanicError("x").with(errBoom)) }),
	} {
		bubble(t, "its panic does not hide "+name+" of what it waited for", func(t *testing.T, ctx context.Context) {
			wantPanicError(t, other, func() {
				_ = Run(ctx, func(_ context.Context, s *Scope) error { Finally(s, a, func() { panic(other) }); return nil })
			}, func(pe *PanicError) { wantErr(t, pe, errBoom, other) })
		})
	}
}

// awaitFunc is an awaitable that is not a future.
type awaitFunc func(ctx context.Context) (int, error)

func (fn awaitFunc) Await(ctx context.Context) (int, error) { return fn(ctx) }

func TestChainInScope(t *testing.T) {
	bubble(t, "while it waits it takes no place under the limit", func(t *testing.T, ctx context.Context) {
		wantNoErr(t, ScopeConfig{Limit: 1}.Run(ctx, func(ctx context.Context, s *Scope) error {
			r := NewResolver[int](s)
			f := Then(s, r.Future(), double)
			synctest.Wait()
			want(t, "a place is free", s.TryGo(func(context.Context) error { r.Resolve(4); return nil }), true)
			v, err := f.Await(ctx)
			want(t, "value", v, 8)
			return err
		}))
	})
	bubble(t, "a chain on a future that never settles ends with the scope", func(t *testing.T, ctx context.Context) {
		var outer *Scope
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			outer = s
			r := NewResolver[int](outer)
			return Run(ctx, func(ctx context.Context, s *Scope) error {
				Then(s, r.Future(), double)
				synctest.Wait()
				s.Stop()
				return nil
			})
		}))
	})
}

func TestAll(t *testing.T) {
	inScope(t, "gives the values in the order of the inputs", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		inputs := []Awaitable[int]{Go(s, after(2*time.Second, 1, nil)), foreign[int]{after: time.Second, value: 2}, Resolved(3)}
		vs, err := All(ctx, inputs...)
		wantNoErr(t, err)
		want(t, "values", fmt.Sprint(vs), "[1 2 3]")
	})
	inScope(t, "gives the first failure at once and leaves nothing behind", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		start := time.Now()
		pending := NewResolver[int](s).Future()
		inputs := []Awaitable[int]{pending, foreign[int]{after: time.Hour}, Go(s, after(time.Second, 0, errBoom))}
		_, err := All(ctx, inputs...)
		want(t, "error", err, errBoom)
		want(t, "waited", time.Since(start), time.Second)
		want(t, "watchers", countWatchers(pending), 1)
	})
	inScope(t, "of nothing is nothing", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		vs, err := All[*Future[int]](ctx)
		wantNoErr(t, err)
		want(t, "values", len(vs), 0)
		rs, err := AllSettled[*Future[int]](ctx)
		wantNoErr(t, err)
		want(t, "results", len(rs), 0)
		_, err = Any[*Future[int]](ctx)
		want(t, "Any", err, ErrNone)
		_, err = Race[*Future[int]](ctx)
		want(t, "Race", err, ErrNone)
		for range AsCompleted[*Future[int]](ctx) {
			t.Error("AsCompleted of nothing gives something")
		}
	})
	inScope(t, "all of them end with the context", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		pending := NewResolver[int](s).Future()
		ended, cancel := context.WithTimeoutCause(ctx, time.Second, errBoom)
		defer cancel()
		_, err := All(ended, pending, pending)
		wantErr(t, err, context.DeadlineExceeded, errBoom)
		_, err = AllSettled(ended, pending)
		wantErr(t, err, context.DeadlineExceeded)
		_, err = Any(ended, pending)
		wantErr(t, err, context.DeadlineExceeded)
		_, err = Race(ended, pending)
		wantErr(t, err, context.DeadlineExceeded)
		_, _, err = Both(ended, pending, foreign[string]{after: time.Hour})
		wantErr(t, err, context.DeadlineExceeded)
		given := 0
		for i, r := range AsCompleted(ended, pending, Resolved(7)) {
			if given++; i == 0 {
				wantErr(t, r.Err, context.DeadlineExceeded)
			} else {
				want(t, "value", r.Value, 7)
			}
		}
		want(t, "given", given, 2)
		want(t, "watchers", countWatchers(pending), 1)
	})
	inScope(t, "nil inputs panic and say which", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		wantPanic(t, "awaitable 1 is nil", func() { _, _ = All(ctx, Resolved(1), nil) })
		wantPanic(t, "awaitable 0 is nil", func() { _, _ = Race[Awaitable[int]](ctx, nil) })
		wantPanic(t, "awaitable 1 is nil", func() { _, _, _ = Both[int, int](ctx, Resolved(1), nil) })
		wantPanic(t, "awaitable 1 is nil", func() { _, _ = Either[int](ctx, Resolved(1), (*Future[int])(nil)) })
		wantPanic(t, "awaitable 0 is nil", func() { Then(s, (*Future[int])(nil), double) })
	})
	inScope(t, "a panic of a foreign Await goes on in the caller, Goexit is an error", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		wantPanicError(t, "foreign", func() { _, _ = All(ctx, untyped(func(context.Context) error { panic("foreign") })) })
		wantPanicError(t, "loop", func() {
			foreign := untyped(func(ctx context.Context) error { <-ctx.Done(); panic(errBoom) })
			for range AsCompleted(ctx, untyped(func(context.Context) error { return nil }), foreign) {
				panic("loop")
			}
		}, func(pe *PanicError) { wantErr(t, pe.Also, errBoom) })
		_, err := All(ctx, untyped(func(context.Context) error { runtime.Goexit(); return nil }))
		want(t, "error", err, ErrGoexit)
	})
}

// countWatchers counts the watchers of a resolver's future, of which the resolver's own is one.
func countWatchers[T any](f *Future[T]) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for w := f.watchers; w != nil; w = w.next {
		n++
	}
	return n
}

func TestOthers(t *testing.T) {
	inScope(t, "AllSettled gives values and failures", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		rs, err := AllSettled(ctx, Go(s, failing[int](errBoom)), Go(s, after(time.Second, 7, nil)))
		wantNoErr(t, err)
		want(t, "results", fmt.Sprint(rs), "[{0 boom} {7 <nil>}]")
	})
	inScope(t, "Any gives the first value, or all failures in order", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		v, err := Any(ctx, Go(s, failing[int](errBoom)), Go(s, after(time.Second, 7, nil)), Go(s, after(time.Minute, 8, nil)))
		wantNoErr(t, err)
		want(t, "value", v, 7)
		_, err = Any(ctx, Go(s, after(time.Second, 0, errors.New("one"))), Go(s, failing[int](errors.New("two"))))
		want(t, "error", strings.ReplaceAll(err.Error(), "\n", ", "), "one, two")
	})
	inScope(t, "Race gives the first outcome, value or failure", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		_, err := Race(ctx, Go(s, after(time.Second, 7, nil)), Go(s, failing[int](errBoom)))
		want(t, "error", err, errBoom)
		v, _ := Either(ctx, Go(s, after(time.Minute, 7, nil)), foreign[int]{after: time.Second, value: 8})
		want(t, "value", v, 8)
	})
	inScope(t, "AsCompleted gives them as they settle", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		var got []string
		inputs := []*Future[int]{Go(s, after(3*time.Second, 7, nil)), Go(s, after(time.Second, 0, errBoom)), Go(s, after(2*time.Second, 9, nil))}
		for i, r := range AsCompleted(ctx, inputs...) {
			got = append(got, fmt.Sprint(i, r))
		}
		want(t, "got", strings.Join(got, " "), "1 {0 boom} 2 {9 <nil>} 0 {7 <nil>}")
		for range AsCompleted(ctx, NewResolver[int](s).Future(), Resolved(1)) {
			break
		}
	})
	inScope(t, "Both gives values of two types, or the first failure", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		n, text, err := Both(ctx, Go(s, after(time.Second, 7, nil)), foreign[string]{value: "x"})
		wantNoErr(t, err)
		want(t, "values", fmt.Sprint(n, text), "7x")
		n, _, err = Both(ctx, Resolved(7), foreign[error]{after: time.Second, err: errBoom})
		want(t, "error", err, errBoom)
		want(t, "no value", n, 0)
	})
}
