package sqlite

import (
	"context"
	"fmt"
	"slices"
	"strings"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// reader reads what is committed, in one snapshot.
type reader struct {
	source
	held map[*lane]godwit.Held // asked for before
}

// read runs op in a snapshot on a connection of its own. The end of ctx interrupts it.
func read[T any](ctx context.Context, s *Store, op func(r *reader) (T, error)) (T, error) {
	var nothing T
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	if err := s.enter(); err != nil {
		return nothing, err
	}
	defer s.leave()
	if err := s.files.lookNowAndThen(); err != nil {
		return nothing, err
	}
	var c *conn
	select {
	case c = <-s.readers:
	case <-ctx.Done():
		return nothing, ctx.Err()
	}
	defer func() { s.readers <- c }()
	if c == nil {
		var err error
		if c, err = s.openReader(); err != nil {
			return nothing, toError(err)
		}
	}
	answer, err := snapshot(ctx, c, func() (T, error) {
		return op(&reader{source: source{c: c, lanes: s.lanes.resolver(c)}, held: map[*lane]godwit.Held{}})
	})
	if err != nil {
		if ctx.Err() != nil {
			return nothing, ctx.Err()
		}
		return nothing, toError(err)
	}
	return answer, nil
}

func snapshot[T any](ctx context.Context, c *conn, op func() (T, error)) (T, error) {
	var nothing T
	if done := ctx.Done(); done != nil {
		c.db.SetInterrupt(done)
		defer c.db.SetInterrupt(nil)
	}
	if err := c.exec("BEGIN"); err != nil {
		return nothing, err
	}
	answer, err := op()
	c.db.SetInterrupt(nil) // the end of the snapshot must not be interrupted
	if end := c.exec("ROLLBACK"); err == nil {
		err = end
	}
	return answer, err
}

// show completes the view of a job.
func (r *reader) show(j *job) (godwit.Job, error) {
	failure, err := r.newestFailure(j)
	if err != nil {
		return godwit.Job{}, err
	}
	v, err := r.source.show(j, failure)
	if err == nil && j.kind == ready {
		v.Held, err = r.heldReason(j.lane)
	}
	return v, err
}

func (r *reader) heldReason(l *lane) (godwit.Held, error) {
	if held, ok := r.held[l]; ok {
		return held, nil
	}
	held, err := heldReason(r.c, l)
	r.held[l] = held
	return held, err
}

// jobs reads jobs by id.
func (r *reader) jobs(ids []godwit.ID, full bool) (map[godwit.ID]*job, error) {
	found := make(map[godwit.ID]*job, len(ids))
	distinct := make([]godwit.ID, 0, len(ids))
	for _, id := range ids {
		if _, ok := found[id]; !ok {
			found[id] = &job{id: id}
			distinct = append(distinct, id)
		}
	}
	err := r.fetch(distinct, full, func(j *job) error {
		found[j.id] = j
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, r.noneOf(slices.DeleteFunc(distinct, func(id godwit.ID) bool { return found[id].kind != none }))
}

// absent says why a job is not there; empty when it is.
func absent(j *job) godwit.Code {
	switch j.kind {
	case none:
		return godwit.CodeNotFound
	case pruned:
		return godwit.CodeExpired
	}
	return ""
}

// Get reads jobs.
func (s *Store) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	if err := checkBatch(len(ids)); err != nil {
		return nil, err
	}
	return read(ctx, s, func(r *reader) ([]godwit.JobAnswer, error) {
		jobs, err := r.jobs(ids, true)
		if err != nil {
			return nil, err
		}
		answers := make([]godwit.JobAnswer, len(ids))
		for i, id := range ids {
			j := jobs[id]
			if answers[i].Code = absent(j); answers[i].Code != "" {
				continue
			}
			if answers[i].Job, err = r.show(j); err != nil {
				return nil, err
			}
		}
		return answers, nil
	})
}

var (
	selectOutcomes   = in("SELECT id, state, code, message, stack, encoding, result FROM godwit_finished WHERE id IN")
	selectUnfinished = in("SELECT id, place FROM godwit_places WHERE id IN")
)

// Outcomes reads the state of jobs and how final ones ended.
func (s *Store) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	if err := checkBatch(len(ids)); err != nil {
		return nil, err
	}
	return read(ctx, s, func(r *reader) ([]godwit.OutcomeAnswer, error) {
		known := make(map[godwit.ID]godwit.OutcomeAnswer, len(ids))
		err := r.c.selectIDs(selectOutcomes, ids, func(s *row) error {
			known[columnID(s, 0)] = godwit.OutcomeAnswer{
				State: columnKind(s, 1, succeeded, cancelled).state(), Failure: columnFailure(s, 2), Result: columnPayload(s, 5),
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = r.c.selectIDs(selectUnfinished, ids, func(s *row) error {
			known[columnID(s, 0)] = godwit.OutcomeAnswer{State: columnKind(s, 1, scheduled, waiting).state()}
			return nil
		})
		if err != nil {
			return nil, err
		}
		err = r.c.selectIDs(selectPruned, ids, func(s *row) error {
			known[columnID(s, 0)] = godwit.OutcomeAnswer{Code: godwit.CodeExpired}
			return nil
		})
		if err != nil {
			return nil, err
		}
		var missing []godwit.ID
		answers := make([]godwit.OutcomeAnswer, len(ids))
		for i, id := range ids {
			a, ok := known[id]
			if !ok {
				a.Code = godwit.CodeNotFound
				missing = append(missing, id)
			}
			if a.Failure != nil {
				f := *a.Failure
				a.Failure = &f
			}
			answers[i] = a
		}
		return answers, r.noneOf(missing)
	})
}

// List reads a page of jobs, newest first.
func (s *Store) List(ctx context.Context, f godwit.ListFilter) (godwit.ListAnswer, error) {
	if f.Limit <= 0 {
		f.Limit = godwit.PageDefault
	}
	f.Limit = min(f.Limit, godwit.PageMax)
	return read(ctx, s, func(r *reader) (godwit.ListAnswer, error) {
		var answer godwit.ListAnswer
		sql, args := listQuery(&f)
		var ids []godwit.ID
		err := r.c.query(sql, func(s *row) error {
			ids = append(ids, columnID(s, 0))
			return nil
		}, args...)
		if err != nil {
			return answer, err
		}
		if len(ids) > f.Limit {
			ids = ids[:f.Limit]
			answer.Next = ids[f.Limit-1]
		}
		jobs, err := r.jobs(ids, false)
		if err != nil {
			return answer, err
		}
		for _, id := range ids {
			if absent(jobs[id]) != "" {
				return answer, damagedJob("godwit_jobs", id, "is listed and not there")
			}
			v, err := r.show(jobs[id])
			if err != nil {
				return answer, err
			}
			answer.Jobs = append(answer.Jobs, v)
		}
		return answer, nil
	})
}

// listQuery makes the query for the ids of a page and one more. It walks the table that holds the fewest candidates, from the
// newest on, and filters.
func listQuery(f *godwit.ListFilter) (sql string, args []any) {
	table, where := "godwit_jobs t", []string{}
	add := func(cond string, values ...any) {
		where = append(where, cond)
		args = append(args, values...)
	}
	switch k := kind(slices.Index(kindStates[:], f.State)); {
	case f.State == "":
	case !k.unfinished() && !k.final():
		add("0")
	case k.unfinished():
		table = "godwit_places t"
		add("t.place = ?", int64(k))
	default:
		table = "godwit_finished t"
		add("t.state = ?", int64(k))
	}
	if f.Queue != "" {
		add("t.lane IN (SELECT id FROM godwit_lanes WHERE queue = ?)", f.Queue)
	}
	if f.Task != "" {
		add("t.lane IN (SELECT id FROM godwit_lanes WHERE task = ?)", f.Task)
	}
	if !f.Parent.IsZero() {
		add("t.id IN (SELECT id FROM godwit_children WHERE parent = ?)", f.Parent)
	}
	if f.Tag != "" {
		add("EXISTS (SELECT 1 FROM godwit_jobs b, json_each(b.extra, '$.tags') e WHERE b.id = t.id AND e.value = ?)", f.Tag)
	}
	if !f.Before.IsZero() {
		add("t.id < ?", f.Before)
	}
	sql = "SELECT t.id FROM " + table
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql + " ORDER BY t.id DESC LIMIT ?", append(args, f.Limit+1)
}

// hanging reads rows that hang on a job, if the job is there.
func hanging[T any](ctx context.Context, s *Store, id godwit.ID, sql string, scan func(s *row) T, args ...any) ([]T, godwit.Code, error) {
	code := godwit.Code("")
	list, err := read(ctx, s, func(r *reader) ([]T, error) {
		jobs, err := r.jobs([]godwit.ID{id}, false)
		if err != nil {
			return nil, err
		}
		if code = absent(jobs[id]); code != "" {
			return nil, nil
		}
		var list []T
		err = r.c.query(sql, func(s *row) error {
			list = append(list, scan(s))
			return nil
		}, append([]any{id}, args...)...)
		return list, err
	})
	return list, code, err
}

// Attempts reads the kept attempt records of a job, oldest first.
func (s *Store) Attempts(ctx context.Context, id godwit.ID) ([]godwit.Attempt, godwit.Code, error) {
	const sql = "SELECT run, attempt, outcome, started_at, ended_at, session, code, message, stack FROM godwit_attempts" +
		" WHERE job = ? ORDER BY seq"
	return hanging(ctx, s, id, sql, func(s *row) godwit.Attempt {
		return godwit.Attempt{
			Run: s.ColumnInt64(0), Attempt: s.ColumnInt(1), Outcome: s.ColumnText(2), StartedAt: columnTime(s, 3),
			EndedAt: columnTime(s, 4), Session: columnID(s, 5), Failure: columnFailure(s, 6),
		}
	})
}

func pageLimit(limit int) int {
	if limit <= 0 {
		return godwit.PageDefault
	}
	return min(limit, godwit.PageMax)
}

// Logs reads log lines after a sequence number.
func (s *Store) Logs(ctx context.Context, id godwit.ID, after int64, limit int) ([]godwit.LogLine, godwit.Code, error) {
	const sql = "SELECT seq, run, at, level, message FROM godwit_logs WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?"
	return hanging(ctx, s, id, sql, func(s *row) godwit.LogLine {
		return godwit.LogLine{
			Seq: s.ColumnInt64(0), Run: s.ColumnInt64(1), At: columnTime(s, 2), Level: s.ColumnText(3), Message: s.ColumnText(4),
		}
	}, after, pageLimit(limit))
}

// Items reads items after a sequence number.
func (s *Store) Items(ctx context.Context, id godwit.ID, after int64, limit int) ([]godwit.Item, godwit.Code, error) {
	const sql = "SELECT seq, run, encoding, data FROM godwit_items WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?"
	return hanging(ctx, s, id, sql, func(s *row) godwit.Item {
		return godwit.Item{Seq: s.ColumnInt64(0), Run: s.ColumnInt64(1), Data: columnPayload(s, 2)}
	}, after, pageLimit(limit))
}

// openReader opens a connection for reads, and looks whether it is one to the file that the writer has.
func (s *Store) openReader() (*conn, error) {
	if err := s.files.look(); err != nil {
		return nil, err
	}
	c, err := connect(s.path, zs.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("open for reading: %w", err)
	}
	if err = c.exec("PRAGMA query_only = ON"); err == nil {
		err = s.files.look()
	}
	if err != nil {
		_ = c.db.Close() // the first error is the one to tell
		return nil, err
	}
	return c, nil
}
