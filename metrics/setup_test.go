package metrics_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/metrics"
	"github.com/godwit-go/godwit/sqlite"
)

var quiet = slog.New(slog.DiscardHandler)

// bundle is a client with its metrics in a registry.
type bundle struct {
	*godwit.Client
	m   *metrics.Metrics
	reg *prometheus.Registry
}

// setup makes a client that is not started on a store.
func setup(t *testing.T, store godwit.Store, mc metrics.Config, config godwit.Config) bundle {
	t.Helper()
	config.Logger = quiet
	b := bundle{m: metrics.New(mc), reg: prometheus.NewPedanticRegistry()}
	c, err := godwit.New(store, b.m.Instrument(config))
	if err != nil {
		t.Fatal(err)
	}
	b.Client = c
	b.m.Watch(c)
	t.Cleanup(b.m.Close)
	b.reg.MustRegister(b.m)
	return b
}

// onSQLite opens a fresh file, closed with the test.
func onSQLite(t *testing.T) godwit.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jobs.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// start starts the client, and stops it before the store is closed.
func (b bundle) start(t *testing.T) (stop func()) {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// series is what one scrape gave: the value of each series, or the count of a histogram, by its name and labels.
type series map[string]float64

func (b bundle) scrape(t *testing.T) series {
	t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := series{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			got[strings.TrimPrefix(f.GetName(), "godwit_")+"{"+strings.Join(labels, ",")+"}"] = v
		}
	}
	return got
}

// want checks series by name; others may be there besides.
func (s series) want(t *testing.T, want series) {
	t.Helper()
	for name, v := range want {
		if got, ok := s[name]; !ok || got != v {
			t.Errorf("%s is %v (there: %v), want %v", name, got, ok, v)
		}
	}
	if t.Failed() {
		var all []string
		for name := range s {
			all = append(all, name)
		}
		slices.Sort(all)
		t.Logf("there are %s", strings.Join(all, "\n"))
	}
}
