package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

// imported are the tables that an import fills.
var imported = []string{
	"lanes", "paused_queues", "paused_tasks", "jobs", "places", "finished", "pruned", "attempts", "reports", "logs", "items", "known_keys",
	"unique_keys", "children", "cascades", "waits",
}

// Copy is where jobs come from that are imported.
type Copy struct {
	ID     godwit.ID // of this copy, the same when it is made again; [godwit.NewID] makes one
	Source string    // for people to read
}

// Imported is what an import has done.
type Imported struct {
	Jobs    int  // that came
	Already bool // the same copy had been made before; nothing was done now
}

// Import fills an empty schema with what export hands over, in one transaction: until it is committed nobody sees anything, who works with the
// schema meanwhile waits, and what is cut off leaves nothing behind. The id of the copy is kept in the same transaction: an import whose
// commit was not answered ([godwit.CodeOutcomeUnknown]) may be repeated, and answers that it has been made, whatever has become of
// the jobs since. Any other schema that is not empty is refused. Export is that of a store of another kind: some rows of a table at a time, as
// int64, string, []byte and nil.
func Import(ctx context.Context, config Config, from Copy, export func(to func(table string, columns []string, rows [][]any) error) error) (done Imported, err error) {
	err = withMigrator(ctx, config, func(m *migrator) error {
		if config.Migrate == MigrateNever {
			err = m.current(ctx)
		} else {
			err = m.up(ctx)
		}
		if err != nil {
			return err
		}
		tx, err := m.conn.Begin(ctx)
		if err != nil {
			return err
		}
		i := &importer{tx: tx, name: m.name, schema: m.schema, from: from}
		if err := i.run(ctx, export); err != nil || i.already {
			done = Imported{i.jobs, i.already}
			return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
		}
		if err := tx.Commit(ctx); err != nil {
			return toError(commitError(err))
		}
		done = Imported{Jobs: i.jobs}
		return nil
	})
	return done, err
}

type importer struct {
	tx      pgx.Tx
	name    string
	schema  schema
	from    Copy
	jobs    int
	already bool
}

func (i *importer) run(ctx context.Context, export func(to func(table string, columns []string, rows [][]any) error) error) error {
	if err := i.alone(ctx); err != nil || i.already {
		return err
	}
	err := export(func(table string, columns []string, rows [][]any) error { return i.take(ctx, table, columns, rows) })
	if err != nil {
		return err
	}
	// Numbers of lanes go on after those that came.
	const next = "SELECT setval(pg_get_serial_sequence('godwit.lanes', 'id'), (SELECT max(id) FROM godwit.lanes)) WHERE EXISTS (SELECT FROM godwit.lanes)"
	if _, err := i.tx.Exec(ctx, i.schema.in(next)); err != nil {
		return err
	}
	if err := i.check(ctx); err != nil {
		return err
	}
	const note = "INSERT INTO godwit.copies (id, jobs, source) VALUES ($1, $2, $3)"
	_, err = i.tx.Exec(ctx, i.schema.in(note), uuid(i.from.ID), i.jobs, plainText(i.from.Source))
	return err
}

// madeBefore reports whether this copy is here.
func (i *importer) madeBefore(ctx context.Context) (bool, error) {
	err := i.tx.QueryRow(ctx, i.schema.in("SELECT jobs FROM godwit.copies WHERE id = $1"), uuid(i.from.ID)).Scan(&i.jobs)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// alone keeps others away, and looks that there is nothing yet. A copy that is made anew while it is under way waits for its own
// lock, and does not hold up those who work with what it brought.
func (i *importer) alone(ctx context.Context) (err error) {
	if _, err := i.tx.Exec(ctx, i.schema.in("LOCK TABLE godwit.copies IN EXCLUSIVE MODE")); err != nil {
		return err
	}
	if i.already, err = i.madeBefore(ctx); err != nil || i.already {
		return err
	}
	names, filled := make([]string, 0, len(imported)+1), make([]string, 0, len(imported)+1)
	for _, table := range append(slices.Clone(imported), "sessions") {
		names = append(names, "godwit."+table)
		filled = append(filled, "EXISTS (SELECT FROM godwit."+table+")")
	}
	if _, err := i.tx.Exec(ctx, i.schema.in("LOCK TABLE "+strings.Join(names, ", ")+" IN ACCESS EXCLUSIVE MODE")); err != nil {
		return err
	}
	var some bool
	if err := i.tx.QueryRow(ctx, i.schema.in("SELECT "+strings.Join(filled, " OR "))).Scan(&some); err != nil {
		return err
	}
	if some {
		return &godwit.Error{
			Code: godwit.CodeWrongState, Field: "Schema", Message: fmt.Sprintf("is %s, which is not empty: it has jobs, pauses or sessions (name another)", i.name),
		}
	}
	return nil
}

// take writes rows of one table.
func (i *importer) take(ctx context.Context, table string, columns []string, rows [][]any) error {
	if !slices.Contains(imported, table) {
		return fmt.Errorf("import rows of %q, which is no table of jobs", table)
	}
	for _, row := range rows {
		for n, column := range columns {
			v, err := imports(column, row[n])
			if err != nil {
				return fmt.Errorf("import %s of %s: %w", column, table, err)
			}
			row[n] = v
		}
	}
	if table == "jobs" {
		i.jobs += len(rows)
	}
	_, err := i.tx.CopyFrom(ctx, pgx.Identifier{i.name, table}, columns, pgx.CopyFromRows(rows))
	return err
}

// imports makes the value of a column. A name or a key that PostgreSQL cannot keep is refused, since it would become another one;
// in what people read it is replaced.
func imports(column string, v any) (any, error) {
	switch v := v.(type) {
	case []byte:
		switch column {
		case "id", "job", "session", "parent", "promise", "waiter", "after", "fingerprint":
			if len(v) != 16 {
				return nil, fmt.Errorf("it has %d bytes, and an id has 16", len(v))
			}
			return [16]byte(v), nil
		}
	case int64:
		switch column {
		case "reported", "wait_any", "woken", "detached", "unstarted":
			return v != 0, nil
		}
	case string:
		plain := plainText(v)
		switch column {
		case "queue", "task", "name", "scope", "key", "encoding":
			if plain != v {
				return nil, fmt.Errorf("%.80q has what PostgreSQL cannot keep: a zero byte, or what is no UTF-8", v)
			}
		}
		return plain, nil
	}
	return v, nil
}

// check looks whether what came fits together.
func (i *importer) check(ctx context.Context) error {
	var errs []error
	link := pgxLink{i.tx, i.schema}
	for _, inv := range invariants {
		sql := fmt.Sprintf("SELECT * FROM (%s) found LIMIT %d", inv.query, findingsMax)
		err := link.run(ctx, ask(sql, func(row scanner) error {
			var text string
			err := row.Scan(&text)
			errs = append(errs, fmt.Errorf("not so: %s: %s", inv.rule, text))
			return err
		}))
		if err != nil {
			return fmt.Errorf("check that %s: %w", inv.rule, err)
		}
	}
	if len(errs) > 0 {
		return &godwit.Error{Code: godwit.CodeCorrupt, Err: errors.Join(errs...), Message: "what came does not fit together, and nothing was kept"}
	}
	return nil
}
