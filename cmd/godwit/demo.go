package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/builtin"
	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/internal/demo"
	"github.com/godwit-go/godwit/open"
)

const (
	demoGrace    = 2 * time.Second        // for running jobs when the demo stops: what does not finish is given back
	openPatience = 500 * time.Millisecond // until the demo says that it waits for the database
)

// demoFlags are the flags of godwit demo.
type demoFlags struct {
	db      string
	listen  string
	open    bool // to other machines
	report  string
	pace    time.Duration
	workers int
	once    bool
	killAt  int
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a real example: 96 jobs over four years of weather, which survive kill -9",
		Long: `demo submits one job that makes a child for each month of the weather of two cities (96 in all), awaits them and writes a
report. Every fifth month or so fails at first and is retried. Kill it with -9 while the bar runs and start it again: it goes on
where it stood, and counts what was repeated, by a file outside the database to which each child appends a line.

It serves the HTTP API from the start, with the tasks echo, sleep and fail besides, and goes on serving after the report, on a
terminal or not, until a signal ends it; --once ends it with the report. When the port is taken it takes another and says so.

A signal stops it in good order. The exit code is 0 after the report, 130 (SIGINT) or 143 (SIGTERM) before it. Started again it
goes on with a report that is not finished, and writes it to the --report of this start; one that is finished stays as it is, and a
new one is made.`,
		Example: `  godwit demo
  godwit demo --kill-at 40; godwit demo     # killed by itself as by kill -9, and resumed`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			return runDemo(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.db, "db", fromEnv("GODWIT_DB", "sqlite:godwit-demo.db"), "database, as sqlite:PATH (env GODWIT_DB)")
	cmd.Flags().StringVar(&f.listen, "listen", fromEnv("GODWIT_LISTEN", "127.0.0.1:8080"), "HOST:PORT; port 0 picks one and prints it (env GODWIT_LISTEN)")
	cmd.Flags().BoolVar(&f.open, "insecure-listen", false, "listen to other machines too, although nobody is asked who they are")
	cmd.Flags().StringVar(&f.report, "report", "godwit-demo.md", "file to write the report to")
	cmd.Flags().DurationVar(&f.pace, "pace", 500*time.Millisecond, "extra time each month takes; 0 for none")
	cmd.Flags().IntVar(&f.workers, "workers", 4, "jobs run at a time")
	cmd.Flags().BoolVar(&f.once, "once", false, "end after the report")
	cmd.Flags().IntVar(&f.killAt, "kill-at", 0, "kill -9 itself once at least so many months are done; 0: not at all")
	cmd.AddCommand(newCompare())
	return cmd
}

func (f *demoFlags) check() error {
	switch {
	case f.pace < 0 || f.pace > time.Minute:
		return fmt.Errorf("--pace must be between 0s and 1m, got %s", f.pace)
	case f.workers < 1 || f.workers > 1000:
		return fmt.Errorf("--workers must be between 1 and 1000, got %d", f.workers)
	case f.killAt < 0 || f.killAt > demo.Months:
		return fmt.Errorf("--kill-at must be between 0 and %d, got %d", demo.Months, f.killAt)
	case f.report == "":
		return errors.New("--report must name a file")
	}
	if err := f.checkAsServed(); err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(f.report)); err != nil || !info.IsDir() {
		return fmt.Errorf("--report must be in a folder that exists, got %s", f.report)
	}
	if err := demo.CheckPath(f.report); err != nil {
		return fmt.Errorf("--report must name a file that can be written, beside its ledger: %w", err)
	}
	return nil
}

// args are what the job is asked for when it begins with this start.
func (f *demoFlags) args() demo.ReportArgs {
	return demo.ReportArgs{Ledger: demo.LedgerOf(f.report), Pace: f.pace}
}

// checkAsServed refuses the databases and addresses that godwit serve refuses.
func (f *demoFlags) checkAsServed() error {
	_, err := config.Load(config.Sources{Listens: true, Flags: []config.Flag{
		{Name: "--db", Key: "db", Value: f.db},
		{Name: "--listen", Key: "listen", Value: f.listen},
		{Name: "--insecure-listen", Key: "insecure_listen", Value: strconv.FormatBool(f.open)},
	}})
	return err
}

func runDemo(ctx context.Context, f demoFlags, out io.Writer) (err error) {
	say, ended := newTeller(out), ""
	defer func() {
		if stop := (stopped{}); ended != "" && (err == nil || errors.As(err, &stop)) {
			say.stopped(ended)
		}
	}()
	store, err := openPatiently(ctx, f.db, say.waitsForDatabase)
	if err != nil {
		return failure{ofDatabase("--db", err), codeOf(err)}
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c, err := godwit.New(store, godwit.Config{
		Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: f.workers}},
		Logger: slog.New(slog.DiscardHandler), StopGrace: demoGrace,
	})
	if err != nil {
		return err
	}
	before, err := demo.Look(ctx, c)
	if err != nil {
		return err
	}
	builtin.Handle(c)
	(&demo.Workload{Client: c, Path: f.report}).Handle()
	api, err := listenSomewhere(ctx, f.listen, c, say.takesFreePort)
	if err != nil {
		return err
	}
	ctx, serveEnd := serveBeside(ctx, api)
	defer func() { err = errors.Join(err, serveEnd()) }()

	started := time.Now()
	promise, err := demo.Submit(ctx, c, f.args())
	if err != nil {
		return err
	}
	say.found(before, f)
	say.start(config.Redacted(f.db), api.url(), promise.ID())
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop(context.WithoutCancel(ctx))) }()

	report, err := watch(ctx, c, promise, newBar(out, f.killAt))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		ended = "Start it again: it goes on."
		return cause
	}
	if err != nil {
		return fmt.Errorf("make the report: %w (start it again for a new one)", err)
	}
	after, err := demo.Look(ctx, c)
	if err != nil {
		return err
	}
	say.report(report, demo.Sum(before, after, time.Since(started)))
	if f.once {
		return nil
	}
	say.tryIt(api.url(), promise.ID())
	<-ctx.Done()
	ended = "Everything is kept in " + config.Redacted(f.db) + "."
	return asServed(context.Cause(ctx))
}

// openPatiently opens the database, and tells when that takes long because another process works with it.
func openPatiently(ctx context.Context, url string, waits func(url string)) (godwit.Store, error) {
	slow := time.AfterFunc(openPatience, func() { waits(config.Redacted(url)) })
	defer slow.Stop()
	store, err := open.Store(ctx, url)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return store, err
}

// listenSomewhere takes the address, or a free port of its host when it cannot have that: a demo must not fail for it.
func listenSomewhere(ctx context.Context, address string, c *godwit.Client, otherwise func(error)) (*server, error) {
	log := slog.New(slog.DiscardHandler)
	handler := httpapi.New(c, httpapi.Config{Logger: log})
	api, err := listen(ctx, address, handler, log)
	if err == nil {
		return api, nil
	}
	host, _, splitErr := net.SplitHostPort(address)
	if splitErr != nil {
		return nil, splitErr
	}
	otherwise(err)
	return listen(ctx, net.JoinHostPort(host, "0"), handler, log)
}

// serveBeside serves while the demo runs. The context ends with that of the caller, or when serving fails; end stops serving.
func serveBeside(parent context.Context, api *server) (ctx context.Context, end func() error) {
	ctx, cancel := context.WithCancelCause(parent)
	done := make(chan error, 1)
	go func() {
		err := api.serve(ctx, func() {})
		cancel(err)
		done <- err
	}()
	return ctx, func() error {
		cancel(nil)
		err := <-done
		if errors.Is(context.Cause(ctx), err) {
			return nil // it was the reason to end, and is told as such
		}
		return err
	}
}

// asServed is the outcome of a demo that served after its report: a signal is how that ends.
func asServed(cause error) error {
	var s stopped
	if errors.As(cause, &s) {
		return nil
	}
	return cause
}
