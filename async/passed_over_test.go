package async

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// The tests of this file are about the inputs that a combinator has its outcome without.

// combinators call each combinator and give its error.
var combinators = map[string]func(ctx context.Context, fs ...*Future[int]) error{
	"All":        func(ctx context.Context, fs ...*Future[int]) error { _, err := All(ctx, fs...); return err },
	"AllSettled": func(ctx context.Context, fs ...*Future[int]) error { _, err := AllSettled(ctx, fs...); return err },
	"Any":        func(ctx context.Context, fs ...*Future[int]) error { _, err := Any(ctx, fs...); return err },
	"Race":       func(ctx context.Context, fs ...*Future[int]) error { _, err := Race(ctx, fs...); return err },
	"Both": func(ctx context.Context, fs ...*Future[int]) error {
		_, _, err := Both(ctx, fs[0], fs[len(fs)-1])
		return err
	},
	"Either": func(ctx context.Context, fs ...*Future[int]) error {
		_, err := Either(ctx, fs[0], fs[len(fs)-1])
		return err
	},
	"AsCompleted": func(ctx context.Context, fs ...*Future[int]) error {
		for _, r := range AsCompleted(ctx, fs...) {
			return r.Err
		}
		return nil
	},
}

func TestPassedOver(t *testing.T) {
	for _, name := range []string{"Any", "Race", "Either"} {
		inScope(t, name+" has looked at the failures of the losers, earlier and later", nil, func(t *testing.T, ctx context.Context, s *Scope) {
			early := []*Future[int]{Go(s, after(2*time.Second, 0, errBoom)), Go(s, after(time.Second, 7, nil))}
			wantNoErr(t, combinators[name](ctx, early...))
			if name == "Any" {
				wantNoErr(t, combinators[name](ctx, Go(s, failing[int](errBoom)), Go(s, after(time.Second, 7, nil))))
			}
		})
	}
	inScope(t, "All has looked at the failures after the first", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		err := combinators["All"](ctx, Go(s, failing[int](errBoom)), Go(s, after(time.Second, 0, errors.New("later"))))
		want(t, "error", err, errBoom)
	})
	inScope(t, "AsCompleted has looked at what it gave and at nothing else", errBoom, func(t *testing.T, ctx context.Context, s *Scope) {
		wantNoErr(t, combinators["AsCompleted"](ctx, Go(s, value(1)), Go(s, after(time.Second, 0, errBoom))))
	})
	for name, combine := range combinators {
		if name == "AllSettled" {
			continue // It looks at every input.
		}
		late, early := errors.New("late panic"), errors.New("early panic")
		var first error
		if name == "All" || name == "Both" {
			first = errBoom // A value does not end their waiting.
		}
		inPool(t, name+" does not hide a later panic of pool work", PoolConfig{Workers: 2}, late, func(t *testing.T, ctx context.Context, p *Pool) {
			fs := submitBoth(t, ctx, p, after(time.Second, 1, first), func(context.Context) (int, error) { nap(time.Minute); panic(late) })
			_ = combine(ctx, fs...)
		})
		if name == "Any" {
			inPool(t, name+" nor an earlier one", PoolConfig{Workers: 2}, early, func(t *testing.T, ctx context.Context, p *Pool) {
				wantNoErr(t, combine(ctx, submitBoth(t, ctx, p, func(context.Context) (int, error) { panic(early) }, after(time.Second, 1, nil))...))
			})
		}
	}
}

func submitBoth(t *testing.T, ctx context.Context, p *Pool, fns ...func(context.Context) (int, error)) (fs []*Future[int]) {
	t.Helper()
	for _, fn := range fns {
		f, err := Submit(ctx, p, fn)
		wantNoErr(t, err)
		fs = append(fs, f)
	}
	return fs
}

func TestEndedContext(t *testing.T) {
	for name, combine := range combinators {
		inScope(t, name+" gives what is there, though its context has ended", nil, func(t *testing.T, ctx context.Context, s *Scope) {
			ended, cancel := context.WithCancelCause(ctx)
			cancel(errBoom)
			for range 20 {
				wantNoErr(t, combine(ended, Resolved(1), Resolved(2)))
			}
			wantErr(t, combine(ended, NewResolver[int](s).Future(), NewResolver[int](s).Future()), context.Canceled, errBoom)
		})
		inScope(t, name+" leaves the failures alone that it did not wait for", errBoom, func(t *testing.T, ctx context.Context, s *Scope) {
			timed, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			fs := []*Future[int]{Go(s, after(time.Minute, 0, errBoom)), Go(s, after(time.Hour, 1, nil))}
			wantErr(t, combine(timed, fs...), context.DeadlineExceeded)
		})
	}
	inScope(t, "an awaitable that is not a future decides itself", nil, func(t *testing.T, ctx context.Context, s *Scope) {
		ended, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		late := untyped(func(ctx context.Context) error { return ctx.Err() })
		settled := untyped(func(context.Context) error { return nil })
		for range 20 {
			_, err := All(ended, settled, settled)
			wantNoErr(t, err)
			_, err = All(ended, settled, late)
			wantErr(t, err, context.Canceled, errBoom)
			_, _, err = Both(ended, Resolved(1), late)
			wantErr(t, err, context.Canceled, errBoom)
			first, _, err := Both(ended, Resolved(1), settled)
			wantNoErr(t, err)
			want(t, "value", first, 1)
			results := ""
			for i, r := range AsCompleted(ended, late, settled, late) {
				results += fmt.Sprint(i, r.Err == nil, ";")
			}
			want(t, "results", results, "1 true;0 false;2 false;")
		}
	})
}
