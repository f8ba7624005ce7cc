package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// filterFlags select jobs, as the parameters of GET /v1/jobs do.
type filterFlags struct {
	state  string
	queue  string
	task   string
	parent string
	tag    string
}

func (f *filterFlags) bind(cmd *cobra.Command, c *clientFlags) {
	cmd.Flags().StringVar(&f.state, "state", "", "only jobs in this `STATE`")
	cmd.Flags().StringVar(&f.queue, "queue", "", "only jobs of the queue `NAME`")
	cmd.Flags().StringVar(&f.task, "task", "", "only jobs of the task `NAME`")
	cmd.Flags().StringVar(&f.parent, "parent", "", "only children of the job with this `ID`")
	cmd.Flags().StringVar(&f.tag, "tag", "", "only jobs with this `TAG`")
	completeFlag(cmd, "state", stateNames()...)
	c.completeQueueFlag(cmd)
	c.completeTaskFlag(cmd)
}

func stateNames() []string {
	var names []string
	for _, s := range godwit.States() {
		names = append(names, string(s))
	}
	return names
}

func (f *filterFlags) filter() (godwit.ListFilter, error) {
	filter := godwit.ListFilter{State: godwit.State(f.state), Queue: f.queue, Task: f.task, Tag: f.tag}
	if f.state != "" {
		if err := oneOf("state", f.state, stateNames()...); err != nil {
			return filter, err
		}
	}
	if f.parent != "" {
		id, err := godwit.ParseID(f.parent)
		if err != nil {
			return filter, usagef("--parent: %w", err)
		}
		filter.Parent = id
	}
	return filter, nil
}

const jobListDefault = 50

func newJobList() *cobra.Command {
	f, filter := &clientFlags{}, &filterFlags{}
	var limit int
	var all bool
	var cursor string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, newest first",
		Long: `list prints jobs, newest first: a table, or with --output json a line for each, without arguments and results. When there are
more, the flag that goes on is told on the error stream.`,
		Example: `  godwit job list --state failed --task mail.send
  godwit job list --all --output json | jq -r .id`,
		Args: noArgs,
	}
	f.bind(cmd)
	filter.bind(cmd, f)
	cmd.Flags().IntVar(&limit, "limit", jobListDefault, "at most so many, from 1 to 1000")
	cmd.Flags().BoolVar(&all, "all", false, "all there are, page after page")
	cmd.Flags().StringVar(&cursor, "cursor", "", "go on after the job with this `ID`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		selected, err := filter.filter()
		if err != nil {
			return err
		}
		if limit < 1 || limit > godwit.PageMax {
			return usagef("--limit must be from 1 to %d, got %d (--all prints all there are)", godwit.PageMax, limit)
		}
		if all && cmd.Flags().Changed("limit") {
			return usagef("--all excludes --limit: give the one or the other")
		}
		if cursor != "" {
			if selected.Before, err = godwit.ParseID(cursor); err != nil {
				return usagef("--cursor: %w", err)
			}
		}
		return f.work(func(ctx context.Context, d *desk, _ []string) error {
			if all {
				return d.listAll(ctx, selected)
			}
			return d.listSome(ctx, selected, limit)
		})(cmd, args)
	}
	return cmd
}

// selected reads a page of the jobs that the flags select.
func (d *desk) selected(ctx context.Context, filter godwit.ListFilter) (godwit.ListAnswer, error) {
	page, err := d.List(ctx, filter)
	return page, asFlags(d.flags.flags, err)
}

// listAll prints page after page.
func (d *desk) listAll(ctx context.Context, filter godwit.ListFilter) error {
	filter.Limit = godwit.PageMax
	for first := true; ; first = false {
		page, err := d.selected(ctx, filter)
		if err != nil {
			return err
		}
		if len(page.Jobs) > 0 || first && page.Next.IsZero() {
			if err := d.printJobs(page.Jobs); err != nil {
				return err
			}
		}
		if filter.Before = page.Next; filter.Before.IsZero() {
			return nil
		}
	}
}

// listSome prints at most limit jobs. A page may hold fewer than it was asked for, and yet not be the last.
func (d *desk) listSome(ctx context.Context, filter godwit.ListFilter, limit int) error {
	var jobs []godwit.Job
	for {
		filter.Limit = limit - len(jobs)
		page, err := d.selected(ctx, filter)
		if err != nil {
			return err
		}
		jobs = append(jobs, page.Jobs...)
		filter.Before = page.Next
		if filter.Before.IsZero() || len(jobs) >= limit {
			break
		}
	}
	if err := d.printJobs(jobs); err != nil {
		return err
	}
	if !filter.Before.IsZero() {
		d.note("there are more: go on with --cursor %s, or give --all", filter.Before)
	}
	return nil
}

var jobColumns = []column{
	{head: "ID"},
	{head: "STATE"},
	{head: "TASK", flexible: 12},
	{head: "QUEUE", flexible: 8, drop: 2},
	{head: "ATTEMPT", right: true, drop: 1},
	{head: "CREATED", right: true, drop: 3},
	{head: "DETAIL", flexible: 20, drop: 4},
}

func (d *desk) printJobs(jobs []godwit.Job) error {
	if d.json {
		for i := range jobs {
			if err := d.line(wire.JobOf(&jobs[i])); err != nil {
				return err
			}
		}
		return nil
	}
	if len(jobs) == 0 {
		d.note("no jobs")
		return nil
	}
	rows := make([][]string, 0, len(jobs))
	for i := range jobs {
		j := &jobs[i]
		rows = append(rows, []string{
			j.ID.String(), d.state(j.State), j.Task, j.Queue, fmt.Sprintf("%d/%d", j.Attempt, j.MaxAttempts), d.ago(j.CreatedAt), d.detail(j),
		})
	}
	d.grid(jobColumns, rows)
	return nil
}

// detail is what is most worth knowing about a job in its state.
func (p *printer) detail(j *godwit.Job) string {
	switch {
	case j.State == godwit.StateScheduled && j.Failure != nil:
		return "again " + p.ago(j.RunAt) + ": " + failureText(j.Failure)
	case j.State == godwit.StateScheduled:
		return "due " + p.ago(j.RunAt)
	case j.Held != "":
		return "held: " + words(string(j.Held))
	case j.State == godwit.StateRunning && !j.CancelRequestedAt.IsZero():
		return "asked to stop " + p.ago(j.CancelRequestedAt)
	case j.State == godwit.StateRunning && j.Progress != nil:
		return progressOf(p, j.Progress)
	case j.State == godwit.StateRunning:
		return "since " + span(max(p.now.Sub(j.StartedAt), 0))
	case j.State == godwit.StateSucceeded:
		return "took " + between(j.StartedAt, j.FinishedAt)
	case j.Failure != nil:
		return failureText(j.Failure)
	}
	return ""
}
