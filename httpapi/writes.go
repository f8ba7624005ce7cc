package httpapi

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// writes remembers what the store made of the last call that changes something. A store may answer and yet take nothing more: its disk is
// full, or may only be read.
type writes struct {
	mu     sync.Mutex
	failed time.Time // guarded by mu: zero after a call that was carried out
}

// tell takes what came of a call.
func (w *writes) tell(route string, err error, now time.Time) {
	if strings.HasPrefix(route, http.MethodGet+" ") || route == "" || errors.Is(err, errNoRoom) {
		return
	}
	refused := errors.Is(err, godwit.ErrUnavailable) || errors.Is(err, godwit.ErrOutcomeUnknown) || errors.Is(err, godwit.ErrCorrupt)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case refused:
		w.failed = now
	case err == nil:
		w.failed = time.Time{}
	}
}

// failedLately reports whether the last such call failed, until so much time has passed that another one should be let try.
func (w *writes) failedLately(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.failed.IsZero() && now.Sub(w.failed) < writeFailureKept
}
