package async

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// The tests of this file are about failures that have counted on a combinator which then left without an outcome.

func TestFailuresOfAnotherScope(t *testing.T) {
	for _, name := range []string{"AllSettled", "Any", "AsCompleted"} {
		bubble(t, name+" tells of them when its context ends", func(t *testing.T, ctx context.Context) {
			// The inputs belong to a scope that ends while the combinator waits for them.
			wantNoErr(t, Run(ctx, func(ctx context.Context, outer *Scope) error {
				pending := NewResolver[int](outer).Future()
				waiting, stopWaiting := context.WithCancel(ctx)
				told := make(chan error, 1)
				wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
					r := NewResolver[int](s)
					go func() { told <- combineToEnd(waiting, name, r.Future(), pending) }()
					synctest.Wait()
					r.Reject(errBoom)
					return nil
				}))
				stopWaiting()
				wantErr(t, <-told, errBoom, context.Canceled)
				return nil
			}))
		})
	}
	bubble(t, "nor is it lost where the end of the context is no news", func(t *testing.T, ctx context.Context) {
		wantErr(t, Run(ctx, func(ctx context.Context, outer *Scope) error {
			f := Rejected[int](errBoom)
			f.state.Or(stateEntrusted)
			outer.Stop()
			_, err := AllSettled(ctx, f, NewResolver[int](outer).Future())
			wantErr(t, err, errBoom, ErrStopped)
			return err
		}), errBoom)
	})
}

// combineToEnd calls a combinator and gives all the errors that come of it.
func combineToEnd(ctx context.Context, name string, fs ...*Future[int]) (err error) {
	if name != "AsCompleted" {
		return combinators[name](ctx, fs...)
	}
	for _, r := range AsCompleted(ctx, fs...) {
		err = errors.Join(err, r.Err)
	}
	return err
}
