// Package metrics shows what a [godwit.Client] does to Prometheus.
//
//	m := metrics.New(metrics.Config{})
//	c, err := godwit.New(store, m.Instrument(godwit.Config{}))
//	...
//	m.Watch(c)
//	defer m.Close()
//	http.Handle("/metrics", m.Handler())
//
// A [Metrics] is a [prometheus.Collector]: a program with a registry of its own registers it there in place of using
// [Metrics.Handler]. docs/metrics.md has every metric with its meaning, and the alerts that are worth waking somebody for.
//
// # What counts in this process, and what in the store
//
// Counters and histograms count what this process did: add them up over all processes. Gauges of queues, tasks and sessions are read
// from the store when somebody scrapes: every process of a store shows the same, so take the maximum. A read is bounded by
// [Config].ReadTimeout and serves all scrapes for [Config].ReadEvery, so that many scrapers cost the store no more than one. When the
// store does not answer, godwit_up is 0, the gauges of the store are absent, and everything else is there.
//
// # Labels
//
// The tasks of runs and their queues are those that have handlers here. Names that come from outside, those of submissions and those
// found in the store, are told apart up to [Config].NamesMax; the others share the label "(other)". No label holds an id, a tag, a header
// or a message.
package metrics
