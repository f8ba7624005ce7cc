package metrics

import (
	"errors"
	"sync"

	"github.com/godwit-go/godwit"
)

// other is the label of the names that are not told apart. It cannot be the name of a task or a queue.
const other = "(other)"

// names bounds the names that become labels: the first ones are told apart.
type names struct {
	max int

	mu    sync.RWMutex
	known map[string]bool // guarded by mu
}

// fold gives the label of a name.
func (n *names) fold(name string) string {
	n.mu.RLock()
	known := n.known[name]
	n.mu.RUnlock()
	if known {
		return name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.known[name] {
		if len(n.known) >= n.max {
			return other
		}
		n.known[name] = true
	}
	return name
}

// What became of a submission.
const (
	submitCreated  = "created"
	submitExisting = "existing" // it met a job that was there
	submitRefused  = "refused"  // its fault, or that of another of its batch
	submitFailed   = "failed"   // the store's fault, or the call was cut short
)

// outcomeOf says what became of one submission of a call.
func outcomeOf(answers []godwit.SubmitAnswer, i int, err error) (outcome, code string) {
	if err == nil {
		if i < len(answers) && !answers[i].Created {
			return submitExisting, ""
		}
		return submitCreated, ""
	}
	var e *godwit.Error
	if !errors.As(err, &e) {
		return submitFailed, ""
	}
	switch e.Code {
	case godwit.CodeUnavailable, godwit.CodeOutcomeUnknown, godwit.CodeClosed, godwit.CodeCorrupt, godwit.CodeLocked,
		godwit.CodeStaleRun, godwit.CodeSessionEnded, godwit.CodeLeaseLost, godwit.CodeStopping:
		return submitFailed, string(e.Code)
	}
	return submitRefused, string(e.Code)
}
