package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit/bench/drive"
	"github.com/godwit-go/godwit/internal/groupcommit"
)

// rowsMax is how many rows one statement inserts or removes at most.
const rowsMax = 64

// sqliteStore has one connection, whose transactions are shared by the calls that come together.
type sqliteStore struct {
	file  string
	conn  *zs.Conn
	group *groupcommit.Group
	last  int64 // owned by the group's goroutine
}

func (s *sqliteStore) open(_ context.Context, spec drive.Spec) (err error) {
	s.file = filepath.Join(spec.Dir, "bare.db")
	if s.conn, err = zs.OpenConn(s.file, zs.OpenReadWrite|zs.OpenCreate); err != nil {
		return err
	}
	for _, sql := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -65536", "PRAGMA temp_store = MEMORY",
		"PRAGMA wal_autocheckpoint = 4000", "PRAGMA journal_size_limit = 67108864",
		"CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, args BLOB NOT NULL)",
		"CREATE TABLE IF NOT EXISTS places (id INTEGER PRIMARY KEY, run INTEGER NOT NULL)",
		"CREATE TABLE IF NOT EXISTS results (id INTEGER PRIMARY KEY, result BLOB NOT NULL)",
	} {
		if err := sqlitex.ExecuteTransient(s.conn, sql, nil); err != nil {
			return err
		}
	}
	s.group = groupcommit.New(groupcommit.Config{
		Begin:    func() error { return s.exec("BEGIN IMMEDIATE") },
		Commit:   func() error { return s.exec("COMMIT") },
		Rollback: func() { _ = s.exec("ROLLBACK") }, // there may be nothing to undo
		Disk:     func(error) bool { return true },
		Probe:    func() error { return errors.New("it failed before") },
	})
	return nil
}

// exec runs a statement with numbers.
func (s *sqliteStore) exec(sql string, args ...int64) error {
	stmt, err := s.conn.Prepare(sql)
	if err != nil {
		return err
	}
	for i, arg := range args {
		stmt.BindInt64(i+1, arg)
	}
	_, err = stmt.Step()
	return errors.Join(err, stmt.Reset())
}

// pairs are the statements that insert rows of two columns: one, and rowsMax.
type pairs struct{ one, many string }

func pairsInto(table string) pairs {
	head := "INSERT OR FAIL INTO " + table + " VALUES "
	return pairs{head + "(?,?)", head + strings.Repeat("(?,?),", rowsMax-1) + "(?,?)"}
}

var intoJobs, intoPlaces, intoResults = pairsInto("jobs"), pairsInto("places"), pairsInto("results")

// insertRows inserts n rows of two columns, which bind binds from a parameter on.
func (s *sqliteStore) insertRows(into pairs, n int, bind func(stmt *zs.Stmt, parameter, row int)) error {
	for done := 0; done < n; {
		size, sql := 1, into.one
		if n-done >= rowsMax {
			size, sql = rowsMax, into.many
		}
		stmt, err := s.conn.Prepare(sql)
		if err != nil {
			return err
		}
		for i := range size {
			bind(stmt, 2*i+1, done+i)
		}
		if _, err := stmt.Step(); err != nil {
			return err
		}
		if err := stmt.Reset(); err != nil {
			return err
		}
		done += size
	}
	return nil
}

func (s *sqliteStore) insert(ctx context.Context, bodies [][]byte, taken bool) (first int64, err error) {
	err = s.group.Do(ctx, func() error {
		first = s.last + 1
		s.last += int64(len(bodies))
		err := s.insertRows(intoJobs, len(bodies), func(stmt *zs.Stmt, p, i int) {
			stmt.BindInt64(p, first+int64(i))
			stmt.BindBytes(p+1, bodies[i])
		})
		if err != nil {
			return err
		}
		return s.insertRows(intoPlaces, len(bodies), func(stmt *zs.Stmt, p, i int) {
			stmt.BindInt64(p, first+int64(i))
			stmt.BindBool(p+1, taken)
		})
	})
	return first, err
}

func (s *sqliteStore) turn(ctx context.Context, ended []job, after int64, limit int) (jobs []job, err error) {
	err = s.group.Do(ctx, func() error {
		if err := s.settle(ended); err != nil {
			return err
		}
		jobs, err = s.claim(after, limit)
		return err
	})
	return jobs, err
}

// settle removes places and writes results. A worker's jobs are neighbours.
func (s *sqliteStore) settle(ended []job) error {
	if len(ended) == 0 {
		return nil
	}
	if err := s.exec("DELETE FROM places WHERE id BETWEEN ? AND ? AND run = 1", ended[0].id, ended[len(ended)-1].id); err != nil {
		return err
	}
	return s.insertRows(intoResults, len(ended), func(stmt *zs.Stmt, p, i int) {
		stmt.BindInt64(p, ended[i].id)
		stmt.BindBytes(p+1, ended[i].body)
	})
}

func (s *sqliteStore) claim(after int64, limit int) (jobs []job, err error) {
	stmt, err := s.conn.Prepare("SELECT p.id, j.args FROM places p JOIN jobs j ON j.id = p.id WHERE p.id > ? AND p.run = 0 ORDER BY p.id LIMIT 0 + ?")
	if err != nil {
		return nil, err
	}
	stmt.BindInt64(1, after)
	stmt.BindInt64(2, int64(limit))
	for {
		has, err := stmt.Step()
		if err != nil {
			return nil, err
		}
		if !has {
			break
		}
		body := make([]byte, stmt.ColumnLen(1))
		stmt.ColumnBytes(1, body)
		jobs = append(jobs, job{stmt.ColumnInt64(0), body})
	}
	if err := stmt.Reset(); err != nil || len(jobs) == 0 {
		return nil, err
	}
	return jobs, s.exec("UPDATE places SET run = 1 WHERE id BETWEEN ? AND ?", jobs[0].id, jobs[len(jobs)-1].id)
}

func (s *sqliteStore) remove(ctx context.Context, upTo int64) error {
	return s.group.Do(ctx, func() error {
		return errors.Join(s.exec("DELETE FROM results WHERE id <= ?", upTo), s.exec("DELETE FROM jobs WHERE id <= ?", upTo))
	})
}

func (s *sqliteStore) results(ctx context.Context, ids []int64) (found [][]byte, err error) {
	err = s.group.Do(ctx, func() error {
		found = make([][]byte, len(ids))
		for i, id := range ids {
			stmt, err := s.conn.Prepare("SELECT result FROM results WHERE id = ?")
			if err != nil {
				return err
			}
			stmt.BindInt64(1, id)
			if has, err := stmt.Step(); err != nil {
				return err
			} else if has {
				text := make([]byte, stmt.ColumnLen(0))
				stmt.ColumnBytes(0, text)
				found[i] = text
			}
			if err := stmt.Reset(); err != nil {
				return err
			}
		}
		return nil
	})
	return found, err
}

func (s *sqliteStore) size(ctx context.Context) (rows, total int64, err error) {
	err = s.group.Do(ctx, func() error {
		stmt, err := s.conn.Prepare("SELECT count(*) FROM jobs")
		if err != nil {
			return err
		}
		rows, err = sqlitex.ResultInt64(stmt)
		return err
	})
	for _, end := range []string{"", "-wal"} {
		info, missing := os.Stat(s.file + end)
		if missing != nil {
			return 0, 0, errors.Join(err, missing)
		}
		total += info.Size()
	}
	return rows, total, err
}

func (s *sqliteStore) close() error {
	s.group.Close()
	return s.conn.Close()
}
