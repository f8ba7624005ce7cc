package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// persistFor is how long a call is tried anew after its connection was first lost before anything was committed; a server that restarts
// is mostly back by then. conflictsMax bounds how often a transaction is run again that met another one.
const (
	persistFor   = 3 * time.Second
	conflictsMax = 100
)

// persist gives do a connection, and another one when that was lost before anything was committed, or the transaction met
// another one. Waiting for a connection ends with ctx; once there is one, the call runs to its end, bounded by CallTimeout.
func (s *Store) persist(ctx context.Context, pool *pgxpool.Pool, do func(ctx context.Context, conn *pgxpool.Conn) error) error {
	var until time.Time
	for attempt := 1; ; attempt++ {
		err := s.attempt(ctx, pool, do)
		switch {
		case err == nil, ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return err
		case meets(err):
			if attempt >= conflictsMax {
				return err
			}
		case !lost(err) || !until.IsZero() && time.Now().After(until):
			return err
		case until.IsZero():
			until = time.Now().Add(persistFor)
		}
		if err := pause(ctx, attempt, meets(err)); err != nil {
			return err
		}
	}
}

// pause waits before the next attempt: a moment after a conflict, longer while there is no connection.
func pause(ctx context.Context, attempt int, conflict bool) error {
	longest := min(20*time.Millisecond<<min(attempt, 5), 400*time.Millisecond)
	if conflict {
		longest = min(time.Millisecond<<min(attempt, 6), 50*time.Millisecond)
	}
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transact runs one operation in a transaction of its own, which begin begins.
func transact[T any](ctx context.Context, s *Store, conn *pgxpool.Conn, begin string, exclusive bool,
	op func(u *unit) (T, error),
) (T, *unit, error) {
	var nothing T
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return nothing, nil, &unreachedError{err}
	}
	u := newUnit(source{ctx: ctx, l: pgxLink{tx, s.schema}, lanes: s.lanes.Load()}, s, s.clock.now())
	answer, err := perform(u, exclusive, op)
	if err == nil && !u.refused {
		err = u.flush()
	}
	if err != nil || u.refused {
		if rollback := tx.Rollback(ctx); rollback != nil && err == nil {
			err = &unreachedError{rollback} // nothing of it was to happen
		}
		if err != nil && conn.Conn().IsClosed() {
			err = &unreachedError{err}
		}
		u.events, u.commits = nil, nil
		return answer, u, err
	}
	if err := tx.Commit(ctx); err != nil {
		err = commitError(err)
		s.doubt(err, u.turned)
		return nothing, nil, err
	}
	return answer, u, nil
}

// doubt sees to jobs of which nobody knows whether they were made ready: claims of this process look for them, and so do others.
func (s *Store) doubt(err error, turned []*job) {
	var unknown *unknownError
	if errors.As(err, &unknown) {
		s.cursors.fall(turned)
		s.teller.lost()
	}
}

// atOnce runs statements as one transaction in one round trip. A statement that fails undoes it all.
func (s *Store) atOnce(ctx context.Context, conn *pgxpool.Conn, list ...stmt) error {
	_, err := s.atOnceTelling(ctx, conn, nil, list...)
	return err
}

// atOnceTelling is atOnce that tells other processes of the events in the same round trip, after the commit, where they may be told now. It
// reports whether they were.
func (s *Store) atOnceTelling(ctx context.Context, conn *pgxpool.Conn, events []godwit.Event, list ...stmt) (told bool, err error) {
	whole := make([]stmt, 0, len(list)+4)
	whole = append(whole, do("BEGIN ISOLATION LEVEL READ COMMITTED"))
	if s.pooled.Load() {
		whole = append(whole, do(durably))
	}
	committed := false
	commit := stmt{sql: "COMMIT", done: func(int64) { committed = true }}
	whole = append(append(whole, list...), commit)
	if notification, ok := s.teller.ride(events); ok {
		whole = append(whole, notification)
		told = true
	}
	closed := conn.Conn().IsClosed()
	err = pgxLink{conn, s.schema}.run(ctx, whole...)
	switch {
	case committed:
		return told && err == nil, nil
	case closed, errors.As(err, &pgx.ErrPreprocessingBatch{}):
		return false, &unreachedError{err} // nothing was sent, or no more than what prepares the statements
	}
	return false, s.atOnceError(ctx, conn, err)
}

// atOnceError is what to make of the error of statements that were sent at once, with their COMMIT. That the connection is closed says that
// nothing was sent only where it was closed before: pgx says it too of one that was lost while the answer was awaited.
func (s *Store) atOnceError(ctx context.Context, conn *pgxpool.Conn, err error) error {
	if undone(ctx, conn) {
		return err
	}
	if pgconn.SafeToRetry(err) && !errors.Is(err, pgconn.ErrConnClosed) || sqlState(err) != "" && !conn.Conn().IsClosed() {
		return &unreachedError{err}
	}
	return commitError(err) // the COMMIT was on its way
}

// undone ends a transaction that is open, and reports whether the server says so.
func undone(ctx context.Context, conn *pgxpool.Conn) bool {
	if conn.Conn().IsClosed() || conn.Conn().PgConn().TxStatus() == 'I' {
		return false
	}
	_, err := conn.Exec(ctx, "ROLLBACK")
	return err == nil
}

// byIndex keeps the statements of a transaction that were written to find their rows by an index from being planned any other way. The
// tables grow by thousands of rows a second, and the server keeps a plan that it made when they were nearly empty. It keeps it
// for good: planning a claim takes longer than claiming one job.
const byIndex = "set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)," +
	" set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)," +
	" set_config('enable_material', 'off', true), set_config('jit', 'off', true)," +
	" set_config('plan_cache_mode', 'force_generic_plan', true)"

// perform runs the operation of a unit, keeping claims out if it is exclusive.
func perform[T any](u *unit, exclusive bool, op func(u *unit) (T, error)) (T, error) {
	if exclusive {
		u.exclusive = true
		if err := u.keepClaimsOut(); err != nil {
			var nothing T
			return nothing, err
		}
	}
	answer, err := op(u)
	if err == nil && u.glimpsed && !exclusive && !u.refused && u.changes() {
		err = errAlone
	}
	return answer, err
}

// unreachedError is the error of a call that did not reach the server, or lost it before COMMIT was sent: nothing happened.
type unreachedError struct{ err error }

func (e *unreachedError) Error() string { return e.err.Error() }
func (e *unreachedError) Unwrap() error { return e.err }

// unknownError is the error of a call that was cut off during its COMMIT.
type unknownError struct{ err error }

func (e *unknownError) Error() string { return e.err.Error() }
func (e *unknownError) Unwrap() error { return e.err }

// commitError tells a commit that was refused from one of which nobody knows. A server that is told to stop says so in answer to
// a COMMIT that it may have carried out.
func commitError(err error) error {
	var answered *pgconn.PgError
	switch {
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return err
	case stalled(err):
		return &unreachedError{err} // the server ended it before the COMMIT came
	case errors.As(err, &answered) && answered.Severity != "FATAL" && answered.Severity != "PANIC":
		return err
	}
	return &unknownError{err}
}

// sqlState gives the code of the server's error; empty when it is none of the server's.
func sqlState(err error) string {
	var answered *pgconn.PgError
	if errors.As(err, &answered) {
		return answered.Code
	}
	return ""
}

// meets reports whether a transaction was undone because it met another one, so that it is to be run again.
func meets(err error) bool {
	var unknown *unknownError
	if errors.As(err, &unknown) {
		return false
	}
	if errors.Is(err, errAgain) || errors.Is(err, errAlone) {
		return true
	}
	switch sqlState(err) {
	case "40001", "40P01", "23505": // serialization failure, deadlock, unique violation
		return true
	}
	return false
}

// stalled reports whether the server ended the transaction because it did nothing for longer than stalledMax: its process was stopped.
func stalled(err error) bool { return sqlState(err) == "25P03" }

// readOnly reports whether the server takes no writes: after a failover, the one that was left.
func readOnly(err error) bool { return sqlState(err) == "25006" }

// lost reports whether the server was not reached, or went away before COMMIT was sent.
func lost(err error) bool {
	var unknown *unknownError
	var unreached *unreachedError
	if errors.As(err, &unknown) {
		return false
	}
	switch state := sqlState(err); {
	case len(state) == 5 && (state[:2] == "08" || state[:3] == "57P"), state == "25006", state == "53300", stalled(err):
		return true // connection trouble, shutting down or starting up, read-only, too many connections
	case state != "":
		return false
	}
	return errors.As(err, &unreached)
}
