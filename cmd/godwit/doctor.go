package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/postgres"
	"github.com/godwit-go/godwit/sqlite"
)

func newDoctor() *cobra.Command {
	f := &clientFlags{}
	var limits doctor.Limits
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps jobs from being done, and say what to do about it",
		Long: `doctor looks at workers, queues, tasks and jobs; with --db also at the database. Of an SQLite file: whether it is sound, who holds
it, whether there is room on its disk. Of PostgreSQL: the server, the schema, the role's rights, a pooler, clocks, durability, what keeps rows
from being vacuumed, locks, connections. Each check tells what it saw and how bad it is: ok, info, warning or error. The exit code is 1 when there is an error.`,
		Args: noArgs,
	}
	f.bind(cmd)
	cmd.Flags().DurationVar(&limits.OldestReady, "ready-for", 5*time.Minute, "warn of ready jobs that are older")
	cmd.Flags().DurationVar(&limits.LongRun, "running-for", time.Hour, "warn of runs without a timeout that take longer")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return err
		}
		ctx, cancel := f.bounded(cmd.Context())
		defer cancel()
		p := newPrinter(cmd, f.output)
		findings, err := f.examine(ctx, p, limits)
		if err != nil {
			return err
		}
		return p.out.failed(p.findings(findings, f.again()))
	}
	return cmd
}

// examine gathers the findings. What cannot be reached is a finding too.
func (f *clientFlags) examine(ctx context.Context, p *printer, limits doctor.Limits) ([]doctor.Finding, error) {
	var found []doctor.Finding
	if path, isFile := doctor.SQLitePath(f.db); isFile {
		file, err := doctor.ReadSQLiteFile(path)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", path, err)
		}
		if found = file.Findings(); doctor.Worst(found) == doctor.Error {
			return found, nil // opening it would not help, or would make it
		}
	}
	if isPostgres(f.db) {
		var err error
		if found, err = f.examinePostgres(ctx); err != nil {
			return f.unreached(ctx, nil, err)
		}
		if doctor.Worst(found) == doctor.Error {
			return found, nil // the store would not open, or would not work
		}
	}
	started := time.Now()
	d, err := f.reach(ctx, f.retryFor, p)
	if err != nil {
		return f.unreached(ctx, found, err)
	}
	limits.Now, limits.Alone = time.Now(), d.alone
	if d.store != nil {
		limits.Now = d.store.Now() // by which its times were written
	}
	var more []doctor.Finding
	if store, isSQLite := d.store.(*sqlite.Store); isSQLite {
		more = append(more, integrity(store.Check(ctx)))
	}
	if doctor.Worst(more) != doctor.Error { // what is damaged is not looked into any further
		var jobs []doctor.Finding
		jobs, err = doctor.Examine(ctx, d, limits)
		more = append(more, jobs...)
	}
	if err := d.end(ctx, err); err != nil {
		return f.unreached(ctx, found, err)
	}
	if d.store == nil {
		found = append(found, doctor.Finding{
			Severity: doctor.OK, Check: "server", Message: fmt.Sprintf("%s answers (%s for all questions)", d.where, span(time.Since(started))),
		})
	}
	return append(found, more...), nil
}

// examinePostgres looks at the server and the schema, without changing anything.
func (f *clientFlags) examinePostgres(ctx context.Context) ([]doctor.Finding, error) {
	c, err := postgresConfig(f.db, f.schema)
	if err != nil {
		return nil, err
	}
	steps, stepsErr := postgres.Migrations(ctx, c)
	stepsErr = ofDatabase("--db", stepsErr)
	conn, err := doctor.ConnectPostgres(ctx, f.db)
	if err != nil {
		return nil, cmp.Or(stepsErr, err) // the first says what to do about it
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // it was only read from
	seen, err := doctor.ReadPostgres(ctx, conn, c.Schema)
	if err != nil {
		return nil, err
	}
	seen.Steps, seen.Lacking, seen.StepsError, seen.PoolerSaid = len(steps), lacking(steps), stepsErr, c.Pooler
	return seen.Findings(doctor.PostgresLimits{}), nil
}

// unreached makes a finding of an error, unless the command was wrong or stopped.
func (f *clientFlags) unreached(ctx context.Context, found []doctor.Finding, err error) ([]doctor.Finding, error) {
	var stop stopped
	if errors.As(err, &stop) || codeOf(err) == exitUsage {
		return nil, err
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, godwit.ErrLocked) {
		return append(found, doctor.Finding{
			Severity: doctor.Info, Check: "open", Message: "the database is in use, so neither its soundness nor its jobs were looked at",
			Mend: "ask the server that works with it: godwit doctor --server URL",
		}), nil
	}
	check := "server"
	if f.db != "" {
		check = "open"
	}
	return append(found, doctor.Finding{Severity: doctor.Error, Check: check, Message: err.Error()}), nil
}

func integrity(err error) doctor.Finding {
	if err != nil {
		return doctor.Finding{
			Severity: doctor.Error, Check: "integrity", Message: err.Error(),
			Mend: "keep a copy of the file as it is, and restore a backup",
		}
	}
	return doctor.Finding{Severity: doctor.OK, Check: "integrity", Message: "the file is sound, and what is in it fits together"}
}

type findingForm struct {
	Severity doctor.Severity `json:"severity"`
	Check    string          `json:"check"`
	Message  string          `json:"message"`
	Mend     string          `json:"mend,omitempty"`
	Command  string          `json:"command,omitempty"`
}

// findings prints what was found; the error is that something is wrong.
func (p *printer) findings(found []doctor.Finding, again string) error {
	counts := map[doctor.Severity]int{}
	for _, f := range found {
		counts[f.Severity]++
		command := ""
		if f.Command != "" {
			command = "godwit " + f.Command + again
		}
		if p.json {
			if err := p.line(findingForm{f.Severity, f.Check, f.Message, f.Mend, command}); err != nil {
				return err
			}
			continue
		}
		p.finding(f, command)
	}
	if !p.json {
		fmt.Fprintf(p.out, "%s, %s\n", count(counts[doctor.Error], "error", "errors"), count(counts[doctor.Warning], "warning", "warnings"))
	}
	if counts[doctor.Error] > 0 {
		return reported{exitFailed}
	}
	return nil
}

const severityWidth, checkWidth = 9, 13

func (p *printer) finding(f doctor.Finding, command string) {
	paint := map[doctor.Severity]text.Color{
		doctor.OK: text.FgGreen, doctor.Info: text.FgCyan, doctor.Warning: text.FgYellow, doctor.Error: text.FgRed,
	}
	severity := p.paint(paint[f.Severity], fmt.Sprintf("%-*s", severityWidth, f.Severity))
	fmt.Fprintf(p.out, "%s%-*s%s\n", severity, checkWidth, f.Check, f.Message)
	if f.Mend != "" {
		fmt.Fprintf(p.out, "%*s-> %s\n", severityWidth+checkWidth, "", f.Mend)
	}
	if command != "" {
		fmt.Fprintf(p.out, "%*s   %s\n", severityWidth+checkWidth, "", command)
	}
}
