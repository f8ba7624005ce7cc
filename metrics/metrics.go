package metrics

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/godwit-go/godwit"
)

// Defaults and bounds of a [Config].
const (
	ReadTimeoutDefault = 2 * time.Second
	ReadEveryDefault   = 5 * time.Second
	NamesMaxDefault    = 200
	NamesMax           = 10_000
)

// Config makes a [Metrics]. The zero value is useful.
type Config struct {
	// ReadTimeout bounds the read of the store that a scrape may wait for. Defaults to [ReadTimeoutDefault]; from 1 ms to 1 min.
	ReadTimeout time.Duration
	// ReadEvery is how long a read of the store serves every scrape. Defaults to [ReadEveryDefault]; from 1 ms to 1 h.
	ReadEvery time.Duration
	// NamesMax bounds the tasks, and the queues, told apart by name where names come from outside. Defaults to [NamesMaxDefault]; at most
	// [NamesMax].
	NamesMax int

	// RunBuckets are the upper bounds of the histogram of run durations, in seconds, growing. Defaults to 5 ms to 1 h.
	RunBuckets []float64
	// LatencyBuckets are those of the histogram of start latencies. Defaults to 1 ms to 30 min.
	LatencyBuckets []float64
}

// Metrics collects the metrics of one client. Make one with [New]. It is safe for use by many goroutines.
type Metrics struct {
	config      Config
	submissions *prometheus.CounterVec
	submitTime  prometheus.Histogram
	runs        *prometheus.CounterVec
	runTime     *prometheus.HistogramVec
	latency     *prometheus.HistogramVec
	requests    *prometheus.CounterVec
	requestTime *prometheus.HistogramVec
	crashed     *prometheus.CounterVec
	build       prometheus.Gauge
	submitted   names

	mu      sync.Mutex
	client  *godwit.Client       // guarded by mu: nil until Watch
	rescued *godwit.Subscription // guarded by mu: nil without a client whose store tells events
	failed  *godwit.Subscription // guarded by mu: as rescued
	dropped int64                // guarded by mu: rescues that found the buffer full and were counted
	scraper *scraper             // guarded by mu: nil until Watch
}

var _ prometheus.Collector = (*Metrics)(nil)

// New makes metrics that nothing feeds yet: see [Metrics.Instrument] and [Metrics.Watch]. It panics when the config is outside its
// bounds, as that is an error of the program.
func New(config Config) *Metrics {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		panic("metrics: New: " + err.Error())
	}
	return &Metrics{
		config: config,
		submissions: counter("submissions_total", "Jobs handed to this client for submission, by what became of them.",
			"task", "outcome", "code"),
		submitTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: namespace + "submit_duration_seconds", Help: "Time of a submission call, until its jobs were durable or refused.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5},
		}),
		runs: counter("runs_total", "Runs that ended in this process, by what became of them.", "task", "queue", "outcome", "code"),
		runTime: histogram("run_duration_seconds", "Time from the start of a handler to its end, waiting for other jobs included.",
			config.RunBuckets, "task"),
		latency: histogram("run_start_latency_seconds", "Time from when a job was due to its claim; runs of jobs that were given back before do not count.",
			config.LatencyBuckets, "queue"),
		requests: counter("http_requests_total", "Requests that the HTTP API answered.", "route", "status"),
		requestTime: histogram("http_request_duration_seconds", "Time of a request, waiting for a job included.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}, "route"),
		crashed: counter("crashed_runs_total", "Runs whose worker died under them, as this process heard of them, by what became of the job: retry or failed.",
			"task", "outcome"),
		build:     buildInfo(),
		submitted: names{max: config.NamesMax, known: map[string]bool{}},
	}
}

const namespace = "godwit_"

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: namespace + name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: namespace + name, Help: help, Buckets: buckets}, labels)
}

func (c Config) withDefaults() Config {
	if c.ReadTimeout == 0 {
		c.ReadTimeout = ReadTimeoutDefault
	}
	if c.ReadEvery == 0 {
		c.ReadEvery = ReadEveryDefault
	}
	if c.NamesMax == 0 {
		c.NamesMax = NamesMaxDefault
	}
	if c.RunBuckets == nil {
		c.RunBuckets = []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600, 1800, 3600}
	}
	if c.LatencyBuckets == nil {
		c.LatencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .5, 1, 5, 15, 60, 300, 1800}
	}
	return c
}

// check checks a config that has its defaults.
func (c Config) check() error {
	for _, b := range []struct {
		field  string
		v, max time.Duration
	}{{"ReadTimeout", c.ReadTimeout, time.Minute}, {"ReadEvery", c.ReadEvery, time.Hour}} {
		if b.v < time.Millisecond || b.v > b.max {
			return fmt.Errorf("%s must be from 1ms to %v, got %v", b.field, b.max, b.v)
		}
	}
	if c.NamesMax < 1 || c.NamesMax > NamesMax {
		return fmt.Errorf("NamesMax must be from 1 to %d, got %d", NamesMax, c.NamesMax)
	}
	for field, buckets := range map[string][]float64{"RunBuckets": c.RunBuckets, "LatencyBuckets": c.LatencyBuckets} {
		if !slices.IsSorted(buckets) || len(slices.Compact(slices.Clone(buckets))) != len(buckets) {
			return fmt.Errorf("%s must grow, got %v", field, buckets)
		}
	}
	return nil
}

// Instrument gives the config with what feeds the metrics added to it: for [godwit.New].
func (m *Metrics) Instrument(config godwit.Config) godwit.Config {
	config.SubmitMiddleware = append(slices.Clip(config.SubmitMiddleware), m.submit)
	config.Observers = append(slices.Clip(config.Observers), m.observe)
	return config
}

// eventsBuffered is how many events are kept between two scrapes; of those beyond, rescues still count, as "(other)".
const eventsBuffered = 2048

// Watch shows the store of the client, and how busy the client is, in every scrape from now on. A second client, or none, is an error
// of the program, and panics.
func (m *Metrics) Watch(c *godwit.Client) {
	if c == nil {
		panic("metrics: Watch without a client")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client != nil {
		panic("metrics: Watch for a second client (make a Metrics for each)")
	}
	m.client = c
	m.scraper = newScraper(m.config, func(ctx context.Context) (*snapshot, error) { return readStore(ctx, c) })
	m.rescued, m.failed = subscribe(c, godwit.EventRescued), subscribe(c, godwit.EventFailed)
}

// subscribe gives nil when the store tells no events: then crashes are not counted.
func subscribe(c *godwit.Client, kind godwit.EventKind) *godwit.Subscription {
	s, err := c.Subscribe(godwit.EventFilter{Kinds: []godwit.EventKind{kind}, Buffer: eventsBuffered})
	if err != nil {
		return nil
	}
	return s
}

// Close lets go of the client, waiting for a read of its store that is under way. What was counted is still shown. It is safe twice.
func (m *Metrics) Close() {
	m.mu.Lock()
	s := m.scraper
	m.scraper = nil
	m.countCrashesLocked()
	for _, events := range []*godwit.Subscription{m.rescued, m.failed} {
		if events != nil {
			events.Close()
		}
	}
	m.rescued, m.failed = nil, nil
	m.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// submit counts submissions.
func (m *Metrics) submit(next godwit.SubmitFunc) godwit.SubmitFunc {
	return func(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
		start := time.Now()
		answers, err := next(ctx, jobs)
		m.submitTime.Observe(time.Since(start).Seconds())
		for i, s := range jobs {
			outcome, code := outcomeOf(answers, i, err)
			m.submissions.WithLabelValues(m.submitted.fold(s.Task), outcome, code).Inc()
		}
		return answers, err
	}
}

// observe counts a run that ended.
func (m *Metrics) observe(o godwit.Observation) {
	j := o.Job
	code := ""
	if o.Failure != nil {
		code = string(o.Failure.Code)
	}
	m.runs.WithLabelValues(j.Task, j.Queue, string(o.Outcome), code).Inc()
	m.runTime.WithLabelValues(j.Task).Observe(o.Duration.Seconds())
	if j.Releases == 0 && j.Crashes == 0 { // a job given back keeps the time at which it was first due
		m.latency.WithLabelValues(j.Queue).Observe(max(j.StartedAt.Sub(j.RunAt), 0).Seconds())
	}
}

// ObserveRequest counts a request that the HTTP API answered: for httpapi.Config.Observe. An empty route is one that there is not.
func (m *Metrics) ObserveRequest(route string, status int, took time.Duration) {
	if route == "" {
		route = other
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.requestTime.WithLabelValues(route).Observe(took.Seconds())
}

// countCrashesLocked counts the crashes that were told since the last time.
func (m *Metrics) countCrashesLocked() {
	if m.rescued == nil || m.failed == nil {
		return
	}
	for e := range told(m.rescued) {
		m.crashed.WithLabelValues(m.submitted.fold(e.Task), string(godwit.RunRetry)).Inc()
	}
	if dropped := m.rescued.Dropped(); dropped > m.dropped {
		m.crashed.WithLabelValues(other, string(godwit.RunRetry)).Add(float64(dropped - m.dropped))
		m.dropped = dropped
	}
	for e := range told(m.failed) {
		if e.Code == godwit.CodeCrashed {
			m.crashed.WithLabelValues(m.submitted.fold(e.Task), string(godwit.RunFailed)).Inc()
		}
	}
}

// told gives the events that are there, without waiting for more.
func told(s *godwit.Subscription) iter.Seq[godwit.Event] {
	return func(yield func(godwit.Event) bool) {
		for {
			select {
			case e := <-s.Events():
				if !yield(e) {
					return
				}
			default:
				return
			}
		}
	}
}

// buildInfo shows which release of the module the program was built with.
func buildInfo() prometheus.Gauge {
	const module = "github.com/godwit-go/godwit"
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(slices.Clip(info.Deps), &info.Main) {
			if m.Path == module && m.Version != "" {
				version = m.Version
			}
		}
	}
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: namespace + "build_info", Help: "Always 1; the version of godwit that the program was built with.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	g.Set(1)
	return g
}
