package async_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync/atomic"

	"github.com/godwit-go/godwit/async"
)

// nodeRows has Node's EventEmitter, streams and workers.
func nodeRows(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: new EventEmitter() | one for each kind of event, with a type
	{
		var orders async.Broadcast[int]
		use(&orders)
	}
	//: emitter.on('order', f) |
	{
		var orders async.Broadcast[int]
		sub, err := orders.Subscribe(async.SubscriptionConfig{})
		if err != nil {
			return err
		}
		s.Go(func(ctx context.Context) error {
			for id := range sub.Values(ctx) {
				fmt.Println(id)
			}
			return nil
		})
	}
	//: emitter.once('order', f), events.once(emitter, 'order') |
	{
		var orders async.Broadcast[int]
		sub, err := orders.Subscribe(async.SubscriptionConfig{Buffer: 1})
		if err != nil {
			return err
		}
		for id := range sub.Values(ctx) {
			fmt.Println(id)
			break
		}
	}
	//: emitter.off('order', f) |
	{
		var sub *async.Subscription[int]
		sub.Close()
	}
	//: emitter.emit('order', id) | waits for full subscribers that want it so
	{
		var orders async.Broadcast[int]
		err := orders.Publish(ctx, 1)
		use(err)
	}
	//: emitter.emit('error', e) | errors are values: publish a Result
	{
		var orders async.Broadcast[async.Result[int]]
		err := orders.Publish(ctx, async.Result[int]{Err: errors.New("no")})
		use(err)
	}
	//: emitter.listenerCount('order') | left out: those who publish need not know
	{
		var orders async.Broadcast[int]
		use(&orders)
	}
	//: emitter.removeAllListeners() |
	{
		var orders async.Broadcast[int]
		orders.Close()
	}
	return nil
}

// nodeRows2 goes on from there.
func nodeRows2(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: events.on(emitter, 'order', { signal }) |
	{
		var sub *async.Subscription[int]
		for id := range sub.Values(ctx) {
			fmt.Println(id)
		}
	}
	//: listeners that may miss events |
	{
		var orders async.Broadcast[int]
		sub, err := orders.Subscribe(async.SubscriptionConfig{Overflow: async.OverflowDropOldest})
		use(sub, err)
	}
	//: listeners called in turn, synchronously | standard library
	{
		listeners := []func(int){func(id int) { fmt.Println(id) }}
		for _, listener := range listeners {
			listener(1)
		}
	}
	//: process.on('unhandledRejection', f) | for each scope
	{
		cfg := async.ScopeConfig{OnUnobserved: func(err error) { slog.Error("unhandled", "err", err) }}
		err := cfg.Run(ctx, func(ctx context.Context, s *async.Scope) error { return nil })
		use(err)
	}
	//: util.promisify(f)(x) |
	{
		readFile := func(name string, done func(int, error)) { done(1, nil) }
		r := async.NewResolver[int](s)
		readFile("x", func(v int, err error) { r.Settle(v, err) })
		promise := r.Future()
		use(promise)
	}
	//: util.callbackify(f) |
	{
		f.OnEnd(func(v int, err error) { handle(v, err) })
	}
	//: stream.write(x) gives false, 'drain' | a send that blocks is the backpressure
	{
		queue := make(chan int, 16)
		select {
		case queue <- 1:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	//: highWaterMark | of a Map
	{
		cfg := async.MapConfig{Ahead: 16}
		use(cfg)
	}
	//: Readable.from(items) | standard library
	{
		items := slices.Values([]int{1, 2, 3})
		use(items)
	}
	return nil
}

// nodeRows3 goes on from there.
func nodeRows3(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: readable.map(f, { concurrency: 8 }), Transform |
	{
		items := slices.Values([]int{1, 2, 3})
		texts := async.Map(ctx, items, async.MapConfig{Concurrency: 8}, load)
		use(texts)
	}
	//: readable.forEach(f, { concurrency: 8 }) |
	{
		items := slices.Values([]int{1, 2, 3})
		err := async.ForEach(ctx, items, async.MapConfig{Concurrency: 8}, store)
		use(err)
	}
	//: readable.filter(f) | a loop
	{
		for text, err := range async.Map(ctx, slices.Values([]int{1, 2}), async.MapConfig{}, load) {
			if err == nil && text != "" {
				fmt.Println(text)
			}
		}
	}
	//: pipeline(readable, transform, writable) of bytes | standard library
	{
		reader, writer := io.Pipe()
		s.Go(func(ctx context.Context) error {
			zip := gzip.NewWriter(writer)
			_, err := io.Copy(zip, os.Stdin)
			return writer.CloseWithError(errors.Join(err, zip.Close()))
		})
		_, err := io.Copy(os.Stdout, reader)
		reader.CloseWithError(err) // A writer that waits for this side is let go of.
		use(err)
	}
	//: stream.pause(), stream.resume() | the consumer sets the pace; a pool can be paused
	{
		pool, err := async.NewPool(async.PoolConfig{})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		pool.Pause()
		pool.Resume()
	}
	//: stream.destroy(e) | leave the loop
	{
		items := slices.Values([]int{1, 2, 3})
		for text, err := range async.Map(ctx, items, async.MapConfig{}, load) {
			fmt.Println(text, err)
			break
		}
	}
	//: new Worker(file), worker_threads | goroutines run on all processors
	{
		sum := async.Go(s, func(ctx context.Context) (int, error) { return compute(), nil })
		use(sum)
	}
	return nil
}

// nodeRows4 goes on from there.
func nodeRows4(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: AsyncLocalStorage: run(store, f), getStore(), enterWith(store), exit(f), disable(), bind(f), snapshot() | standard library
	{
		type userKey struct{}
		ctx := context.WithValue(ctx, userKey{}, "Ada")
		use(ctx)
	}
	//: p-limit(8) |
	{
		err := async.ScopeConfig{Limit: 8}.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			for i := range 100 {
				s.Go(func(ctx context.Context) error { return store(ctx, i) })
			}
			return nil
		})
		use(err)
	}
	return nil
}

// nodeRows5 has the rest of EventEmitter and streams.
func nodeRows5(ctx context.Context, s *async.Scope, m model) error {
	f, fs := m.f, m.fs
	use(f, fs)
	//: emitter.addListener, removeListener, eventNames, rawListeners | one broadcast a kind of event: its subscriptions are the listeners
	{
		var orders, refunds async.Broadcast[int]
		sub, err := orders.Subscribe(async.SubscriptionConfig{})
		use(sub, err, &refunds)
	}
	//: emitter.prependListener, prependOnceListener | left out: subscribers run side by side; what needs an order calls functions in turn
	{
		listeners := []func(int){notify}
		listeners = slices.Insert(listeners, 0, func(id int) { fmt.Println(id) })
		use(listeners)
	}
	//: emitter.setMaxListeners(n), getMaxListeners(), defaultMaxListeners | a buffer is bounded for each subscriber; one that is not closed is seen as Missed or as a wait of Publish
	{
		var orders async.Broadcast[int]
		sub, err := orders.Subscribe(async.SubscriptionConfig{Overflow: async.OverflowReject})
		if err != nil {
			return err
		}
		missed := sub.Missed()
		use(missed)
	}
	//: captureRejections, captureRejectionSymbol, errorMonitor | the error of a listener is its task's, and ends the scope
	{
		var sub *async.Subscription[int]
		s.Go(func(ctx context.Context) error {
			for id := range sub.Values(ctx) {
				if err := store(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	//: EventTarget, CustomEvent | one broadcast for all kinds, with a type for the event
	{
		type event struct{ kind, detail string }
		var events async.Broadcast[event]
		err := events.Publish(ctx, event{kind: "order", detail: "1"})
		use(err)
	}
	//: readable.pipe(writable), unpipe(), Writable | standard library
	{
		n, err := io.Copy(os.Stdout, os.Stdin)
		use(n, err)
	}
	//: stream.finished(readable) | standard library: the loop or the copy returns
	{
		text, err := io.ReadAll(os.Stdin)
		use(text, err)
	}
	//: stream.compose(a, b) | a Map over what another gives
	{
		items := slices.Values([]int{1, 2, 3})
		texts := async.Map(ctx, items, async.MapConfig{}, load)
		values := func(yield func(string) bool) {
			for text, err := range texts {
				if err != nil || !yield(text) {
					return
				}
			}
		}
		lengths := async.Map(ctx, values, async.MapConfig{}, func(ctx context.Context, text string) (int, error) { return len(text), nil })
		use(lengths)
	}
	//: writable.cork(), uncork(), writableCorked | standard library
	{
		out := bufio.NewWriter(os.Stdout)
		fmt.Fprintln(out, "one")
		err := out.Flush()
		use(err)
	}
	//: writable.writableNeedDrain | standard library
	{
		queue := make(chan int, 16)
		needDrain := len(queue) == cap(queue)
		use(needDrain)
	}
	//: readable.toArray() |
	{
		items := slices.Values([]int{1, 2, 3})
		texts, err := async.Collect(async.Map(ctx, items, async.MapConfig{Concurrency: 8}, load))
		use(texts, err)
	}
	//: readable.some(f), find(f), every(f), take(3), drop(3) | a loop that is left early stops the work
	{
		items := slices.Values([]int{1, 2, 3})
		for text, err := range async.Map(ctx, items, async.MapConfig{}, load) {
			if err == nil && text == "found" {
				break
			}
		}
	}
	//: readable.reduce(f, 0), flatMap(f) | a loop
	{
		total := 0
		for text, err := range async.Map(ctx, slices.Values([]int{1, 2}), async.MapConfig{}, load) {
			if err != nil {
				return err
			}
			total += len(text)
		}
		use(total)
	}
	return nil
}

// nodeRows6 has names that are seldom looked for.
func nodeRows6(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: emitter.listeners('order'), events.getEventListeners(emitter, 'order'), newListener, removeListener events | left out: those who publish need not know; count where you subscribe
	{
		var orders async.Broadcast[int]
		var listeners atomic.Int64
		sub, err := orders.Subscribe(async.SubscriptionConfig{})
		if err != nil {
			return err
		}
		listeners.Add(1)
		defer listeners.Add(-1)
		defer sub.Close()
	}
	//: EventEmitterAsyncResource, AsyncResource | the context goes along as an argument
	{
		type userKey struct{}
		task := async.Go(s, func(ctx context.Context) (int, error) { use(ctx.Value(userKey{})); return 1, nil })
		use(task)
	}
	//: stream.addAbortSignal(signal, stream) | the context of the loop
	{
		for text, err := range async.Map(ctx, slices.Values([]int{1, 2}), async.MapConfig{}, load) {
			use(text, err) // When ctx ends, err is its error.
		}
	}
	//: readable.push(x) gives false, _read(), read(n) | the input of a Map is asked for the next item when there is room
	{
		next := 0
		source := func(yield func(int) bool) {
			for next < 3 && yield(next) {
				next++
			}
		}
		err := async.ForEach(ctx, source, async.MapConfig{Ahead: 16}, store)
		use(err)
	}
	//: readableLength, writableLength, writableHighWaterMark, readableHighWaterMark, getDefaultHighWaterMark, setDefaultHighWaterMark, readableBuffer, writableBuffer, desiredSize | standard library: of the channel between
	{
		queue := make(chan int, 16)
		length, highWaterMark := len(queue), cap(queue)
		desiredSize := highWaterMark - length
		use(desiredSize)
	}
	//: readableFlowing, isPaused(), readableDidRead, isDisturbed() | nothing flows before the loop begins, and each step of it takes one
	{
	}
	//: objectMode, readableObjectMode, writableObjectMode, setEncoding(), setDefaultEncoding(), readableEncoding | every stream has a type: iter.Seq[T] and Map are for values, io.Reader for bytes
	{
	}
	//: Duplex, PassThrough, duplexPair() | standard library
	{
		one, other := net.Pipe()
		s.Go(func(ctx context.Context) error {
			_, err := one.Write([]byte("x"))
			return errors.Join(err, one.Close())
		})
		text, err := io.ReadAll(other)
		use(text, err)
	}
	//: process.on('rejectionHandled', f) | an error is reported once, at the end of the scope, when it is known that nobody looked
	{
	}
	//: writable.end(x), writableEnded, writableFinished | standard library: the sender closes
	{
		queue := make(chan int, 1)
		queue <- 1
		close(queue)
	}
	//: readable.unshift(x) | standard library
	{
		in := bufio.NewReader(os.Stdin)
		first, err := in.ReadByte()
		if err == nil {
			err = in.UnreadByte()
		}
		use(first, err)
	}
	//: readable.wrap(old), iterator(), fromWeb(stream), toWeb(stream), Stream | standard library: anything that can be read becomes an iterator
	{
		lines := func(yield func(string) bool) {
			for in := bufio.NewScanner(os.Stdin); in.Scan() && yield(in.Text()); {
			}
		}
		use(lines)
	}
	//: destroyed, closed, errored, readableEnded, readableAborted, writableAborted, isDestroyed(), isErrored(), isReadable(), isWritable() | the loop or the call returns, and its error says why
	{
		err := async.ForEach(ctx, slices.Values([]int{1, 2}), async.MapConfig{}, store)
		use(err)
	}
	return nil
}
