package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// act is something that is done to jobs, each by its id or all that a filter selects.
type act struct {
	verb   string // "cancel"
	done   string // "cancelled"
	states []godwit.State
	wanted func(*godwit.Job) bool // of those in the states; nil: all
	do     func(ctx context.Context, d *desk, id godwit.ID) error
	many   func(ctx context.Context, d *desk, ids []godwit.ID) ([]godwit.SettleAnswer, error)
	gone   bool // the job is not there afterwards
}

func newJobCancel() *cobra.Command {
	var reason string
	a := &act{
		verb: "cancel", done: "cancelled",
		states: []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting},
		wanted: func(j *godwit.Job) bool { return j.CancelRequestedAt.IsZero() },
		do:     func(ctx context.Context, d *desk, id godwit.ID) error { return d.Cancel(ctx, id, reason) },
		many: func(ctx context.Context, d *desk, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
			return d.CancelAll(ctx, ids, reason)
		},
	}
	cmd := a.command("Cancel jobs that are not finished; a running one is asked to stop")
	cmd.Flags().StringVar(&reason, "reason", "", "`TEXT` for people, kept with the job")
	return cmd
}

func newJobRetry() *cobra.Command {
	var args, argsFile string
	var version int
	var o godwit.RetryOptions
	a := &act{
		verb: "retry", done: "retried", states: []godwit.State{godwit.StateFailed, godwit.StateCancelled},
		do: func(ctx context.Context, d *desk, id godwit.ID) error { return d.Retry(ctx, id, o) },
		many: func(ctx context.Context, d *desk, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
			return d.RetryAll(ctx, ids)
		},
	}
	cmd := a.command("Run failed and cancelled jobs again, with their full budget")
	cmd.Flags().StringVar(&args, "args", "", "other arguments, as `JSON`; - reads them from the standard input")
	cmd.Flags().StringVar(&argsFile, "args-file", "", "read other arguments from this `FILE`")
	cmd.Flags().IntVar(&version, "task-version", 0, "version of the other arguments")
	act := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		other := cmd.Flags().Changed("args") || argsFile != ""
		if other && len(ids) == 0 {
			return usagef("other arguments are for jobs named by their ids, not for all that a filter selects")
		}
		if other {
			from := &submitFlags{argsFile: argsFile}
			given := []string{""}
			if cmd.Flags().Changed("args") {
				given = append(given, args)
			}
			if len(given) == 2 && argsFile != "" {
				return usagef("--args excludes --args-file: give the one or the other")
			}
			data, err := from.arguments(cmd, given)
			if err != nil {
				return err
			}
			o.Args = data
		} else if version != 0 {
			return usagef("--task-version is that of other arguments: give --args or --args-file too")
		}
		o.Version = version
		return act(cmd, ids)
	}
	return cmd
}

func newJobDelete() *cobra.Command {
	a := &act{
		verb: "delete", done: "deleted", gone: true,
		states: []godwit.State{godwit.StateSucceeded, godwit.StateFailed, godwit.StateCancelled},
		do:     func(ctx context.Context, d *desk, id godwit.ID) error { return d.Delete(ctx, id) },
		many: func(ctx context.Context, d *desk, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
			return d.DeleteAll(ctx, ids)
		},
	}
	return a.command("Delete finished jobs before their time")
}

func newJobRunNow() *cobra.Command {
	f := &clientFlags{}
	a := &act{
		verb: "run-now", done: "made ready",
		do: func(ctx context.Context, d *desk, id godwit.ID) error { return d.RunNow(ctx, id) },
	}
	cmd := &cobra.Command{Use: "run-now ID...", Short: "Make scheduled jobs ready", Args: someIDs, ValidArgsFunction: f.completeJobs(-1)}
	f.bind(cmd)
	cmd.RunE = f.work(a.each)
	return cmd
}

// command makes the command of an act, by ids or by a filter.
func (a *act) command(short string) *cobra.Command {
	f, filter, bulk := &clientFlags{}, &filterFlags{}, &bulkFlags{}
	cmd := &cobra.Command{
		Use: a.verb + " {ID... | filter --yes}", Short: short,
		Long: fmt.Sprintf(`%s.

Jobs are named by their ids, or selected by a filter: --state, --queue, --task, --parent, --tag. With a filter --dry-run counts them, and
--yes goes ahead.`, short),
		ValidArgsFunction: f.completeJobs(-1),
	}
	f.bind(cmd)
	filter.bind(cmd, f)
	bulk.bind(cmd)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 && (*filter != filterFlags{} || *bulk != bulkFlags{}) {
			return errors.New("ids exclude a filter, --yes and --dry-run: give the one or the other")
		}
		if len(args) == 0 && *filter == (filterFlags{}) {
			return fmt.Errorf("needs the id of a job, or of several, or a filter (--state, --queue, --task, --parent, --tag) of those to %s", a.verb)
		}
		_, err := parseIDs(args)
		return err
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return f.work(a.each)(cmd, args)
		}
		selected, err := filter.filter()
		if err != nil {
			return err
		}
		if err := bulk.check(a); err != nil {
			return err
		}
		return f.work(func(ctx context.Context, d *desk, _ []string) error { return a.all(ctx, d, selected, bulk.dryRun) })(cmd, args)
	}
	return cmd
}

// each does it to the jobs named, one after the other, and goes on after a refusal.
func (a *act) each(ctx context.Context, d *desk, args []string) error {
	ids, err := parseIDs(args)
	if err != nil {
		return err
	}
	worst := exitDone
	for _, id := range ids {
		err := a.one(ctx, d, id)
		if err == nil {
			continue
		}
		if len(ids) == 1 || ctx.Err() != nil || errors.Is(err, godwit.ErrUnavailable) {
			return err
		}
		d.note("godwit: %v", d.worded(err))
		if code := codeOf(err); worst == exitDone || code == exitFailed {
			worst = code
		}
	}
	if worst != exitDone {
		return reported{worst}
	}
	return nil
}

func (a *act) one(ctx context.Context, d *desk, id godwit.ID) error {
	if err := a.do(ctx, d, id); err != nil {
		return err
	}
	if a.gone {
		return d.printChanged(id, a.done)
	}
	job, err := d.Get(ctx, id)
	switch {
	case errors.Is(err, godwit.ErrNotFound) || errors.Is(err, godwit.ErrExpired): // pruned at once
		return d.printChanged(id, a.done)
	case err != nil:
		return fmt.Errorf("%s was %s, but how it stands cannot be read: %w", id, a.done, err)
	case d.json:
		return d.line(wire.JobOf(&job))
	}
	done := a.done
	if a.verb == "cancel" && job.State == godwit.StateRunning {
		done = "asked to stop"
	}
	_, err = fmt.Fprintf(d.out, "%s %s, now %s\n", id, done, d.state(job.State))
	return err
}

// printChanged tells of a job that cannot be read any more.
func (d *desk) printChanged(id godwit.ID, done string) error {
	if d.json {
		return d.line(wire.Changed{ID: id})
	}
	_, err := fmt.Fprintln(d.out, id, done)
	return err
}
