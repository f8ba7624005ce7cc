package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit/bench/drive"
	"github.com/godwit-go/godwit/internal/groupcommit"
)

// postgresStore inserts the jobs of the calls that come together by one statement.
type postgresStore struct {
	pool  *pgxpool.Pool
	group *groupcommit.Group

	last  int64        // owned by the group's goroutine
	calls []*insertion // owned by the group's goroutine
}

type insertion struct {
	bodies [][]byte
	taken  bool
	first  int64
	err    error
}

func (s *postgresStore) open(ctx context.Context, spec drive.Spec) (err error) {
	if s.pool, err = pgxpool.New(ctx, spec.URL); err != nil {
		return err
	}
	const schema = `
		CREATE TABLE IF NOT EXISTS jobs (id bigint PRIMARY KEY, args bytea NOT NULL);
		CREATE TABLE IF NOT EXISTS places (id bigint PRIMARY KEY, run integer NOT NULL) WITH (fillfactor = 70);
		CREATE TABLE IF NOT EXISTS results (id bigint PRIMARY KEY, result bytea NOT NULL)`
	if _, err = s.pool.Exec(ctx, schema); err != nil {
		return err
	}
	s.group = groupcommit.New(groupcommit.Config{
		Begin: func() error { return nil }, Rollback: func() {}, Disk: func(error) bool { return false },
		Commit: func() error {
			s.insertAll()
			s.calls = nil
			return nil // each call has its own error
		},
	})
	return nil
}

// insertAll makes the insertions of a group, up to turnMax jobs by one statement.
func (s *postgresStore) insertAll() {
	for rest := s.calls; len(rest) > 0; {
		var ids []int64
		var bodies [][]byte
		var runs []int32
		n := 0
		for ; n < len(rest) && (n == 0 || len(ids)+len(rest[n].bodies) <= turnMax); n++ {
			rest[n].first = s.last + 1
			for _, body := range rest[n].bodies {
				s.last++
				run := int32(0)
				if rest[n].taken {
					run = 1
				}
				ids, bodies, runs = append(ids, s.last), append(bodies, body), append(runs, run)
			}
		}
		const sql = `WITH made AS (INSERT INTO jobs SELECT unnest($1::bigint[]), unnest($2::bytea[]))
			INSERT INTO places SELECT unnest($1::bigint[]), unnest($3::integer[])`
		_, err := s.pool.Exec(context.Background(), sql, ids, bodies, runs)
		for _, call := range rest[:n] {
			call.err = err
		}
		rest = rest[n:]
	}
}

func (s *postgresStore) insert(ctx context.Context, bodies [][]byte, taken bool) (int64, error) {
	call := &insertion{bodies: bodies, taken: taken}
	err := s.group.Do(ctx, func() error {
		s.calls = append(s.calls, call)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return call.first, call.err
}

func (s *postgresStore) turn(ctx context.Context, ended []job, after int64, limit int) (jobs []job, err error) {
	var batch pgx.Batch
	if len(ended) > 0 {
		ids, results := make([]int64, len(ended)), make([][]byte, len(ended))
		for i, j := range ended {
			ids[i], results[i] = j.id, j.body
		}
		const sql = `WITH gone AS (DELETE FROM places WHERE id = ANY ($1) AND run = 1)
			INSERT INTO results SELECT unnest($1::bigint[]), unnest($2::bytea[])`
		batch.Queue(sql, ids, results)
	}
	const sql = `WITH claimed AS (
			UPDATE places SET run = 1 WHERE id = ANY (ARRAY(
				SELECT id FROM places WHERE id > $1 AND run = 0 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING id)
		SELECT c.id, j.args FROM claimed c CROSS JOIN LATERAL (SELECT args FROM jobs WHERE jobs.id = c.id LIMIT 1) j ORDER BY c.id`
	batch.Queue(sql, after, limit).Query(func(rows pgx.Rows) (err error) {
		jobs, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (j job, err error) {
			err = row.Scan(&j.id, &j.body)
			return j, err
		})
		return err
	})
	return jobs, s.pool.SendBatch(ctx, &batch).Close()
}

func (s *postgresStore) remove(ctx context.Context, upTo int64) error {
	_, err := s.pool.Exec(ctx, "WITH over AS (DELETE FROM results WHERE id <= $1) DELETE FROM jobs WHERE id <= $1", upTo)
	return err
}

func (s *postgresStore) results(ctx context.Context, ids []int64) ([][]byte, error) {
	const sql = "SELECT r.result FROM unnest($1::bigint[]) WITH ORDINALITY w (id, n) LEFT JOIN results r ON r.id = w.id ORDER BY w.n"
	rows, err := s.pool.Query(ctx, sql, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}

func (s *postgresStore) size(ctx context.Context) (rows, bytes int64, err error) {
	err = s.pool.QueryRow(ctx, "SELECT count(*), pg_database_size(current_database()) FROM jobs").Scan(&rows, &bytes)
	return rows, bytes, err
}

func (s *postgresStore) close() error {
	s.group.Close()
	s.pool.Close()
	return nil
}
