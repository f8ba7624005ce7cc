package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/builtin"
	"github.com/godwit-go/godwit/open"
)

// serveFlags are the flags of godwit serve.
type serveFlags struct {
	db      string
	listen  string
	workers int
	grace   time.Duration
}

func newServe() *cobra.Command {
	var f serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run jobs and serve the HTTP API",
		Long: `serve opens the database, runs the jobs of the queue "default" and serves the HTTP API. It knows the tasks echo, sleep
and fail, for trying things out; a program of yours registers its own handlers and mounts package httpapi.

SIGTERM stops in good order: nothing more is claimed, running jobs finish or are given back within the grace period.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			return serve(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&f.db, "db", fromEnv("GODWIT_DB", "sqlite:godwit.db"), "database, as sqlite:PATH (env GODWIT_DB)")
	cmd.Flags().StringVar(&f.listen, "listen", fromEnv("GODWIT_LISTEN", "127.0.0.1:8080"), "HOST:PORT; port 0 picks one and prints it (env GODWIT_LISTEN)")
	cmd.Flags().IntVar(&f.workers, "workers", 8, "jobs run at a time")
	cmd.Flags().DurationVar(&f.grace, "grace", 30*time.Second, "how long running jobs may take to finish when it stops")
	return cmd
}

func fromEnv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (f *serveFlags) check() error {
	if f.workers < 1 || f.workers > 10_000 {
		return fmt.Errorf("--workers must be between 1 and 10000, got %d", f.workers)
	}
	if f.grace < 0 || f.grace > time.Hour {
		return fmt.Errorf("--grace must be between 0s and 1h, got %s", f.grace)
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return fmt.Errorf("--listen must be HOST:PORT, such as 127.0.0.1:8080: %w", err)
	}
	return nil
}

// Bounds on a connection, so that slow clients hold nothing for long. Answers may wait for a job, so writing has no bound.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 5 * time.Second
)

func serve(ctx context.Context, f serveFlags, out, errOut io.Writer) (err error) {
	store, err := open.Store(ctx, f.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	grace := f.grace
	if grace == 0 {
		grace = -1
	}
	log := slog.New(slog.NewTextHandler(errOut, nil))
	c, err := godwit.New(store, godwit.Config{
		Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: f.workers}}, Logger: log, StopGrace: grace,
	})
	if err != nil {
		return err
	}
	builtin.Handle(c)
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", f.listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: httpapi.New(c, httpapi.Config{Logger: log}), ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
	}
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(err, listener.Close())
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "godwit serves %s on http://%s\n", f.db, listener.Addr())
	select {
	case err = <-failed:
	case <-ctx.Done():
		fmt.Fprintln(out, "godwit stops: running jobs finish or are given back")
	}
	return errors.Join(err, stopServing(context.WithoutCancel(ctx), server, c))
}

// stopServing answers what is under way, then stops the work. Requests that wait for jobs are cut off after a while: the jobs go on.
func stopServing(ctx context.Context, server *http.Server, c *godwit.Client) error {
	short, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	err := server.Shutdown(short)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	return errors.Join(err, c.Stop(ctx))
}
