package main

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's "pgx"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // database/sql's "sqlite"

	"github.com/godwit-go/godwit/bench/drive"
)

// What River's own benchmark sets: cmd/river/riverbench.
const (
	riverWorkers  = 2000
	riverCooldown = 2 * time.Millisecond
	riverPoll     = 20 * time.Millisecond
)

const riverFile = "river.db"

type riverArgs struct{ drive.Args }

func (riverArgs) Kind() string { return "bench" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	recorder *drive.Recorder
}

func (w *riverWorker) Work(ctx context.Context, job *river.Job[riverArgs]) error {
	result, err := w.recorder.Run(job.Args.Args)
	if err != nil {
		return err
	}
	return river.RecordOutput(ctx, result)
}

// riverQueue is River on either database.
type riverQueue[Tx any] struct {
	connect func(ctx context.Context, spec drive.Spec) (riverdriver.Driver[Tx], *sql.DB, func(), error)
	right   string // counts the right results of the jobs from $1 to below $2
	size    string

	file    string // where it is on SQLite
	client  *river.Client[Tx]
	db      *sql.DB
	release func()
}

func newRiverSQLite() drive.Contender {
	return &riverQueue[*sql.Tx]{
		connect: func(_ context.Context, spec drive.Spec) (riverdriver.Driver[*sql.Tx], *sql.DB, func(), error) {
			db, err := openSQLite(filepath.Join(spec.Dir, riverFile))
			if err != nil {
				return nil, nil, nil, err
			}
			db.SetMaxOpenConns(1)
			return riversqlite.New(db), db, func() {}, nil
		},
		right: `SELECT count(*) FROM river_job WHERE state = 'completed' AND json_extract(args, '$.seq') >= $1 AND json_extract(args, '$.seq') < $2
			AND json_extract(metadata, '$.output.seq') = json_extract(args, '$.seq') AND json_extract(metadata, '$.output.length') = length(json_extract(args, '$.text'))`,
		size: "SELECT count(*), 0 FROM river_job",
	}
}

// riverConns is what graphile-worker's page has; the default of pgx, as many as there are processors, would be four here.
const riverConns = 25

func newRiverPostgres() drive.Contender {
	return &riverQueue[pgx.Tx]{
		connect: func(ctx context.Context, spec drive.Spec) (riverdriver.Driver[pgx.Tx], *sql.DB, func(), error) {
			config, err := pgxpool.ParseConfig(spec.URL)
			if err != nil {
				return nil, nil, nil, err
			}
			config.MaxConns = riverConns
			pool, err := pgxpool.NewWithConfig(ctx, config)
			if err != nil {
				return nil, nil, nil, err
			}
			db, err := sql.Open("pgx", spec.URL)
			return riverpgxv5.New(pool), db, pool.Close, err
		},
		right: `SELECT count(*) FROM river_job WHERE state = 'completed' AND (args->>'seq')::int >= $1 AND (args->>'seq')::int < $2
			AND metadata->'output'->>'seq' = args->>'seq' AND (metadata->'output'->>'length')::int = length(args->>'text')`,
		size: "SELECT count(*), pg_database_size(current_database()) FROM river_job",
	}
}

// openSQLite opens a file as the peers' documentation does: write-ahead log, and SQLite's default of syncing each commit.
func openSQLite(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
}

func (q *riverQueue[Tx]) Open(ctx context.Context, spec drive.Spec, r *drive.Recorder) error {
	driver, db, release, err := q.connect(ctx, spec)
	if err != nil {
		return err
	}
	q.db, q.release = db, release
	if spec.URL == "" {
		q.file = filepath.Join(spec.Dir, riverFile)
	}
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{recorder: r})
	q.client, err = river.NewClient(driver, &river.Config{
		FetchCooldown: riverCooldown, FetchPollInterval: riverPoll,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		CompletedJobRetentionPeriod: spec.Keep(),
		Logger:                      slog.New(slog.DiscardHandler),
		Workers:                     workers,
	})
	return err
}

func (q *riverQueue[Tx]) Submit(ctx context.Context, from, n int) error {
	if n == 1 {
		_, err := q.client.Insert(ctx, riverArgs{drive.ArgsOf(from)}, nil)
		return err
	}
	params := make([]river.InsertManyParams, n)
	for i := range params {
		params[i].Args = riverArgs{drive.ArgsOf(from + i)}
	}
	_, err := q.client.InsertManyFast(ctx, params)
	return err
}

func (q *riverQueue[Tx]) Start(ctx context.Context) error { return q.client.Start(ctx) }

func (q *riverQueue[Tx]) Drain(ctx context.Context) error {
	return drive.Poll(ctx, 2*time.Millisecond, func() (bool, error) {
		var left int
		err := q.db.QueryRowContext(ctx, "SELECT count(*) FROM river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled')").Scan(&left)
		return left == 0, err
	})
}

func (q *riverQueue[Tx]) Results(ctx context.Context, from, n int) (right int, err error) {
	err = q.db.QueryRowContext(ctx, q.right, from, from+n).Scan(&right)
	return right, err
}

func (q *riverQueue[Tx]) Size(ctx context.Context) (rows, bytes int64, err error) {
	if err = q.db.QueryRowContext(ctx, q.size).Scan(&rows, &bytes); err != nil || q.file == "" {
		return rows, bytes, err
	}
	bytes, err = drive.FilesSize(q.file, q.file+"-wal")
	return rows, bytes, err
}

func (q *riverQueue[Tx]) Close(ctx context.Context) error {
	err := q.client.Stop(ctx)
	q.release()
	if closed := q.db.Close(); err == nil {
		err = closed
	}
	return err
}
