package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/postgres"
)

// migrateFlags are the flags of the commands that work on the schema of a PostgreSQL database.
type migrateFlags struct {
	clientFlags
	sql     bool
	to      int
	confirm string
}

func newMigrate() *cobra.Command {
	return newGroup("migrate", "Make the schema of a PostgreSQL database, or bring it up to date", newMigrateUp(), newMigrateStatus(), newMigrateGrants(), newMigrateDown())
}

func newMigrateUp() *cobra.Command {
	f := &migrateFlags{}
	cmd := &cobra.Command{
		Use:   "up --db postgres://...",
		Short: "Take the steps that the schema lacks",
		Long: `up makes the schema, or brings it up to date, each step in a transaction of its own. Servers and workers may go on meanwhile: the program
before the newest works with the schema after a step as well. serve and worker do the same when they start, unless postgres.migrate is
never: then this is for the role that owns the schema, and they need no right but to work with rows. Several may run it at once.

An SQLite file needs none of this: it is brought up to date when it is opened.`,
		Example: `  godwit migrate up --db postgres://owner@db.internal/app
  godwit migrate up --db postgres://owner@db.internal/app --sql    # prints what would be run, for review`,
		Args: noArgs,
	}
	f.bindMigrate(cmd)
	cmd.Flags().BoolVar(&f.sql, "sql", false, "print what would be run, and change nothing")
	cmd.RunE = f.work(func(ctx context.Context, p *printer, c postgres.Config) error {
		if f.sql {
			return printMigrationSQL(ctx, p, c)
		}
		taken, err := postgres.Migrate(ctx, c)
		if err != nil {
			return err
		}
		if len(taken) == 0 {
			p.note("schema %s is up to date", c.Schema)
		}
		return p.migrations(taken)
	})
	return cmd
}

func newMigrateStatus() *cobra.Command {
	f := &migrateFlags{}
	cmd := &cobra.Command{
		Use:     "status --db postgres://...",
		Short:   "List the steps, those that the schema has and those that it lacks",
		Example: "  godwit migrate status --db postgres://owner@db.internal/app",
		Args:    noArgs,
	}
	f.bindMigrate(cmd)
	cmd.RunE = f.work(func(ctx context.Context, p *printer, c postgres.Config) error {
		list, err := postgres.Migrations(ctx, c)
		if err != nil {
			return err
		}
		if n := lacking(list); n > 0 {
			p.note("schema %s lacks %s: godwit migrate up takes them", c.Schema, count(n, "step", "steps"))
		}
		return p.migrations(list)
	})
	return cmd
}

func newMigrateGrants() *cobra.Command {
	var schema string
	cmd := &cobra.Command{
		Use:   "grants ROLE",
		Short: "Print the statements that let a role work with the jobs and do nothing else",
		Long: `grants prints what the owner of the schema runs, after migrate up, so that servers and workers may connect as a role that works with rows
alone: with postgres.migrate: never they need no other right. It connects to nothing.`,
		Example: "  godwit migrate grants app | psql postgres://owner@db.internal/app",
		Args:    cobra.ExactArgs(1),
	}
	bindSchema(cmd, &schema)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := postgresConfig("", schema)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), postgres.GrantsSQL(c.Schema, args[0]))
		return err
	}
	return cmd
}

func (f *migrateFlags) bindMigrate(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.db, "db", "", "the database `URL`, as postgres://user@host/database (env "+config.Variable("db")+")")
	bindSchema(cmd, &f.schema)
	f.bindOutput(cmd)
}

// work makes the RunE of a command that works on the schema.
func (f *migrateFlags) work(do func(ctx context.Context, p *printer, c postgres.Config) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		if err := oneOf("output", f.output, formatTable, formatJSON); err != nil {
			return err
		}
		if f.db == "" {
			f.db = fromEnv(config.Variable("db"), "")
		}
		if !isPostgres(f.db) {
			return usagef("--db must be postgres://user@host/database, got %s (an SQLite file is brought up to date when it is opened)", quoteShort(redacted(f.db)))
		}
		c, err := postgresConfig(f.db, f.schema)
		if err != nil {
			return err
		}
		err = do(cmd.Context(), newPrinter(cmd, f.output), c)
		var stop stopped
		if errors.As(context.Cause(cmd.Context()), &stop) && errors.Is(err, context.Canceled) {
			return stop
		}
		if err != nil {
			return failure{ofDatabase("--db", err), codeOf(err)}
		}
		return nil
	}
}

// lacking counts the steps that are not taken.
func lacking(list []postgres.Migration) int {
	n := 0
	for _, m := range list {
		if !m.Done {
			n++
		}
	}
	return n
}

// printMigrationSQL prints the steps that the schema lacks, to be run as they are.
func printMigrationSQL(ctx context.Context, p *printer, c postgres.Config) error {
	list, err := postgres.Migrations(ctx, c)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Done {
			continue
		}
		if _, err := fmt.Fprintf(p.out, "-- %s\nBEGIN;\n%s\nCOMMIT;\n", m.Name, strings.TrimSpace(m.SQL)); err != nil {
			return err
		}
	}
	if lacking(list) == 0 {
		p.note("schema %s is up to date", c.Schema)
	}
	return nil
}

type migrationForm struct {
	Version int    `json:"version"`
	Name    string `json:"name"`
	Done    bool   `json:"done"`
}

func (p *printer) migrations(list []postgres.Migration) error {
	if p.json {
		for _, m := range list {
			if err := p.line(migrationForm{m.Version, m.Name, m.Done}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		return nil
	}
	rows := make([][]string, 0, len(list))
	for _, m := range list {
		done := "no"
		if m.Done {
			done = "yes"
		}
		rows = append(rows, []string{fmt.Sprint(m.Version), m.Name, done})
	}
	p.grid([]column{{head: "VERSION", right: true}, {head: "STEP"}, {head: "DONE"}}, rows)
	return nil
}
