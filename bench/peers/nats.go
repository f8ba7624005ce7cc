package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/godwit-go/godwit/bench/drive"
)

const (
	natsStream  = "BENCH"
	natsSubject = "bench.jobs"
)

// natsQueue is a work queue of NATS JetStream, with the server in this process, as its documentation embeds it.
type natsQueue struct {
	always bool // fsync before each answer

	spec     drive.Spec
	recorder *drive.Recorder
	server   *server.Server
	conn     *nats.Conn
	js       jetstream.JetStream
	stream   jetstream.Stream
	consume  jetstream.ConsumeContext
	problem  chan error
}

func (q *natsQueue) Open(ctx context.Context, spec drive.Spec, r *drive.Recorder) (err error) {
	q.spec, q.recorder, q.problem = spec, r, make(chan error, 1)
	q.server, err = server.NewServer(&server.Options{
		DontListen: true, JetStream: true, StoreDir: filepath.Join(spec.Dir, "nats"), SyncAlways: q.always, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return err
	}
	q.server.Start()
	if !q.server.ReadyForConnections(10 * time.Second) {
		return errors.New("the server is not ready")
	}
	if q.conn, err = nats.Connect("", nats.InProcessServer(q.server)); err != nil {
		return err
	}
	if q.js, err = jetstream.New(q.conn); err != nil {
		return err
	}
	q.stream, err = q.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: natsStream, Subjects: []string{natsSubject}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
	})
	return err
}

func (q *natsQueue) Submit(ctx context.Context, from, n int) error {
	if n == 1 {
		body, err := json.Marshal(drive.ArgsOf(from))
		if err != nil {
			return err
		}
		_, err = q.js.Publish(ctx, natsSubject, body)
		return err
	}
	answers := make([]jetstream.PubAckFuture, n)
	for i := range answers {
		body, err := json.Marshal(drive.ArgsOf(from + i))
		if err != nil {
			return err
		}
		if answers[i], err = q.js.PublishAsync(natsSubject, body); err != nil {
			return err
		}
	}
	for _, answer := range answers {
		select {
		case <-answer.Ok():
		case err := <-answer.Err():
			return err
		}
	}
	return nil
}

func (q *natsQueue) Start(ctx context.Context) error {
	consumer, err := q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: "workers", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		return err
	}
	q.consume, err = consumer.Consume(func(msg jetstream.Msg) {
		var args drive.Args
		err := json.Unmarshal(msg.Data(), &args)
		if err == nil {
			_, err = q.recorder.Run(args)
		}
		if err == nil {
			err = msg.Ack()
		}
		if err != nil {
			select {
			case q.problem <- err:
			default:
			}
		}
	})
	return err
}

func (q *natsQueue) Drain(ctx context.Context) error {
	return drive.Poll(ctx, 2*time.Millisecond, func() (bool, error) {
		select {
		case err := <-q.problem:
			return false, err
		default:
		}
		info, err := q.stream.Info(ctx)
		return err == nil && info.State.Msgs == 0, err
	})
}

// Results: JetStream keeps none.
func (q *natsQueue) Results(context.Context, int, int) (int, error) { return -1, nil }

func (q *natsQueue) Size(ctx context.Context) (rows, bytes int64, err error) {
	info, err := q.stream.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	bytes, err = drive.FilesSize(filepath.Join(q.spec.Dir, "nats", "jetstream", "*", "streams", "*", "msgs", "*"))
	return int64(info.State.Msgs), bytes, err
}

func (q *natsQueue) Close(context.Context) error {
	if q.consume != nil {
		q.consume.Stop()
		<-q.consume.Closed()
		q.consume = nil
	}
	q.conn.Close()
	q.server.Shutdown()
	q.server.WaitForShutdown()
	return nil
}
