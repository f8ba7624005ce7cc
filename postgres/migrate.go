package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is one step from one version of the schema to the next. There is no way back: the program before the newest one
// works with the schema after it as well, so that processes are replaced one by one.
type Migration struct {
	Version int    // from 1
	Name    string // of the file
	SQL     string // as it is run, in one transaction
	Done    bool   // the schema has it
}

// migrations gives the scripts in order; the number of a script is its place, from 1.
func migrations() ([]Migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	list := make([]Migration, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list[i] = Migration{Version: i + 1, Name: strings.TrimPrefix(name, "migrations/"), SQL: string(text)}
	}
	return list, nil
}

// Migrate makes the schema that the configuration names, or brings it up to date, each step in a transaction of its own, and
// answers with the steps that it took. Several processes may do it at once: one works, the others wait.
func Migrate(ctx context.Context, config Config) ([]Migration, error) {
	var done []Migration
	err := withMigrator(ctx, config, func(m *migrator) error {
		err := m.up(ctx)
		done = m.taken
		return err
	})
	return done, err
}

// Migrations lists the steps, those that the schema has and those that it lacks. With their SQL a database's owner may review them,
// or run them by hand.
func Migrations(ctx context.Context, config Config) ([]Migration, error) {
	var list []Migration
	err := withMigrator(ctx, config, func(m *migrator) error {
		version, err := m.version(ctx)
		if err != nil {
			return err
		}
		list, err = m.steps()
		for i := range list {
			list[i].Done = list[i].Version <= version
		}
		return err
	})
	return list, err
}

func withMigrator(ctx context.Context, config Config, fn func(m *migrator) error) error {
	config, err := config.withDefaults()
	if err != nil {
		return err
	}
	cfg, err := poolConfig(config)
	if err != nil {
		return err
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // it goes through any pooler, and is asked little
	conn, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return openError(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is under way any more
	if err := checkServer(ctx, conn); err != nil {
		return openError(err)
	}
	if err := fn(&migrator{conn: conn, name: config.Schema, schema: schemaOf(config.Schema)}); err != nil {
		return openError(err)
	}
	return nil
}

// migrator works on the schema over one connection.
type migrator struct {
	conn   *pgx.Conn
	name   string
	schema schema
	taken  []Migration
}

// steps gives the migrations with the name of the schema in them. Each begins by making the schema and ends by noting itself, so
// that it may be run by hand as it is.
func (m *migrator) steps() ([]Migration, error) {
	list, err := migrations()
	for i := range list {
		sql := m.schema.in(list[i].SQL) + m.schema.in(fmt.Sprintf("\nINSERT INTO godwit.migrations (version) VALUES (%d);\n", i+1))
		if i == 0 {
			sql = fmt.Sprintf("CREATE SCHEMA IF NOT EXISTS %s;\n\n", pgx.Identifier{m.name}.Sanitize()) + sql
		}
		list[i].SQL = sql
	}
	return list, err
}

// version gives the newest migration that the schema has, 0 when there is no schema, and refuses a schema that is another
// program's.
func (m *migrator) version(ctx context.Context) (int, error) {
	var ours bool
	var tables int
	const sql = "SELECT to_regclass($1) IS NOT NULL, (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace" +
		" WHERE n.nspname = $2 AND c.relkind IN ('r', 'p', 'v', 'm'))"
	if err := m.conn.QueryRow(ctx, sql, pgx.Identifier{m.name, "migrations"}.Sanitize(), m.name).Scan(&ours, &tables); err != nil {
		return 0, err
	}
	switch {
	case !ours && tables > 0:
		return 0, invalid("Schema", "is %s, which holds tables of another program (give Godwit a schema of its own)", m.name)
	case !ours:
		return 0, nil
	}
	var version int
	err := m.conn.QueryRow(ctx, m.schema.in("SELECT coalesce(max(version), 0) FROM godwit.migrations")).Scan(&version)
	return version, err
}

// current refuses a schema that this program cannot work with.
func (m *migrator) current(ctx context.Context) error {
	steps, err := m.steps()
	if err != nil {
		return err
	}
	version, err := m.version(ctx)
	switch {
	case err != nil:
		return err
	case version == 0:
		return &godwit.Error{
			Code: godwit.CodeInvalid, Field: "Schema",
			Message: fmt.Sprintf("is %s, which is not there (run godwit migrate up, or open with Migrate: up)", m.name),
		}
	case version < len(steps):
		return &godwit.Error{
			Code: godwit.CodeInvalid, Field: "Schema",
			Message: fmt.Sprintf("is %s at version %d, and this program needs %d (run godwit migrate up, or open with Migrate: up)", m.name, version, len(steps)),
		}
	}
	return nil
}

// up takes the steps that the schema lacks. A schema that is newer than this program is left as it is: the program after this
// one has brought it there, and this one still works with it.
func (m *migrator) up(ctx context.Context) (err error) {
	steps, err := m.steps()
	if err != nil {
		return err
	}
	version, err := m.version(ctx)
	if err != nil || version >= len(steps) {
		return err
	}
	for _, step := range steps {
		if err := m.take(ctx, step); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", step.Version, err)
		}
	}
	return nil
}

// take takes one step unless somebody has taken it already. One process at a time does.
func (m *migrator) take(ctx context.Context, step Migration) error {
	tx, err := m.conn.Begin(ctx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", claimsKey("migrate "+m.name))
	version := 0
	if err == nil {
		version, err = m.version(ctx)
	}
	if err == nil && version < step.Version {
		_, err = m.conn.PgConn().Exec(ctx, step.SQL).ReadAll()
		step.Done = true
		m.taken = append(m.taken, step)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}
	return tx.Commit(ctx)
}
