package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds on a connection, so that slow clients hold nothing for long. Answers may wait for a job, so writing has no bound.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	idleTimeout       = 2 * time.Minute
	headerBytesMax    = 64 << 10
	shutdownTimeout   = 5 * time.Second // at the end, for requests to be answered
)

// server serves a handler on an address.
type server struct {
	http     *http.Server
	listener net.Listener
}

// listen takes the address, so that a program that cannot have it ends before it works.
func listen(ctx context.Context, address string, handler http.Handler, log *slog.Logger) (*server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &server{listener: listener, http: &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax,
	}}, nil
}

// url is where the server is reached.
func (s *server) url() string { return "http://" + s.listener.Addr().String() }

// serve answers requests until ctx ends and stopping, which is called then, has returned. What is under way is still answered;
// requests that wait for jobs get them as they stand.
func (s *server) serve(ctx context.Context, stopping func()) error {
	failed := make(chan error, 1)
	go func() { failed <- s.http.Serve(s.listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stopping()
	}
	return s.close(ctx)
}

func (s *server) close(ctx context.Context) error {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(short)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	return errors.Join(err, ignoreClosed(s.listener.Close()))
}

// ignoreClosed drops the error of closing what is closed.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
