package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // the driver for sqlite: URLs

	"github.com/godwit-go/godwit/bench/drive"
)

const (
	dbosQueueName = "bench"
	dbosTask      = "bench-job"
	dbosPoll      = 10 * time.Millisecond
)

// dbosQueue is DBOS Transact: a workflow without steps for each job, on a queue.
type dbosQueue struct {
	spec drive.Spec
	ctx  dbos.Context
}

func (q *dbosQueue) Open(ctx context.Context, spec drive.Spec, r *drive.Recorder) (err error) {
	q.spec = spec
	url := spec.URL
	if url == "" {
		url = "sqlite:" + q.file()
	}
	q.ctx, err = dbos.NewContext(ctx, dbos.Config{AppName: "bench", DatabaseURL: url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	job := func(_ dbos.Context, args drive.Args) (drive.Result, error) { return r.Run(args) }
	dbos.RegisterWorkflow(q.ctx, job, dbos.WithWorkflowName(dbosTask))
	dbos.RegisterWorkflow(q.ctx, q.fanOut, dbos.WithWorkflowName("bench-parent"))
	_, err = dbos.RegisterQueue(q.ctx, dbosQueueName, dbos.WithQueueBasePollingInterval(dbosPoll))
	return err
}

func (q *dbosQueue) file() string { return filepath.Join(q.spec.Dir, "dbos.db") }

// Size counts all workflows: DBOS removes none by itself.
func (q *dbosQueue) Size(ctx context.Context) (rows, bytes int64, err error) {
	driver, source, query := "pgx", q.spec.URL, "SELECT count(*), pg_database_size(current_database()) FROM dbos.workflow_status"
	if source == "" {
		driver, source, query = "sqlite", "file:"+q.file()+"?mode=ro", "SELECT count(*), 0 FROM workflow_status"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = db.Close() }() // it only read
	if err := db.QueryRowContext(ctx, query).Scan(&rows, &bytes); err != nil || driver == "pgx" {
		return rows, bytes, err
	}
	bytes, err = drive.FilesSize(q.file(), q.file()+"-wal")
	return rows, bytes, err
}

// Submit: DBOS has no call for many.
func (q *dbosQueue) Submit(_ context.Context, from, n int) error {
	for seq := from; seq < from+n; seq++ {
		_, err := dbos.Enqueue[drive.Result](q.ctx, dbosQueueName, dbosTask, drive.ArgsOf(seq), dbos.WithEnqueueWorkflowID(strconv.Itoa(seq)))
		if err != nil {
			return err
		}
	}
	return nil
}

func (q *dbosQueue) Start(context.Context) error { return dbos.Launch(q.ctx) }

func (q *dbosQueue) Drain(ctx context.Context) error {
	return drive.Poll(ctx, 5*time.Millisecond, func() (bool, error) {
		left, err := dbos.ListWorkflows(q.ctx, dbos.WithFilterStatus(dbos.WorkflowStatusEnqueued, dbos.WorkflowStatusPending), dbos.WithFilterLimit(1),
			dbos.WithFilterLoadInput(false), dbos.WithFilterLoadOutput(false))
		return len(left) == 0, err
	})
}

func (q *dbosQueue) Results(_ context.Context, from, n int) (int, error) {
	right := 0
	for seq := from; seq < from+n; seq++ {
		handle, err := dbos.RetrieveWorkflow[drive.Result](q.ctx, strconv.Itoa(seq))
		if err != nil {
			return right, err
		}
		result, err := handle.GetResult()
		if err != nil {
			return right, err
		}
		if result.Right(seq) {
			right++
		}
	}
	return right, nil
}

// fanOut is the workflow that starts the others.
func (q *dbosQueue) fanOut(ctx dbos.Context, n int) (int, error) {
	handles := make([]dbos.WorkflowHandle[drive.Result], n)
	for seq := range handles {
		var err error
		if handles[seq], err = dbos.Enqueue[drive.Result](ctx, dbosQueueName, dbosTask, drive.ArgsOf(seq)); err != nil {
			return 0, err
		}
	}
	sum := 0
	for seq, handle := range handles {
		result, err := handle.GetResult()
		if err != nil {
			return 0, err
		}
		if !result.Right(seq) {
			return 0, fmt.Errorf("child %d gave %+v", seq, result)
		}
		sum += result.Seq
	}
	return sum, nil
}

func (q *dbosQueue) FanIn(_ context.Context, n int) error {
	handle, err := dbos.RunWorkflow(q.ctx, q.fanOut, n)
	if err != nil {
		return err
	}
	sum, err := handle.GetResult()
	if err == nil && sum != n*(n-1)/2 {
		err = fmt.Errorf("the parent summed up %d, want %d", sum, n*(n-1)/2)
	}
	return err
}

func (q *dbosQueue) Close(context.Context) error {
	if err := dbos.Shutdown(q.ctx, 10*time.Second); err != nil {
		return errors.Join(errors.New("shut down"), err)
	}
	return nil
}
