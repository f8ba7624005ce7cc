package storetest

import (
	"testing"

	"github.com/godwit-go/godwit"
)

// Config says how to get the stores under test.
type Config struct {
	// Open makes an empty store that reads clock. Required. The test closes it.
	Open func(t testing.TB, clock *Clock) godwit.Store
	// Reopen closes a store and opens what it kept. Defaults to nothing: reopening is not tested.
	Reopen func(t testing.TB, s godwit.Store, clock *Clock) godwit.Store
	// Overlooks says that a claim may overlook a job that becomes ready while the claim is under way, as that of a store whose writers
	// do not wait for each other does: it chooses at one instant, and takes what is still ready at a later one. A rescue may leave a
	// session that others hold up for a later call.
	Overlooks bool
	// Costly divides how long the differential run and how many the histories are by default, for a store that takes its time.
	// Defaults to 1.
	Costly int
}

// A rule is one statement of docs/states.md or of the Store contract, with the test for it. Rules are called with a testing.TB
// so that a test can see that a planted fault breaks them.
type rule struct {
	name string
	test func(r *rig)
}

// Run tests a store against the transition table and the rules.
func Run(t *testing.T, cfg Config) {
	t.Run("table", func(t *testing.T) { table(t, cfg) })
	for _, group := range ruleGroups() {
		t.Run(group.name, func(t *testing.T) {
			for _, rule := range group.rules {
				t.Run(rule.name, func(t *testing.T) {
					t.Parallel()
					rule.test(newRig(t, cfg))
				})
			}
		})
	}
}

type ruleGroup struct {
	name  string
	rules []rule
}

func ruleGroups() []ruleGroup {
	return []ruleGroup{
		{"submit", submitRules()},
		{"keys", keyRules()},
		{"children", childRules()},
		{"held", heldRules()},
		{"claim", claimRules()},
		{"settle", settleRules()},
		{"wait", waitRules()},
		{"cancel", cancelRules()},
		{"retry", retryRules()},
		{"sessions", sessionRules()},
		{"time", timeRules()},
		{"prune", pruneRules()},
		{"read", readRules()},
		{"calls", callRules()},
	}
}
