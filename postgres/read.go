package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// reader reads what is committed, in one snapshot.
type reader struct {
	source
	held map[*lane]godwit.Held // asked for before
}

// read runs op in a snapshot. The end of ctx interrupts it; a read whose connection is lost is done anew.
func read[T any](ctx context.Context, s *Store, op func(r *reader) (T, error)) (T, error) {
	return readOn(ctx, s, func(ctx context.Context, conn *pgxpool.Conn) (T, error) { return snapshot(ctx, s, conn, op) })
}

// readOn is read for an op that sees to its own transaction.
func readOn[T any](ctx context.Context, s *Store, op func(ctx context.Context, conn *pgxpool.Conn) (T, error)) (T, error) {
	var nothing T
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	if err := s.enter(); err != nil {
		return nothing, err
	}
	defer s.leave()
	var answer T
	err := s.persist(ctx, s.conns, func(work context.Context, conn *pgxpool.Conn) error {
		work, stop := until(ctx, work)
		defer stop()
		var err error
		answer, err = op(work, conn)
		return err
	})
	if err != nil {
		if ctx.Err() != nil {
			return nothing, ctx.Err()
		}
		return nothing, toError(err)
	}
	return answer, nil
}

func snapshot[T any](ctx context.Context, s *Store, conn *pgxpool.Conn, op func(r *reader) (T, error)) (T, error) {
	var nothing T
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nothing, &unreachedError{err}
	}
	answer, err := op(&reader{
		source: source{ctx: ctx, l: pgxLink{tx, s.schema}, lanes: s.lanes.Load()}, held: map[*lane]godwit.Held{},
	})
	if end := tx.Rollback(ctx); err == nil {
		err = end
	}
	if err != nil && conn.Conn().IsClosed() {
		return nothing, &unreachedError{err}
	}
	return answer, err
}

// show completes the views of jobs.
func (r *reader) show(jobs []*job) ([]godwit.Job, error) {
	views, err := r.shown(jobs)
	if err != nil {
		return nil, err
	}
	for i, j := range jobs {
		if j.kind != ready {
			continue
		}
		if views[i].Held, err = r.heldReason(j.lane); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// heldReason says why the ready jobs of a lane are kept back; empty when they are not.
func (r *reader) heldReason(l *lane) (godwit.Held, error) {
	if held, ok := r.held[l]; ok {
		return held, nil
	}
	var reason string
	const sql = `SELECT CASE
		WHEN EXISTS (SELECT 1 FROM godwit.paused_queues WHERE name = $1) THEN 'queue_paused'
		WHEN EXISTS (SELECT 1 FROM godwit.paused_tasks WHERE name = $2) THEN 'task_paused'
		WHEN NOT EXISTS (SELECT 1 FROM godwit.capabilities WHERE task = $2) THEN 'unknown_task'
		WHEN NOT EXISTS (SELECT 1 FROM godwit.capabilities WHERE task = $2 AND $3 BETWEEN min_version AND max_version)
			THEN 'unknown_version'
		WHEN NOT EXISTS (SELECT 1 FROM godwit.capabilities c JOIN godwit.serves s ON s.session = c.session
			WHERE c.task = $2 AND $3 BETWEEN c.min_version AND c.max_version AND s.queue = $1) THEN 'unserved_queue'
		ELSE '' END`
	err := r.l.run(r.ctx, ask(sql, func(row scanner) error { return row.Scan(&reason) }, l.queue, l.task, l.version))
	r.held[l] = godwit.Held(reason)
	return godwit.Held(reason), err
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
	return found, r.fetch(distinct, full, peek, func(j *job) { found[j.id] = j })
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
		var there []*job
		var at []int
		for i, id := range ids {
			if answers[i].Code = absent(jobs[id]); answers[i].Code == "" {
				there, at = append(there, jobs[id]), append(at, i)
			}
		}
		views, err := r.show(there)
		for i := range views {
			answers[at[i]].Job = views[i]
		}
		return answers, err
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
		sql, args, err := listQuery(&f)
		if err != nil {
			return answer, err
		}
		var ids []godwit.ID
		err = r.l.run(r.ctx, ask(sql, func(row scanner) error {
			var id godwit.ID
			err := row.Scan(idInto{&id})
			ids = append(ids, id)
			return err
		}, args...))
		if err != nil {
			return answer, err
		}
		if len(ids) > f.Limit {
			ids = ids[:f.Limit]
			answer.Next = ids[f.Limit-1]
		}
		found, err := r.jobs(ids, false)
		if err != nil {
			return answer, err
		}
		jobs := make([]*job, len(ids))
		for i, id := range ids {
			jobs[i] = found[id]
		}
		if views, err := r.show(jobs); err != nil || len(views) > 0 {
			answer.Jobs = views
			return answer, err
		}
		return answer, nil
	})
}

// listQuery makes the query for the ids of a page and one more. It walks the table that holds the fewest candidates, from the
// newest on, and filters.
func listQuery(f *godwit.ListFilter) (sql string, args []any, err error) {
	table, where := "godwit.jobs t", []string{}
	add := func(cond string, value any) {
		args = append(args, value)
		where = append(where, strings.ReplaceAll(cond, "?", fmt.Sprintf("$%d", len(args))))
	}
	switch k := kind(slices.Index(kindStates[:], f.State)); {
	case f.State == "":
	case !k.unfinished() && !k.final():
		where = append(where, "false")
	case k.unfinished():
		table = "godwit.places t"
		add("t.place = ?", int16(k))
	default:
		table = "godwit.finished t"
		add("t.state = ?", int16(k))
	}
	if f.Queue != "" {
		add("t.lane IN (SELECT id FROM godwit.lanes WHERE queue = ?)", plainText(f.Queue))
	}
	if f.Task != "" {
		add("t.lane IN (SELECT id FROM godwit.lanes WHERE task = ?)", plainText(f.Task))
	}
	if !f.Parent.IsZero() {
		add("t.id IN (SELECT id FROM godwit.children WHERE parent = ?)", uuid(f.Parent))
	}
	if f.Tag != "" {
		tag, err := json.Marshal([]string{f.Tag})
		if err != nil {
			return "", nil, fmt.Errorf("encode a tag: %w", err)
		}
		add("EXISTS (SELECT 1 FROM godwit.jobs b WHERE b.id = t.id AND b.extra LIKE '%\"tags\":%' AND (b.extra::json ->> 'tags')::jsonb @> ?::text::jsonb)", string(tag))
	}
	if !f.Before.IsZero() {
		add("t.id < ?", uuid(f.Before))
	}
	sql = "SELECT t.id FROM " + table
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	return sql + fmt.Sprintf(" ORDER BY t.id DESC LIMIT %d", f.Limit+1), args, nil
}

// hanging reads rows that hang on a job, if the job is there.
func hanging[T any](ctx context.Context, s *Store, id godwit.ID, sql string, row func(r scanner) (T, error), args ...any) ([]T, godwit.Code, error) {
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
		err = r.l.run(r.ctx, ask(sql, func(rows scanner) error {
			one, err := row(rows)
			list = append(list, one)
			return err
		}, append([]any{uuid(id)}, args...)...))
		return list, err
	})
	return list, code, err
}

// Attempts reads the kept attempt records of a job, oldest first.
func (s *Store) Attempts(ctx context.Context, id godwit.ID) ([]godwit.Attempt, godwit.Code, error) {
	const sql = "SELECT run, attempt, outcome, started_at, ended_at, session, code, message, stack FROM godwit.attempts" +
		" WHERE job = $1 ORDER BY seq"
	return hanging(ctx, s, id, sql, func(r scanner) (godwit.Attempt, error) {
		var a godwit.Attempt
		var started, ended int64
		var f failureInto
		dest := []any{&a.Run, &a.Attempt, &a.Outcome, &started, &ended, idInto{&a.Session}}
		err := r.Scan(append(dest, f.dest()...)...)
		a.StartedAt, a.EndedAt, a.Failure = fromMicros(started), fromMicros(ended), f.failure()
		return a, err
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
	const sql = "SELECT seq, run, at, level, message FROM godwit.logs WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3"
	return hanging(ctx, s, id, sql, func(r scanner) (godwit.LogLine, error) {
		var l godwit.LogLine
		var at int64
		err := r.Scan(&l.Seq, &l.Run, &at, &l.Level, &l.Message)
		l.At = fromMicros(at)
		return l, err
	}, after, pageLimit(limit))
}

// Items reads items after a sequence number.
func (s *Store) Items(ctx context.Context, id godwit.ID, after int64, limit int) ([]godwit.Item, godwit.Code, error) {
	const sql = "SELECT seq, run, encoding, data FROM godwit.items WHERE job = $1 AND seq > $2 ORDER BY seq LIMIT $3"
	return hanging(ctx, s, id, sql, func(r scanner) (godwit.Item, error) {
		var it godwit.Item
		err := r.Scan(&it.Seq, &it.Run, &it.Data.Encoding, &it.Data.Data)
		it.Data = emptyIsNil(it.Data)
		return it, err
	}, after, pageLimit(limit))
}
