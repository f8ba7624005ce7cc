package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/internal/states"
)

// witness finds out which rows of the table a stream meets, from what each call was, what it answered and what it told.
type witness struct {
	testing.TB
	model *model.Store
	cells map[cell][]*states.Row
	met   map[int]bool // by the row's index

	jobs   map[godwit.ID]godwit.JobAnswer // before the call
	awaits map[godwit.ID][]godwit.ID      // what jobs wait for that wait for all of it
	now    map[godwit.ID][]godwit.Event   // of the call, by job
}

func newWitness(t testing.TB, m *model.Store) *witness {
	w := &witness{
		TB: t, model: m, met: map[int]bool{}, jobs: map[godwit.ID]godwit.JobAnswer{}, awaits: map[godwit.ID][]godwit.ID{},
		cells: map[cell][]*states.Row{},
	}
	for i := range states.Table() {
		row := &states.Table()[i]
		w.cells[cell{row.Op, row.From}] = append(w.cells[cell{row.Op, row.From}], row)
	}
	return w
}

// cell is an operation on a place.
type cell struct {
	op   states.Op
	from states.Place
}

// missed names the rows not met.
func (w *witness) missed() []string {
	var names []string
	for i := range states.Table() {
		if row := &states.Table()[i]; !w.met[row.Index] && unreachable[row.Name()] == "" {
			names = append(names, row.Name())
		}
	}
	return names
}

// goal gives a row that has not been met, the first of them from a place on.
func (w *witness) goal(from int) *states.Row {
	rows := states.Table()
	for i := range rows {
		row := &rows[(from+i)%len(rows)]
		if !w.met[row.Index] && unreachable[row.Name()] == "" {
			return row
		}
	}
	return nil
}

// reopened is told that the store was closed and opened.
func (w *witness) reopened() {
	w.refresh(nil)
}

// observe takes note of one call.
func (w *witness) observe(c *call, answer any, events []godwit.Event) {
	w.now = map[godwit.ID][]godwit.Event{}
	for _, e := range events {
		w.now[e.Job] = append(w.now[e.Job], e)
	}
	switch a := answer.(type) {
	case []godwit.SettleAnswer:
		w.direct(c, a)
	case godwit.ClaimAnswer:
		w.moved(states.OpClaim, godwit.EventStarted)
		w.left(states.OpClaim)
	case godwit.AdvanceAnswer:
		w.moved(states.OpComeDue, godwit.EventReady)
		w.moved(states.OpPassDeadline, godwit.EventFailed)
		w.moved(states.OpCascade, godwit.EventCancelled, godwit.EventCancelRequested)
		w.left(states.OpComeDue)
		w.left(states.OpPassDeadline)
		w.left(states.OpCascade)
		w.asked()
	case godwit.RescueAnswer:
		if len(a.Sessions) > 0 {
			w.moved(states.OpRescue, godwit.EventCancelled, godwit.EventFailed, godwit.EventRescued, godwit.EventReleased)
			w.left(states.OpRescue)
		}
	case godwit.SessionAnswer:
		if c.kind == "end_session" && a.Code == "" {
			w.moved(states.OpEndSession, godwit.EventCancelled, godwit.EventReleased)
			w.left(states.OpEndSession)
		}
	}
	w.woken(events)
	before := w.jobs
	w.refresh(c)
	if a, ok := answer.(godwit.PruneAnswer); ok {
		w.pruned(before, a)
	}
}

// refresh reads the jobs that the call may have changed: a few by their events, all of them after a call that moves lanes.
func (w *witness) refresh(c *call) {
	var ids []godwit.ID
	few := c != nil && !slices.Contains([]string{"start_session", "end_session", "rescue", "pause_queue", "pause_task", "prune"}, c.kind)
	if few {
		for id := range w.now {
			if !id.IsZero() {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			return
		}
	} else {
		old := w.jobs
		w.jobs = map[godwit.ID]godwit.JobAnswer{}
		for id := range old {
			ids = append(ids, id)
		}
	}
	for part := range slices.Chunk(ids, godwit.BatchMax) {
		answers, err := w.model.Get(context.Background(), part)
		if err != nil {
			w.Fatal(err)
		}
		for i, id := range part {
			w.jobs[id] = answers[i]
			if answers[i].Code == godwit.CodeNotFound {
				delete(w.jobs, id)
			}
		}
	}
}

func (w *witness) place(id godwit.ID) states.Place {
	a, ok := w.jobs[id]
	if !ok {
		return states.None
	}
	return placeOf(a)
}

// meet marks the row of a cell that has these effects.
func (w *witness) meet(op states.Op, from states.Place, code godwit.Code, e *godwit.Event) {
	var found []*states.Row
	for _, row := range w.cells[cell{op, from}] {
		switch {
		case row.Code != code:
		case e == nil && row.Event == "" && row.To == states.Same:
			found = append(found, row)
		case e != nil && row.Event == e.Kind && w.leads(row, e):
			found = append(found, row)
		}
	}
	if len(found) > 1 { // told apart by the failure kept
		deadline := e != nil && e.Code == godwit.CodeDeadlineExceeded
		found = slices.DeleteFunc(found, func(row *states.Row) bool { return row.When&states.Deadline != 0 != deadline })
	}
	if len(found) == 1 {
		w.met[found[0].Index] = true
	}
}

// leads reports whether a row leads to the state that an event tells of.
func (w *witness) leads(row *states.Row, e *godwit.Event) bool {
	to := row.To
	if to == states.Same {
		to = plainPlace(row.From)
	}
	return to == states.Pruned || to == states.Place(e.State)
}

// direct looks at a call about a single job.
func (w *witness) direct(c *call, answers []godwit.SettleAnswer) {
	if len(answers) != 1 {
		return
	}
	var op states.Op
	var id godwit.ID
	switch q := c.req.(type) {
	case []godwit.Settlement:
		op, _ = states.OpOf(q[0].Outcome)
		id = q[0].Job
	case []godwit.ParkRequest:
		op, id = states.OpPark, q[0].Job
		w.parked(&q[0], answers[0])
	case []godwit.Token:
		op, id = states.OpResume, q[0].Job
	case []godwit.Report:
		op, id = states.OpReport, q[0].Job
	case []godwit.CancelRequest:
		op, id = states.OpCancel, q[0].ID
	case []godwit.RetryRequest:
		op, id = states.OpRetryByHand, q[0].ID
	case []godwit.RescheduleRequest:
		op, id = states.OpReschedule, q[0].ID
	case []godwit.ID:
		op, id = states.OpDelete, q[0]
	}
	var first *godwit.Event
	if list := w.now[id]; len(list) > 0 {
		first = &list[0]
	}
	w.meet(op, w.place(id), answers[0].Code, first)
}

func (w *witness) parked(q *godwit.ParkRequest, a godwit.SettleAnswer) {
	switch {
	case a.Code != "":
	case q.Any || w.place(q.Job) != states.Place(godwit.StateRunning):
		delete(w.awaits, q.Job)
	default:
		w.awaits[q.Job] = slices.Compact(slices.SortedFunc(slices.Values(q.Await), godwit.ID.Compare))
	}
}

// moved marks the rows of what an operation of the store's own did, told by the kinds of its events.
func (w *witness) moved(op states.Op, kinds ...godwit.EventKind) {
	for id, list := range w.now {
		if id.IsZero() || len(list) > 1 && op != states.OpComeDue {
			continue // moved twice in the call: where it stood between is not known
		}
		if slices.Contains(kinds, list[0].Kind) {
			w.meet(op, w.place(id), "", &list[0])
		}
	}
}

// left marks the rows that leave jobs alone, for the places of the jobs that were left alone.
func (w *witness) left(op states.Op) {
	seen := map[states.Place]bool{states.None: true}
	for id, a := range w.jobs {
		if w.now[id] == nil {
			seen[placeOf(a)] = true
		}
	}
	for place := range seen {
		w.rest(op, place)
	}
}

// rest marks the last row of a cell if it changes nothing.
func (w *witness) rest(op states.Op, from states.Place) {
	for _, row := range w.cells[cell{op, from}] {
		if row.When == 0 && !row.Changes() {
			w.met[row.Index] = true
		}
	}
}

// row marks the row with exactly these conditions.
func (w *witness) row(op states.Op, from states.Place, when states.Cond) {
	for _, row := range w.cells[cell{op, from}] {
		if row.When == when {
			w.met[row.Index] = true
		}
	}
}

// asked looks for children of cancelled parents that were asked to stop before.
func (w *witness) asked() {
	for _, a := range w.jobs {
		j := &a.Job
		parent := w.jobs[j.Parent]
		if j.State == godwit.StateRunning && !j.CancelRequestedAt.IsZero() && parent.Job.State == godwit.StateCancelled && !j.Detached {
			w.row(states.OpCascade, states.Place(godwit.StateRunning), states.CancelRequested)
		}
	}
}

// woken looks at the jobs that wait for one that became final.
func (w *witness) woken(events []godwit.Event) {
	for _, e := range events {
		if !e.State.Final() {
			continue
		}
		w.left(states.OpWake)
		for id, list := range w.awaits {
			if slices.Contains(list, e.Job) && len(list) > 1 && w.now[id] == nil && w.place(id) == states.Place(godwit.StateWaiting) {
				w.row(states.OpWake, states.Place(godwit.StateWaiting), states.Pending)
			}
		}
	}
	for id, list := range w.now {
		waiting := w.place(id) == states.Place(godwit.StateWaiting)
		switch {
		case id.IsZero() || !waiting:
		case list[0].Kind == godwit.EventWoken, list[0].Kind == godwit.EventReady:
			w.meet(states.OpWake, states.Place(godwit.StateWaiting), "", &list[0])
		}
		if list[0].Kind != godwit.EventParked {
			delete(w.awaits, id)
		}
	}
}

// pruned looks at a prune that looked at all that was due.
func (w *witness) pruned(before map[godwit.ID]godwit.JobAnswer, a godwit.PruneAnswer) {
	if a.More {
		return
	}
	now := w.model.Now()
	w.rest(states.OpPrune, states.None)
	for id, old := range before {
		from := placeOf(old)
		_, still := w.jobs[id]
		switch {
		case from == states.Pruned && still:
			w.row(states.OpPrune, from, states.Kept)
		case from == states.Pruned || w.now[id] != nil:
			w.row(states.OpPrune, from, 0)
		case !old.Job.State.Final():
			w.rest(states.OpPrune, from)
		case old.Job.KeepUntil.After(now):
			w.row(states.OpPrune, from, states.Kept)
		default:
			w.row(states.OpPrune, from, states.Pinned)
		}
	}
}
