// Command godwit is the child of the benchmark that measures Godwit, through its public API: a typed task, JSON, a handler, and the result
// kept.
package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/bench/drive"
	"github.com/godwit-go/godwit/open"
)

// concurrency is how many handlers may run at once: many, since these do nothing. River is measured with 2000, backlite with 1000.
const concurrency = 1000

func main() {
	together := func() drive.Contender { return &contender{} }
	apart := func() drive.Contender { return &contender{apart: true} }
	drive.Main(map[string]func() drive.Contender{
		"godwit-sqlite":         together,
		"godwit-sqlite-again":   together,
		"godwit-sqlite-apart":   apart,
		"godwit-postgres":       together,
		"godwit-postgres-again": together,
		"godwit-postgres-apart": apart,
	})
}

// contender is Godwit. apart has every job claimed after the commit that made it ready, as are those that another process submits: where
// the client that submits is the one that works, the claim joins that commit.
type contender struct {
	apart bool

	spec      drive.Spec
	recorder  *drive.Recorder
	store     godwit.Store
	clock     *clock
	other     godwit.Store // through which is submitted when that is another one
	worker    *godwit.Client
	submitter *godwit.Client
	job       *godwit.Task[drive.Args, drive.Result]
	parent    *godwit.Task[int, int]
	nap       *godwit.Task[drive.Args, drive.Result]

	ids []godwit.ID // by number; each has one writer
}

func (c *contender) Open(ctx context.Context, spec drive.Spec, r *drive.Recorder) error {
	c.spec, c.recorder = spec, r
	if c.ids == nil {
		c.ids = drive.OffHeap[godwit.ID](spec.Jobs)
	}
	url := spec.URL
	if url == "" {
		url = "sqlite:" + c.file()
	}
	var err error
	if c.store, err = open.Store(ctx, url); err != nil {
		return err
	}
	config := godwit.Config{
		Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: concurrency}},
		Logger: slog.New(slog.DiscardHandler),
	}
	if spec.KeepSeconds > 0 {
		config.PruneInterval = time.Second
	}
	c.clock = &clock{Store: c.store}
	works, err := c.clock.workedOn(c.apart)
	if err != nil {
		return err
	}
	if c.worker, err = godwit.New(works, config); err != nil {
		return err
	}
	c.submitter = c.worker
	if c.apart {
		if err := c.openApart(ctx, config); err != nil {
			return err
		}
	}
	policy := godwit.Policy{KeepSucceeded: spec.Keep()}
	c.job = godwit.NewTask[drive.Args, drive.Result]("bench.job", policy)
	c.parent = godwit.NewTask[int, int]("bench.parent", policy)
	c.nap = godwit.NewTask[drive.Args, drive.Result]("bench.nap", policy)
	godwit.Handle(c.worker, c.job, func(_ context.Context, a drive.Args) (drive.Result, error) { return r.Run(a) })
	godwit.Handle(c.worker, c.parent, c.fanOut)
	godwit.Handle(c.worker, c.nap, func(ctx context.Context, a drive.Args) (drive.Result, error) {
		if err := godwit.Sleep(ctx, "nap", 24*time.Hour); err != nil {
			return drive.Result{}, err
		}
		return r.Run(a)
	})
	return nil
}

// openApart makes the client that submits. On PostgreSQL it has a store of its own, as another process has: claims join the submissions of
// their own store. A file of SQLite has only one.
func (c *contender) openApart(ctx context.Context, config godwit.Config) (err error) {
	submits := c.store
	if c.spec.URL != "" {
		if c.other, err = open.Store(ctx, c.spec.URL); err != nil {
			return err
		}
		submits = c.other
	}
	c.submitter, err = godwit.New(submits, godwit.Config{Logger: config.Logger})
	return err
}

func (c *contender) file() string { return filepath.Join(c.spec.Dir, "godwit.db") }

func (c *contender) Submit(ctx context.Context, from, n int) error {
	if n == 1 {
		p, err := c.job.Submit(ctx, c.submitter, drive.ArgsOf(from), godwit.SubmitOptions{})
		if err == nil {
			c.ids[from] = p.ID()
		}
		return err
	}
	promises, err := c.job.SubmitMany(ctx, c.submitter, drive.ArgsFrom(from, n), godwit.SubmitOptions{})
	for i, p := range promises {
		c.ids[from+i] = p.ID()
	}
	return err
}

func (c *contender) Start(ctx context.Context) error { return c.worker.Start(ctx) }

func (c *contender) Drain(ctx context.Context) error { return c.worker.Drain(ctx) }

func (c *contender) Results(ctx context.Context, from, n int) (int, error) {
	right := 0
	for n > 0 {
		part := min(n, 1000)
		promises := make([]*godwit.Promise[drive.Result], part)
		for i := range promises {
			promises[i] = godwit.PromiseOf[drive.Result](c.submitter, c.ids[from+i])
		}
		results, err := godwit.AwaitAll(ctx, promises...)
		if err != nil {
			return right, err
		}
		for i, result := range results {
			if result.Right(from + i) {
				right++
			}
		}
		from, n = from+part, n-part
	}
	return right, nil
}

func (c *contender) Close(ctx context.Context) error {
	if err := c.worker.Stop(ctx); err != nil {
		return err
	}
	if c.other != nil {
		if err := c.other.Close(); err != nil {
			return err
		}
	}
	return c.store.Close()
}
