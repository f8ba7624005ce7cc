//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
	"github.com/godwit-go/godwit/open"
)

var (
	rounds = flag.Int("rounds", 5, "rounds of kill -9; a quarter as many lose power, a tenth as many each are stopped past the lease and told to end")
	seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the rounds; what happens in them is up to the scheduler")
)

// long runs have the time to wait for what is rare.
func long() bool { return *rounds >= 100 }

func TestCrash(t *testing.T) {
	t.Parallel()
	t.Logf("-rounds=%d -seed=%d", *rounds, *seed)
	h := newHarness(newFileCluster(t, *seed))
	for _, r := range plan(rand.New(rand.NewPCG(*seed, 1)), *rounds) {
		began := time.Now()
		h.run(r)
		t.Logf("%+v: %v", r, time.Since(began).Round(time.Millisecond))
		if t.Failed() {
			break
		}
	}
	report := h.finish()
	h.tell(report)
	t.Logf("\n%s%-34s %d bytes written and not synced\n", report.Figures, "lost power took", h.dropped)
	for _, point := range killPoints() {
		if *rounds >= 200 && report.Figures.Ends[point] == 0 {
			t.Errorf("no life ended at %s", point)
		}
	}
	if report.Figures.Acknowledged == 0 || report.Figures.Runs == 0 {
		t.Error("nothing happened")
	}
}

// TestLyingDiskIsCaught plants a fault: the disk says that it has synced, and has not. Either the file is found damaged, or what
// was acknowledged is found lost.
func TestLyingDiskIsCaught(t *testing.T) {
	t.Parallel()
	h := newHarness(newFileCluster(t, *seed))
	h.run(round{kind: kill, lines: 50})
	h.endDriver() // of the users, none is to wait for what is lost
	before, _, err := crash.ReadLog(h.c.path)
	h.must(err)
	h.driver = drive(h.ctx, h.c)
	h.run(round{kind: power, lines: 300, lie: true})
	h.endDriver()
	if h.damage != nil {
		t.Log("caught:", h.damage)
		return
	}
	events, _, err := crash.ReadLog(h.c.path)
	h.must(err)
	lost := 0
	for _, v := range crash.Check(events[len(before):], h.finals()).Violations {
		if v.Rule == crash.RuleLost {
			lost++
		}
	}
	if lost == 0 {
		t.Error("nothing was lost")
	}
}

// TestPlantedFaultsAreCaught plants a fault in the store of the real command: whoever keeps a promise by luck is no
// proof of the harness.
func TestPlantedFaultsAreCaught(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		fault victim.Fault
		lives int // that it takes
		rules []crash.Rule
		only  []string // kinds of jobs; none: all
	}{
		{victim.LostJob, 1, []crash.Rule{crash.RuleLost}, nil},
		{victim.DoubleWinner, 1, []crash.Rule{crash.RuleWinner, crash.RuleGrows}, nil},
		{victim.ZombieSettle, 3, []crash.Rule{crash.RuleZombie}, nil},
		{victim.RefundedToken, 2, []crash.Rule{crash.RuleGrows, crash.RuleWinner}, nil},
		{victim.ChangedResult, 1, []crash.Rule{crash.RuleOnce}, nil},
		{victim.ForgottenActs, 1, []crash.Rule{crash.RulePaused, crash.RuleMoved, crash.RuleDeleted}, []string{victim.PausedTask, "crash.side", "crash.moved", "crash.deleted"}},
		{victim.GoneEarly, 1, []crash.Rule{crash.RuleKept}, []string{"crash.brief"}},
	} {
		t.Run(string(p.fault), func(t *testing.T) { // not all at once: each has work for a whole machine
			missing, found := slices.Clone(p.rules), []crash.Violation(nil)
			for tries := 0; tries < 4 && len(missing) > 0; tries++ { // a short life may be over before a fault could show
				c := newFileCluster(t, *seed+uint64(tries))
				c.fault, c.only, c.complain = p.fault, p.only, t.Logf
				h := newHarness(c)
				for range p.lives {
					h.run(round{kind: kill, lines: 60})
				}
				found = h.finish().Violations
				missing = slices.DeleteFunc(missing, func(rule crash.Rule) bool {
					return slices.ContainsFunc(found, func(v crash.Violation) bool { return v.Rule == rule })
				})
			}
			for _, rule := range missing {
				t.Errorf("not caught: %q; the last run found %v", rule, found)
			}
		})
	}
}

// newHarness drives a cluster, without servers yet.
func newHarness(c *cluster) *harness {
	h := &harness{c: c}
	h.ctx, h.cancel = context.WithCancel(c.t.Context())
	h.driver = drive(h.ctx, c)
	return h
}

// endDriver makes the users go away.
func (h *harness) endDriver() {
	h.cancel()
	h.driver.work.Wait()
	h.ctx, h.cancel = context.WithCancel(h.c.t.Context())
}

// finish lives the last life, which works off everything and ends in good order, and checks what it left.
func (h *harness) finish() crash.Report {
	t := h.c.t
	t.Helper()
	defer h.cancel()
	if t.Failed() {
		h.endDriver()
	} else {
		s := h.start(round{kind: drain})
		h.driver.finish(h.ctx)
		h.stopInOrder(s, round{kind: drain})
	}
	events, cut, err := crash.ReadLog(h.c.path)
	h.must(err)
	if deaths := h.c.lives; cut > deaths {
		t.Errorf("%d lines of the log are cut off, and there were only %d deaths", cut, deaths)
	}
	return crash.Check(events, h.finals())
}

// tell makes errors of violations, with what the log says of their jobs.
func (h *harness) tell(report crash.Report) {
	t := h.c.t
	t.Helper()
	events, _, err := crash.ReadLog(h.c.path)
	h.must(err)
	for i, v := range report.Violations {
		if i == 50 {
			t.Errorf("... %d violations in all", len(report.Violations))
			return
		}
		t.Error(v)
		for _, e := range events {
			if e.Job == v.Job || e.Asked == v.Job {
				line, err := json.Marshal(e)
				h.must(err)
				t.Logf("    %s", line)
			}
		}
	}
}

// checkable is a store that can look for contradictions in itself.
type checkable interface {
	Check(ctx context.Context) error
}

// finals reads every job of the database, which nobody works.
func (h *harness) finals() []crash.Final {
	t := h.c.t
	t.Helper()
	store, err := open.Store(t.Context(), h.c.url)
	h.must(err)
	defer func() { h.must(store.Close()) }()
	if s, ok := store.(checkable); ok {
		h.must(s.Check(t.Context()))
	}
	var all []crash.Final
	for filter := (godwit.ListFilter{Limit: godwit.PageMax}); ; {
		page, err := store.List(t.Context(), filter)
		h.must(err)
		ids := make([]godwit.ID, 0, len(page.Jobs))
		for _, job := range page.Jobs {
			ids = append(ids, job.ID)
		}
		jobs, err := store.Get(t.Context(), ids)
		h.must(err)
		for i, job := range jobs {
			attempts, code, err := store.Attempts(t.Context(), ids[i])
			if err != nil || code != "" || job.Code != "" {
				t.Fatal(ids[i], job.Code, code, err)
			}
			items, code, err := store.Items(t.Context(), ids[i], 0, godwit.PageMax)
			if err != nil || code != "" {
				t.Fatal(ids[i], code, err)
			}
			all = append(all, crash.Final{Job: job.Job, Attempts: attempts, Items: items})
		}
		if filter.Before = page.Next; page.Next.IsZero() {
			return append(all, h.absent(store, all)...)
		}
	}
}

// absent asks for the jobs that were acknowledged and are not listed: by an answer, or by a claim, which is all that a job has whose
// submission was cut off and repeated when the job was over already.
func (h *harness) absent(store godwit.Store, listed []crash.Final) (absent []crash.Final) {
	h.c.t.Helper()
	known := map[godwit.ID]bool{}
	for i := range listed {
		known[listed[i].Job.ID] = true
	}
	events, _, err := crash.ReadLog(h.c.path)
	h.must(err)
	for _, e := range events {
		if e.Kind != crash.Submitted && e.Kind != crash.Claimed || e.Code != "" || known[e.Job] {
			continue
		}
		known[e.Job] = true
		answers, err := store.Get(h.c.t.Context(), []godwit.ID{e.Job})
		h.must(err)
		absent = append(absent, crash.Final{Code: answers[0].Code, Job: godwit.Job{ID: e.Job}})
	}
	return absent
}

func (h *harness) must(err error) {
	h.c.t.Helper()
	if err != nil {
		h.c.t.Fatal(err)
	}
}

// describe names a life and what it said, for messages.
func describe(s *server, r round) string {
	return fmt.Sprintf("life %d (%+v), after %d lines, ended by %v, exit code %d:\n%s", s.life, r, s.said, s.killedBy(),
		s.cmd.ProcessState.ExitCode(), &s.errors)
}
