package async

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// Broadcast gives every value that is published to every subscriber of the moment, in the same order: what an EventEmitter does,
// with a bounded buffer for each subscriber. The zero value is ready for use. All its methods may be called by any goroutine.
// Nothing is kept for those who subscribe later, and nothing outlives the process; for that there are topics. A subscriber that
// publishes to its own broadcast can wait for itself, unless its buffer drops values.
type Broadcast[T any] struct {
	once sync.Once
	turn chan struct{} // holds a token while somebody publishes, so that all subscribers see one order.
	shut chan struct{} // closed by Close.

	mu     sync.Mutex
	subs   []*Subscription[T] // guarded by mu; replaced, never changed in place.
	closed bool               // guarded by mu
}

// SubscriptionConfig says how one subscriber is served. The zero value is ready for use.
type SubscriptionConfig struct {
	// Buffer is how many values may wait for the subscriber. Defaults to 16.
	Buffer int

	// Overflow says what becomes of a value that finds the buffer full. OverflowBlock makes Publish wait; OverflowReject leaves
	// the new value out and OverflowDropOldest the oldest in the buffer, for this subscriber. Defaults to OverflowBlock.
	Overflow Overflow
}

// Defaults and bounds of [SubscriptionConfig].
const (
	SubscriptionBufferDefault = 16
	SubscriptionBufferMax     = 1 << 20
)

// Subscription is one subscriber of a [Broadcast].
type Subscription[T any] struct {
	owner    *Broadcast[T]
	overflow Overflow
	values   chan T
	once     sync.Once
	gone     chan struct{} // closed by Close.
	missed   atomic.Int64
}

func (b *Broadcast[T]) init() {
	b.once.Do(func() {
		b.turn = make(chan struct{}, 1)
		b.shut = make(chan struct{})
	})
}

// Subscribe begins to take part: the subscription gets every value that is published after Subscribe has returned. It must be
// ended with Close or by a loop over Values, as a full buffer makes others wait. The error is [ErrBroadcastClosed] or names a field.
func (b *Broadcast[T]) Subscribe(cfg SubscriptionConfig) (*Subscription[T], error) {
	b.init()
	if cfg.Buffer == 0 {
		cfg.Buffer = SubscriptionBufferDefault
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	sub := &Subscription[T]{
		owner:    b,
		overflow: cfg.Overflow,
		values:   make(chan T, cfg.Buffer),
		gone:     make(chan struct{}),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrBroadcastClosed
	}
	b.subs = append(slices.Clip(b.subs), sub)
	return sub, nil
}

func (cfg SubscriptionConfig) validate() error {
	err := within("SubscriptionConfig.Buffer", 1, SubscriptionBufferMax, cfg.Buffer)
	if cfg.Overflow < OverflowBlock || cfg.Overflow > OverflowDropOldest {
		err = errors.Join(err, fmt.Errorf("async: SubscriptionConfig.Overflow is none of the known ones, got %d", cfg.Overflow))
	}
	return err
}

// Publish gives v to every subscriber, and waits for those that are full and want it so. The error is that of ctx, and then some
// subscribers may have got v and others not, or [ErrBroadcastClosed]. Of a ctx that has ended before the call nobody gets v.
func (b *Broadcast[T]) Publish(ctx context.Context, v T) error {
	b.init()
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return cancelErr(ctx)
	}
	defer func() { <-b.turn }()
	if ctx.Err() != nil { // Of two that are ready, select takes either.
		return cancelErr(ctx)
	}
	b.mu.Lock()
	subs, closed := b.subs, b.closed
	b.mu.Unlock()
	if closed {
		return ErrBroadcastClosed
	}
	for _, sub := range subs {
		if err := sub.give(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the broadcast: subscribers get what is in their buffers, and then their loops end. A second Close does nothing.
func (b *Broadcast[T]) Close() {
	b.init()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.subs = nil
		close(b.shut)
	}
}

// give puts v into the buffer. Only the one whose turn it is calls it.
func (sub *Subscription[T]) give(ctx context.Context, v T) error {
	for {
		select {
		case sub.values <- v:
			return nil
		case <-sub.gone:
			return nil
		default:
		}
		switch sub.overflow {
		case OverflowReject:
			sub.missed.Add(1)
			return nil
		case OverflowDropOldest:
			select {
			case <-sub.values:
				sub.missed.Add(1)
			default:
			}
			continue
		}
		select {
		case sub.values <- v:
			return nil
		case <-sub.gone:
			return nil
		case <-sub.owner.shut:
			return ErrBroadcastClosed
		case <-ctx.Done():
			return cancelErr(ctx)
		}
	}
}

// Values gives the published values until ctx ends, the subscription or the broadcast is closed, or the loop is left. Each of
// these ends the subscription.
func (sub *Subscription[T]) Values(ctx context.Context) iter.Seq[T] {
	return func(yield func(T) bool) {
		defer sub.Close()
		for ctx.Err() == nil {
			v, ok := sub.next(ctx)
			if !ok || !yield(v) {
				return
			}
		}
	}
}

func (sub *Subscription[T]) next(ctx context.Context) (v T, ok bool) {
	select {
	case v := <-sub.values:
		return v, true
	case <-ctx.Done():
		return v, false
	case <-sub.gone:
		return v, false
	case <-sub.owner.shut:
	}
	// Somebody who began to publish before Close may still be at it; the end waits for that, so that no value is left behind.
	sub.owner.turn <- struct{}{}
	<-sub.owner.turn
	select {
	case v := <-sub.values:
		return v, true
	default:
		return v, false
	}
}

// Missed says how many values the subscription has left out because its buffer was full.
func (sub *Subscription[T]) Missed() int64 { return sub.missed.Load() }

// Close ends the subscription and lets go of those who wait for room in its buffer. A second Close does nothing.
func (sub *Subscription[T]) Close() {
	sub.once.Do(func() {
		close(sub.gone)
		b := sub.owner
		b.mu.Lock()
		defer b.mu.Unlock()
		if i := slices.Index(b.subs, sub); i >= 0 {
			b.subs = slices.Delete(slices.Clone(b.subs), i, i+1)
		}
	})
}
