package godwit

import (
	"log/slog"
	"runtime"
	"slices"
	"time"
)

// Config makes a [Client]. The zero value is useful.
type Config struct {
	// Queues are those that the client works, by name. Defaults to [QueueDefault] alone, with the default concurrency.
	Queues map[string]QueueConfig

	// Logger takes what the client and the handlers log. Defaults to slog.Default().
	Logger *slog.Logger
	// Middleware wraps every handler, the first outermost. Defaults to none.
	Middleware []Middleware
	// SubmitMiddleware wraps every submission through the client, the first outermost. Defaults to none.
	SubmitMiddleware []SubmitMiddleware
	// Observers are told of every run that ended. Defaults to none.
	Observers []Observer

	// Lease is how long this worker's jobs are its own without a heartbeat, three of which are sent in that time. Defaults
	// to [LeaseDefault]; from [LeaseMin] to [LeaseMax].
	Lease time.Duration
	// PollInterval is how often the store is asked for what it did not tell: ready jobs, settled promises. Of a store that
	// tells its changes ([Watcher]), and those of other processes if there can be any ([Hinter]), it is asked ten times less often.
	// Defaults to 500 ms; from 1 ms to 1 min.
	PollInterval time.Duration
	// ReportInterval is how often progress and log lines of running handlers are written. Defaults to 250 ms; from 1 ms to
	// 1 min.
	ReportInterval time.Duration

	// StopGrace is how long [Client.Stop] lets running handlers finish before it cancels their contexts. Defaults to 30 s;
	// negative: not at all.
	StopGrace time.Duration
	// HardGrace is how long Stop then waits for them to return. Defaults to 5 s; negative: not at all.
	HardGrace time.Duration
	// StuckAfter is how long after its context ended a handler counts as stuck. Defaults to 10 s.
	StuckAfter time.Duration

	// DisableMaintenance keeps the client from rescuing the jobs of dead workers and from pruning. Jobs become ready in
	// their time all the same. Some client of the store must do it.
	DisableMaintenance bool
	// PruneInterval is the pause after which pruning begins anew when it came to the end of what there is. Defaults to
	// 30 s; from 1 ms to 24 h.
	PruneInterval time.Duration
}

// QueueConfig says how a client works a queue.
type QueueConfig struct {
	// Concurrency is how many runs of the queue may work at once; runs that wait for other jobs do not count. Defaults to
	// twice the number of CPUs, at least 4; at most 10,000.
	Concurrency int
}

const concurrencyMax = 10_000

func (c Config) withDefaults() Config {
	if len(c.Queues) == 0 {
		c.Queues = map[string]QueueConfig{QueueDefault: {}}
	}
	queues := make(map[string]QueueConfig, len(c.Queues))
	for name, q := range c.Queues {
		q.Concurrency = orDefault(q.Concurrency, max(4, 2*runtime.GOMAXPROCS(0)))
		queues[name] = q
	}
	c.Queues = queues
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Lease = orDefault(c.Lease, LeaseDefault)
	c.PollInterval = orDefault(c.PollInterval, 500*time.Millisecond)
	c.ReportInterval = orDefault(c.ReportInterval, 250*time.Millisecond)
	c.StopGrace = max(orDefault(c.StopGrace, 30*time.Second), 0)
	c.HardGrace = max(orDefault(c.HardGrace, 5*time.Second), 0)
	c.StuckAfter = orDefault(c.StuckAfter, 10*time.Second)
	c.PruneInterval = orDefault(c.PruneInterval, 30*time.Second)
	return c
}

// check checks a config that has its defaults.
func (c Config) check() error {
	if len(c.Queues) > QueuesMax {
		return tooLarge("Queues", "must be at most %d, got %d", QueuesMax, len(c.Queues))
	}
	for name, q := range c.Queues {
		if err := checkName("Queues", name); err != nil {
			return err
		}
		if q.Concurrency < 1 || q.Concurrency > concurrencyMax {
			return invalid("Queues["+name+"].Concurrency", "must be from 1 to %d, got %d", concurrencyMax, q.Concurrency)
		}
	}
	for _, b := range []struct {
		field       string
		v, min, max time.Duration
	}{
		{"Lease", c.Lease, LeaseMin, LeaseMax},
		{"PollInterval", c.PollInterval, time.Millisecond, time.Minute},
		{"ReportInterval", c.ReportInterval, time.Millisecond, time.Minute},
		{"StuckAfter", c.StuckAfter, time.Millisecond, 24 * time.Hour},
		{"PruneInterval", c.PruneInterval, time.Millisecond, 24 * time.Hour},
	} {
		if b.v < b.min || b.v > b.max {
			return invalid(b.field, "must be from %v to %v, got %v", b.min, b.max, b.v)
		}
	}
	switch {
	case slices.ContainsFunc(c.Middleware, func(m Middleware) bool { return m == nil }):
		return invalid("Middleware", "must not hold nil")
	case slices.ContainsFunc(c.SubmitMiddleware, func(m SubmitMiddleware) bool { return m == nil }):
		return invalid("SubmitMiddleware", "must not hold nil")
	case slices.ContainsFunc(c.Observers, func(o Observer) bool { return o == nil }):
		return invalid("Observers", "must not hold nil")
	}
	return nil
}
