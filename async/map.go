package async

import (
	"context"
	"errors"
	"iter"
	"runtime"
)

// MapConfig says how [Map] and [ForEach] run. The zero value is ready for use.
type MapConfig struct {
	// Concurrency is how many calls of the function run at once, at most. Defaults to GOMAXPROCS.
	Concurrency int

	// Ahead is how many items may have been taken from the input and not yet given to the loop: the backpressure. At least
	// Concurrency is of use. Defaults to twice Concurrency, growing by steps up to 512 as long as the items go through faster
	// than one in 10 microseconds, where it costs next to nothing to be ahead. Memory for more than 512 items is taken as the input
	// is found to be so far ahead.
	Ahead int

	// Unordered gives the results as they are ready. Defaults to the order of the input. ForEach has no results to order.
	Unordered bool

	// AllErrors goes on after a failed item: every failure is given in its place. Defaults to ending with the first failure.
	AllErrors bool
}

const (
	// AheadMax is the largest Ahead, and the largest that Map takes by itself is AheadGrownMax.
	AheadMax      = 1 << 20
	AheadGrownMax = 1 << 9

	// ConcurrencyMax is the largest Concurrency of Map and Workers of a pool.
	ConcurrencyMax = 1 << 20
)

// errMapOver is the cause of the cancellation when the loop over the results is left.
var errMapOver = errors.New("async: the loop over the results has ended")

// Map calls fn for every item of in, several at a time, and gives the results, in the order of the input. It is lazy: nothing runs
// before the loop over it begins, and each loop runs everything anew.
//
//	for thumb, err := range async.Map(ctx, slices.Values(photos), async.MapConfig{}, shrink) { ... }
//
// An error that is given has the zero value beside it. A failure of fn is an [*ItemError], which has the index; it is the last
// thing given, unless AllErrors says otherwise, after the results before it that are ready; it cancels the context of the other
// calls. When ctx ends, the error of ctx is the last thing given. A bad configuration is the only thing given.
//
// To leave the loop cancels the calls that are running. Whichever way the loop ends, it does so when all of them have returned and
// the input has been let go of; a panic of fn or of the input then goes on in the loop, as a [*PanicError].
//
// The input is read on a goroutine of its own, one item at a time. An input that may block for long should look at a context
// that the caller cancels when leaving the loop, since the loop waits for it to return.
func Map[A, B any](ctx context.Context, in iter.Seq[A], cfg MapConfig, fn func(ctx context.Context, item A) (B, error)) iter.Seq2[B, error] {
	mustFunc(fn == nil, "Map")
	mustFunc(in == nil, "Map (as its input)")
	return func(yield func(B, error) bool) {
		var zero B
		cfg, err := cfg.withDefaults()
		if err != nil {
			yield(zero, err)
			return
		}
		mode := mapOrdered
		if cfg.Unordered {
			mode = mapUnordered
		}
		m := newMapper(ctx, in, cfg, fn, mode)
		m.running.Go(m.produce)
		defer m.close()
		if !m.giveAll(yield) {
			return
		}
		m.join()
		if m.panicked.Load() == nil {
			m.giveRest(yield)
		}
	}
}

// ForEach calls fn for every item of in, several at a time, and returns when all calls have. It returns the first failure as an
// [*ItemError]; with AllErrors it returns all of them, joined: the first [ErrorsMax], and how many there were beyond. A panic of fn
// goes on in the caller. The input is read on the caller's goroutine, where its panic goes on as it is; it is asked for one more item
// before ForEach leaves it for an error or the end of ctx, also where ctx has ended before.
func ForEach[A any](ctx context.Context, in iter.Seq[A], cfg MapConfig, fn func(ctx context.Context, item A) error) error {
	mustFunc(fn == nil, "ForEach")
	mustFunc(in == nil, "ForEach (as its input)")
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	m := newMapper(ctx, in, cfg, func(ctx context.Context, item A) (struct{}, error) {
		return struct{}{}, fn(ctx, item)
	}, mapNothing)
	defer m.close()
	m.produce()
	m.join()
	return m.outcome()
}

// Collect gathers what Map gives. It stops at the first error and returns it with the values before it.
func Collect[T any](results iter.Seq2[T, error]) ([]T, error) {
	var values []T
	for v, err := range results {
		if err != nil {
			return values, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (cfg MapConfig) withDefaults() (MapConfig, error) {
	err := errors.Join(
		within("MapConfig.Concurrency", 0, ConcurrencyMax, cfg.Concurrency),
		within("MapConfig.Ahead", 0, AheadMax, cfg.Ahead),
	)
	if cfg.Concurrency == 0 {
		cfg.Concurrency = runtime.GOMAXPROCS(0)
	}
	return cfg, err
}
