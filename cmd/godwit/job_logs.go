package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

const followInterval = 500 * time.Millisecond

func newJobLogs() *cobra.Command {
	f := &clientFlags{}
	var tail int
	var follow bool
	cmd := &cobra.Command{
		Use: "logs ID", Short: "Print what a job logged", Args: oneID, ValidArgsFunction: f.completeJobs(1),
	}
	f.bind(cmd)
	cmd.Flags().IntVar(&tail, "tail", 0, "only the last so many lines; 0 for all")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job is finished (without a --timeout unless one is given)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if tail < 0 {
			return usagef("--tail must not be negative, got %d", tail)
		}
		if follow && !f.given("timeout") {
			f.timeout = 0
		}
		return f.work(func(ctx context.Context, d *desk, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			last, err := d.printLogsFrom(ctx, id, tail)
			if err != nil || !follow {
				return err
			}
			return d.follow(ctx, id, last)
		})(cmd, args)
	}
	return cmd
}

// printLogsFrom prints the last lines, or all, and gives the number of the last one.
func (d *desk) printLogsFrom(ctx context.Context, id godwit.ID, tail int) (last int64, err error) {
	show := func(lines []godwit.LogLine) error {
		if len(lines) > 0 {
			last = lines[len(lines)-1].Seq
		}
		return d.printLogs(lines)
	}
	if tail == 0 {
		err = eachPage(ctx, id, 0, d.Logs, logSeq, show)
		return last, err
	}
	lines, _, err := d.lastLogs(ctx, id, tail)
	if err == nil {
		err = show(lines)
	}
	return last, err
}

// follow prints lines as they come. A job that is finished logs no more, so its lines are read once more after that was seen.
func (d *desk) follow(ctx context.Context, id godwit.ID, last int64) error {
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		job, err := d.Get(ctx, id)
		if err != nil {
			return err
		}
		err = eachPage(ctx, id, last, d.Logs, logSeq, func(lines []godwit.LogLine) error {
			if len(lines) > 0 {
				last = lines[len(lines)-1].Seq
			}
			return d.printLogs(lines)
		})
		if err != nil || job.State.Final() {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func logSeq(l godwit.LogLine) int64 { return l.Seq }

func newJobItems() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use: "items ID", Short: "Print what a job emitted, a line of JSON for each item", Args: oneID, ValidArgsFunction: f.completeJobs(1),
		Long: `items prints the items that the handler emitted, each as a line of JSON. With --output json a line is an object with the item's
number, its run and its data: a job that ran more than once may have emitted an item more than once.`,
	}
	f.bind(cmd)
	cmd.RunE = f.work(func(ctx context.Context, d *desk, args []string) error {
		id, err := parseID(args[0])
		if err != nil {
			return err
		}
		return eachPage(ctx, id, 0, d.Items, func(i godwit.Item) int64 { return i.Seq }, d.printItems)
	})
	return cmd
}

// eachPage reads the rows of a job after a cursor, page after page.
func eachPage[T any](ctx context.Context, id godwit.ID, after int64, read func(context.Context, godwit.ID, int64, int) ([]T, error),
	seq func(T) int64, got func([]T) error,
) error {
	for {
		rows, err := read(ctx, id, after, godwit.PageMax)
		if err != nil {
			return err
		}
		if err := got(rows); err != nil {
			return err
		}
		if len(rows) < godwit.PageMax {
			return nil
		}
		after = seq(rows[len(rows)-1])
	}
}

// lastLogs gives the last lines and how many there are in all.
func (d *desk) lastLogs(ctx context.Context, id godwit.ID, n int) (last []godwit.LogLine, all int, err error) {
	err = eachPage(ctx, id, 0, d.Logs, logSeq, func(lines []godwit.LogLine) error {
		all += len(lines)
		last = append(last, lines...)
		last = last[max(len(last)-n, 0):]
		return nil
	})
	return last, all, err
}

func (d *desk) printLogs(lines []godwit.LogLine) error {
	for _, l := range lines {
		if d.json {
			if err := d.line(l); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(d.out, logText(l))
	}
	return nil
}

func logText(l godwit.LogLine) string {
	return fmt.Sprintf("%s %-5s run %d  %s", stamp(l.At), strings.ToUpper(l.Level), l.Run, l.Message)
}

func (d *desk) printItems(items []godwit.Item) error {
	for _, item := range wire.ItemsOf(items) {
		var form any = item
		if !d.json {
			form = item.Data
		}
		if err := d.line(form); err != nil {
			return err
		}
	}
	return nil
}
