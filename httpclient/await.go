package httpclient

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// AwaitOutcomes waits until each of the jobs is final, or known not to be there. Some are asked for at once; the rest follow as those
// settle.
func (c *Client) AwaitOutcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	answers := make([]godwit.OutcomeAnswer, len(ids))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(len(ids), awaitsAtOnce) {
		wg.Go(func() {
			for i := range next {
				a, err := c.awaitOutcome(ctx, ids[i])
				if err != nil {
					cancel(err) // the first counts
					return
				}
				answers[i] = a
			}
		})
	}
feed:
	for i := range ids {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	switch {
	case outer.Err() != nil:
		return nil, ended(outer)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return answers, nil
}

// awaitOutcome waits for one job, request after request.
func (c *Client) awaitOutcome(ctx context.Context, id godwit.ID) (godwit.OutcomeAnswer, error) {
	for {
		asked := time.Now()
		wait := c.waitRequest(ctx)
		a, err := c.do(ctx, request{method: http.MethodGet, path: jobPath(id, "/result"), wait: wait, repeat: true})
		if err == nil {
			return godwit.OutcomeAnswer{State: godwit.StateSucceeded, Result: wire.PlainPayload(trimmed(a.body))}, nil
		}
		outcome, settled, err := outcomeOf(a, err)
		if settled || err != nil {
			return outcome, err
		}
		if time.Since(asked) < wait/2 { // the server has no place for those who wait
			if err := pause(ctx, time.Second/2+rand.N(time.Second)); err != nil {
				return outcome, err
			}
		}
	}
}

// trimmed is JSON without the line's end.
func trimmed(body []byte) []byte {
	for len(body) > 0 && body[len(body)-1] == '\n' {
		body = body[:len(body)-1]
	}
	return body
}

// outcomeOf reads why there is no result: it is not final yet, it failed, or it is not there.
func outcomeOf(a *reply, err error) (outcome godwit.OutcomeAnswer, settled bool, fault error) {
	var e *godwit.Error
	if a == nil || !errors.As(err, &e) {
		return outcome, false, err
	}
	var p wire.Problem
	if json.Unmarshal(a.body, &p) != nil {
		return outcome, false, err
	}
	switch {
	case a.status == http.StatusFailedDependency && p.State.Final():
		failure := &godwit.Failure{Code: p.Code, Message: p.Detail, Stack: p.Stack}
		return godwit.OutcomeAnswer{State: p.State, Failure: failure}, true, nil
	case e.Code == godwit.CodeNotFound || e.Code == godwit.CodeExpired:
		return godwit.OutcomeAnswer{Code: e.Code}, true, nil
	case e.Code == godwit.CodeWrongState && p.State != "":
		return outcome, false, nil
	}
	return outcome, false, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
