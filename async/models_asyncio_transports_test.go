package async_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/godwit-go/godwit/async"
)

// asyncioTransportRows has the transports and protocols of asyncio.
func asyncioTransportRows(ctx context.Context, s *async.Scope, m model) error {
	conn, peer := net.Pipe()
	use(peer)
	//: BaseProtocol, BufferedProtocol, StreamReaderProtocol: connection_made, data_received, get_buffer, buffer_updated, eof_received, connection_lost | standard library: one goroutine for each connection; its function is the protocol
	{
		s.Go(func(ctx context.Context) error {
			defer conn.Close() //nolint:errcheck // The row is about something else.
			data := make([]byte, 4096)
			for {
				n, err := conn.Read(data)
				use(data[:n])
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return err
				}
			}
		})
	}
	//: BaseTransport, ReadTransport, WriteTransport: write, writelines, StreamWriter.writelines | standard library: net.Buffers writes many at once
	{
		lines := net.Buffers{[]byte("one\n"), []byte("two\n")}
		n, err := lines.WriteTo(conn)
		use(n, err)
	}
	//: pause_reading, resume_reading, is_reading, pause_writing, resume_writing | standard library: who does not read holds the peer up, and Write waits
	{
		data := make([]byte, 4096)
		n, err := conn.Read(data)
		use(n, err)
	}
	//: get_write_buffer_size, get_write_buffer_limits, set_write_buffer_limits | standard library
	{
		out := bufio.NewWriterSize(conn, 64<<10)
		size, high := out.Buffered(), out.Size()
		use(size, high)
	}
	//: can_write_eof, write_eof | standard library, for TCP and Unix connections
	{
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			err := half.CloseWrite()
			use(err)
		}
	}
	//: get_extra_info, sockets, StreamWriter.transport, get_protocol, set_protocol, StreamReader.set_transport | standard library: the connection itself says it
	{
		local, remote := conn.LocalAddr(), conn.RemoteAddr()
		use(local, remote)
	}
	//: is_closing | standard library: reading and writing give net.ErrClosed
	{
		_, err := conn.Write([]byte("x"))
		closing := errors.Is(err, net.ErrClosed)
		use(closing)
	}
	//: IncompleteReadError | standard library: how much there was is the first result
	{
		data := make([]byte, 8)
		n, err := io.ReadFull(conn, data)
		incomplete := errors.Is(err, io.ErrUnexpectedEOF)
		use(n, incomplete)
	}
	return nil
}

// asyncioTransportRows2 goes on from there.
func asyncioTransportRows2(ctx context.Context, s *async.Scope, m model) error {
	conn, peer := net.Pipe()
	use(peer)
	//: LimitOverrunError | standard library
	{
		lines := bufio.NewScanner(conn)
		lines.Buffer(nil, 64<<10)
		for lines.Scan() {
			use(lines.Text())
		}
		tooLong := errors.Is(lines.Err(), bufio.ErrTooLong)
		use(tooLong)
	}
	//: StreamReader.feed_data, feed_eof | standard library
	{
		reader, writer := io.Pipe()
		s.Go(func(ctx context.Context) error {
			_, err := writer.Write([]byte("data"))
			return writer.CloseWithError(err)
		})
		data, err := io.ReadAll(reader)
		use(data, err)
	}
	//: DatagramTransport.sendto, datagram_received, error_received, loop.sock_sendto, sock_recvfrom, sock_recvfrom_into | standard library
	{
		var config net.ListenConfig
		packets, err := config.ListenPacket(ctx, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		data := make([]byte, 1500)
		n, from, err := packets.ReadFrom(data)
		if err != nil {
			return err
		}
		_, err = packets.WriteTo(data[:n], from)
		use(err)
	}
	//: loop.sock_recv_into, sock_sendfile, SendfileNotAvailableError | standard library: io.Copy picks the quickest way that there is
	{
		n, err := io.Copy(conn, os.Stdin)
		use(n, err)
	}
	//: loop.connect_accepted_socket | standard library
	{
		accepted, err := net.FileConn(os.Stdin)
		use(accepted, err)
	}
	//: loop.create_unix_server, Server.start_serving, is_serving | standard library: a listener serves from Listen to Close
	{
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "unix", "app.sock")
		use(listener, err)
	}
	//: loop.connect_read_pipe, connect_write_pipe | standard library
	{
		reader, writer, err := os.Pipe()
		use(reader, writer, err)
	}
	return nil
}

// asyncioTransportRows3 has subprocesses, and the loop and its policy.
func asyncioTransportRows3(ctx context.Context, s *async.Scope, m model) error {
	//: loop.subprocess_exec, subprocess_shell, SubprocessTransport, SubprocessProtocol: get_pid, get_returncode, get_pipe_transport, pipe_data_received, pipe_connection_lost, process_exited | standard library
	{
		cmd := exec.CommandContext(ctx, "cat")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		data, err := io.ReadAll(out)
		err = errors.Join(err, cmd.Wait())
		pid, code := cmd.Process.Pid, cmd.ProcessState.ExitCode()
		use(data, err, pid, code)
	}
	//: get_child_watcher, set_child_watcher, AbstractChildWatcher, FastChildWatcher, SafeChildWatcher, MultiLoopChildWatcher, PidfdChildWatcher, ThreadedChildWatcher: add_child_handler, remove_child_handler, attach_loop, is_active | standard library: Wait waits for its own process alone
	{
		cmd := exec.CommandContext(ctx, "sleep", "1")
		if err := cmd.Start(); err != nil {
			return err
		}
		done := async.Go(s, func(context.Context) (*os.ProcessState, error) { return cmd.ProcessState, cmd.Wait() })
		use(done)
	}
	//: loop.is_running, is_closed, close, get_debug, get_task_factory, AbstractEventLoop, BaseEventLoop, SelectorEventLoop, Handle | there is no loop to ask; a scope that has ended takes nothing
	{
		_, err := async.Go(s, fetch).Await(ctx)
		ended := errors.Is(err, async.ErrScopeEnded)
		use(ended)
	}
	//: get_event_loop_policy, set_event_loop_policy, AbstractEventLoopPolicy, DefaultEventLoopPolicy | there is no loop to have a policy for
	{
	}
	//: loop.get_exception_handler, default_exception_handler | what Run returns when there is no OnUnobserved
	{
		err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error { async.Go(s, fetch); return nil })
		if err != nil {
			slog.Error("unobserved", "err", err)
		}
	}
	return nil
}

// asyncioTransportRows4 has what is left of locks and timeouts.
func asyncioTransportRows4(ctx context.Context, s *async.Scope, m model) error {
	//: acquire, release of Lock, Semaphore, BoundedSemaphore and Condition | standard library: a send and a receive, or Lock and Unlock
	{
		slots := make(chan struct{}, 3)
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		<-slots
	}
	//: Barrier.parties, Barrier.broken, Barrier.reset | broken is the end of the context of those who wait; for another round, make another channel
	{
		const parties = 3
		broken := ctx.Err() != nil
		use(parties, broken)
	}
	//: AbstractServer, Server.close_clients | standard library: keep the connections and close them
	{
		var conns []net.Conn
		for _, conn := range slices.Clone(conns) {
			_ = conn.Close()
		}
	}
	//: Timeout, timeout(None) | standard library: a context without a deadline
	{
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		use(ctx)
	}
	//: TimeoutError.errno, strerror, filename, filename2, characters_written | standard library: errors.As finds the system's error
	{
		_, err := os.Open("absent")
		var pathErr *os.PathError
		var errno syscall.Errno
		if errors.As(err, &pathErr) && errors.As(err, &errno) {
			use(pathErr.Path, errno.Error())
		}
	}
	return nil
}
