//go:build unix

package crash_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
	"github.com/godwit-go/godwit/internal/pgtest"
)

var (
	machineRounds = flag.Int("machines", 0, "rounds of faults on a cluster on PostgreSQL; at least one of each of the main kinds")
	machineWay    = flag.String("way", "", "the one kind of all these rounds")
)

// longMachines runs have the time for faults of every kind, for many in a row, and for a server that syncs.
func longMachines() bool { return *machineRounds >= 30 }

// TestMachinesCrash does to a cluster on PostgreSQL what happens to one in years.
func TestMachinesCrash(t *testing.T) {
	t.Parallel()
	t.Logf("-machines=%d -seed=%d", *machineRounds, *seed)
	m := newMachines(t, victim.NoFault, true)
	m.flow(flowLines)
	for i, way := range planMachines(rand.New(rand.NewPCG(*seed, 3)), *machineRounds) {
		began := time.Now()
		ways[way].do(m)
		m.flow(flowLines)
		t.Logf("round %d, %s: %v", i+1, ways[way].name, time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			break
		}
	}
	report := m.finish()
	m.tell(report)
	t.Logf("\n%s", report.Figures)
	if report.Figures.Acknowledged == 0 || report.Figures.Runs == 0 || report.Figures.LateRefused == 0 {
		t.Error("nothing happened")
	}
}

// TestMachinesPlantedFaultsAreCaught plants faults in the store that show only on many machines, when server or network fail.
func TestMachinesPlantedFaultsAreCaught(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		fault victim.Fault
		do    func(m *machines)
		times int
		rules []crash.Rule
	}{
		{victim.AmbiguousDone, (*machines).cutCommits, 4, []crash.Rule{crash.RuleLost, crash.RuleForgotten}},
		{victim.UnfencedRescue, (*machines).freezeOne, 1, []crash.Rule{crash.RuleZombie}},
	} {
		t.Run(string(p.fault), func(t *testing.T) { // not all at once: each has work for a whole machine
			m := newMachines(t, p.fault, false)
			for range p.times {
				p.do(m)
				m.flow(flowLines)
			}
			caught(t, m.finish(), p.rules)
		})
	}
}

// TestMachinesLateStandbyIsCaught plants a fault in the server: the standby does not have what was acknowledged when it is promoted.
func TestMachinesLateStandbyIsCaught(t *testing.T) {
	t.Parallel()
	m := newMachines(t, victim.NoFault, true)
	m.flow(flowLines)
	m.primary.Set(t, "synchronous_standby_names", "")
	m.standby.Stop(t, pgtest.Fast)
	m.flow(4 * flowLines)
	m.endDriver() // of the users, none is to wait for what is lost
	for _, s := range m.processes[:spare] {
		m.kill(s, round{kind: kill}, "random")
	}
	m.primary.Stop(t, pgtest.Immediate)
	m.standby.Start(t)
	m.succeed()
	events, _, err := crash.ReadLog(m.c.path)
	m.must(err)
	m.c.url = m.direct()
	caught(t, crash.Check(events, m.finals()), []crash.Rule{crash.RuleLost})
}

// caught wants one of some rules to be broken.
func caught(t *testing.T, report crash.Report, rules []crash.Rule) {
	t.Helper()
	if !slices.ContainsFunc(report.Violations, func(v crash.Violation) bool { return slices.Contains(rules, v.Rule) }) {
		t.Errorf("not caught: %q; found %v", rules, report.Violations)
	}
}
