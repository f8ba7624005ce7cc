package async

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func collectValues[T any](ctx context.Context, sub *Subscription[T]) (got []T) {
	for v := range sub.Values(ctx) {
		got = append(got, v)
	}
	return got
}

func subscribe[T any](t *testing.T, b *Broadcast[T], cfg SubscriptionConfig) *Subscription[T] {
	t.Helper()
	sub, err := b.Subscribe(cfg)
	wantNoErr(t, err)
	return sub
}

func TestBroadcast(t *testing.T) {
	bubble(t, "nobody gets a value that is published with an ended context", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		sub := subscribe(t, &b, SubscriptionConfig{Buffer: 100})
		ended, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		for range 100 {
			wantErr(t, b.Publish(ended, 1), context.Canceled, errBoom)
		}
		b.Close()
		want(t, "values", len(collectValues(ctx, sub)), 0)
	})
	bubble(t, "every subscriber sees every value in the same order", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		var got [3][]int
		wantNoErr(t, Run(ctx, func(ctx context.Context, s *Scope) error {
			for i := range got {
				sub := subscribe(t, &b, SubscriptionConfig{Buffer: 1})
				s.Go(func(ctx context.Context) error { got[i] = collectValues(ctx, sub); return nil })
			}
			defer b.Close()
			return ForEach(ctx, numbers(100), MapConfig{Concurrency: 4}, b.Publish)
		}))
		want(t, "values", len(got[0]), 100)
		want(t, "same order", fmt.Sprint(got[0]) == fmt.Sprint(got[1]) && fmt.Sprint(got[1]) == fmt.Sprint(got[2]), true)
	})
	bubble(t, "a full subscriber makes Publish wait, or misses values, as it has chosen", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		newest := subscribe(t, &b, SubscriptionConfig{Buffer: 2, Overflow: OverflowReject})
		oldest := subscribe(t, &b, SubscriptionConfig{Buffer: 2, Overflow: OverflowDropOldest})
		for i := range 5 {
			wantNoErr(t, b.Publish(ctx, i))
		}
		full := subscribe(t, &b, SubscriptionConfig{Buffer: 1})
		wantNoErr(t, b.Publish(ctx, 5))
		timed, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		wantErr(t, b.Publish(timed, 6), context.DeadlineExceeded)
		waiting := make(chan error, 2)
		go func() { waiting <- b.Publish(ctx, 7) }()
		synctest.Wait()
		wantErr(t, b.Publish(timed, 8), context.DeadlineExceeded)
		full.Close()
		full.Close()
		wantNoErr(t, <-waiting)
		b.Close()
		want(t, "kept the oldest", fmt.Sprint(collectValues(ctx, newest), newest.Missed()), "[0 1] 6")
		want(t, "kept the newest", fmt.Sprint(collectValues(ctx, oldest), oldest.Missed()), "[6 7] 6")
	})
}

func TestBroadcastEnds(t *testing.T) {
	bubble(t, "leaving the loop, and the end of the context, end the subscription", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		left := subscribe(t, &b, SubscriptionConfig{Buffer: 1})
		wantNoErr(t, b.Publish(ctx, 1))
		for range left.Values(ctx) {
			break
		}
		timed, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		want(t, "values", len(collectValues(timed, subscribe(t, &b, SubscriptionConfig{Buffer: 1}))), 0)
		wantNoErr(t, b.Publish(ctx, 2))
		wantNoErr(t, b.Publish(ctx, 3))
		want(t, "subscribers", len(b.subs), 0)
	})
	bubble(t, "Close lets go of those who wait and refuses what comes after", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		sub := subscribe(t, &b, SubscriptionConfig{Buffer: 1})
		wantNoErr(t, b.Publish(ctx, 1))
		waiting := make(chan error)
		go func() { waiting <- b.Publish(ctx, 2) }()
		synctest.Wait()
		b.Close()
		b.Close()
		want(t, "error", <-waiting, ErrBroadcastClosed)
		want(t, "error", b.Publish(ctx, 3), ErrBroadcastClosed)
		_, err := b.Subscribe(SubscriptionConfig{})
		want(t, "error", err, ErrBroadcastClosed)
		want(t, "what was in the buffer", fmt.Sprint(collectValues(ctx, sub)), "[1]")
	})
	bubble(t, "the end waits for a publisher that began before Close", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		sub := subscribe(t, &b, SubscriptionConfig{})
		b.turn <- struct{}{} // A publisher, between its look at the subscribers and the gift.
		b.Close()
		got := make(chan []int, 1)
		go func() { got <- collectValues(ctx, sub) }()
		synctest.Wait()
		wantNoErr(t, sub.give(ctx, 7))
		<-b.turn
		want(t, "values", fmt.Sprint(<-got), "[7]")
	})
	bubble(t, "bad configurations are refused", func(t *testing.T, ctx context.Context) {
		var b Broadcast[int]
		_, err := b.Subscribe(SubscriptionConfig{Buffer: -1})
		want(t, "text", err.Error(), "async: SubscriptionConfig.Buffer must be at least 1, got -1")
		_, err = b.Subscribe(SubscriptionConfig{Overflow: 9})
		want(t, "text", err.Error(), "async: SubscriptionConfig.Overflow is none of the known ones, got 9")
	})
}
