package compare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/godwit-go/godwit"
)

// Answer is the result of the work for a request.
type Answer struct {
	Request int    `json:"request"`
	Sum     string `json:"sum"` // so that an answer meant for another request is noticed
}

// answerTo gives the one right answer.
func answerTo(request int) Answer {
	sum := sha256.Sum256([]byte("request " + strconv.Itoa(request)))
	return Answer{request, hex.EncodeToString(sum[:8])}
}

// work is the slow thing that every request needs: a wait, as for a service that takes its time. It counts how often it was done
// for each request.
type work struct {
	takes time.Duration
	gate  chan struct{} // if not nil the work lasts until it is closed
	begun []atomic.Int32
	done  []atomic.Int32
	busy  atomic.Int32
}

func newWork(takes time.Duration, gate chan struct{}, requests int) *work {
	return &work{takes: takes, gate: gate, begun: make([]atomic.Int32, requests), done: make([]atomic.Int32, requests)}
}

func (w *work) do(ctx context.Context, request int) (Answer, error) {
	if request < 0 || request >= len(w.begun) {
		return Answer{}, godwit.Permanent(fmt.Errorf("there is no request %d", request))
	}
	w.begun[request].Add(1)
	w.busy.Add(1)
	defer w.busy.Add(-1)
	var over <-chan time.Time
	if w.gate == nil {
		timer := time.NewTimer(w.takes)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-w.gate:
	case <-ctx.Done():
		return Answer{}, context.Cause(ctx)
	}
	w.done[request].Add(1)
	return answerTo(request), nil
}
