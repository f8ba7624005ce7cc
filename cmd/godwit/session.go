package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

func newSession() *cobra.Command {
	return newGroup("session", "List the sessions of the workers that run jobs now", newSessionList())
}

func newSessionList() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use: "list", Short: "List the live sessions: who runs jobs, where, and until when its lease lasts", Args: noArgs,
		Long: `list prints the live sessions. A session is the life of one worker, from its start to its end: GET /v1/workers tells the same.`,
	}
	f.bind(cmd)
	cmd.RunE = f.work(func(ctx context.Context, d *desk, _ []string) error {
		sessions, err := d.Sessions(ctx)
		if err != nil {
			return err
		}
		return d.printSessions(sessions)
	})
	return cmd
}

var sessionColumns = []column{
	{head: "ID"},
	{head: "HOST", flexible: 8},
	{head: "PID", right: true},
	{head: "RUNNING", right: true},
	{head: "WAITING", right: true},
	{head: "STARTED", right: true, drop: 1},
	{head: "LEASE ENDS", right: true, drop: 2},
	{head: "QUEUES", flexible: 8, drop: 3},
	{head: "TASKS", flexible: 8, drop: 4},
}

func (d *desk) printSessions(sessions []godwit.SessionInfo) error {
	if d.json {
		for _, s := range wire.WorkersOf(sessions).Workers {
			if err := d.line(s); err != nil {
				return err
			}
		}
		return nil
	}
	if len(sessions) == 0 {
		d.note("no worker lives: nobody runs jobs now")
		return nil
	}
	rows := make([][]string, 0, len(sessions))
	for _, s := range sessions {
		lease := d.ago(s.LeaseUntil)
		if s.LeaseUntil.Before(d.now) {
			lease = d.alarm(lease)
		}
		rows = append(rows, []string{
			s.ID.String(), s.Host, strconv.Itoa(s.PID), strconv.Itoa(s.Running), strconv.Itoa(s.Waiting), d.ago(s.StartedAt), lease,
			few(s.Queues), few(taskList(s.Tasks)),
		})
	}
	d.grid(sessionColumns, rows)
	return nil
}

// taskList names the tasks that people wrote handlers for.
func taskList(tasks []godwit.Capability) []string {
	var names []string
	for _, t := range tasks {
		if !strings.HasPrefix(t.Task, "godwit.") {
			names = append(names, t.Task)
		}
	}
	return names
}

// few names the first of many.
func few(names []string) string {
	const fewMax = 5
	if len(names) > fewMax {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:fewMax], ", "), len(names)-fewMax)
	}
	return strings.Join(names, ", ")
}
