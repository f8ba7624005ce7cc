package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/demo"
	"github.com/godwit-go/godwit/open"
)

// demoFlags are the flags of godwit demo.
type demoFlags struct {
	db      string
	report  string
	pace    time.Duration
	workers int
}

func newDemo() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a real example: 96 jobs over four years of weather, which survive kill -9",
		Long: `demo submits one job that makes a child for each month of the weather of two cities (96 in all), awaits them and
writes a report. Every fifth month or so fails at first and is retried. Kill it with -9 while the bar runs and start it again: it
goes on where it stood, and counts what was repeated.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			return runDemo(cmd.Context(), f, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&f.db, "db", fromEnv("GODWIT_DB", "sqlite:godwit-demo.db"), "database, as sqlite:PATH (env GODWIT_DB)")
	cmd.Flags().StringVar(&f.report, "report", "godwit-demo.md", "file to write the report to")
	cmd.Flags().DurationVar(&f.pace, "pace", 400*time.Millisecond, "extra time each month takes; 0 for none")
	cmd.Flags().IntVar(&f.workers, "workers", 4, "jobs run at a time")
	return cmd
}

func (f *demoFlags) check() error {
	switch {
	case f.pace < 0 || f.pace > time.Minute:
		return fmt.Errorf("--pace must be between 0s and 1m, got %s", f.pace)
	case f.workers < 1 || f.workers > 1000:
		return fmt.Errorf("--workers must be between 1 and 1000, got %d", f.workers)
	case f.report == "":
		return errors.New("--report must name a file")
	}
	if info, err := os.Stat(filepath.Dir(f.report)); err != nil || !info.IsDir() {
		return fmt.Errorf("--report must be in a folder that exists, got %s", f.report)
	}
	return nil
}

func runDemo(ctx context.Context, f demoFlags, out io.Writer) (err error) {
	store, err := open.Store(ctx, f.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	c, err := godwit.New(store, godwit.Config{
		Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: f.workers}},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	ledger := demo.OpenLedger(f.report + ".ledger")
	(&demo.Workload{Client: c, Ledger: ledger}).Handle()

	before, err := demo.Look(ctx, c, ledger)
	if err != nil {
		return err
	}
	before.Announce(out)
	started := time.Now()
	promise, err := demo.Submit(ctx, c, demo.ReportArgs{Path: f.report, Pace: f.pace})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Try it: kill -9 %d while it runs, then start it again.\n", os.Getpid())
	if err := c.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop(context.WithoutCancel(ctx))) }()

	report, err := watch(ctx, c, ledger, promise, out)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			fmt.Fprintln(out, "\nStopped in good order. Start it again and it goes on.")
			return cause
		}
		return err
	}
	after, err := demo.Look(ctx, c, ledger)
	if err != nil {
		return err
	}
	printReport(out, report)
	fmt.Fprintln(out, demo.Sum(before, after, time.Since(started)))
	fmt.Fprintf(out, "The report is in %s, every job in %s.\n", report.Path, f.db)
	return nil
}

// printReport shows the result as a table.
func printReport(out io.Writer, r demo.Report) {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(row(demo.Columns))
	for _, y := range r.Years {
		t.AppendRow(row(y.Cells()))
	}
	t.Render()
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}
