package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

func newTask() *cobra.Command {
	return newGroup("task", "List tasks, pause and resume them",
		newTaskList(),
		newPause(pausing{
			what: "task", verb: "pause", done: "paused", paused: true,
			short: "Hold the jobs of tasks, those to come too, in whatever queue; running jobs run on",
			known: (*desk).taskNames, do: func(ctx context.Context, d *desk, name string) error { return d.PauseTask(ctx, name) },
		}),
		newPause(pausing{
			what: "task", verb: "resume", done: "resumed",
			short: "Free the jobs of tasks that were paused",
			known: (*desk).taskNames, do: func(ctx context.Context, d *desk, name string) error { return d.ResumeTask(ctx, name) },
		}),
	)
}

func newTaskList() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{Use: "list", Short: "List the tasks that have an unfinished job, a worker or a pause", Args: noArgs}
	f.bind(cmd)
	cmd.RunE = f.work(func(ctx context.Context, d *desk, _ []string) error {
		tasks, err := d.Tasks(ctx)
		if err != nil {
			return err
		}
		return d.printTasks(tasks)
	})
	return cmd
}

var taskColumns = []column{
	{head: "TASK", flexible: 12},
	{head: "STATUS"},
	{head: "READY", right: true},
	{head: "SCHEDULED", right: true},
	{head: "RUNNING", right: true},
	{head: "WAITING", right: true},
	{head: "WORKERS", right: true},
}

func (d *desk) printTasks(tasks []godwit.TaskInfo) error {
	if d.json {
		for _, t := range wire.TasksOf(tasks).Tasks {
			if err := d.line(t); err != nil {
				return err
			}
		}
		return nil
	}
	if len(tasks) == 0 {
		d.note("no task has an unfinished job, a worker or a pause")
		return nil
	}
	rows := make([][]string, 0, len(tasks))
	for _, t := range tasks {
		row := []string{t.Name, d.status(t.Paused, t.Workers, t.Depth), strconv.Itoa(t.Depth[godwit.StateReady])}
		rows = append(rows, append(append(row, depthCells(t.Depth)...), strconv.Itoa(t.Workers)))
	}
	d.grid(taskColumns, rows)
	return nil
}

func (d *desk) taskNames(ctx context.Context) ([]string, error) {
	tasks, err := d.Tasks(ctx)
	var names []string
	for _, t := range tasks {
		names = append(names, t.Name)
	}
	return names, err
}

// knownTasks are those that a live worker knows, but for tasks of godwit itself.
func (d *desk) knownTasks(ctx context.Context) ([]string, error) {
	tasks, err := d.Tasks(ctx)
	var names []string
	for _, t := range tasks {
		if t.Workers > 0 && !strings.HasPrefix(t.Name, "godwit.") {
			names = append(names, t.Name)
		}
	}
	return names, err
}
