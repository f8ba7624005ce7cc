package sqlite

import (
	"context"
	"fmt"
	"strings"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// exported are the tables of a file by the names that package postgres has for them. Sessions are not among them: nobody works
// with a file that is moved.
var exported = []struct{ table, columns, from string }{
	{"lanes", "id, version, queue, task", "godwit_lanes"},
	{"paused_queues", "name", "godwit_paused_queues"},
	{"paused_tasks", "name", "godwit_paused_tasks"},
	{
		"jobs", "id, fingerprint, timeout, keep_succeeded, keep_failed, created_at, lane, max_attempts, max_crashes, priority, encoding, extra, args",
		"godwit_jobs",
	},
	{
		"places", "id, run_at, deadline, run, started_at, cancel_requested_at, records, lane, attempt, crashes, releases, retries, place, rank," +
			" reported, wait_any, woken, cancel_reason", "godwit_places",
	},
	{
		"finished", "id, finished_at, keep_until, run_at, deadline, run, started_at, cancel_requested_at, records, lane, attempt, crashes," +
			" releases, retries, state, reported, code, message, stack, encoding, result", "godwit_finished",
	},
	{"pruned", "id, until", "godwit_pruned"},
	{"attempts", "job, session, seq, run, started_at, ended_at, attempt, outcome, code, message, stack", "godwit_attempts"},
	{"reports", "job, logs, items, at, done, total, run, seq, message", "godwit_reports"},
	{"logs", "job, seq, run, at, level, message", "godwit_logs"},
	{"items", "job, seq, run, encoding, data", "godwit_items"},
	{"known_keys", "job, until, scope, key", "godwit_idempotency"},
	{
		"unique_keys", "job, unstarted, scope, key",
		"(SELECT u.*, coalesce(json_extract(j.extra, '$.while'), '') = 'unstarted' AS unstarted FROM godwit_unique u JOIN godwit_jobs j ON j.id = u.job)",
	},
	{"children", "parent, id, epoch, detached, name", "godwit_children"},
	{"cascades", "parent, after", "godwit_cascades"},
	{"waits", "promise, waiter", "godwit_waits"},
}

// exportRows is how many rows are handed over at a time.
const exportRows = 200

// Export hands over everything that the file holds, for a store of another kind: some rows of a table at a time, as int64, string, []byte and
// nil, each table's columns in the same order. First it takes the jobs from the sessions that have died, as Rescue does; it refuses while one
// lives. The rows are the receiver's.
func (s *Store) Export(ctx context.Context, to func(table string, columns []string, rows [][]any) error) error {
	for more := true; more; {
		answer, err := s.Rescue(ctx, godwit.BatchMax)
		if err != nil {
			return err
		}
		more = len(answer.Sessions) > 0
	}
	sessions, err := s.Sessions(ctx)
	if err != nil {
		return err
	}
	if len(sessions) > 0 {
		return &godwit.Error{Code: godwit.CodeWrongState, Message: fmt.Sprintf("process %d on %s works with the file (stop it first)", sessions[0].PID, sessions[0].Host)}
	}
	_, err = read(ctx, s, func(r *reader) (struct{}, error) {
		for _, e := range exported {
			if err := exportTable(r.c, e.from, e.table, strings.Split(e.columns, ", "), to); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return err
}

func exportTable(c *conn, from, table string, columns []string, to func(table string, columns []string, rows [][]any) error) error {
	var rows [][]any
	hand := func() error {
		if len(rows) == 0 {
			return nil
		}
		err := to(table, columns, rows)
		rows = nil
		return err
	}
	err := c.query("SELECT "+strings.Join(columns, ", ")+" FROM "+from, func(s *row) error {
		rows = append(rows, exportRow(s.Stmt, len(columns)))
		if len(rows) < exportRows {
			return nil
		}
		return hand()
	})
	if err != nil {
		return err
	}
	return hand()
}

func exportRow(s *zs.Stmt, n int) []any {
	values := make([]any, n)
	for i := range values {
		switch s.ColumnType(i) {
		case zs.TypeInteger:
			values[i] = s.ColumnInt64(i)
		case zs.TypeText:
			values[i] = s.ColumnText(i)
		case zs.TypeBlob:
			b := make([]byte, s.ColumnLen(i))
			s.ColumnBytes(i, b)
			values[i] = b
		}
	}
	return values
}
