package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hibiken/asynq"

	"github.com/godwit-go/godwit/bench/drive"
)

const (
	asynqKind    = "bench"
	asynqDefault = "default"
)

// asynqQueue is asynq, with the concurrency of its README.
type asynqQueue struct {
	spec      drive.Spec
	recorder  *drive.Recorder
	client    *asynq.Client
	server    *asynq.Server
	inspector *asynq.Inspector
}

func (q *asynqQueue) Open(_ context.Context, spec drive.Spec, r *drive.Recorder) error {
	redis, err := asynq.ParseRedisURI(spec.URL)
	if err != nil {
		return err
	}
	q.spec, q.recorder = spec, r
	q.client, q.inspector = asynq.NewClient(redis), asynq.NewInspector(redis)
	q.server = asynq.NewServer(redis, asynq.Config{Concurrency: 10, LogLevel: asynq.FatalLevel})
	return nil
}

// Submit: asynq has no call for many.
func (q *asynqQueue) Submit(ctx context.Context, from, n int) error {
	for seq := from; seq < from+n; seq++ {
		payload, err := json.Marshal(drive.ArgsOf(seq))
		if err != nil {
			return err
		}
		task := asynq.NewTask(asynqKind, payload, asynq.TaskID(strconv.Itoa(seq)), asynq.Retention(q.spec.Keep()))
		if _, err := q.client.EnqueueContext(ctx, task); err != nil {
			return err
		}
	}
	return nil
}

func (q *asynqQueue) Start(context.Context) error {
	return q.server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		var args drive.Args
		if err := json.Unmarshal(task.Payload(), &args); err != nil {
			return err
		}
		result, err := q.recorder.Run(args)
		if err != nil {
			return err
		}
		text, err := json.Marshal(result)
		if err != nil {
			return err
		}
		_, err = task.ResultWriter().Write(text)
		return err
	}))
}

func (q *asynqQueue) Drain(ctx context.Context) error {
	return drive.Poll(ctx, 5*time.Millisecond, func() (bool, error) {
		info, err := q.inspector.GetQueueInfo(asynqDefault)
		return err == nil && info.Pending+info.Active+info.Scheduled+info.Retry == 0, err
	})
}

func (q *asynqQueue) Results(_ context.Context, from, n int) (int, error) {
	right := 0
	for seq := from; seq < from+n; seq++ {
		info, err := q.inspector.GetTaskInfo(asynqDefault, strconv.Itoa(seq))
		if err != nil {
			return right, err
		}
		var result drive.Result
		if json.Unmarshal(info.Result, &result) == nil && result.Right(seq) {
			right++
		}
	}
	return right, nil
}

// Size counts the tasks that are kept. The bytes are those of Redis's append-only log.
func (q *asynqQueue) Size(context.Context) (rows, bytes int64, err error) {
	info, err := q.inspector.GetQueueInfo(asynqDefault)
	if err != nil {
		return 0, 0, err
	}
	bytes, err = drive.FilesSize(filepath.Join(q.spec.Dir, "appendonlydir", "*"), filepath.Join(q.spec.Dir, "*.aof")) // as Redis 7, and as those before it
	return int64(info.Size), bytes, err                                                                               // the completed are among them
}

func (q *asynqQueue) Close(context.Context) error {
	q.server.Shutdown()
	return errors.Join(q.client.Close(), q.inspector.Close())
}
