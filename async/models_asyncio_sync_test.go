package async_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/godwit-go/godwit/async"
)

// asyncioSyncRows has the locks, queues and streams of asyncio.
func asyncioSyncRows(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: asyncio.Lock | standard library
	{
		var mu sync.Mutex
		mu.Lock()
		defer mu.Unlock()
	}
	//: asyncio.Lock, given up with the context | standard library
	{
		lock := make(chan struct{}, 1)
		select {
		case lock <- struct{}{}:
			defer func() { <-lock }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	//: asyncio.Event | standard library: a channel that is closed
	{
		ready := make(chan struct{})
		set := sync.OnceFunc(func() { close(ready) })
		set()
		<-ready
	}
	//: asyncio.Event set and cleared again | standard library: a channel that clear replaces, under a mutex
	{
		var mu sync.Mutex
		isSet, ready := false, make(chan struct{})
		set := func() {
			mu.Lock()
			defer mu.Unlock()
			if !isSet {
				isSet = true
				close(ready)
			}
		}
		clear := func() {
			mu.Lock()
			defer mu.Unlock()
			if isSet {
				isSet, ready = false, make(chan struct{})
			}
		}
		wait := func(ctx context.Context) error {
			mu.Lock()
			ready := ready
			mu.Unlock()
			select {
			case <-ready:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		set()
		clear()
		set()
		if err := wait(ctx); err != nil {
			return err
		}
	}
	//: asyncio.Condition | standard library
	{
		var mu sync.Mutex
		full := false
		changed := sync.NewCond(&mu)
		mu.Lock()
		for full {
			changed.Wait()
		}
		mu.Unlock()
	}
	//: asyncio.Semaphore(3) | standard library; golang.org/x/sync/semaphore has weights
	{
		slots := make(chan struct{}, 3)
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// asyncioSyncRows2 goes on from there.
func asyncioSyncRows2(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: asyncio.Semaphore around tasks |
	{
		err := async.ScopeConfig{Limit: 3}.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			for i := range 100 {
				s.Go(func(ctx context.Context) error { return store(ctx, i) })
			}
			return nil
		})
		use(err)
	}
	//: asyncio.Barrier(3) | standard library; a new WaitGroup for each round, as this one is used once
	{
		var arrived sync.WaitGroup
		arrived.Add(3)
		for i := range 3 {
			s.Go(func(ctx context.Context) error {
				arrived.Done()
				arrived.Wait()
				return store(ctx, i)
			})
		}
	}
	//: Queue(maxsize=10) | standard library
	{
		queue := make(chan int, 10)
		use(queue)
	}
	//: await queue.put(v) | standard library
	{
		queue := make(chan int, 10)
		select {
		case queue <- 1:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	//: queue.put_nowait(v) | standard library
	{
		queue := make(chan int, 10)
		select {
		case queue <- 1:
		default:
			return errors.New("the queue is full")
		}
	}
	//: await queue.get() | standard library
	{
		queue := make(chan int, 10)
		select {
		case v, open := <-queue:
			use(v, open)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	//: queue.qsize(), queue.empty() | standard library
	{
		queue := make(chan int, 10)
		size, empty := len(queue), len(queue) == 0
		use(size, empty)
	}
	return nil
}

// asyncioSyncRows3 goes on from there.
func asyncioSyncRows3(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: queue.task_done(), queue.join() | standard library
	{
		queue := make(chan int, 10)
		var unfinished sync.WaitGroup
		unfinished.Add(1)
		queue <- 1
		go func() { <-queue; unfinished.Done() }()
		unfinished.Wait()
	}
	//: queue.shutdown() | one side closes, when all senders have ended
	{
		queue := make(chan int, 10)
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			s.Go(func(ctx context.Context) error { queue <- 1; return nil })
			return nil
		})
		close(queue)
		use(err)
	}
	//: workers that read a queue | they end when it is closed, with the context, and with the first error
	{
		queue := make(chan int, 10)
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			for range 4 {
				s.Go(func(ctx context.Context) error {
					for {
						select {
						case v, open := <-queue:
							if !open {
								return nil
							}
							if err := store(ctx, v); err != nil {
								return err
							}
						case <-ctx.Done():
							return context.Cause(ctx)
						}
					}
				})
			}
			close(queue) // Whoever fills the queue does, after the last item.
			return nil
		})
		use(err)
	}
	//: PriorityQueue of work |
	{
		pool, err := async.NewPool(async.PoolConfig{})
		if err != nil {
			return err
		}
		defer pool.Stop(ctx) //nolint:errcheck // The row is about something else.
		urgent, err := async.SubmitAt(ctx, pool, async.PriorityHigh, fetch)
		use(urgent, err)
	}
	//: PriorityQueue of values | standard library: container/heap for many, a sorted slice for few
	{
		queue := []int{1, 3}
		at, _ := slices.BinarySearch(queue, 2)
		queue = slices.Insert(queue, at, 2)
		first, rest := queue[0], queue[1:]
		use(first, rest)
	}
	//: LifoQueue of values | standard library: a slice
	{
		stack := []int{1, 2, 3}
		last := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		use(last, stack)
	}
	return nil
}

// asyncioSyncRows4 goes on from there.
func asyncioSyncRows4(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: StreamReader, StreamWriter | standard library
	{
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", "example.com:80")
		use(conn, err)
	}
	//: start_server(handler) | standard library; a goroutine for each connection
	{
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		conn, err := listener.Accept()
		use(conn, err)
	}
	//: create_subprocess_exec(...) | standard library
	{
		out, err := exec.CommandContext(ctx, "date").Output()
		use(out, err)
	}
	return nil
}

// asyncioSyncRows5 has the rest of locks, queues and streams.
func asyncioSyncRows5(ctx context.Context, s *async.Scope, m model) error {
	f, fs := m.f, m.fs
	use(f, fs)
	//: lock.locked() | standard library; the answer is the attempt itself
	{
		var mu sync.Mutex
		if mu.TryLock() {
			defer mu.Unlock()
		}
	}
	//: BoundedSemaphore(3) | standard library; a release too many blocks, or is seen like this
	{
		slots := make(chan struct{}, 3)
		select {
		case <-slots:
		default:
			panic("released more often than acquired")
		}
	}
	//: condition.notify_all() | standard library
	{
		changed := sync.NewCond(&sync.Mutex{})
		changed.Broadcast()
	}
	//: queue.get_nowait(), QueueEmpty | standard library
	{
		queue := make(chan int, 10)
		select {
		case v := <-queue:
			use(v)
		default:
			return errors.New("the queue is empty")
		}
	}
	//: queue.full(), QueueFull | standard library
	{
		queue := make(chan int, 10)
		full := len(queue) == cap(queue)
		use(full)
	}
	//: open_connection(host, port), writer.drain(), wait_closed() | standard library; Write blocks while the peer is slow, Close when done
	{
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", "example.com:80")
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte("hello"))
		err = errors.Join(err, conn.Close())
		use(err)
	}
	//: create_subprocess_shell(line) | standard library
	{
		out, err := exec.CommandContext(ctx, "sh", "-c", "date").Output()
		use(out, err)
	}
	return nil
}

// asyncioSyncRows6 has names that are seldom looked for.
func asyncioSyncRows6(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: condition.wait_for(predicate), condition.notify() | standard library: a loop around Wait, and Signal
	{
		var mu sync.Mutex
		changed, ready := sync.NewCond(&mu), false
		s.Go(func(ctx context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			ready = true
			changed.Signal()
			return nil
		})
		mu.Lock()
		for !ready {
			changed.Wait()
		}
		mu.Unlock()
	}
	//: Event.is_set(), Event.clear() | standard library: a receive that does not wait; for clear, make a new channel
	{
		ready := make(chan struct{})
		isSet := false
		select {
		case <-ready:
			isSet = true
		default:
		}
		use(isSet)
	}
	//: Barrier.wait(), abort(), n_waiting, BrokenBarrierError | to abort is to cancel the scope: the waits end with its cause
	{
		const parties = 3
		var mu sync.Mutex
		waiting, all := 0, make(chan struct{})
		wait := func(ctx context.Context) error {
			mu.Lock()
			if waiting++; waiting == parties {
				close(all) // A new channel and a count of 0 make the next round.
			}
			mu.Unlock()
			select {
			case <-all:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
			for range parties {
				s.Go(wait)
			}
			return nil
		})
		use(err)
		abort := s.Cancel
		use(abort)
	}
	//: QueueShutDown | standard library: a receive says whether the channel is open
	{
		queue := make(chan int)
		close(queue)
		_, open := <-queue
		use(open)
	}
	return nil
}

// asyncioSyncRows7 has names that are seldom looked for.
func asyncioSyncRows7(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: loop.add_reader(fd, f), add_writer(fd, f), remove_reader, remove_writer | standard library: a goroutine that reads; the runtime watches the descriptor
	{
		s.Go(func(ctx context.Context) error {
			line, err := bufio.NewReader(os.Stdin).ReadString('\n')
			use(line)
			return err
		})
	}
	//: loop.sock_recv, sock_sendall, sock_connect, sock_accept | standard library: Read, Write, Dial and Accept of package net
	{
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", "example.com:80")
		use(conn, err)
	}
	//: loop.create_connection, create_server, Protocol, Transport | standard library: a goroutine reads the connection, there are no callbacks
	{
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.Go(func(ctx context.Context) error {
			conn, err := listener.Accept()
			if err != nil {
				return err
			}
			_, err = io.Copy(conn, conn)
			return errors.Join(err, conn.Close())
		})
	}
	//: loop.create_datagram_endpoint, DatagramProtocol | standard library
	{
		var config net.ListenConfig
		packets, err := config.ListenPacket(ctx, "udp", "127.0.0.1:0")
		use(packets, err)
	}
	//: open_unix_connection, start_unix_server, create_unix_connection | standard library
	{
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", "app.sock")
		use(conn, err)
	}
	return nil
}

// asyncioSyncRows8 has names that are seldom looked for.
func asyncioSyncRows8(ctx context.Context, s *async.Scope, m model) error {
	f, g, fs := m.f, m.g, m.fs
	use(f, g, fs)
	//: loop.getaddrinfo, getnameinfo | standard library
	{
		addrs, err := net.DefaultResolver.LookupHost(ctx, "example.com")
		use(addrs, err)
	}
	//: loop.sendfile | standard library: io.Copy from a file to a connection uses it
	{
		n, err := io.Copy(os.Stdout, os.Stdin)
		use(n, err)
	}
	//: loop.start_tls, StreamWriter.start_tls | standard library
	{
		var dialer tls.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", "example.com:443")
		use(conn, err)
	}
	//: StreamReader.readline, readexactly, readuntil, at_eof | standard library
	{
		in := bufio.NewReader(os.Stdin)
		line, err := in.ReadString('\n')
		atEOF := errors.Is(err, io.EOF)
		exactly := make([]byte, 8)
		n, err := io.ReadFull(in, exactly)
		use(line, atEOF, n, err)
	}
	//: Server.serve_forever, Server.close, abort_clients | standard library: Serve, Shutdown and Close of http.Server; a listener of your own closes the same way
	{
		server := &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: time.Second}
		s.Go(func(ctx context.Context) error {
			<-ctx.Done()
			return server.Shutdown(context.WithoutCancel(ctx))
		})
		err := server.ListenAndServe()
		use(err)
	}
	//: Process.communicate, wait, terminate, kill, send_signal | standard library: the context kills; Cancel says how else
	{
		cmd := exec.CommandContext(ctx, "cat")
		cmd.Stdin = strings.NewReader("hello")
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		out, err := cmd.Output()
		use(out, err)
	}
	return nil
}
