package godwit_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
)

func TestCancelReachesARunningHandlerAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		causes := make(chan error, 1)
		godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return "", ctx.Err()
		})
		b.start(t)
		defer b.stop(t)
		p := b.submit(t, "", godwit.SubmitOptions{})
		synctest.Wait()
		start := time.Now()
		for range 1000 {
			if err := b.Cancel(t.Context(), p.ID(), "changed my mind"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodeCancelled)
		cause := <-causes
		wantCode(t, cause, godwit.CodeCancelled)
		if !strings.Contains(cause.Error(), "changed my mind") {
			t.Errorf("the handler's cause is %q, want it to give the reason", cause)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
		var failed *godwit.JobError
		if !errors.As(err, &failed) || failed.State != godwit.StateCancelled || failed.Message != "changed my mind" {
			t.Errorf("got %#v", err)
		}
	})
}

func TestCancelOfAWaitingJobEndsItsHandlerAndItsChildren(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, oneSlot())
		parent := godwit.NewTask[string, string]("parent", godwit.Policy{})
		ended := make(chan error, 1)
		godwit.Handle(b.Client, parent, func(ctx context.Context, _ string) (string, error) {
			p, err := block.Submit(ctx, b, "child", godwit.SubmitOptions{Name: "kid"})
			if err != nil {
				return "", err
			}
			_, err = p.Await(ctx)
			ended <- err
			return "", err
		})
		godwit.Handle(b.Client, block, func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		})
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[string]](t, "submit")(parent.Submit(t.Context(), b, "", godwit.SubmitOptions{}))
		synctest.Wait()
		if s := b.Stats(); s.Waiting != 1 || s.Running != 1 {
			t.Fatalf("got %+v", s)
		}
		if err := b.Cancel(t.Context(), p.ID(), "enough"); err != nil {
			t.Fatal(err)
		}
		wantCode(t, <-ended, godwit.CodeCancelled)
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodeCancelled)
		wait(2 * time.Second)
		page, err := b.List(t.Context(), godwit.ListFilter{Parent: p.ID()})
		if err != nil || len(page.Jobs) != 1 || page.Jobs[0].State != godwit.StateCancelled {
			t.Errorf("got %+v, %v, want the child cancelled", page, err)
		}
	})
}

func TestCancelBeforeTheRunAndOfFinalJobs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		p := b.submit(t, "", godwit.SubmitOptions{Delay: time.Hour})
		if err := b.Cancel(t.Context(), p.ID(), ""); err != nil {
			t.Fatal(err)
		}
		_, err := p.Await(t.Context())
		wantCode(t, err, godwit.CodeCancelled)
		wantCode(t, b.Cancel(t.Context(), godwit.NewID(), ""), godwit.CodeNotFound)
		wantCode(t, b.RunNow(t.Context(), p.ID()), godwit.CodeWrongState)
		if err := b.Delete(t.Context(), p.ID()); err != nil {
			t.Fatal(err)
		}
		_, err = p.Await(t.Context())
		wantCode(t, err, godwit.CodeExpired)
	})
}
