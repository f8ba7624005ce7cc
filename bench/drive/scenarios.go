package drive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// errUnsupported says that a contender has no such thing.
var errUnsupported = errors.New("the contender has no such thing")

const (
	sustainedSample = 1000 // the last jobs of a sustained run, whose results must still be there
	windowCount     = 20
	pruneWait       = 10 // times as long as jobs are kept: River looks for what is to go every 30 s
	idleWarmUp      = 5
	idleSamples     = 30 // at least, so that whoever looks once a second has a median too
)

// measure makes one measurement.
func measure(spec Spec, c Contender) (Outcome, error) {
	ctx := context.Background()
	scenario, ok := scenarios[spec.Scenario]
	if !ok {
		return Outcome{}, fmt.Errorf("there is no scenario %q", spec.Scenario)
	}
	b := &bench{spec, c, newRecorder(spec.Jobs), Outcome{Values: map[string]float64{}}}
	if spec.TimeoutSeconds > 0 { // not by a context: drivers watch those that can end, which costs time
		late := time.AfterFunc(time.Duration(spec.TimeoutSeconds*float64(time.Second)), func() {
			fmt.Fprintf(os.Stderr, "%s, %s: not done after %g s: %d of at most %d jobs ran\n", spec.Contender, spec.Scenario, spec.TimeoutSeconds, b.r.ran.Load(), spec.Jobs)
			os.Exit(1)
		})
		defer late.Stop()
	}
	if err := c.Open(ctx, spec, b.r); err != nil {
		return Outcome{}, fmt.Errorf("open: %w", err)
	}
	if err := scenario(ctx, b); err != nil {
		return Outcome{}, err
	}
	if err := c.Close(ctx); err != nil {
		return Outcome{}, fmt.Errorf("close: %w", err)
	}
	b.out.Repeated = int(b.r.repeated.Load())
	return b.out, nil
}

// bench is one measurement under way.
type bench struct {
	spec Spec
	c    Contender
	r    *Recorder
	out  Outcome
}

var scenarios = map[string]func(context.Context, *bench) error{
	"bulk":      bulk,
	"sustained": sustained,
	"idle":      idle,
	"submit":    submit,
	"startup":   startUp,
	"acked":     acked,
	"fanin":     fanIn,
	"scheduled": hold,
	"held":      hold,
	"waiting":   hold,
}

// submitAll submits jobs by as many callers as the spec says, in its batches, and gives how many there were.
func (b *bench) submitAll(ctx context.Context, callers, batch int, wait func(from int)) (int, error) {
	var next atomic.Int64
	var deadline time.Time
	if b.spec.Seconds > 0 {
		deadline = time.Now().Add(time.Duration(b.spec.Seconds * float64(time.Second)))
	}
	errs := make([]error, callers)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			for deadline.IsZero() || time.Now().Before(deadline) {
				from := int(next.Add(int64(batch))) - batch
				n := min(batch, b.spec.Jobs-from)
				if n <= 0 {
					return
				}
				wait(from)
				if errs[caller] = b.submit(ctx, from, n); errs[caller] != nil {
					return
				}
			}
		})
	}
	group.Wait()
	return min(int(next.Load()), b.spec.Jobs), errors.Join(errs...)
}

func (b *bench) submit(ctx context.Context, from, n int) error {
	now := b.r.now()
	for i := from; i < from+n; i++ {
		b.r.submitted[i] = now
	}
	if err := b.c.Submit(ctx, from, n); err != nil {
		return fmt.Errorf("submit the jobs from %d: %w", from, err)
	}
	return nil
}

// finish waits until n jobs have run and are settled.
func (b *bench) finish(ctx context.Context, n int) error {
	b.out.Jobs = n
	if err := b.r.waitRan(ctx, n); err != nil {
		return err
	}
	if err := b.c.Drain(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

// verify reads results back. Whoever keeps them must have them all.
func (b *bench) verify(ctx context.Context, from, n int) error {
	found, err := b.c.Results(ctx, from, n)
	if err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	if found >= 0 && found != n {
		return fmt.Errorf("%d of %d results are there and right", found, n)
	}
	b.out.Results = max(found, 0)
	return nil
}

func noWait(int) {}

// bulk submits all jobs, then works them all.
func bulk(ctx context.Context, b *bench) error {
	whole, part := newMeter(b.spec.Server), newMeter(b.spec.Server)
	n, err := b.submitAll(ctx, 1, b.spec.Batch, noWait)
	if err != nil {
		return err
	}
	part.stop(b.out.Values, "submit", n)
	part = newMeter(b.spec.Server)
	if err := b.c.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := b.finish(ctx, n); err != nil {
		return err
	}
	part.stop(b.out.Values, "work", n)
	whole.stop(b.out.Values, "jobs", n)
	if err := b.size(ctx, "kept"); err != nil {
		return err
	}
	return b.verify(ctx, 0, n)
}

// sustained submits, works and prunes at the same time.
func sustained(ctx context.Context, b *bench) error {
	if err := b.c.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	begin, whole := b.r.now(), newMeter(b.spec.Server)
	n, err := b.submitAll(ctx, b.spec.Callers, b.spec.Batch, b.waitBacklog)
	if err != nil {
		return err
	}
	if err := b.finish(ctx, n); err != nil {
		return err
	}
	whole.stop(b.out.Values, "jobs", n)
	sample := min(n, sustainedSample)
	if err := b.verify(ctx, n-sample, sample); err != nil {
		return err
	}
	b.out.Windows = b.r.windows(begin, n, windowCount)
	b.claims(begin)
	all := b.r.latencies(0, n)
	b.out.Values["start_p50_ms"], b.out.Values["start_p99_ms"] = quantile(all, 0.5), quantile(all, 0.99)
	if err := b.size(ctx, "end"); err != nil {
		return err
	}
	if b.spec.KeepSeconds == 0 {
		return nil
	}
	return b.pruned(ctx)
}

// claims notes how long claims took, over all and over time.
func (b *bench) claims(begin int64) {
	c, ok := b.c.(Claimer)
	if !ok {
		return
	}
	var all []float64
	windows := make([][]float64, len(b.out.Windows))
	width := b.out.Windows[0].Second
	for _, claim := range c.Claims() {
		took := float64(claim.Took) / 1e6
		all = append(all, took)
		at := claim.Begin.Sub(b.r.begin).Seconds() - float64(begin)/1e9
		slot := min(len(windows)-1, max(0, int(at/width)))
		windows[slot] = append(windows[slot], took)
	}
	b.out.Values["claims"] = float64(len(all))
	b.out.Values["claim_p50_ms"], b.out.Values["claim_p99_ms"] = quantile(all, 0.5), quantile(all, 0.99)
	for i, took := range windows {
		w := &b.out.Windows[i]
		w.ClaimP50, w.ClaimP99 = quantile(took, 0.5), quantile(took, 0.99)
	}
}

// waitBacklog holds a submitter back while too many jobs are unfinished.
func (b *bench) waitBacklog(from int) {
	for from-int(b.r.ran.Load()) > b.spec.Backlog {
		time.Sleep(200 * time.Microsecond)
	}
}

// size notes how much is stored.
func (b *bench) size(ctx context.Context, name string) error {
	sizer, ok := b.c.(Sizer)
	if !ok {
		return nil
	}
	rows, bytes, err := sizer.Size(ctx)
	if err != nil {
		return fmt.Errorf("read the size: %w", err)
	}
	b.out.Values[name+"_rows"], b.out.Values[name+"_mb"] = float64(rows), float64(bytes)/1e6
	return nil
}

// pruned waits for the rest of the pruning and notes what it left.
func (b *bench) pruned(ctx context.Context) error {
	sizer, ok := b.c.(Sizer)
	if !ok {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, pruneWait*b.spec.Keep())
	defer cancel()
	err := Poll(wait, 500*time.Millisecond, func() (bool, error) {
		rows, _, err := sizer.Size(ctx)
		return rows == 0, err
	})
	if err != nil && wait.Err() == nil {
		return err
	}
	return b.size(ctx, "pruned")
}

// idle submits one job at a time to a worker that has nothing to do.
func idle(ctx context.Context, b *bench) error {
	if err := b.c.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	end := time.Now().Add(time.Duration(b.spec.Seconds * float64(time.Second)))
	n := 0
	for ; n < b.spec.Jobs && (n < idleWarmUp+idleSamples || time.Now().Before(end)); n++ {
		if err := b.submit(ctx, n, 1); err != nil {
			return err
		}
		if err := b.finish(ctx, n+1); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond) // what was settled is written and told before the next
	}
	all := b.r.latencies(idleWarmUp, n-idleWarmUp)
	for name, q := range map[string]float64{"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1} {
		b.out.Values[name] = quantile(all, q)
	}
	b.out.Values["samples"] = float64(len(all))
	return b.verify(ctx, 0, n)
}

// submit measures submission alone: many callers, one job a call, nobody works.
func submit(ctx context.Context, b *bench) error {
	calls := make([]float64, b.spec.Jobs)
	m := newMeter(b.spec.Server)
	var next atomic.Int64
	end := time.Now().Add(time.Duration(b.spec.Seconds * float64(time.Second)))
	errs := make([]error, b.spec.Callers)
	var group sync.WaitGroup
	for caller := range b.spec.Callers {
		group.Go(func() {
			for time.Now().Before(end) {
				seq := int(next.Add(1)) - 1
				if seq >= b.spec.Jobs {
					return
				}
				begin := time.Now()
				if errs[caller] = b.submit(ctx, seq, 1); errs[caller] != nil {
					return
				}
				calls[seq] = float64(time.Since(begin)) / 1e6
			}
		})
	}
	group.Wait()
	n := min(int(next.Load()), b.spec.Jobs)
	m.stop(b.out.Values, "submit", n)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	b.out.Values["p50_ms"], b.out.Values["p99_ms"] = quantile(calls[:n], 0.5), quantile(calls[:n], 0.99)
	if err := b.c.Start(ctx); err != nil { // what was acknowledged must run
		return fmt.Errorf("start: %w", err)
	}
	if err := b.finish(ctx, n); err != nil {
		return err
	}
	return b.verify(ctx, 0, n)
}

// startUp measures how long it takes from opening a store with many ready jobs to the start of the first. A server goes on meanwhile.
func startUp(ctx context.Context, b *bench) error {
	n, err := b.submitAll(ctx, 1, b.spec.Batch, noWait)
	if err != nil {
		return err
	}
	if err := b.c.Close(ctx); err != nil {
		return err
	}
	begin := b.r.now()
	if err := b.c.Open(ctx, b.spec, b.r); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	b.out.Values["open_ms"] = float64(b.r.now()-begin) / 1e6
	if err := b.c.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := b.finish(ctx, n); err != nil {
		return err
	}
	b.out.Values["first_ms"] = float64(b.r.firstStart(n)-begin) / 1e6
	return b.verify(ctx, 0, n)
}

// acked submits one job after the other, each between two marks that a tracer of system calls sees.
func acked(ctx context.Context, b *bench) error {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for seq := range b.spec.Jobs {
		if _, err := fmt.Fprintf(null, "submit begins %d", seq); err != nil {
			return err
		}
		if err := b.submit(ctx, seq, 1); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(null, "submit acknowledged %d", seq); err != nil {
			return err
		}
	}
	b.out.Jobs = b.spec.Jobs
	return null.Close()
}

func fanIn(ctx context.Context, b *bench) error {
	c, ok := b.c.(FanInner)
	if !ok {
		return errUnsupported
	}
	if err := b.c.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	m := newMeter(b.spec.Server)
	if err := c.FanIn(ctx, b.spec.Jobs); err != nil {
		return err
	}
	wall := m.stop(b.out.Values, "children", b.spec.Jobs)
	b.out.Values["seconds"] = wall.Seconds()
	b.out.Jobs = int(b.r.ran.Load())
	if b.out.Jobs != b.spec.Jobs {
		return fmt.Errorf("%d of %d children ran", b.out.Jobs, b.spec.Jobs)
	}
	return nil
}

// hold measures what jobs cost in memory and on disk that stay where they are, beside a worker that has started.
func hold(ctx context.Context, b *bench) error {
	c, ok := b.c.(Holder)
	if !ok {
		return errUnsupported
	}
	before, heap := memoryAtRest()
	m := newMeter(b.spec.Server)
	if err := c.Hold(ctx, b.spec.Scenario, b.spec.Jobs); err != nil {
		return err
	}
	m.stop(b.out.Values, "jobs", b.spec.Jobs)
	after, heapAfter := memoryAtRest()
	b.out.Jobs = b.spec.Jobs
	b.out.Values["rss_bytes"] = (after - before) / float64(b.spec.Jobs)
	b.out.Values["heap_bytes"] = (heapAfter - heap) / float64(b.spec.Jobs)
	return b.size(ctx, "kept")
}

// memoryAtRest gives the resident size and the live heap and stacks after what is garbage was given back.
func memoryAtRest() (resident, live float64) {
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return memory(), float64(stats.HeapAlloc + stats.StackInuse)
}
