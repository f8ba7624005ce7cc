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
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/internal/doctor"
)

func newServe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run jobs and serve the HTTP API",
		Long: `serve opens the database, runs jobs and serves the HTTP API. It knows the tasks http, which calls a URL, and echo, sleep and
fail, for trying things out; exec, which runs a program, when the configuration allows some. A program of yours registers its
own handlers and mounts package httpapi.

SIGTERM, SIGINT and SIGHUP stop in good order: nothing more is claimed, running jobs finish or are given back within the grace period, and
the exit code is 0. Meanwhile the API answers, and /readyz says 503. A second signal ends the process at once.`,
		Example: `  godwit serve
  godwit serve --config godwit.yaml --check-config
  godwit serve --db sqlite:jobs.db --queues default=8,images=2
  godwit serve --db postgres://godwit@db.internal/app`,
		Args: noArgs,
	}
	s := newSettings(cmd, true)
	s.add("listen", "listen", "host:port", "port 0 picks one and prints it")
	s.add("insecure-listen", "insecure_listen", "bool", "listen to other machines too, although nobody is asked who they are")
	cmd.Flags().Lookup("insecure-listen").NoOptDefVal = "true"
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.run(func(c *config.Config) error { return serve(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr()) })
	}
	return cmd
}

func fromEnv(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// serve runs jobs and answers requests until ctx ends. Nothing is begun before all that may fail is there: the database, then the
// address. The database comes first, as a server that is to be replaced lets go of it last; but before a new file is made, which no
// server has, it is seen whether the address can be had.
func serve(ctx context.Context, conf *config.Config, out, errOut io.Writer) (err error) {
	log := newLog(conf.Log, errOut)
	if makesFile(conf.DB) {
		if err := tryAddress(ctx, conf.Listen); err != nil {
			return notIfStopped(ctx, addressError(conf.Listen, err))
		}
	}
	w, err := prepare(ctx, conf, true, log)
	if err != nil {
		return notIfStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, w.close()) }()

	var stopping atomic.Bool
	ready := func(context.Context) error {
		if stopping.Load() {
			return errors.New("the server stops")
		}
		return nil
	}
	api, err := listen(ctx, conf.Listen, newAPI(conf, w, log, ready), log)
	if err != nil {
		return notIfStopped(ctx, addressError(conf.Listen, err))
	}
	if err := w.client.Start(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(err, api.close(ctx))
	}
	fmt.Fprintf(out, "godwit serves %s on %s\n", config.Redacted(conf.DB), api.url())
	err = api.serve(ctx, func() {
		stopping.Store(true)
		fmt.Fprintln(out, "godwit stops: running jobs finish or are given back")
		_ = w.client.Stop(context.WithoutCancel(ctx)) // whose error the next call has too
	})
	return errors.Join(err, w.client.Stop(context.WithoutCancel(ctx)))
}

// makesFile reports whether opening a database makes a file.
func makesFile(db string) bool {
	path, ok := doctor.SQLitePath(db)
	if !ok {
		return false
	}
	_, err := os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}

// tryAddress takes an address and lets go of it.
func tryAddress(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// newAPI makes the handler of the HTTP API.
func newAPI(conf *config.Config, w *workshop, log *slog.Logger, ready func(context.Context) error) http.Handler {
	return httpapi.New(w.client, w.telemetry.api(httpapi.Config{
		Logger: log, Ready: ready, Hosts: conf.Hosts, HostsName: "the key hosts",
		WaitMax: conf.HTTP.WaitMax, WaitersMax: conf.HTTP.WaitersMax, BodyBytesMax: int64(conf.HTTP.BodyBytesMax),
		AnswerBytesMax: int64(conf.HTTP.AnswerBytesMax),
	}))
}

// addressError says what to do when an address cannot be had.
func addressError(address string, err error) error {
	hint := ""
	if errors.Is(err, syscall.EADDRINUSE) {
		hint = " (stop what listens there, or choose another port by --listen)"
	}
	return fmt.Errorf("listen on %s: %w%s", address, err, hint)
}

// notIfStopped drops the error of a start that a signal cut short: nothing had begun, so it is an end in good order.
func notIfStopped(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}
