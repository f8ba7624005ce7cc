package compare

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

const (
	idleSettle = 300 * time.Millisecond // until what came before has calmed down
	idlePoll   = 5 * time.Millisecond
	idleHold   = time.Minute // that a client waits for its answer
)

// Idle is what the process used while every request of a round waited and nothing happened, clients included.
type Idle struct {
	Waiting    int
	For        time.Duration
	CPU        time.Duration
	Goroutines int   // more than before the requests
	Bytes      int64 // of live heap and stacks, more than before the requests
}

// runIdle holds the requests of a way up at a gate and watches the process. In the asynchronous way nobody is connected: the
// service itself holds a promise for each job.
func runIdle(ctx context.Context, cfg *Config, way Way, name string) (idle Idle, err error) {
	gate := make(chan struct{})
	w := newWork(0, gate, cfg.Requests)
	s, err := startService(ctx, cfg, way, w, name)
	if err != nil {
		return idle, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	ctx, cancel := context.WithTimeoutCause(ctx, idleHold+cfg.Idle, fmt.Errorf("%s: the idle round is not over", way))
	defer cancel()
	prefer := ""
	if way == Wait {
		prefer = waitFor(idleHold)
	}
	v := newVisitor(s, cfg, idleHold+cfg.Idle, prefer)
	defer v.close()
	before := usage()

	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	results := make(chan error, cfg.Requests)
	var accepted sync.WaitGroup
	for n := range cfg.Requests {
		accepted.Add(1)
		go func() { results <- v.hold(ctx, s, n, &accepted) }()
	}
	if err := s.held(ctx, cfg, &accepted); err != nil {
		return idle, err
	}
	v.close()
	if err := pause(ctx, idleSettle); err != nil {
		return idle, err
	}
	during := usage()
	cpu, begun := cpuTime(), time.Now()
	if err := pause(ctx, cfg.Idle); err != nil {
		return idle, err
	}
	idle = Idle{
		Waiting: cfg.Requests, For: time.Since(begun), CPU: cpuTime() - cpu,
		Goroutines: during.goroutines - before.goroutines, Bytes: during.bytes - before.bytes,
	}
	open()
	for range cfg.Requests {
		err = errors.Join(err, <-results)
	}
	return idle, err
}

// hold makes a request and waits for its result: connected, or by the promise of its job.
func (v *visitor) hold(ctx context.Context, s *service, n int, accepted *sync.WaitGroup) error {
	if s.way != Async {
		accepted.Done()
		got, err := v.send(ctx, n)
		if err == nil && got.done == never {
			err = fmt.Errorf("request %d got no result: %s", n, got.why)
		}
		return err
	}
	got, err := v.send(ctx, n)
	accepted.Done()
	if err != nil {
		return err
	}
	if got.follow == "" {
		return fmt.Errorf("request %d was not accepted: %s", n, got.why)
	}
	id, err := godwit.ParseID(got.follow[len(got.follow)-godwit.IDLength:])
	if err != nil {
		return err
	}
	result, err := godwit.PromiseOf[Answer](s.client, id).Await(ctx)
	if want := answerTo(n); err == nil && result != want {
		err = fmt.Errorf("request %d got the result %+v, want %+v", n, result, want)
	}
	return err
}

// held returns when every request has arrived where it has to wait, and every worker is at work.
func (s *service) held(ctx context.Context, cfg *Config, accepted *sync.WaitGroup) error {
	accepted.Wait()
	open := int64(cfg.Requests)
	if s.way == Async {
		open = 0
	}
	for s.open.Load() != open || int(s.work.busy.Load()) != min(cfg.Workers, cfg.Requests) {
		if err := pause(ctx, idlePoll); err != nil {
			return err
		}
	}
	return nil
}

// used is what the process holds.
type used struct {
	goroutines int
	bytes      int64
}

func usage() used {
	runtime.GC()
	runtime.GC() // what the first one put off
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return used{runtime.NumGoroutine(), int64(m.HeapAlloc + m.StackInuse)}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
