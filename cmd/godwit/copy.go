package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/postgres"
	"github.com/godwit-go/godwit/sqlite"
)

func newCopy() *cobra.Command {
	f := &clientFlags{}
	var from string
	cmd := &cobra.Command{
		Use:   "copy --from sqlite:PATH --to postgres://...",
		Short: "Move the jobs of an SQLite file into an empty PostgreSQL schema",
		Long: `copy writes everything that the file holds into a schema that is empty or not there yet: jobs in every state with their arguments, results,
attempts, log lines, items, progress, keys, children and waits, pauses, and what is known of pruned jobs. Ids and times stay as they are.

Stop what works with the file first; while a process holds it copy refuses. Jobs that ran when a process was killed go back as after any kill: they are
ready again, or scheduled after a crash delay, with one more crash; a job that waited for others goes on waiting.

All comes in one transaction, which is checked before it is committed: until then nobody sees anything, and a copy that was cut off leaves nothing
behind and is just started again. One that had been committed, though its answer was lost, says so then and does nothing more. Afterwards the file,
which still has the jobs, is marked as moved: serve and worker refuse it, so that no job runs in both. To take it back instead set
GODWIT_SQLITE_MOVED=take_back.`,
		Example: "  godwit copy --from sqlite:godwit.db --to postgres://godwit@db.internal/app",
		Args:    noArgs,
	}
	cmd.Flags().StringVar(&from, "from", "", "the file to copy, as sqlite:PATH (`URL`)")
	cmd.Flags().StringVar(&f.db, "to", "", "the database to copy into, as postgres://user@host/database (`URL`)")
	bindSchema(cmd, &f.schema)
	f.bindOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path, config, err := f.checkCopy(from)
		if err != nil {
			return err
		}
		done, err := copyJobs(cmd.Context(), path, config)
		var stop stopped
		switch {
		case errors.As(context.Cause(cmd.Context()), &stop) && err != nil:
			return stop
		case err != nil:
			return failure{err, codeOf(err)}
		}
		return printCopy(newPrinter(cmd, f.output), copyForm{done.Jobs, done.Already, from, redacted(f.db), config.Schema})
	}
	return cmd
}

// checkCopy gives the file to copy and how to reach the database.
func (f *clientFlags) checkCopy(from string) (path string, config postgres.Config, err error) {
	if err := oneOf("output", f.output, formatTable, formatJSON); err != nil {
		return "", config, err
	}
	path, isFile := doctor.SQLitePath(from)
	if !isFile || !isPostgres(f.db) {
		return "", config, usagef("copy goes from --from sqlite:PATH to --to postgres://user@host/database, got %s and %s (copy a file to a file by godwit backup)",
			quoteShort(redacted(from)), quoteShort(redacted(f.db)))
	}
	if _, err := os.Stat(path); err != nil {
		return "", config, fmt.Errorf("look at %s: %w", path, err)
	}
	config, err = postgresConfig(f.db, f.schema)
	config.Migrate = postgres.MigrateUp
	return path, config, err
}

// copyJobs copies the jobs of a file and marks it as moved. A copy that fails leaves the file as it was; of one that is cut off, or
// whose end nobody knows, the mark says so.
func copyJobs(ctx context.Context, path string, config postgres.Config) (done postgres.Imported, err error) {
	store, err := sqlite.Open(ctx, sqlite.Config{Path: path, LockWait: lockWait, Moved: sqlite.MovedLook})
	if err != nil {
		return done, explainLocked(ctx, path, true, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.Check(ctx); err != nil {
		return done, err
	}
	id, err := store.BeginMove(ctx, fmt.Sprintf("schema %s of %s", config.Schema, redacted(config.URL)))
	if err != nil {
		return done, err
	}
	from := postgres.Copy{ID: id, Source: sourceOf(path)}
	for range copyTries {
		done, err = postgres.Import(ctx, config, from, func(to func(string, []string, [][]any) error) error { return store.Export(ctx, to) })
		if !errors.Is(err, godwit.ErrOutcomeUnknown) {
			break
		}
	}
	err = ofDatabase("--to", err)
	if errors.Is(err, godwit.ErrOutcomeUnknown) {
		return done, err // the mark stays until somebody knows
	}
	return done, errors.Join(err, store.EndMove(context.WithoutCancel(ctx), id, err == nil))
}

// copyTries is how often a copy is made whose commit is not answered: the second one sees whether the first has happened.
const copyTries = 2

// sourceOf names a file for those who find it in the database.
func sourceOf(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	host, _ := os.Hostname() // without one the path alone has to do
	return fmt.Sprintf("%s on %s", path, host)
}

type copyForm struct {
	Jobs    int    `json:"jobs"`
	Already bool   `json:"already"`
	From    string `json:"from"`
	To      string `json:"to"`
	Schema  string `json:"schema"`
}

func printCopy(p *printer, form copyForm) error {
	if p.json {
		return p.object(form)
	}
	p.note("work with PostgreSQL alone from now on: %s is marked as moved, and refused", form.From)
	already := ""
	if form.Already {
		already = "already "
	}
	_, err := fmt.Fprintf(p.out, "%s %scopied from %s into schema %s of %s\n", count(form.Jobs, "job", "jobs"), already, form.From, form.Schema, form.To)
	return err
}
