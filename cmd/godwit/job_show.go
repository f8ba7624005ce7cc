package main

import (
	"context"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// showFlags bound what is shown of a job.
type showFlags struct {
	logs     int
	children int
}

func newJobShow() *cobra.Command {
	f, show := &clientFlags{}, &showFlags{}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show all about a job: its facts, its time line, its children, its log, and why it does not run",
		Args:  oneID, ValidArgsFunction: f.completeJobs(1),
	}
	f.bind(cmd)
	cmd.Flags().IntVar(&show.logs, "logs", 20, "the last so many log lines")
	cmd.Flags().IntVar(&show.children, "children", 20, "so many children of each job in the tree")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if show.logs < 0 || show.logs > godwit.LogLinesMax || show.children < 0 || show.children > godwit.PageMax {
			return usagef("--logs must be from 0 to %d and --children from 0 to %d, got %d and %d",
				godwit.LogLinesMax, godwit.PageMax, show.logs, show.children)
		}
		return f.work(func(ctx context.Context, d *desk, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			page, err := d.read(ctx, id, *show)
			if err != nil {
				return err
			}
			if d.json {
				return d.object(page.form())
			}
			d.show(page)
			return nil
		})(cmd, args)
	}
	return cmd
}

// jobPage is all that is shown of a job.
type jobPage struct {
	explanation godwit.Explanation
	attempts    []godwit.Attempt
	tree        *tree
	logs        []godwit.LogLine
	logsInAll   int
	worker      string // that runs the job, for people
}

func (d *desk) read(ctx context.Context, id godwit.ID, show showFlags) (*jobPage, error) {
	var page jobPage
	var err error
	if page.explanation, err = d.Explain(ctx, id); err != nil {
		return nil, err
	}
	if page.attempts, err = d.Attempts(ctx, id); err != nil {
		return nil, err
	}
	if page.logs, page.logsInAll, err = d.lastLogs(ctx, id, show.logs); err != nil {
		return nil, err
	}
	if page.worker, err = d.workerOf(ctx, &page.explanation.Job); err != nil {
		return nil, err
	}
	page.tree, err = d.grow(ctx, page.explanation.Job, show.children)
	return &page, err
}

// workerOf says which process runs a job.
func (d *desk) workerOf(ctx context.Context, j *godwit.Job) (string, error) {
	if j.Session.IsZero() {
		return "", nil
	}
	sessions, err := d.Sessions(ctx)
	for _, s := range sessions {
		if s.ID == j.Session {
			return fmt.Sprintf("process %d on %s", s.PID, s.Host), err
		}
	}
	return "", err
}

type jobPageForm struct {
	Job       wire.Job         `json:"job"`
	Reasons   []wire.Reason    `json:"reasons"`
	Children  []treeForm       `json:"children"`
	Logs      []godwit.LogLine `json:"logs"`
	LogsInAll int              `json:"logs_in_all"`
}

func (page *jobPage) form() jobPageForm {
	form := jobPageForm{
		Job: wire.JobOf(&page.explanation.Job).With(page.attempts), Children: page.tree.form().Children,
		Logs: append([]godwit.LogLine{}, page.logs...), LogsInAll: page.logsInAll,
	}
	for _, r := range page.explanation.Reasons {
		form.Reasons = append(form.Reasons, wire.Reason(r))
	}
	return form
}

// show prints the page.
func (d *desk) show(page *jobPage) {
	j := &page.explanation.Job
	d.facts(append(factsOf(d.printer, j), fact{"worker", page.worker}))
	if text, ok := whyTitles[j.State]; ok {
		d.title(text)
		for _, r := range page.explanation.Reasons {
			d.reason(j, r)
		}
	}
	d.title("Time line")
	d.timeline(timelineOf(j, page.attempts))
	if len(page.tree.children) > 0 || page.tree.more {
		d.title("Children (" + page.tree.summary() + ")")
		d.branches(page.tree, "")
	}
	if len(page.logs) > 0 {
		title := "Log"
		if page.logsInAll > len(page.logs) {
			title = fmt.Sprintf("Log (the last %d of %d lines)", len(page.logs), page.logsInAll)
		}
		d.title(title)
		for _, l := range page.logs {
			fmt.Fprintln(d.out, "  "+logText(l))
		}
	}
	if j.Failure != nil && j.Failure.Stack != "" {
		d.title("Stack")
		fmt.Fprintln(d.out, j.Failure.Stack)
	}
}

func (p *printer) title(s string) { fmt.Fprintf(p.out, "\n%s\n", p.paint(text.Bold, s)) }

// whyTitles head the reasons, in the states that have some to give.
var whyTitles = map[godwit.State]string{
	godwit.StateScheduled: "Why it does not run",
	godwit.StateReady:     "Why it does not run",
	godwit.StateWaiting:   "Why it does not run",
	godwit.StateRunning:   "Now",
	godwit.StateFailed:    "What can be done",
	godwit.StateCancelled: "What can be done",
}

// reason prints a reason, what would mend it, and the command for that.
func (d *desk) reason(j *godwit.Job, r godwit.Reason) {
	if j.State != godwit.StateFailed && j.State != godwit.StateCancelled { // there the facts have said it
		fmt.Fprintln(d.out, "  "+r.Message)
	}
	if r.Mend != "" {
		fmt.Fprintln(d.out, "  -> "+r.Mend)
	}
	if command := mendOf(j, r); command != "" {
		fmt.Fprintf(d.out, "     godwit %s%s\n", command, d.flags.again())
	}
}

// mendOf gives the command that mends a reason, if there is one.
func mendOf(j *godwit.Job, r godwit.Reason) string {
	switch r.Kind {
	case godwit.ReasonQueuePaused:
		return "queue resume " + j.Queue
	case godwit.ReasonTaskPaused:
		return "task resume " + j.Task
	case godwit.ReasonScheduled, godwit.ReasonRetry:
		return "job run-now " + j.ID.String()
	case godwit.ReasonWaiting:
		return "job list --parent " + j.ID.String()
	case godwit.ReasonUnknownTask, godwit.ReasonUnknownVersion, godwit.ReasonUnservedQueue, godwit.ReasonOverdue:
		return "session list"
	case godwit.ReasonSlots:
		return "queue list"
	case godwit.ReasonFinished:
		if j.State != godwit.StateSucceeded {
			return "job retry " + j.ID.String()
		}
	}
	return ""
}
