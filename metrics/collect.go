package metrics

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/godwit-go/godwit"
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, labels, nil)
}

// The gauges of what a client does, read from the client.
var (
	slotsDesc   = desc("slots", "Runs of the queue that may work at once in this process.", "queue")
	inUseDesc   = desc("slots_in_use", "Runs of the queue that work in this process.", "queue")
	waitingDesc = desc("waiting_runs", "Runs of this process that wait for other jobs and gave their slot back.")
	stuckDesc   = desc("stuck_runs", "Runs of this process whose handler did not return long after its context ended; they hold their slot.")
)

// The gauges of the store.
var (
	upDesc       = desc("up", "Whether the store answered the last read: 1 or 0.")
	readDesc     = desc("store_read_duration_seconds", "Time of the last read of the store for these gauges.")
	jobsDesc     = desc("queue_jobs", "Unfinished jobs of the queue, by state.", "queue", "state")
	heldDesc     = desc("queue_held_jobs", "Ready jobs of the queue that are held.", "queue")
	oldestDesc   = desc("queue_oldest_ready_age_seconds", "How long the oldest ready job of the queue has been due, held ones included; 0 when none is ready.", "queue")
	pausedDesc   = desc("queue_paused", "Whether the queue is paused: 1 or 0.", "queue")
	workersDesc  = desc("queue_workers", "Live sessions that serve the queue.", "queue")
	taskJobsDesc = desc("task_jobs", "Unfinished jobs of the task, by state.", "task", "state")
	taskPaused   = desc("task_paused", "Whether the task is paused: 1 or 0.", "task")
	taskWorkers  = desc("task_workers", "Live sessions that know the task.", "task")
	sessionsDesc = desc("sessions", "Live sessions: workers that run jobs.")
	leaseDesc    = desc("session_lease_seconds", "Time left of the lease that ends first; absent without sessions.")
)

// Describe describes every metric.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.counted() {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{
		slotsDesc, inUseDesc, waitingDesc, stuckDesc, upDesc, readDesc, jobsDesc, heldDesc, oldestDesc, pausedDesc, workersDesc,
		taskJobsDesc, taskPaused, taskWorkers, sessionsDesc, leaseDesc,
	} {
		ch <- d
	}
}

// counted are the metrics that this process counts.
func (m *Metrics) counted() []prometheus.Collector {
	return []prometheus.Collector{
		m.submissions, m.submitTime, m.runs, m.runTime, m.latency, m.crashed, m.requests, m.requestTime, m.build,
	}
}

// Collect gives every metric. It waits for the store no longer than [Config].ReadTimeout.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	client, s := m.client, m.scraper
	m.countCrashesLocked()
	m.mu.Unlock()
	for _, c := range m.counted() {
		c.Collect(ch)
	}
	if client != nil {
		collectClient(ch, client)
	}
	if s != nil {
		s.get().collect(ch, m.config.NamesMax)
	}
}

func gauge(ch chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func collectClient(ch chan<- prometheus.Metric, c *godwit.Client) {
	for _, s := range c.Slots() {
		gauge(ch, slotsDesc, float64(s.Total), s.Queue)
		gauge(ch, inUseDesc, float64(s.InUse), s.Queue)
	}
	stats := c.Stats()
	gauge(ch, waitingDesc, float64(stats.Waiting))
	gauge(ch, stuckDesc, float64(stats.Stuck))
}

func (s *snapshot) collect(ch chan<- prometheus.Metric, namesMax int) {
	gauge(ch, upDesc, truth(s.up))
	gauge(ch, readDesc, s.took.Seconds())
	if !s.up {
		return
	}
	s.collectQueues(ch, namesMax)
	s.collectTasks(ch, namesMax)
	gauge(ch, sessionsDesc, float64(len(s.sessions)))
	if len(s.sessions) > 0 {
		first := slices.MinFunc(s.sessions, func(a, b godwit.SessionInfo) int { return a.LeaseUntil.Compare(b.LeaseUntil) })
		gauge(ch, leaseDesc, max(first.LeaseUntil.Sub(s.now), 0).Seconds())
	}
}

// depthStates are those in which unfinished jobs are.
var depthStates = []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting}

func depth(ch chan<- prometheus.Metric, d *prometheus.Desc, name string, jobs map[godwit.State]int) {
	for _, state := range depthStates {
		gauge(ch, d, float64(jobs[state]), name, string(state))
	}
}

func (s *snapshot) collectQueues(ch chan<- prometheus.Metric, namesMax int) {
	shown, folded := split(s.queues, namesMax, func(q godwit.QueueInfo) (int, string) { return q.Workers, q.Name })
	age := func(q godwit.QueueInfo) float64 {
		if q.OldestReady.IsZero() {
			return 0
		}
		return max(s.now.Sub(q.OldestReady), 0).Seconds()
	}
	for _, q := range shown {
		depth(ch, jobsDesc, q.Name, q.Depth)
		gauge(ch, heldDesc, float64(q.Held), q.Name)
		gauge(ch, oldestDesc, age(q), q.Name)
		gauge(ch, pausedDesc, truth(q.Paused), q.Name)
		gauge(ch, workersDesc, float64(q.Workers), q.Name)
	}
	if len(folded) == 0 {
		return
	}
	sum, held, oldest := map[godwit.State]int{}, 0, 0.0
	for _, q := range folded {
		for state, n := range q.Depth {
			sum[state] += n
		}
		held += q.Held
		oldest = max(oldest, age(q))
	}
	depth(ch, jobsDesc, other, sum)
	gauge(ch, heldDesc, float64(held), other)
	gauge(ch, oldestDesc, oldest, other)
}

func (s *snapshot) collectTasks(ch chan<- prometheus.Metric, namesMax int) {
	shown, folded := split(s.tasks, namesMax, func(t godwit.TaskInfo) (int, string) { return t.Workers, t.Name })
	for _, t := range shown {
		depth(ch, taskJobsDesc, t.Name, t.Depth)
		gauge(ch, taskPaused, truth(t.Paused), t.Name)
		gauge(ch, taskWorkers, float64(t.Workers), t.Name)
	}
	if len(folded) == 0 {
		return
	}
	sum := map[godwit.State]int{}
	for _, t := range folded {
		for state, n := range t.Depth {
			sum[state] += n
		}
	}
	depth(ch, taskJobsDesc, other, sum)
}

// split gives those that are shown by name, those with workers first, and the others.
func split[T any](all []T, namesMax int, of func(T) (workers int, name string)) (shown, folded []T) {
	if len(all) <= namesMax {
		return all, nil
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b T) int {
		aWorkers, aName := of(a)
		bWorkers, bName := of(b)
		return cmp.Or(cmp.Compare(min(bWorkers, 1), min(aWorkers, 1)), cmp.Compare(aName, bName))
	})
	return all[:namesMax], all[namesMax:]
}

// scrapesMax bounds the scrapes that [Metrics.Handler] answers at a time; further ones are answered 503.
const scrapesMax = 16

// Handler serves the metrics, with those of the Go runtime and of the process, from a registry of its own.
func (m *Metrics) Handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true, MaxRequestsInFlight: scrapesMax,
	})
}
