package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/beanstalkd/go-beanstalk"

	"github.com/godwit-go/godwit/bench/drive"
)

const (
	beanstalkWorkers = 10
	beanstalkRelease = 10 * time.Minute
	beanstalkReserve = 200 * time.Millisecond // after which a worker looks whether it is to stop
)

// beanstalkQueue is beanstalkd: a connection for each caller and for each worker.
type beanstalkQueue struct {
	spec     drive.Spec
	recorder *drive.Recorder
	workers  sync.WaitGroup
	halt     chan struct{}
	asks     *beanstalk.Conn

	mu       sync.Mutex
	idle     []*beanstalk.Conn // guarded by mu
	problems []error           // guarded by mu: of workers
}

func (q *beanstalkQueue) Open(_ context.Context, spec drive.Spec, r *drive.Recorder) (err error) {
	q.spec, q.recorder, q.halt = spec, r, make(chan struct{})
	q.asks, err = beanstalk.Dial("tcp", spec.URL)
	return err
}

// connection gives one that no other caller has.
func (q *beanstalkQueue) connection() (*beanstalk.Conn, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.idle); n > 0 {
		conn := q.idle[n-1]
		q.idle = q.idle[:n-1]
		return conn, nil
	}
	return beanstalk.Dial("tcp", q.spec.URL)
}

// Submit: beanstalkd has no call for many.
func (q *beanstalkQueue) Submit(_ context.Context, from, n int) error {
	conn, err := q.connection()
	if err != nil {
		return err
	}
	for seq := from; seq < from+n; seq++ {
		body, err := json.Marshal(drive.ArgsOf(seq))
		if err != nil {
			return err
		}
		if _, err := conn.Put(body, 1024, 0, beanstalkRelease); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle = append(q.idle, conn)
	return nil
}

func (q *beanstalkQueue) Start(context.Context) error {
	for range beanstalkWorkers {
		conn, err := beanstalk.Dial("tcp", q.spec.URL)
		if err != nil {
			return err
		}
		q.workers.Go(func() {
			err := errors.Join(q.work(conn), conn.Close())
			q.mu.Lock()
			defer q.mu.Unlock()
			q.problems = append(q.problems, err)
		})
	}
	return nil
}

func (q *beanstalkQueue) work(conn *beanstalk.Conn) error {
	for {
		select {
		case <-q.halt:
			return nil
		default:
		}
		id, body, err := conn.Reserve(beanstalkReserve)
		if errors.Is(err, beanstalk.ErrTimeout) {
			continue
		}
		if err != nil {
			return err
		}
		var args drive.Args
		if err := json.Unmarshal(body, &args); err != nil {
			return err
		}
		if _, err := q.recorder.Run(args); err != nil {
			return err
		}
		if err := conn.Delete(id); err != nil {
			return err
		}
	}
}

func (q *beanstalkQueue) Drain(ctx context.Context) error {
	return drive.Poll(ctx, 2*time.Millisecond, func() (bool, error) {
		stats, err := q.asks.Stats()
		return stats["current-jobs-ready"] == "0" && stats["current-jobs-reserved"] == "0", err
	})
}

// Size: a job that is done is deleted.
func (q *beanstalkQueue) Size(context.Context) (rows, bytes int64, err error) {
	stats, err := q.asks.Stats()
	if err != nil {
		return 0, 0, err
	}
	for _, name := range []string{"current-jobs-ready", "current-jobs-reserved"} {
		n, err := strconv.ParseInt(stats[name], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		rows += n
	}
	bytes, err = drive.FilesSize(filepath.Join(q.spec.Dir, "binlog.*"))
	return rows, bytes, err
}

// Results: beanstalkd keeps none.
func (q *beanstalkQueue) Results(context.Context, int, int) (int, error) { return -1, nil }

func (q *beanstalkQueue) Close(context.Context) error {
	close(q.halt)
	q.workers.Wait()
	problems := append(q.problems, q.asks.Close())
	for _, conn := range q.idle {
		problems = append(problems, conn.Close())
	}
	q.idle, q.problems = nil, nil
	return errors.Join(problems...)
}
