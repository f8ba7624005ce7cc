package postgres

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
)

// stmt is one statement: its SQL, in which "godwit." stands for the schema, its arguments, and what is done with each row of its
// answer.
type stmt struct {
	sql  string
	args []any
	row  func(r scanner) error // nil: there are no rows
	done func(n int64)         // told how many rows were changed; may be nil
}

// scanner reads the columns of a row.
type scanner interface{ Scan(dest ...any) error }

// do makes a statement without rows.
func do(sql string, args ...any) stmt { return stmt{sql: sql, args: args} }

// ask makes a statement whose rows are read.
func ask(sql string, row func(r scanner) error, args ...any) stmt {
	return stmt{sql: sql, args: args, row: row}
}

// link carries statements to the server, in order, and stops at the first that fails.
type link interface {
	run(ctx context.Context, list ...stmt) error
}

// sender is what pgx's connections, pools and transactions have in common.
type sender interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// pgxLink sends several statements in one round trip.
type pgxLink struct {
	to     sender
	schema schema
}

func (l pgxLink) run(ctx context.Context, list ...stmt) error {
	switch len(list) {
	case 0:
		return nil
	case 1:
		s := &list[0]
		if s.row == nil {
			tag, err := l.to.Exec(ctx, l.schema.in(s.sql), s.args...)
			return s.end(tag, err)
		}
		rows, err := l.to.Query(ctx, l.schema.in(s.sql), s.args...)
		if err != nil {
			return err
		}
		return s.read(rows)
	}
	batch := &pgx.Batch{}
	for i := range list {
		batch.Queue(l.schema.in(list[i].sql), list[i].args...)
	}
	results := l.to.SendBatch(ctx, batch)
	for i := range list {
		if err := list[i].take(results); err != nil {
			_ = results.Close() // the first error is the one to tell
			return err
		}
	}
	return results.Close()
}

func (s *stmt) take(results pgx.BatchResults) error {
	if s.row == nil {
		tag, err := results.Exec()
		return s.end(tag, err)
	}
	rows, err := results.Query()
	if err != nil {
		return err
	}
	return s.read(rows)
}

func (s *stmt) read(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		if err := s.row(rows); err != nil {
			return err
		}
	}
	rows.Close()
	return s.end(rows.CommandTag(), rows.Err())
}

func (s *stmt) end(tag pgconn.CommandTag, err error) error {
	if err == nil && s.done != nil {
		s.done(tag.RowsAffected())
	}
	return err
}

// sqlLink sends statements one by one over a transaction of database/sql, whose driver has to be pgx's.
type sqlLink struct {
	tx     *sql.Tx
	schema schema
}

func (l sqlLink) run(ctx context.Context, list ...stmt) error {
	for i := range list {
		if err := l.one(ctx, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l sqlLink) one(ctx context.Context, s *stmt) error {
	text := l.schema.in(s.sql)
	if s.row == nil {
		result, err := l.tx.ExecContext(ctx, text, s.args...)
		if err != nil || s.done == nil {
			return err
		}
		n, err := result.RowsAffected()
		s.done(n)
		return err
	}
	rows, err := l.tx.QueryContext(ctx, text, s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what went wrong
	n := int64(0)
	for rows.Next() {
		n++
		if err := s.row(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if s.done != nil {
		s.done(n)
	}
	return nil
}

// schema puts the name of the schema into statements.
type schema struct{ prefix string } // with the point; empty: the default

func schemaOf(name string) schema {
	if name == SchemaDefault {
		return schema{}
	}
	return schema{pgx.Identifier{name}.Sanitize() + "."}
}

func (s schema) in(sql string) string {
	if s.prefix == "" {
		return sql
	}
	return strings.ReplaceAll(sql, "godwit.", s.prefix)
}

// idInto reads an id; NULL is the zero id. It serves pgx and database/sql.
type idInto struct{ id *godwit.ID }

// ScanUUID takes the value from pgx.
func (d idInto) ScanUUID(v pgtype.UUID) error {
	*d.id = v.Bytes
	return nil
}

// Scan takes the value from database/sql.
func (d idInto) Scan(src any) error {
	*d.id = godwit.ID{}
	switch v := src.(type) {
	case nil:
		return nil
	case string:
		id, err := godwit.ParseID(v)
		*d.id = id
		return err
	case [16]byte:
		*d.id = v
		return nil
	case []byte:
		if len(v) == len(d.id) {
			copy(d.id[:], v)
			return nil
		}
		_, err := hex.Decode(d.id[:], []byte(strings.ReplaceAll(string(v), "-", "")))
		return err
	}
	return fmt.Errorf("read an id from a %T", src)
}

// encoding reads the encoding of a payload, which is mostly the same.
type encoding string

// ScanBytes takes the value from pgx.
func (e *encoding) ScanBytes(v []byte) error {
	if string(v) != string(*e) {
		*e = encoding(v)
	}
	return nil
}

// failureInto reads a failure from three columns that are NULL when there is none.
type failureInto struct{ code, message, stack pgtype.Text }

func (f *failureInto) dest() []any { return []any{&f.code, &f.message, &f.stack} }

func (f *failureInto) failure() *godwit.Failure {
	if !f.code.Valid {
		return nil
	}
	return &godwit.Failure{Code: godwit.Code(f.code.String), Message: f.message.String, Stack: f.stack.String}
}

// uuid makes an argument of an id; the zero id is NULL.
func uuid(id godwit.ID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: !id.IsZero()} }

// array is an argument that pgx sends without reflection.
type array[T any] = pgtype.FlatArray[T]

// uuids makes an argument of ids.
func uuids(ids []godwit.ID) array[pgtype.UUID] {
	list := make(array[pgtype.UUID], len(ids))
	for i, id := range ids {
		list[i] = pgtype.UUID{Bytes: id, Valid: true}
	}
	return list
}

// plainText gives text as PostgreSQL takes it: valid UTF-8 without NUL. What it cannot hold becomes U+FFFD.
func plainText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
