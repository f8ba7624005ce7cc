package storetest

import (
	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// readySince says of each ready job when the call that made it ready returned; nil where that is not asked for. A claim that began
// before then may have overlooked the job, in a store that [Config.Overlooks].
type readySince map[godwit.ID]int64

// perform makes a call on the model. A rescue may leave a session for later. A claim overlooks the jobs that became ready while it was under way, and those that another
// claim took meanwhile, unless it has answered with them.
func (h *history) perform(c call, m *model.Store, since readySince, given result) (any, error) {
	if rescued, ok := given.answer.(godwit.RescueAnswer); ok && h.overlooks && len(rescued.Sessions) == 0 && given.err == "" {
		return rescued, nil // others held the session up
	}
	q, isClaim := c.req.(godwit.ClaimRequest)
	if !isClaim || !h.overlooks {
		return c.do(h.ctx, m)
	}
	overlooked := map[godwit.ID]bool{}
	for id, returned := range since {
		overlooked[id] = returned > given.began
	}
	for i := range h.ops {
		other, ok := h.ops[i].Output.(result)
		if !ok || other.began > given.returned || other.returned < given.began {
			continue
		}
		for _, id := range claimed(other) {
			overlooked[id] = true
		}
	}
	for _, id := range claimed(given) {
		overlooked[id] = false
	}
	want, err := m.ClaimOverlooking(h.ctx, q, overlooked)
	if got, ok := given.answer.(godwit.ClaimAnswer); ok && got.More && len(got.Jobs) > 0 {
		want.More = true // it passed over some
	}
	return want, err
}

// claimed gives the jobs that a call has claimed.
func claimed(r result) []godwit.ID {
	var ids []godwit.ID
	if answer, ok := r.answer.(godwit.ClaimAnswer); ok {
		for i := range answer.Jobs {
			ids = append(ids, answer.Jobs[i].ID)
		}
	}
	return ids
}

// after notes what a call has made ready.
func (h *history) after(since readySince, m *model.Store, given result) readySince {
	if !h.overlooks {
		return nil
	}
	page, err := m.List(h.ctx, godwit.ListFilter{State: godwit.StateReady, Limit: godwit.PageMax})
	if err != nil {
		h.Fatal(err)
	}
	next := readySince{}
	for i := range page.Jobs {
		id := page.Jobs[i].ID
		next[id] = given.returned
		if returned, before := since[id]; before {
			next[id] = returned
		}
	}
	return next
}
