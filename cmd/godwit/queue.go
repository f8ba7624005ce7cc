package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
	"github.com/godwit-go/godwit/internal/wire"
)

func newQueue() *cobra.Command {
	return newGroup("queue", "List queues, pause and resume them",
		newQueueList(),
		newPause(pausing{
			what: "queue", verb: "pause", done: "paused", paused: true,
			short: "Hold the jobs of queues, those to come too; running jobs run on",
			known: (*desk).queueNames, do: func(ctx context.Context, d *desk, name string) error { return d.PauseQueue(ctx, name) },
		}),
		newPause(pausing{
			what: "queue", verb: "resume", done: "resumed",
			short: "Free the jobs of queues that were paused",
			known: (*desk).queueNames, do: func(ctx context.Context, d *desk, name string) error { return d.ResumeQueue(ctx, name) },
		}),
	)
}

func newQueueList() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{Use: "list", Short: "List the queues that have an unfinished job, a worker or a pause", Args: noArgs}
	f.bind(cmd)
	cmd.RunE = f.work(func(ctx context.Context, d *desk, _ []string) error {
		queues, err := d.Queues(ctx)
		if err != nil {
			return err
		}
		return d.printQueues(queues)
	})
	return cmd
}

var queueColumns = []column{
	{head: "QUEUE", flexible: 12},
	{head: "STATUS"},
	{head: "READY", right: true},
	{head: "HELD", right: true},
	{head: "SCHEDULED", right: true},
	{head: "RUNNING", right: true},
	{head: "WAITING", right: true},
	{head: "WORKERS", right: true},
	{head: "OLDEST READY", right: true, drop: 1},
}

func (d *desk) printQueues(queues []godwit.QueueInfo) error {
	if d.json {
		for _, q := range wire.QueuesOf(queues, d.now).Queues {
			if err := d.line(q); err != nil {
				return err
			}
		}
		return nil
	}
	if len(queues) == 0 {
		d.note("no queue has an unfinished job, a worker or a pause")
		return nil
	}
	rows := make([][]string, 0, len(queues))
	for _, q := range queues {
		row := []string{q.Name, d.status(q.Paused, q.Workers, q.Depth), strconv.Itoa(q.Depth[godwit.StateReady] - q.Held), strconv.Itoa(q.Held)}
		rows = append(rows, append(append(row, depthCells(q.Depth)...), strconv.Itoa(q.Workers), d.oldest(q.OldestReady)))
	}
	d.grid(queueColumns, rows)
	return nil
}

func depthCells(depth map[godwit.State]int) []string {
	return []string{
		strconv.Itoa(depth[godwit.StateScheduled]), strconv.Itoa(depth[godwit.StateRunning]), strconv.Itoa(depth[godwit.StateWaiting]),
	}
}

// status says in a word how a queue or a task stands.
func (p *printer) status(paused bool, workers int, depth map[godwit.State]int) string {
	jobs := 0
	for _, n := range depth {
		jobs += n
	}
	switch {
	case paused:
		return p.warning("paused")
	case workers == 0 && jobs > 0:
		return p.alarm("no worker")
	case workers == 0:
		return "unserved"
	}
	return "active"
}

// oldest is how long the oldest ready job has been so.
func (p *printer) oldest(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(max(p.now.Sub(t), 0))
}

func (d *desk) queueNames(ctx context.Context) ([]string, error) {
	queues, err := d.Queues(ctx)
	var names []string
	for _, q := range queues {
		names = append(names, q.Name)
	}
	return names, err
}

// pausing is a pause or a resume, of queues or of tasks.
type pausing struct {
	what, verb, done, short string
	paused                  bool
	known                   func(d *desk, ctx context.Context) ([]string, error)
	do                      func(ctx context.Context, d *desk, name string) error
}

func newPause(p pausing) *cobra.Command {
	f := &clientFlags{}
	complete := f.completeQueues
	if p.what == "task" {
		complete = f.completeTasks
	}
	cmd := &cobra.Command{
		Use: p.verb + " NAME...", Short: p.short, ValidArgsFunction: complete,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("needs the name of a %s, or of several (godwit %s list shows them)", p.what, p.what)
			}
			return nil
		},
	}
	f.bind(cmd)
	cmd.RunE = f.work(func(ctx context.Context, d *desk, names []string) error {
		known, err := p.known(d, ctx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := p.do(ctx, d, name); err != nil {
				return err
			}
			if !slices.Contains(known, name) {
				d.note("%s %q had no job, no worker and no pause%s", p.what, name, suggest.DidYouMean(name, known))
			}
			if d.json {
				err = d.line(wire.Paused{Name: name, Paused: p.paused})
			} else {
				_, err = fmt.Fprintf(d.out, "%s %s %s\n", p.what, name, p.done)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return cmd
}
