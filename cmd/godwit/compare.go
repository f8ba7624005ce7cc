package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/compare"
	"github.com/godwit-go/godwit/open"
)

// Bounds of godwit demo compare.
const (
	compareRequestsMax = 2000
	compareTotalMax    = 10 * time.Minute
)

// compareFlags are the flags of godwit demo compare.
type compareFlags struct {
	config compare.Config
	svg    string
	output string
	dir    string
}

func newCompare() *cobra.Command {
	var f compareFlags
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Measure what background work is for: slow work done before the answer, or after it",
		Long: `compare sends requests that each need slow work to a service that does it before it answers, to one that submits a durable
job and answers 202 with its URL, and to one that waits a little for the job first (Prefer: wait=N). The same bound on work at a time
stands in all of them. It is real HTTP over loopback and a real database, synced, in a temporary folder. It checks that all work
was done once and every result arrived, and fails otherwise. By default the clients wait long enough for every way; with a shorter
--timeout some leave before their synchronous answer.`,
		Example: `  godwit demo compare
  godwit demo compare --timeout 2s    # less than the load needs
  godwit demo compare --requests 500 --work 50ms --workers 8 --svg compare.svg
  godwit demo compare -o json | jq '.ways[] | {way, response: .response_p99_ms.median}'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return usageError{err}
			}
			return runCompare(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c := &f.config
	cmd.Flags().IntVar(&c.Requests, "requests", 200, "requests of a round")
	cmd.Flags().IntVar(&c.Concurrency, "concurrency", 200, "clients at a time; each sends its next request when the last was answered")
	cmd.Flags().DurationVar(&c.Work, "work", 200*time.Millisecond, "time that the work of a request takes")
	cmd.Flags().IntVar(&c.Workers, "workers", 16, "work done at a time, in every way")
	cmd.Flags().DurationVar(&c.Timeout, "timeout", 5*time.Second, "time after which a client leaves")
	cmd.Flags().DurationVar(&c.Wait, "wait", time.Second, "what Prefer: wait asks for, in whole seconds, less than --timeout")
	cmd.Flags().IntVar(&c.Repeat, "repeat", 3, "rounds of each way, in turns")
	cmd.Flags().DurationVar(&c.Idle, "idle", time.Second, "how long the process is watched while it only waits")
	cmd.Flags().StringVar(&f.svg, "svg", "", "file to write a plot to")
	cmd.Flags().StringVarP(&f.output, "output", "o", formatTable, "`FORMAT`: table or json")
	completeFlag(cmd, "output", formatTable, formatJSON)
	cmd.Flags().StringVar(&f.dir, "dir", "", "folder in which the temporary databases are made (default the system's for temporary files)")
	return cmd
}

func (f *compareFlags) check() error {
	c := &f.config
	switch {
	case c.Requests < 1 || c.Requests > compareRequestsMax:
		return fmt.Errorf("--requests must be between 1 and %d, got %d", compareRequestsMax, c.Requests)
	case c.Concurrency < 1 || c.Concurrency > compareRequestsMax:
		return fmt.Errorf("--concurrency must be between 1 and %d, got %d", compareRequestsMax, c.Concurrency)
	case c.Work < 0 || c.Work > time.Minute:
		return fmt.Errorf("--work must be between 0s and 1m, got %s", c.Work)
	case c.Workers < 1 || c.Workers > 1000:
		return fmt.Errorf("--workers must be between 1 and 1000, got %d", c.Workers)
	case c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute:
		return fmt.Errorf("--timeout must be between 10ms and 1m, got %s", c.Timeout)
	case c.Wait < time.Second || c.Wait >= c.Timeout || c.Wait%time.Second != 0:
		return fmt.Errorf("--wait must be whole seconds, at least 1s and less than --timeout (%s), got %s", c.Timeout, c.Wait)
	case c.Repeat < 1 || c.Repeat > 100:
		return fmt.Errorf("--repeat must be between 1 and 100, got %d", c.Repeat)
	case c.Idle < 100*time.Millisecond || c.Idle > 30*time.Second:
		return fmt.Errorf("--idle must be between 100ms and 30s, got %s", c.Idle)
	}
	if err := oneOf("output", f.output, formatTable, formatJSON); err != nil {
		return err
	}
	if total := c.Estimate(); total > compareTotalMax {
		return fmt.Errorf("this would take %s, at most %s (lower --requests, --work or --repeat, or raise --workers)",
			total.Round(time.Second), compareTotalMax)
	}
	return checkWritable("svg", f.svg)
}

// checkWritable refuses a file that cannot be written to, before anything is done for what it is to hold. What is in it stays.
func checkWritable(flag, path string) error {
	if path == "" {
		return nil
	}
	_, missing := os.Stat(path)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		err = file.Close()
	}
	if err == nil && errors.Is(missing, fs.ErrNotExist) {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("--%s must be a file that can be written: %w", flag, err)
	}
	return nil
}

// measure runs the rounds in a temporary folder, which is gone before anything is printed: a reader may leave in the middle.
func measure(ctx context.Context, f compareFlags, errOut io.Writer) (result compare.Result, err error) {
	dir, err := os.MkdirTemp(f.dir, "godwit-compare-*")
	if err != nil {
		return result, fmt.Errorf("make a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f.config.Dir = dir
	f.config.Open = func(ctx context.Context, path string) (godwit.Store, error) { return open.Store(ctx, "sqlite:"+path) }
	f.config.API = func(c *godwit.Client) http.Handler {
		return httpapi.New(c, httpapi.Config{Logger: slog.New(slog.DiscardHandler)})
	}
	f.config.Tell = compareTeller(f.config, errOut)
	return compare.Run(ctx, f.config)
}

func runCompare(ctx context.Context, f compareFlags, out, errOut io.Writer) error {
	result, err := measure(ctx, f, errOut)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return fmt.Errorf("compare: %w", err)
	}
	if isTerminal(errOut) {
		fmt.Fprint(errOut, "\r\x1b[K")
	}
	if f.svg != "" {
		if err := os.WriteFile(f.svg, result.SVG(), 0o644); err != nil {
			return fmt.Errorf("write plot: %w", err)
		}
	}
	if f.output == formatJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	result.Print(out)
	return nil
}

// compareTeller says what is being measured, apart from the result: over itself on a terminal, a line each elsewhere.
func compareTeller(c compare.Config, errOut io.Writer) func(way compare.Way, round, of int) {
	before, after := "", "\n"
	if isTerminal(errOut) {
		before, after = "\r", "\x1b[K"
	}
	fmt.Fprintf(errOut, "%d requests, %s of work each, %d at a time, %s: about %s\n", c.Requests, c.Work, c.Workers, roundsOf(c.Repeat),
		c.Estimate().Round(time.Second))
	return func(way compare.Way, round, of int) {
		if round == 0 {
			fmt.Fprintf(errOut, "%s%s, idle%s", before, way, after)
			return
		}
		fmt.Fprintf(errOut, "%s%s, round %d of %d%s", before, way, round, of, after)
	}
}

func roundsOf(n int) string {
	if n == 1 {
		return "1 round"
	}
	return fmt.Sprintf("%d rounds", n)
}
