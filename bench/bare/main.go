// Command bare is the child of the benchmark that measures the storage alone: the fewest rows that carry a job from its submission to
// its removal, by the drivers, the settings and the merging of calls that Godwit has. A job has its arguments written once, its place
// written, changed by the claim and removed by the end, its result written, and both removed together with their neighbours in one
// range. There are no lanes, no leases and fences, no attempts, no retries and times, no keys, no events, no memory of ids: what Godwit
// needs beyond this is the price of its promises, and what this needs is a measure of what any library on the same storage and driver pays.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

func main() {
	drive.Main(map[string]func() drive.Contender{
		"bare-sqlite":   func() drive.Contender { return &contender{store: &sqliteStore{}, workers: 1} },
		"bare-postgres": func() drive.Contender { return &contender{store: &postgresStore{}, workers: 2} },
	})
}

// job is a job, or what became of it. Numbers grow in the order of commits.
type job struct {
	id   int64
	body []byte // the arguments; of one that has run the result
}

// store keeps jobs.
type store interface {
	open(ctx context.Context, spec drive.Spec) error
	// insert keeps jobs, which get neighbouring numbers, and gives the first. taken: they are claimed by the same commit.
	insert(ctx context.Context, bodies [][]byte, taken bool) (int64, error)
	// turn writes the results of jobs that ran, and claims up to limit ones whose numbers are above after.
	turn(ctx context.Context, ended []job, after int64, limit int) ([]job, error)
	// remove removes ended jobs up to a number.
	remove(ctx context.Context, upTo int64) error
	results(ctx context.Context, ids []int64) ([][]byte, error)
	size(ctx context.Context) (rows, bytes int64, err error)
	close() error
}

// turnMax is how many jobs a worker takes at once, as Godwit's does here.
const turnMax = 1000

// contender works with a store.
type contender struct {
	store   store
	workers int

	spec     drive.Spec
	recorder *drive.Recorder
	ids      []int64 // by number of the benchmark

	idle             atomic.Bool // the only worker looked and found nothing
	handed           chan job    // taken by the commit that submitted it
	wake             chan struct{}
	after            atomic.Int64 // the highest number that was claimed
	submitted, ended atomic.Int64

	stop    context.CancelFunc
	stopped atomic.Bool
	group   sync.WaitGroup
	fault   atomic.Pointer[error]

	mu   sync.Mutex
	past []expiry // guarded by mu
}

// expiry says up to which number jobs had ended at a time.
type expiry struct {
	at   time.Time
	upTo int64
}

func (c *contender) Open(ctx context.Context, spec drive.Spec, r *drive.Recorder) error {
	c.spec, c.recorder = spec, r
	if c.ids == nil {
		c.ids = drive.OffHeap[int64](spec.Jobs)
	}
	if spec.Scenario == "idle" {
		c.workers = 1
	}
	c.stopped.Store(false)
	c.handed, c.wake = make(chan job, 1), make(chan struct{}, c.workers)
	return c.store.open(ctx, spec)
}

func (c *contender) Submit(ctx context.Context, from, n int) error {
	bodies := make([][]byte, n)
	for i, args := range drive.ArgsFrom(from, n) {
		var err error
		if bodies[i], err = json.Marshal(args); err != nil {
			return err
		}
	}
	taken := n == 1 && c.idle.CompareAndSwap(true, false)
	first, err := c.store.insert(ctx, bodies, taken)
	if err != nil {
		return err
	}
	c.submitted.Add(int64(n))
	for i := range n {
		c.ids[from+i] = first + int64(i)
	}
	if taken {
		c.handed <- job{first, bodies[0]}
		return nil
	}
	for range c.workers {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

func (c *contender) Start(ctx context.Context) error {
	ctx, c.stop = context.WithCancel(ctx)
	for range c.workers {
		c.group.Go(func() { c.keep(c.work(ctx)) })
	}
	if c.spec.KeepSeconds > 0 {
		c.group.Go(func() { c.keep(c.prune(ctx)) })
	}
	return nil
}

// keep remembers the first fault.
func (c *contender) keep(err error) {
	if err != nil {
		c.fault.CompareAndSwap(nil, &err)
	}
}

// work claims jobs, runs them, and writes what became of them together with the next claim.
func (c *contender) work(ctx context.Context) error {
	var ended []job
	for {
		jobs, err := c.store.turn(context.WithoutCancel(ctx), ended, c.after.Load(), turnMax)
		if err != nil {
			return err
		}
		c.settled(ended)
		ended = ended[:0]
		if len(jobs) > 0 {
			c.reached(jobs[len(jobs)-1].id)
		} else if jobs = c.rest(ctx); len(jobs) == 0 && c.stopped.Load() {
			return nil
		}
		for _, j := range jobs {
			if j.body, err = c.run(j.body); err != nil {
				return err
			}
			ended = append(ended, j)
		}
	}
}

// rest waits for something to do, and gives the job that was handed over, if it is one.
func (c *contender) rest(ctx context.Context) []job {
	select {
	case <-c.wake: // since the look that found nothing
		return nil
	default:
	}
	c.idle.Store(c.workers == 1)
	select {
	case j := <-c.handed:
		return []job{j}
	case <-c.wake:
		if c.workers == 1 && !c.idle.CompareAndSwap(true, false) {
			return []job{<-c.handed} // it is on its way
		}
	case <-ctx.Done():
	}
	return nil
}

// reached moves the point from which jobs are looked for.
func (c *contender) reached(id int64) {
	for old := c.after.Load(); old < id && !c.after.CompareAndSwap(old, id); old = c.after.Load() {
	}
}

func (c *contender) run(body []byte) ([]byte, error) {
	var args drive.Args
	if err := json.Unmarshal(body, &args); err != nil {
		return nil, err
	}
	result, err := c.recorder.Run(args)
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// settled notes that jobs have ended.
func (c *contender) settled(jobs []job) {
	if len(jobs) == 0 {
		return
	}
	c.ended.Add(int64(len(jobs)))
	if c.spec.KeepSeconds > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.past = append(c.past, expiry{time.Now().Add(c.spec.Keep()), jobs[len(jobs)-1].id})
	}
}

// prune removes what has been kept long enough.
func (c *contender) prune(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if upTo := c.over(now); upTo > 0 {
				if err := c.store.remove(context.WithoutCancel(ctx), upTo); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// over gives the number up to which jobs may be removed.
func (c *contender) over(now time.Time) (upTo int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.past) > 0 && c.past[0].at.Before(now) {
		upTo, c.past = max(upTo, c.past[0].upTo), c.past[1:]
	}
	return upTo
}

func (c *contender) Drain(ctx context.Context) error {
	submitted := c.submitted.Load()
	return drive.Poll(ctx, time.Millisecond, func() (bool, error) {
		if fault := c.fault.Load(); fault != nil {
			return false, *fault
		}
		return c.ended.Load() >= submitted, nil
	})
}

func (c *contender) Results(ctx context.Context, from, n int) (int, error) {
	right := 0
	for n > 0 {
		part := min(n, turnMax)
		found, err := c.store.results(ctx, c.ids[from:from+part])
		if err != nil {
			return right, err
		}
		for i, text := range found {
			var result drive.Result
			if text != nil && json.Unmarshal(text, &result) == nil && result.Right(from+i) {
				right++
			}
		}
		from, n = from+part, n-part
	}
	return right, nil
}

// Size counts the jobs, and the bytes of the file with its log or of the database.
func (c *contender) Size(ctx context.Context) (rows, bytes int64, err error) {
	return c.store.size(ctx)
}

func (c *contender) Close(context.Context) error {
	if c.stop != nil {
		c.stopped.Store(true)
		c.stop()
	}
	c.group.Wait()
	if fault := c.fault.Load(); fault != nil {
		return fmt.Errorf("while it worked: %w", *fault)
	}
	return c.store.close()
}
