package storetest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// A fault is a bug planted in a store that is right otherwise, and the checks that have to find it.
type fault struct {
	name   string
	plant  func(s *model.Store) godwit.Store
	caught []string // "table", "rules", "differential", "histories"
}

// checks are the ways in which a fault may be found.
var checks = map[string]func(t testing.TB, cfg Config){
	"table": table,
	"rules": func(t testing.TB, cfg Config) {
		t.Helper()
		for _, group := range ruleGroups() {
			for _, rule := range group.rules {
				if rule.name == "generations are bounded" {
					continue // the longest, about something else
				}
				if text, failed := failure(t, func(t testing.TB) { rule.test(newRig(t, cfg)) }); failed {
					t.Fatalf("%s: %s: %s", group.name, rule.name, text)
				}
			}
		}
	},
	"differential": func(t testing.TB, cfg Config) {
		t.Helper()
		Differential(t, "fault", cfg, Stream{Ops: 8000, Seed: 1})
	},
	"histories": func(t testing.TB, cfg Config) {
		t.Helper()
		Histories(t, "fault", cfg, Concurrency{Histories: 300, Seed: 1})
	},
}

func TestPlantedFaultsAreCaught(t *testing.T) {
	t.Parallel()
	for _, f := range faults() {
		for _, check := range f.caught {
			t.Run(fmt.Sprintf("%s by %s", f.name, check), func(t *testing.T) {
				t.Parallel()
				cfg := Config{Open: func(_ testing.TB, clock *Clock) godwit.Store {
					return f.plant(model.New(model.Config{Now: clock.Now}))
				}}
				text, failed := failure(t, func(t testing.TB) { checks[check](t, cfg) })
				if !failed {
					t.Fatalf("%s is not caught by %s", f.name, check)
				}
				line, _, _ := strings.Cut(text, "\n")
				t.Log(line)
			})
		}
	}
}

// TestSoundStoreIsNotAccused shows that the checks say nothing of a store without a fault: a fault is caught for what it does.
func TestSoundStoreIsNotAccused(t *testing.T) {
	t.Parallel()
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Open: func(_ testing.TB, clock *Clock) godwit.Store {
				return &watched{Store: model.New(model.Config{Now: clock.Now})}
			}}
			check(t, cfg)
		})
	}
}

func faults() []fault {
	both := []string{"table", "differential"}
	ruled := []string{"rules", "differential"}
	return []fault{
		{"a settle of a stale run is accepted", func(s *model.Store) godwit.Store { return &zombie{Store: s} }, both},
		{"a token is valid again after a refund", func(s *model.Store) godwit.Store { return &refunded{zombie{Store: s}} }, both},
		{"a settle counts twice", func(s *model.Store) godwit.Store { return &twice{s} }, both},
		{"the run number falls", func(s *model.Store) godwit.Store { return &falling{s} }, both},
		{"a run is claimed twice", func(s *model.Store) godwit.Store { return &doubled{Store: s} }, both},
		{"a wake is forgotten", func(s *model.Store) godwit.Store { return &sleepy{Store: s} }, both},
		{"an event is missing", func(s *model.Store) godwit.Store { return &silent{Store: s, kind: godwit.EventWoken} }, both},
		{"a cancel is not told", func(s *model.Store) godwit.Store { return &silent{Store: s, kind: godwit.EventCancelRequested} }, both},
		{"an attempt is not refunded", func(s *model.Store) godwit.Store { return &stingy{s} }, both},
		{"a unique key is not released", func(s *model.Store) godwit.Store { return &clinging{Store: s} }, ruled},
		{"the cascade skips a child", func(s *model.Store) godwit.Store { return &skipping{Store: s} }, ruled},
		{"a job is pruned too early", func(s *model.Store) godwit.Store { return &hasty{s} }, []string{"table", "rules", "differential"}},
		{"half a batch is taken", func(s *model.Store) godwit.Store { return &half{s} }, ruled},
		{"a claim ignores priority", func(s *model.Store) godwit.Store { return &levelling{s} }, ruled},
		{"a held job is claimed", func(s *model.Store) godwit.Store { return &pushy{s} }, both},
		{"a heartbeat keeps a cancel to itself", func(s *model.Store) godwit.Store { return &discreet{s} }, ruled},
		{"a cancel is lost to a claim", func(s *model.Store) godwit.Store { return &looking{Store: s} }, []string{"histories"}},
		{"two sessions claim one run", func(s *model.Store) godwit.Store { return &racing{Store: s} }, []string{"histories"}},
		{"a batch is seen half done", func(s *model.Store) godwit.Store { return &piecemeal{s} }, []string{"histories"}},
		{"a read is out of date", func(s *model.Store) godwit.Store { return &lagging{Store: s} }, []string{"histories", "differential"}},
	}
}

// window lets other goroutines in where a fault has left its door open.
func window() {
	for range 20 {
		runtime.Gosched()
	}
}
