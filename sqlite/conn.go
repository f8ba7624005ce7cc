package sqlite

import (
	"fmt"
	"strings"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// conn is one connection to the file with its prepared statements. It belongs to one goroutine at a time.
type conn struct {
	db     *zs.Conn
	multis map[multiKey]*zs.Stmt

	changed int // rows that the statements of changeEach changed
}

type multiKey struct {
	of *multi
	n  int
}

// multi is a statement that takes many rows at once: head, then a tuple for each row with sep between them, then tail. SQLite
// takes a thousand rows in a few such statements much faster than one by one.
type multi struct {
	head, tuple, sep, tail string
	span, count            string // of a list of ids: the same over a range of them, and how many rows that has
}

// multiSizes are the numbers of rows for which statements are prepared, largest first.
var multiSizes = []int{256, 64, 16, 4, 1}

// values makes the multi that inserts rows of the columns named. OR FAIL spares SQLite the journal from which it would undo one
// statement: whoever sees a statement fail undoes the whole transaction or savepoint.
func values(into, columns, tail string) *multi {
	n := strings.Count(columns, ",") + 1
	tuple := "(" + strings.Repeat("?,", n-1) + "?)"
	return &multi{head: "INSERT OR FAIL INTO " + into + " (" + columns + ") VALUES ", tuple: tuple, sep: ",", tail: tail}
}

// in makes the multi of a statement that ends in a list of values: "... FROM table WHERE column IN".
func in(head string) *multi {
	m := &multi{head: head + " (", tuple: "?", sep: ",", tail: ")"}
	head = strings.TrimSuffix(head, " IN")
	column := head[strings.LastIndexAny(head, " .")+1:]
	m.span = head + " BETWEEN ? AND ?"
	m.count = "SELECT count(*) FROM (SELECT 1 FROM " + tableOf(head) + " WHERE " + column + " BETWEEN ? AND ? LIMIT 0 + ?)"
	return m
}

// rangeSize is the number of rows that stands for a range.
const rangeSize = 0

func (m *multi) sql(n int) string {
	if n == rangeSize {
		return m.span
	}
	return m.head + strings.Repeat(m.tuple+m.sep, n-1) + m.tuple + m.tail
}

// A statement whose LIMIT is a parameter alone is compiled anew whenever that has another value; "LIMIT 0 + ?" is not.

// prepareMulti gives the statement for n rows, which is one of multiSizes or rangeSize.
func (c *conn) prepareMulti(m *multi, n int) (*zs.Stmt, error) {
	key := multiKey{m, n}
	if s := c.multis[key]; s != nil {
		return s, s.Reset()
	}
	s, err := c.db.Prepare(m.sql(n))
	if err != nil {
		return nil, misfit(m.head, err)
	}
	c.multis[key] = s
	return s, nil
}

// many runs m over n rows. bind binds row i from parameter p on and returns the parameter after it. got, if not nil, is called
// for each row that the statement answers.
func (c *conn) many(m *multi, n int, bind func(s *zs.Stmt, p, i int) int, got func(s *row) error) error {
	done := 0
	for _, size := range multiSizes {
		for n-done >= size {
			s, err := c.prepareMulti(m, size)
			if err != nil {
				return err
			}
			p := 1
			for i := range size {
				p = bind(s, p, done+i)
			}
			if err := drain(s, m.head, got); err != nil {
				return err
			}
			c.changed += c.db.Changes()
			done += size
		}
	}
	return nil
}

// manyIDs runs m over ids, one parameter each.
func (c *conn) manyIDs(m *multi, ids []godwit.ID, got func(s *row) error) error {
	return c.many(m, len(ids), func(s *zs.Stmt, p, i int) int {
		s.BindBytes(p, ids[i][:])
		return p + 1
	}, got)
}

// drain steps a bound statement to its end and resets it.
func drain(s *zs.Stmt, sql string, got func(s *row) error) error {
	r := row{Stmt: s}
	for {
		has, err := s.Step()
		if err != nil {
			return misfit(sql, err)
		}
		if !has {
			return s.Reset()
		}
		if got == nil {
			continue
		}
		if err = got(&r); err == nil && r.err != nil {
			err = damaged(tableOf(sql), r.err)
		}
		if err != nil {
			_ = s.Reset() // the row's error is the one to tell
			return err
		}
	}
}

// exec runs one statement.
func (c *conn) exec(sql string, args ...any) error { return c.query(sql, nil, args...) }

// query runs one statement and calls got for each row that it answers.
func (c *conn) query(sql string, got func(s *row) error, args ...any) error {
	s, err := c.db.Prepare(sql)
	if err != nil {
		return misfit(sql, err)
	}
	for i, arg := range args {
		bindAny(s, i+1, arg)
	}
	return drain(s, sql, got)
}

func bindAny(s *zs.Stmt, p int, arg any) {
	switch v := arg.(type) {
	case int:
		s.BindInt64(p, int64(v))
	case int64:
		s.BindInt64(p, v)
	case bool:
		s.BindBool(p, v)
	case string:
		s.BindText(p, v)
	case []byte:
		s.BindBytes(p, v)
	case godwit.ID:
		s.BindBytes(p, v[:])
	default:
		panic(fmt.Sprintf("sqlite: cannot bind a %T", arg))
	}
}

// bindID binds an id, NULL when it is zero.
func bindID(s *zs.Stmt, p int, id *godwit.ID) {
	if id.IsZero() {
		s.BindNull(p)
		return
	}
	s.BindBytes(p, id[:])
}

// bindFailure binds a failure to three parameters, NULL when it is nil.
func bindFailure(s *zs.Stmt, p int, f *godwit.Failure) {
	if f == nil {
		s.BindNull(p)
		s.BindNull(p + 1)
		s.BindNull(p + 2)
		return
	}
	s.BindText(p, string(f.Code))
	s.BindText(p+1, f.Message)
	s.BindText(p+2, f.Stack)
}
