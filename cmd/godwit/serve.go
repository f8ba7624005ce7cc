package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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
	api, err := listen(ctx, f.listen, httpapi.New(c, httpapi.Config{Logger: log}), log)
	if err != nil {
		return err
	}
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(err, api.close(ctx))
	}
	defer func() { err = errors.Join(err, c.Stop(context.WithoutCancel(ctx))) }()
	fmt.Fprintf(out, "godwit serves %s on %s\n", f.db, api.url())
	return api.serve(ctx, func() { fmt.Fprintln(out, "godwit stops: running jobs finish or are given back") })
}
