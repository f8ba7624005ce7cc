package storetest

import (
	"flag"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

func modelConfig() Config {
	return Config{
		Open: func(_ testing.TB, clock *Clock) godwit.Store { return model.New(model.Config{Now: clock.Now}) },
		Reopen: func(_ testing.TB, s godwit.Store, _ *Clock) godwit.Store {
			if m, ok := s.(*model.Store); ok {
				m.Reopen()
			}
			return s
		},
	}
}

func TestConformance(t *testing.T) {
	for name, cfg := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Run(t, cfg)
		})
	}
}

var (
	flagOps       = flag.Int("ops", opsDefault, "calls of a differential run")
	flagSeed      = flag.Uint64("seed", 20261123, "seed of the differential runs and the histories")
	flagStores    = flag.String("stores", "", "the stores to test, comma separated; empty: all")
	flagHistories = flag.Int("histories", historiesDefault, "concurrent histories to check")
)

func TestDifferential(t *testing.T) {
	for name, cfg := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ops := *flagOps
			if ops == opsDefault {
				ops /= max(1, cfg.Costly)
			}
			if name == "model" { // beside itself: that the stream meets every row, and accuses nobody
				ops = coverageOps
			}
			Differential(t, name, cfg, Stream{
				Ops: ops, Seed: *flagSeed, Coverage: *flagOps == opsDefault || ops >= coverageOps, Most: max(ops, coverageOps),
			})
		})
	}
}

// coverageOps is how many calls are enough for a stream to meet every row of the table.
const coverageOps = 20_000

// drivers are the stores there are, by name.
var drivers = map[string]func() Config{"model": modelConfig}

// stores are the stores under test, by name.
func stores() map[string]Config {
	all := map[string]Config{}
	for name, cfg := range drivers {
		all[name] = cfg()
	}
	if *flagStores == "" {
		return all
	}
	chosen := map[string]Config{}
	for name := range strings.SplitSeq(*flagStores, ",") {
		if cfg, ok := all[name]; ok {
			chosen[name] = cfg
		}
	}
	return chosen
}

func TestHistoriesAreLinearizable(t *testing.T) {
	for name, cfg := range stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := *flagHistories
			if n == historiesDefault {
				n /= max(1, cfg.Costly)
			}
			Histories(t, name, cfg, Concurrency{Histories: n, Seed: *flagSeed})
		})
	}
}
