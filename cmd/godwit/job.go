package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

func newJob() *cobra.Command {
	return newGroup("job", "Look at jobs, wait for them, cancel, retry and delete them",
		newJobGet(),
		newJobShow(),
		newJobList(),
		newJobWait(),
		newJobLogs(),
		newJobItems(),
		newJobCancel(),
		newJobRetry(),
		newJobRunNow(),
		newJobReschedule(),
		newJobDelete(),
	)
}

// oneID is the Args of a command about one job.
func oneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("needs the id of one job, got %d (godwit job list shows them)", len(args))
	}
	_, err := parseID(args[0])
	return err
}

// someIDs is the Args of a command about one job or more.
func someIDs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("needs the id of a job, or of several (godwit job list shows them)")
	}
	_, err := parseIDs(args)
	return err
}

func newJobGet() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use:               "get ID",
		Short:             "Print a job: its state, arguments, result or error",
		Args:              oneID,
		ValidArgsFunction: f.completeJobs(1),
	}
	f.bind(cmd)
	cmd.RunE = f.work(func(ctx context.Context, d *desk, args []string) error {
		id, err := parseID(args[0])
		if err != nil {
			return err
		}
		return d.printJob(ctx, id)
	})
	return cmd
}

// printJob prints a job as it stands.
func (d *desk) printJob(ctx context.Context, id godwit.ID) error {
	job, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	if !d.json {
		d.facts(factsOf(d.printer, &job))
		return nil
	}
	attempts, err := d.Attempts(ctx, id)
	if err != nil {
		return err
	}
	return d.object(wire.JobOf(&job).With(attempts))
}

// fact is a name and what is to be said about it; empty ones are not printed.
type fact struct{ name, value string }

// facts prints names and values below each other.
func (p *printer) facts(facts []fact) {
	width := 0
	for _, f := range facts {
		if f.value != "" {
			width = max(width, len(f.name))
		}
	}
	for _, f := range facts {
		if f.value != "" {
			value := strings.ReplaceAll(f.value, "\n", "\n"+strings.Repeat(" ", width+columnGap))
			fmt.Fprintf(p.out, "%-*s%s\n", width+columnGap, f.name, value)
		}
	}
}

const shownMax = 2000 // bytes of arguments and results shown to people

// factsOf says what people want to know of a job.
func factsOf(p *printer, j *godwit.Job) []fact {
	state := p.state(j.State)
	if j.Held != "" {
		state += ", held: " + words(string(j.Held))
	}
	facts := []fact{
		{"id", j.ID.String()},
		{"task", taskOf(j)},
		{"queue", j.Queue},
		{"state", state},
		{"priority", nonZero(j.Priority)},
		{"attempt", attemptOf(j)},
		{"progress", progressOf(p, j.Progress)},
		{"error", failureText(j.Failure)},
		{"arguments", excerpt(wire.PayloadOf(j.Args))},
		{"result", excerpt(wire.PayloadOf(j.Result))},
		{"parent", parentOf(j)},
		{"tags", strings.Join(j.Tags, ", ")},
		{"idempotency key", j.IdempotencyKey},
		{"unique key", j.UniqueKey},
		{"created", p.both(j.CreatedAt)},
	}
	if j.State == godwit.StateScheduled {
		facts = append(facts, fact{"due", p.both(j.RunAt)})
	}
	return append(facts,
		fact{"started", p.both(j.StartedAt)},
		fact{"cancel requested", p.both(j.CancelRequestedAt)},
		fact{"finished", p.both(j.FinishedAt)},
		fact{"deadline", p.both(j.Deadline)},
		fact{"kept until", p.both(j.KeepUntil)},
		fact{"session", sessionOf(j)},
	)
}

func taskOf(j *godwit.Job) string {
	if j.Version > 1 {
		return fmt.Sprintf("%s, version %d", j.Task, j.Version)
	}
	return j.Task
}

func nonZero(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// attemptOf says how far the budgets are used.
func attemptOf(j *godwit.Job) string {
	text := fmt.Sprintf("%d of %d", j.Attempt, j.MaxAttempts)
	for _, n := range []struct {
		n    int
		name string
	}{{j.Crashes, "crashed"}, {j.Releases, "given back"}, {j.Retries, "retried by hand"}} {
		if n.n > 0 {
			text += fmt.Sprintf(", %s %s", n.name, count(n.n, "time", "times"))
		}
	}
	return text
}

func progressOf(p *printer, g *godwit.Progress) string {
	if g == nil {
		return ""
	}
	text := fmt.Sprint(g.Done)
	if g.Total > 0 {
		text = fmt.Sprintf("%d of %d (%d%%)", g.Done, g.Total, 100*g.Done/g.Total)
	}
	if g.Message != "" {
		text += ", " + g.Message
	}
	return text + ", " + p.ago(g.At)
}

func failureText(f *godwit.Failure) string {
	if f == nil {
		return ""
	}
	if f.Code == godwit.CodeFailed || strings.HasPrefix(f.Message, words(string(f.Code))) {
		return f.Message
	}
	return words(string(f.Code)) + ": " + f.Message
}

func parentOf(j *godwit.Job) string {
	if j.Parent.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s, as %q", j.Parent, j.ChildName)
}

func sessionOf(j *godwit.Job) string {
	if j.Session.IsZero() {
		return ""
	}
	return j.Session.String()
}

// excerpt cuts what is too long to be read.
func excerpt(data []byte) string {
	if len(data) > shownMax {
		return fmt.Sprintf("%s… (%d bytes; all with --output json)", strings.ToValidUTF8(string(data[:shownMax]), ""), len(data))
	}
	return string(data)
}

// words makes words of a code.
func words(code string) string { return strings.ReplaceAll(code, "_", " ") }

// between is the time from one moment to another, nothing when one is missing.
func between(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return span(max(to.Sub(from), 0))
}
