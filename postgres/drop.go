package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

// Dropped is what [Drop] has removed.
type Dropped struct {
	Tables []string // none: there was nothing
	Jobs   int      // that were in them
	Schema bool     // the schema itself has gone too; it stays when others have put something into it
}

// Drop takes the schema back to nothing: it removes every table of Godwit's with all jobs, in one transaction, and the schema if
// nothing else is in it. It is refused while a session lives, which would go on working with what is gone, and when something
// of another program's depends on a table. What is removed is in no place but a backup.
func Drop(ctx context.Context, config Config) (Dropped, error) {
	var dropped Dropped
	err := withMigrator(ctx, config, func(m *migrator) error {
		version, err := m.version(ctx)
		if err != nil || version == 0 {
			return err
		}
		dropped, err = m.down(ctx)
		return err
	})
	return dropped, err
}

// down removes what the steps have made, one process at a time as with up.
func (m *migrator) down(ctx context.Context) (dropped Dropped, err error) {
	tx, err := m.conn.Begin(ctx)
	if err != nil {
		return dropped, err
	}
	if _, err = tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", claimsKey("migrate "+m.name)); err == nil {
		dropped, err = m.drop(ctx, tx)
	}
	if err != nil {
		return Dropped{}, errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}
	if err := tx.Commit(ctx); err != nil {
		return Dropped{}, toError(commitError(err))
	}
	return dropped, nil
}

func (m *migrator) drop(ctx context.Context, tx pgx.Tx) (dropped Dropped, err error) {
	tables, err := m.ownTables(ctx, tx)
	if err != nil || len(tables) == 0 {
		return dropped, err // another process was faster
	}
	names := make([]string, len(tables))
	for i, table := range tables {
		names[i] = pgx.Identifier{m.name, table}.Sanitize()
	}
	all := strings.Join(names, ", ")
	if _, err := tx.Exec(ctx, "LOCK TABLE "+all+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return dropped, err
	}
	if err := m.nobodyWorks(ctx, tx); err != nil {
		return dropped, err
	}
	if err := tx.QueryRow(ctx, m.schema.in("SELECT count(*) FROM godwit.jobs")).Scan(&dropped.Jobs); err != nil {
		return dropped, err
	}
	if _, err := tx.Exec(ctx, "DROP TABLE "+all); err != nil { // without CASCADE: what is another program's stays, or keeps ours
		return dropped, dependentError(err)
	}
	dropped.Tables = tables
	const others = "SELECT NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = $1::regnamespace AND deptype = 'n')"
	if err := tx.QueryRow(ctx, others, pgx.Identifier{m.name}.Sanitize()).Scan(&dropped.Schema); err != nil || !dropped.Schema {
		return dropped, err
	}
	_, err = tx.Exec(ctx, "DROP SCHEMA "+pgx.Identifier{m.name}.Sanitize())
	return dropped, err
}

// madeTables finds the tables that a step makes.
var madeTables = regexp.MustCompile(`(?m)^CREATE TABLE godwit\.(\w+)`)

// ownTables gives those that the steps make and that are there.
func (m *migrator) ownTables(ctx context.Context, tx pgx.Tx) ([]string, error) {
	steps, err := migrations()
	if err != nil {
		return nil, err
	}
	var made []string
	for _, step := range steps {
		for _, match := range madeTables.FindAllStringSubmatch(step.SQL, -1) {
			made = append(made, match[1])
		}
	}
	const sql = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p') AND relname = ANY($2) ORDER BY relname"
	rows, err := tx.Query(ctx, sql, pgx.Identifier{m.name}.Sanitize(), made)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// nobodyWorks refuses while a session lives. Whoever begins one meanwhile waits for the locks, and then finds nothing.
func (m *migrator) nobodyWorks(ctx context.Context, tx pgx.Tx) error {
	const sql = "SELECT pid, host FROM godwit.sessions WHERE lease_until > extract(epoch FROM clock_timestamp()) * 1000000 LIMIT 1"
	var pid int64
	var host string
	err := tx.QueryRow(ctx, m.schema.in(sql)).Scan(&pid, &host)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return &godwit.Error{
		Code: godwit.CodeWrongState, Field: "Schema",
		Message: fmt.Sprintf("is %s, with which process %d on %s works (stop all servers and workers first; the lease of one that was killed ends by itself)", m.name, pid, host),
	}
}

// dependentError makes the error of a table that something of another program's depends on.
func dependentError(err error) error {
	if sqlState(err) != "2BP01" {
		return err
	}
	return &godwit.Error{
		Code: godwit.CodeWrongState, Field: "Schema", Err: err,
		Message: fmt.Sprintf("holds tables that something else depends on, and nothing was removed (%s; drop that first)", err),
	}
}
