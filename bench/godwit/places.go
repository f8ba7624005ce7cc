package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/bench/drive"
)

// fanOut is the handler of the parent: it starts its children, awaits them, and gives the sum of what they gave.
func (c *contender) fanOut(ctx context.Context, n int) (int, error) {
	var promises []*godwit.Promise[drive.Result]
	for from := 0; from < n; from += 1000 {
		part, err := c.job.SubmitMany(ctx, c.worker, drive.ArgsFrom(from, min(1000, n-from)), godwit.SubmitOptions{Name: fmt.Sprintf("from %d", from)})
		if err != nil {
			return 0, err
		}
		promises = append(promises, part...)
	}
	results, err := godwit.AwaitAll(ctx, promises...)
	if err != nil {
		return 0, err
	}
	sum := 0
	for seq, result := range results {
		if !result.Right(seq) {
			return 0, fmt.Errorf("child %d gave %+v", seq, result)
		}
		sum += result.Seq
	}
	return sum, nil
}

// FanIn runs a parent with n children.
func (c *contender) FanIn(ctx context.Context, n int) error {
	p, err := c.parent.Submit(ctx, c.submitter, n, godwit.SubmitOptions{})
	if err != nil {
		return err
	}
	sum, err := p.Await(ctx)
	if err == nil && sum != n*(n-1)/2 {
		err = fmt.Errorf("the parent summed up %d, want %d", sum, n*(n-1)/2)
	}
	return err
}

// Hold brings n jobs to a place. The worker runs meanwhile, as it would.
func (c *contender) Hold(ctx context.Context, place string, n int) error {
	task, options := c.job, godwit.SubmitOptions{}
	switch place {
	case "scheduled":
		options.Delay = 24 * time.Hour
	case "held":
		if err := c.worker.PauseTask(ctx, c.job.Name()); err != nil {
			return err
		}
	case "waiting":
		task = c.nap
	}
	if err := c.worker.Start(ctx); err != nil {
		return err
	}
	for from := 0; from < n; from += c.spec.Batch {
		if _, err := task.SubmitMany(ctx, c.submitter, drive.ArgsFrom(from, min(c.spec.Batch, n-from)), options); err != nil {
			return err
		}
	}
	return drive.Poll(ctx, 200*time.Millisecond, func() (bool, error) { return c.stands(ctx, task.Name(), place, n) })
}

// stands reports whether n jobs of a task have come to a place.
func (c *contender) stands(ctx context.Context, task, place string, n int) (bool, error) {
	if place == "held" {
		queues, err := c.worker.Queues(ctx)
		for _, q := range queues {
			if q.Name == godwit.QueueDefault && q.Held == n {
				return true, err
			}
		}
		return false, err
	}
	tasks, err := c.worker.Tasks(ctx)
	for _, t := range tasks {
		if t.Name == task && t.Depth[godwit.State(place)] == n {
			return true, err
		}
	}
	return false, err
}

// Size counts the jobs, and the bytes of the file with its log or of the database.
func (c *contender) Size(ctx context.Context) (rows, bytes int64, err error) {
	if c.spec.URL != "" {
		return c.sizePostgres(ctx)
	}
	conn, err := zs.OpenConn(c.file(), zs.OpenReadOnly)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close() }() // it only read
	if rows, err = sqlitex.ResultInt64(conn.Prep("SELECT count(*) FROM godwit_jobs")); err != nil {
		return 0, 0, err
	}
	bytes, err = drive.FilesSize(c.file(), c.file()+"-wal")
	return rows, bytes, err
}

func (c *contender) sizePostgres(ctx context.Context) (rows, bytes int64, err error) {
	conn, err := pgx.Connect(ctx, c.spec.URL)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = conn.Close(ctx) }() // it only read
	err = conn.QueryRow(ctx, "SELECT count(*), pg_database_size(current_database()) FROM godwit.jobs").Scan(&rows, &bytes)
	return rows, bytes, err
}
