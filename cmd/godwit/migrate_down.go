package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/postgres"
)

func newMigrateDown() *cobra.Command {
	f := &migrateFlags{}
	cmd := &cobra.Command{
		Use:   "down --to 0 --confirm SCHEMA --db postgres://...",
		Short: "Remove the schema's tables with all jobs",
		Long: `down --to 0 takes the schema back to nothing: every table of Godwit's is removed with all jobs in it, in one transaction, and the schema
itself if nothing else is in it. --confirm has to repeat the name of the schema. It refuses while a server or a worker lives, and when a view or
the like of another program depends on a table. Only a backup, made before by pg_dump, has the jobs then.

To a version between there is no way back, and none is needed to go back to the program before the newest, which works with the schema
as it is: just start that one. To go back further restore a backup.`,
		Example: "  godwit migrate down --db postgres://owner@db.internal/app --to 0 --confirm godwit",
		Args:    cobra.NoArgs,
	}
	f.bindMigrate(cmd)
	cmd.Flags().IntVar(&f.to, "to", -1, "the `VERSION` to go back to: 0, nothing")
	cmd.Flags().StringVar(&f.confirm, "confirm", "", "the name of the `SCHEMA` once more, as a sign that all its jobs are to go")
	cmd.RunE = f.work(func(ctx context.Context, p *printer, c postgres.Config) error {
		switch {
		case f.to != 0:
			return usagef("--to must be 0: single steps are not taken back, and nothing was changed (the program before the newest works with the schema as it is, " +
				"so just start that one; to go back further restore a backup made by pg_dump)")
		case f.confirm != c.Schema:
			return usagef("--confirm must repeat the name of the schema, %s, whose jobs would all be removed; nothing was changed", c.Schema)
		}
		dropped, err := postgres.Drop(ctx, c)
		if err != nil {
			return err
		}
		return p.dropped(dropped, c.Schema)
	})
	return cmd
}

type droppedForm struct {
	Schema  string   `json:"schema"`
	Tables  []string `json:"tables"`
	Jobs    int      `json:"jobs"`
	Removed bool     `json:"schema_removed"`
}

func (p *printer) dropped(d postgres.Dropped, schema string) error {
	if p.json {
		return p.object(droppedForm{schema, append([]string{}, d.Tables...), d.Jobs, d.Schema})
	}
	if len(d.Tables) == 0 {
		p.note("schema %s is not there", schema)
		return nil
	}
	left := ""
	if !d.Schema {
		left = ", which stays: something else is in it"
	}
	_, err := fmt.Fprintf(p.out, "%s and %s removed from schema %s%s\n", count(len(d.Tables), "table", "tables"), count(d.Jobs, "job", "jobs"), schema, left)
	return err
}
