package sqlite

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// row is a row that a statement answers. What it holds was written by this package, but a damaged file may answer anything: the
// readers below take only what could have been written, and note the first thing that could not, which ends the statement.
type row struct {
	*zs.Stmt
	err error
}

// fault notes what is wrong with the row.
func (r *row) fault(col int, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %s", r.ColumnName(col), fmt.Sprintf(format, args...))
	}
}

// fits reports whether a number lies within bounds, and notes it when it does not.
func (r *row) fits(col int, n, low, high int64) bool {
	if n >= low && n <= high {
		return true
	}
	r.fault(col, "is %d, which no job can have", n)
	return false
}

// earliest and latest are the times that can be written in JSON, in microseconds.
var (
	earliest = time.Time{}.UnixMicro()
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
)

// columnMicros reads a time in microseconds, 0 for none.
func columnMicros(s *row, col int) int64 {
	us := s.ColumnInt64(col)
	s.fits(col, us, earliest, latest)
	return us
}

// columnTime reads a time, the zero time for 0.
func columnTime(s *row, col int) time.Time { return fromMicros(columnMicros(s, col)) }

// columnCount reads a number that is not negative.
func columnCount(s *row, col int) int {
	n := s.ColumnInt64(col)
	s.fits(col, n, 0, math.MaxInt32)
	return int(n)
}

// columnNumber reads a number that only grows.
func columnNumber(s *row, col int) int64 {
	n := s.ColumnInt64(col)
	s.fits(col, n, 0, math.MaxInt64)
	return n
}

// columnKind reads where a job is: one of the kinds from low to high.
func columnKind(s *row, col int, low, high kind) kind {
	n := s.ColumnInt64(col)
	if !s.fits(col, n, int64(low), int64(high)) {
		return none
	}
	return kind(n)
}

// columnID reads an id; NULL is the zero id.
func columnID(s *row, col int) godwit.ID {
	var id godwit.ID
	if s.ColumnType(col) == zs.TypeNull {
		return id
	}
	if n := s.ColumnLen(col); n != len(id) {
		s.fault(col, "is an id of %d bytes instead of %d", n, len(id))
		return id
	}
	s.ColumnBytes(col, id[:])
	return id
}

// columnBlob reads bytes into memory of its own; nil when there are none.
func columnBlob(s *row, col int) []byte {
	n := s.ColumnLen(col)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	s.ColumnBytes(col, b)
	return b
}

// columnPayload reads a payload from two columns.
func columnPayload(s *row, col int) godwit.Payload {
	return godwit.Payload{Encoding: s.ColumnText(col), Data: columnBlob(s, col+1)}
}

// columnFailure reads a failure from three columns; nil when its code is NULL.
func columnFailure(s *row, col int) *godwit.Failure {
	if s.ColumnType(col) == zs.TypeNull {
		return nil
	}
	return &godwit.Failure{Code: godwit.Code(s.ColumnText(col)), Message: s.ColumnText(col + 1), Stack: s.ColumnText(col + 2)}
}

// damaged is the error of something in a table that this package cannot have written.
func damaged(table string, what error) error { return corrupt(fmt.Errorf("%s: %w", table, what)) }

// damagedJob is the error of a job that does not fit with what points to it.
func damagedJob(table string, id godwit.ID, format string, args ...any) error {
	return damaged(table, fmt.Errorf("job %s %s", id, fmt.Sprintf(format, args...)))
}

var tableName = regexp.MustCompile(`(?:FROM|INTO|UPDATE|UPDATE OR FAIL) (godwit_\w+)`)

// tableOf gives the first table of a statement, empty when it is about none of ours.
func tableOf(sql string) string {
	if m := tableName.FindStringSubmatch(sql); m != nil {
		return m[1]
	}
	return ""
}

// misfit makes the error of a statement. Each of ours fits the tables as the migrations made them and leaves them fitting
// together, so that one which SQLite refuses has met a file that does not.
func misfit(sql string, err error) error {
	switch zs.ErrCode(err).ToPrimary() {
	case zs.ResultError, zs.ResultConstraint, zs.ResultMismatch, zs.ResultRange, zs.ResultFormat:
		if table := tableOf(sql); table != "" {
			return damaged(table, err)
		}
	}
	return err
}

// isCorrupt reports whether an error says that the file is damaged.
func isCorrupt(err error) bool {
	if errors.Is(err, godwit.ErrCorrupt) {
		return true
	}
	code := zs.ErrCode(err).ToPrimary()
	return code == zs.ResultCorrupt || code == zs.ResultNotADB
}
