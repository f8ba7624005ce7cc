package sqlite

import (
	"bytes"

	"github.com/godwit-go/godwit"
)

// Bounds of what is remembered of jobs.
const (
	freshMax      = 20_000   // ready jobs, with their arguments
	freshBytesMax = 32 << 20 // of those arguments
	runningMax    = 50_000   // running and waiting jobs
)

// recent remembers jobs that will be asked for soon: ready ones until they are claimed, running ones until they are settled.
// The writer alone changes jobs, so what it wrote last is what the file says, until a rollback, after which all is forgotten.
// When there is no room a job is dropped at random, so that held jobs do not keep it for ever.
type recent struct {
	fresh   map[godwit.ID]*job
	bytes   int // of the arguments of fresh
	running map[godwit.ID]*job
}

func (r *recent) forget() {
	r.fresh, r.bytes, r.running = map[godwit.ID]*job{}, 0, map[godwit.ID]*job{}
}

// get gives a job that is remembered, with its arguments if full; the caller copies it.
func (r *recent) get(id godwit.ID, full bool) *job {
	if j := r.fresh[id]; j != nil {
		return j
	}
	if full {
		return nil
	}
	return r.running[id]
}

// keep remembers a job that has just been written, or forgets it.
func (r *recent) keep(j *job) {
	r.drop(j.id)
	switch {
	case j.kind.underWay():
		if len(r.running) >= runningMax {
			for id := range r.running {
				delete(r.running, id)
				break
			}
		}
		c := *j
		c.args, c.hasArgs, c.report = godwit.Payload{}, false, nil
		r.running[c.id] = &c
	case j.kind == ready && j.hasArgs && len(j.args.Data) <= freshBytesMax/64:
		for id := range r.fresh {
			if len(r.fresh) < freshMax && r.bytes+len(j.args.Data) <= freshBytesMax {
				break
			}
			r.drop(id)
		}
		c := *j
		c.args.Data, c.report = bytes.Clone(j.args.Data), nil
		r.fresh[c.id] = &c
		r.bytes += len(c.args.Data)
	}
}

func (r *recent) drop(id godwit.ID) {
	if old := r.fresh[id]; old != nil {
		r.bytes -= len(old.args.Data)
		delete(r.fresh, id)
		return
	}
	delete(r.running, id)
}
