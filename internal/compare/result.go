package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// Setting is under what the figures were measured.
type Setting struct {
	Requests    int     `json:"requests"`
	Concurrency int     `json:"concurrency"`
	WorkMS      float64 `json:"work_ms"`
	Workers     int     `json:"workers"`
	TimeoutMS   float64 `json:"timeout_ms"`
	WaitMS      float64 `json:"wait_ms"`
	Repeat      int     `json:"repeat"`
	IdleMS      float64 `json:"idle_ms"`
	Store       string  `json:"store"`
	FsyncMS     float64 `json:"fsync_ms"` // the median of some, in the folder of the database
	Cores       int     `json:"cores"`
	Go          string  `json:"go"`
	Platform    string  `json:"platform"`
}

// Result is everything that was measured.
type Result struct {
	Setting Setting     `json:"setting"`
	Ways    []WayResult `json:"ways"`
}

// WayResult is what was measured of one way. Times are in milliseconds; null is that of what did not happen.
type WayResult struct {
	Way              Way          `json:"way"`
	Answered         Spread       `json:"answered"`
	Direct           Spread       `json:"answered_with_result"`
	TimedOut         Spread       `json:"timed_out"`
	Refused          Spread       `json:"refused"`
	Done             Spread       `json:"done"`
	Lost             Spread       `json:"lost"`
	ResponseP50      Spread       `json:"response_p50_ms"`
	ResponseP99      Spread       `json:"response_p99_ms"`
	ResponseMax      Spread       `json:"response_max_ms"`
	DoneP50          Spread       `json:"done_p50_ms"`
	DoneP99          Spread       `json:"done_p99_ms"`
	Wall             Spread       `json:"wall_ms"`
	ResponsesASecond Spread       `json:"responses_per_second"`
	WorkASecond      Spread       `json:"work_per_second"`
	CPUARequest      Spread       `json:"cpu_per_request_ms"`
	IdleCPUPercent   float64      `json:"idle_cpu_percent"`
	IdleGoroutines   int          `json:"idle_goroutines"`
	IdleBytes        int64        `json:"idle_bytes"`
	Refusal          string       `json:"refusal,omitempty"`
	Responses        Milliseconds `json:"responses_ms"`   // of all rounds, in order of size
	Completions      Milliseconds `json:"completions_ms"` // of all rounds, in order of size
}

// Spread is a figure over the rounds.
type Spread struct {
	Median float64
	Min    float64
	Max    float64
}

// MarshalJSON writes what did not happen as null.
func (s Spread) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"median":%s,"min":%s,"max":%s}`, number(s.Median), number(s.Min), number(s.Max)), nil
}

// Milliseconds are times in JSON.
type Milliseconds []time.Duration

// MarshalJSON writes them to the microsecond, and what did not happen as null.
func (m Milliseconds) MarshalJSON() ([]byte, error) {
	list := make([]json.RawMessage, 0, len(m))
	for _, d := range m {
		list = append(list, json.RawMessage(number(milliseconds(d))))
	}
	return json.Marshal(list)
}

func number(f float64) string {
	if math.IsInf(f, 0) {
		return "null"
	}
	return strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64)
}

func milliseconds(d time.Duration) float64 {
	if d == never {
		return math.Inf(1)
	}
	return float64(d) / float64(time.Millisecond)
}

// Run measures every way, in turns, so that what else the machine does meets all of them.
func Run(ctx context.Context, cfg Config) (Result, error) {
	fsync, err := fsyncTime(cfg.Dir)
	if err != nil {
		return Result{}, err
	}
	result := Result{Setting: Setting{
		Requests: cfg.Requests, Concurrency: cfg.Concurrency, WorkMS: milliseconds(cfg.Work), Workers: cfg.Workers,
		TimeoutMS: milliseconds(cfg.Timeout), WaitMS: milliseconds(cfg.Wait), Repeat: cfg.Repeat, IdleMS: milliseconds(cfg.Idle),
		Store: "sqlite, synchronous=FULL", FsyncMS: milliseconds(fsync), Cores: runtime.GOMAXPROCS(0),
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}}
	rounds := map[Way][]Round{}
	for i := range cfg.Repeat {
		for _, way := range Ways {
			cfg.Tell(way, i+1, cfg.Repeat)
			r, err := runRound(ctx, &cfg, way, fmt.Sprintf("%s-%d", way, i))
			if err != nil {
				return result, err
			}
			rounds[way] = append(rounds[way], r)
		}
	}
	for _, way := range Ways {
		cfg.Tell(way, 0, cfg.Repeat)
		idle, err := runIdle(ctx, &cfg, way, string(way)+"-idle")
		if err != nil {
			return result, err
		}
		result.Ways = append(result.Ways, sum(way, rounds[way], idle))
	}
	return result, nil
}

// sum makes the figures of a way from its rounds.
func sum(way Way, rounds []Round, idle Idle) WayResult {
	over := func(figure func(Round) float64) Spread {
		values := make([]float64, 0, len(rounds))
		for _, r := range rounds {
			values = append(values, figure(r))
		}
		slices.Sort(values)
		return Spread{Median: values[(len(values)-1)/2], Min: values[0], Max: values[len(values)-1]}
	}
	count := func(n func(Round) int) Spread { return over(func(r Round) float64 { return float64(n(r)) }) }
	span := func(d func(Round) time.Duration) Spread {
		return over(func(r Round) float64 { return milliseconds(d(r)) })
	}
	w := WayResult{
		Way:         way,
		Answered:    count(func(r Round) int { return r.Answered }),
		Direct:      count(func(r Round) int { return r.Direct }),
		TimedOut:    count(func(r Round) int { return r.TimedOut }),
		Refused:     count(func(r Round) int { return r.Refused }),
		Done:        count(func(r Round) int { return r.Done }),
		Lost:        count(func(r Round) int { return r.Lost }),
		ResponseP50: span(func(r Round) time.Duration { return quantile(r.Responses, 0.50) }),
		ResponseP99: span(func(r Round) time.Duration { return quantile(r.Responses, 0.99) }),
		ResponseMax: span(func(r Round) time.Duration { return quantile(r.Responses, 1) }),
		DoneP50:     span(func(r Round) time.Duration { return quantile(r.Completions, 0.50) }),
		DoneP99:     span(func(r Round) time.Duration { return quantile(r.Completions, 0.99) }),
		Wall:        span(func(r Round) time.Duration { return r.Wall }),

		ResponsesASecond: over(func(r Round) float64 { return float64(r.Answered) / r.Answering.Seconds() }),
		WorkASecond:      over(func(r Round) float64 { return float64(r.Done) / r.Wall.Seconds() }),
		CPUARequest:      over(func(r Round) float64 { return milliseconds(r.CPU) / float64(len(r.Responses)) }),

		IdleCPUPercent: 100 * idle.CPU.Seconds() / idle.For.Seconds(),
		IdleGoroutines: idle.Goroutines, IdleBytes: idle.Bytes,
	}
	for _, r := range rounds {
		w.Responses = append(w.Responses, r.Responses...)
		w.Completions = append(w.Completions, r.Completions...)
		if w.Refusal == "" {
			w.Refusal = r.Refusal
		}
	}
	slices.Sort(w.Responses)
	slices.Sort(w.Completions)
	return w
}

// quantile is the smallest value that a share q of them does not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

// fsyncTime measures what a sync costs where the databases are: next to nothing on a file system in memory.
func fsyncTime(dir string) (time.Duration, error) {
	const times = 21
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, fmt.Errorf("measure fsync: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the folder goes too
	var took []time.Duration
	for range times {
		begun := time.Now()
		_, err = f.Write(make([]byte, 4096))
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			break
		}
		took = append(took, time.Since(begun))
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, fmt.Errorf("measure fsync: %w", err)
	}
	slices.Sort(took)
	return quantile(took, 0.5), nil
}
