package drive

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// Args is what every job takes: about 200 bytes of JSON.
type Args struct {
	Seq  int    `json:"seq"`
	Text string `json:"text"`
}

// Result is what every job gives.
type Result struct {
	Seq    int `json:"seq"`
	Length int `json:"length"`
}

var text = strings.Repeat("durable ", 22)

// ArgsOf makes the arguments of a job.
func ArgsOf(seq int) Args { return Args{seq, text} }

// ArgsFrom makes the arguments of n jobs.
func ArgsFrom(from, n int) []Args {
	all := make([]Args, n)
	for i := range all {
		all[i] = ArgsOf(from + i)
	}
	return all
}

// Right reports whether a result is that of a job.
func (r Result) Right(seq int) bool { return r == Result{seq, len(text)} }

// Recorder is where every handler reports, so that no job is believed to have run that did not.
type Recorder struct {
	begin     time.Time
	submitted []int64        // when the call began, in nanoseconds since begin
	started   []atomic.Int64 // when the handler first ran; 0: never
	ran       atomic.Int64   // jobs that ran
	repeated  atomic.Int64
	target    atomic.Int64
	reached   chan struct{}
}

func newRecorder(jobs int) *Recorder {
	return &Recorder{
		begin: time.Now().Add(-time.Nanosecond), submitted: OffHeap[int64](jobs), started: OffHeap[atomic.Int64](jobs),
		reached: make(chan struct{}, 1),
	}
}

// OffHeap makes a slice of a type without pointers outside the heap of Go, for the rest of the process. A large heap makes the collector
// rare, so the notes of the benchmark must not stand in it.
func OffHeap[T any](n int) []T {
	if n == 0 {
		return nil
	}
	var item T
	memory, err := syscall.Mmap(-1, 0, n*int(unsafe.Sizeof(item)), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err) // as make does when there is no memory
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&memory[0])), n)
}

func (r *Recorder) now() int64 { return int64(time.Since(r.begin)) }

// Run is the handler of every contender.
func (r *Recorder) Run(a Args) (Result, error) {
	if a.Seq < 0 || a.Seq >= len(r.started) || a.Text != text {
		return Result{}, fmt.Errorf("job %d came with other arguments than it was given", a.Seq)
	}
	if !r.started[a.Seq].CompareAndSwap(0, r.now()) {
		r.repeated.Add(1)
	} else if r.ran.Add(1) == r.target.Load() {
		select {
		case r.reached <- struct{}{}:
		default:
		}
	}
	return Result{a.Seq, len(a.Text)}, nil
}

// waitRan waits until n jobs ran.
func (r *Recorder) waitRan(ctx context.Context, n int) error {
	r.target.Store(int64(n))
	for r.ran.Load() < int64(n) {
		select {
		case <-r.reached:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d jobs ran: %w", r.ran.Load(), n, ctx.Err())
		}
	}
	return nil
}

// firstStart gives when the first of n jobs started, all of which ran.
func (r *Recorder) firstStart(n int) int64 {
	first := r.started[0].Load()
	for i := range n {
		first = min(first, r.started[i].Load())
	}
	return first
}

// latencies gives the times from submission to start of the jobs from to from+n-1, in milliseconds.
func (r *Recorder) latencies(from, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = float64(r.started[from+i].Load()-r.submitted[from+i]) / 1e6
	}
	return all
}

// windows cuts a run into slices of equal time by when its jobs started.
func (r *Recorder) windows(begin int64, jobs, slices int) []Window {
	end := begin + 1
	for i := range jobs {
		end = max(end, r.started[i].Load()+1)
	}
	width := float64(end-begin) / float64(slices)
	latencies := make([][]float64, slices)
	for i := range jobs {
		at := r.started[i].Load()
		slot := min(slices-1, max(0, int(float64(at-begin)/width)))
		latencies[slot] = append(latencies[slot], float64(at-r.submitted[i])/1e6)
	}
	windows := make([]Window, slices)
	for i, all := range latencies {
		windows[i] = Window{Second: width * float64(i+1) / 1e9, Rate: float64(len(all)) / (width / 1e9)}
		windows[i].P50, windows[i].P99 = quantile(all, 0.5), quantile(all, 0.99)
	}
	return windows
}
