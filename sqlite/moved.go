package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// mark is what a file says of a copy of its jobs.
type mark struct {
	copy    godwit.ID // zero: none was begun
	target  string
	movedAt int64 // 0: it is not known to have come to its end
}

func readMark(c *conn) (m mark, err error) {
	err = c.query("SELECT copy, target, moved_at FROM godwit_moved", func(s *row) error {
		m = mark{columnID(s, 0), s.ColumnText(1), columnMicros(s, 2)}
		return nil
	})
	return m, err
}

// checkMoved refuses a file that was moved, or takes it back. One whose copy was cut off is refused too: nobody knows whether it
// was committed.
func (s *Store) checkMoved(mode MovedMode) error {
	m, err := readMark(s.writer)
	if err != nil || m.copy.IsZero() || mode == MovedLook {
		return err
	}
	if mode == MovedTakeBack {
		return s.writer.exec("DELETE FROM godwit_moved")
	}
	const back = "if they do not run there, take the file back: Moved: take_back in package sqlite, sqlite.moved or GODWIT_SQLITE_MOVED=take_back for godwit serve"
	if m.movedAt == 0 {
		return &godwit.Error{Code: godwit.CodeWrongState, Message: fmt.Sprintf(
			"the jobs of %s were about to be copied to %s when that was cut off (run godwit copy again, which tells whether they are there; %s)", s.path, m.target, back)}
	}
	return &godwit.Error{Code: godwit.CodeWrongState, Message: fmt.Sprintf(
		"the jobs of %s were moved to %s at %s (work with that; %s)", s.path, m.target, time.UnixMicro(m.movedAt).UTC().Format(time.RFC3339), back)}
}

// BeginMove marks the file as one whose jobs are about to be copied to a target, and answers with the id of the copy: the one that was
// begun before, if it was to the same target. A file that was moved elsewhere is refused.
func (s *Store) BeginMove(ctx context.Context, target string) (godwit.ID, error) {
	return write(ctx, s, func(u *unit) (godwit.ID, error) {
		m, err := readMark(u.c)
		switch {
		case err != nil:
			return m.copy, err
		case m.copy.IsZero(), m.movedAt == 0 && m.target != target:
			m.copy = godwit.NewID()
			return m.copy, u.c.exec("INSERT OR REPLACE INTO godwit_moved (one, copy, target, moved_at) VALUES (1, ?, ?, 0)", m.copy[:], target)
		case m.target != target:
			return m.copy, &godwit.Error{Code: godwit.CodeWrongState, Message: fmt.Sprintf("the jobs of %s were moved to %s before, not to %s", s.path, m.target, target)}
		}
		return m.copy, nil
	})
}

// EndMove says how a copy ended: moved, so that the file is not worked with any more, or not, so that it is as before.
func (s *Store) EndMove(ctx context.Context, id godwit.ID, moved bool) error {
	_, err := write(ctx, s, func(u *unit) (struct{}, error) {
		if moved {
			return struct{}{}, u.c.exec("UPDATE godwit_moved SET moved_at = ? WHERE copy = ? AND moved_at = 0", u.now, id[:])
		}
		return struct{}{}, u.c.exec("DELETE FROM godwit_moved WHERE copy = ? AND moved_at = 0", id[:])
	})
	return err
}
