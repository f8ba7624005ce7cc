package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"time"

	"github.com/mikestefanello/backlite"

	"github.com/godwit-go/godwit/bench/drive"
)

// backliteWorkers is more than its README's 10: its dispatcher pauses 100 ms when all workers are busy, which bounds 10 of them
// to 100 tasks a second.
const backliteWorkers = 1000

// backliteKeep is how long tasks are kept; a task's configuration is a method of its type, so it cannot be told otherwise.
var backliteKeep time.Duration

type backliteTask struct{ drive.Args }

func (backliteTask) Config() backlite.QueueConfig {
	return backlite.QueueConfig{
		Name: "bench", MaxAttempts: 5, Backoff: 5 * time.Second, Timeout: 10 * time.Second,
		Retention: &backlite.Retention{Duration: backliteKeep, Data: &backlite.RetainData{OnlyFailed: true}},
	}
}

// backliteQueue is backlite, set as its README does but for the workers and the one connection.
type backliteQueue struct {
	file    string
	db      *sql.DB
	client  *backlite.Client
	started bool
}

func (q *backliteQueue) Open(_ context.Context, spec drive.Spec, r *drive.Recorder) (err error) {
	backliteKeep = spec.Keep()
	q.file = filepath.Join(spec.Dir, "backlite.db")
	if q.db, err = openSQLite(q.file); err != nil {
		return err
	}
	q.db.SetMaxOpenConns(1) // several only wait for each other's locks
	cleanup := time.Hour
	if spec.KeepSeconds > 0 {
		cleanup = time.Second
	}
	q.client, err = backlite.NewClient(backlite.ClientConfig{DB: q.db, NumWorkers: backliteWorkers, ReleaseAfter: 10 * time.Minute, CleanupInterval: cleanup})
	if err != nil {
		return err
	}
	q.client.Register(backlite.NewQueue(func(_ context.Context, task backliteTask) error {
		_, err := r.Run(task.Args)
		return err
	}))
	q.started = false
	return q.client.Install()
}

func (q *backliteQueue) Submit(ctx context.Context, from, n int) error {
	tasks := make([]backlite.Task, n)
	for i := range tasks {
		tasks[i] = backliteTask{drive.ArgsOf(from + i)}
	}
	_, err := q.client.Add(tasks...).Ctx(ctx).Save()
	return err
}

func (q *backliteQueue) Start(ctx context.Context) error {
	q.client.Start(ctx)
	q.started = true
	return nil
}

func (q *backliteQueue) Drain(ctx context.Context) error {
	return drive.Poll(ctx, 2*time.Millisecond, func() (bool, error) {
		var left int
		err := q.db.QueryRowContext(ctx, "SELECT count(*) FROM backlite_tasks").Scan(&left)
		return left == 0, err
	})
}

// Results: backlite keeps none.
func (q *backliteQueue) Results(context.Context, int, int) (int, error) { return -1, nil }

func (q *backliteQueue) Size(ctx context.Context) (rows, bytes int64, err error) {
	const sql = "SELECT (SELECT count(*) FROM backlite_tasks) + (SELECT count(*) FROM backlite_tasks_completed)"
	if err = q.db.QueryRowContext(ctx, sql).Scan(&rows); err != nil {
		return 0, 0, err
	}
	bytes, err = drive.FilesSize(q.file, q.file+"-wal")
	return rows, bytes, err
}

func (q *backliteQueue) Close(ctx context.Context) error {
	if q.started {
		q.client.Stop(ctx)
	}
	return q.db.Close()
}
