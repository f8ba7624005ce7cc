package sqlite

import (
	"slices"

	"github.com/godwit-go/godwit"
)

// holding is which jobs each session runs or keeps waiting. It stands in memory, since the writer is alone in changing it and an
// index of the file would have to be written twice for each job. A rollback takes it back to the last commit.
type holding struct {
	jobs map[godwit.ID]map[godwit.ID]kind // by session: running or waiting
	undo []held                           // what was before each change since the last commit, oldest first
}

// held is a job of a session; kind none when the session does not have it.
type held struct {
	session, job godwit.ID
	kind         kind
}

// set notes that a session has a job, or with kind none that it has it no longer.
func (h *holding) set(to held) {
	was := h.put(to)
	if was != to.kind {
		h.undo = append(h.undo, held{to.session, to.job, was})
	}
}

func (h *holding) put(to held) (was kind) {
	jobs := h.jobs[to.session]
	was = jobs[to.job]
	switch {
	case to.kind == none:
		delete(jobs, to.job)
		if len(jobs) == 0 {
			delete(h.jobs, to.session)
		}
	case jobs == nil:
		h.jobs[to.session] = map[godwit.ID]kind{to.job: to.kind}
	default:
		jobs[to.job] = to.kind
	}
	return was
}

// mark gives the point to which back goes.
func (h *holding) mark() int { return len(h.undo) }

// back undoes what was set since the mark.
func (h *holding) back(mark int) {
	for _, was := range slices.Backward(h.undo[mark:]) {
		h.put(was)
	}
	h.undo = h.undo[:mark]
}

// keep makes what was set since the last commit last.
func (h *holding) keep() { h.undo = h.undo[:0] }

// of gives the jobs of a session, by id.
func (h *holding) of(session godwit.ID) []godwit.ID {
	ids := make([]godwit.ID, 0, len(h.jobs[session]))
	for id := range h.jobs[session] {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, godwit.ID.Compare)
	return ids
}

// count tells how many jobs of a session run and wait.
func (h *holding) count(session godwit.ID) (atWork, parked int) {
	for _, k := range h.jobs[session] {
		if k == running {
			atWork++
		} else {
			parked++
		}
	}
	return atWork, parked
}

// readHolding reads what sessions had when the file was last closed. It walks over all unfinished jobs, unless none was under way.
func readHolding(c *conn) (holding, error) {
	h := holding{jobs: map[godwit.ID]map[godwit.ID]kind{}}
	underWay, err := number(c, "SELECT coalesce(sum(running + waiting), 0) FROM godwit_lanes")
	if err != nil || underWay == 0 {
		return h, err
	}
	err = c.query("SELECT session, id, place FROM godwit_places WHERE session IS NOT NULL", func(s *row) error {
		h.put(held{columnID(s, 0), columnID(s, 1), columnKind(s, 2, running, waiting)})
		return nil
	})
	return h, err
}
