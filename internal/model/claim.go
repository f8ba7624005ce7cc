package model

import (
	"context"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Claim hands out ready jobs.
func (s *Store) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	return s.ClaimOverlooking(ctx, r, nil)
}

// ClaimOverlooking is a claim that does not see some of the ready jobs.
func (s *Store) ClaimOverlooking(ctx context.Context, r godwit.ClaimRequest, overlooked map[godwit.ID]bool) (godwit.ClaimAnswer, error) {
	return do(ctx, s, func(w *world, now time.Time) godwit.ClaimAnswer { return w.claim(r, now, overlooked) })
}

func (w *world) claim(r godwit.ClaimRequest, now time.Time, overlooked map[godwit.ID]bool) godwit.ClaimAnswer {
	sess := w.sessions[r.Session]
	if sess == nil {
		return godwit.ClaimAnswer{Code: godwit.CodeSessionEnded}
	}
	if !sess.leaseUntil.After(now) {
		return godwit.ClaimAnswer{Code: godwit.CodeLeaseExpired}
	}
	var answer godwit.ClaimAnswer
	if !slices.Contains(sess.Queues, r.Queue) {
		return answer
	}
	var taken []*job
	for _, j := range w.ready[r.Queue] {
		if len(taken) >= r.Limit {
			break
		}
		if _, knows := sess.knows(j.view.Task, j.view.Version); knows && w.held(&j.view) == "" && !overlooked[j.view.ID] {
			taken = append(taken, j)
		}
	}
	for _, j := range taken {
		j.view.StartedAt, j.view.Session = now, r.Session
		if j.while == godwit.UniqueUnstarted {
			w.letGo(j)
		}
		w.apply(states.Decide(states.OpClaim, states.Place(godwit.StateReady), 0), j, now, nil, nil)
		answer.Jobs = append(answer.Jobs, w.show(j))
	}
	answer.More = len(taken) > 0 && len(taken) == r.Limit
	return answer
}
