package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/godwit-go/godwit"
)

// source reads jobs over one link, in a unit of work or in a snapshot.
type source struct {
	ctx   context.Context
	l     link
	lanes *laneCache
}

// lockMode says how the jobs that are read are kept from changing until the transaction ends.
type lockMode int

const (
	// peek takes no lock.
	peek lockMode = iota
	// share keeps jobs from being finished, while claims go on.
	share
	// lockOthers locks for change all but ready jobs. An operation that leaves ready jobs alone whatever else holds must not lock
	// them: a claim passes over what is locked, and would miss a job that stays ready.
	lockOthers
	// lockAll locks for change. The operation takes ready jobs away from claims, or keeps claims out.
	lockAll
)

// errAgain says that the transaction has seen a job in two places, or in none, because it moved meanwhile: it has to begin anew.
var errAgain = errors.New("a job moved while it was looked for")

// errAlone says that a call answers how a job stands that it has not locked, and changes others: it has to be run again with all
// that it looks at locked, and claims kept out.
var errAlone = errors.New("a call has to be alone")

// lookMax bounds how often a job that moves is looked for again.
const lookMax = 50

const (
	selectPlaces   = "SELECT " + placeColumns + " FROM godwit.places p WHERE p.id = ANY($1)"
	selectFinished = "SELECT " + finishedColumns + " FROM godwit.finished f WHERE f.id = ANY($1)"
	selectResults  = "SELECT " + finishedColumns + ", f.encoding, f.result FROM godwit.finished f WHERE f.id = ANY($1)"
	selectPruned   = "SELECT id, until FROM godwit.pruned WHERE id = ANY($1)"
	selectBodies   = "SELECT " + bodyColumns + " FROM godwit.jobs j WHERE j.id = ANY($1)"
	selectArgs     = "SELECT " + bodyColumns + ", j.encoding, j.args FROM godwit.jobs j WHERE j.id = ANY($1)"
)

// found collects what the statements of one look answer.
type found struct {
	full   bool
	mode   lockMode
	jobs   map[godwit.ID]*job
	bodies map[godwit.ID]bool
}

// statements reads, in this order, where jobs stand, how they ended, what was pruned, and their bodies. Under READ COMMITTED each
// sees what was committed before it began; a job that moves back from finished to a place between two of them is seen in
// neither, but its body tells that it is there.
func (f *found) statements(ids []godwit.ID) []stmt {
	arg := uuids(ids)
	places := func(sql string, locked bool) stmt {
		return ask(sql, func(r scanner) error {
			j := &job{locked: locked}
			err := j.scanPlace(r)
			f.jobs[j.id] = j
			return err
		}, arg)
	}
	var list []stmt
	lock := ""
	switch f.mode {
	case peek:
		list = append(list, places(selectPlaces, false))
	case share:
		list = append(list, places(selectPlaces+" ORDER BY p.id FOR KEY SHARE", false))
		lock = " ORDER BY f.id FOR KEY SHARE"
	case lockOthers:
		list = append(list, places(selectPlaces+" AND p.place <> 2 ORDER BY p.id FOR UPDATE", true),
			ask(selectPlaces+" AND p.place + 0 = 2", func(r scanner) error {
				j := &job{}
				if err := j.scanPlace(r); err != nil {
					return err
				}
				if f.jobs[j.id] == nil {
					f.jobs[j.id] = j
				}
				return nil
			}, arg))
		lock = " ORDER BY f.id FOR UPDATE"
	case lockAll:
		list = append(list, places(selectPlaces+" ORDER BY p.id FOR UPDATE", true))
		lock = " ORDER BY f.id FOR UPDATE"
	}
	return append(list, f.finished(lock, arg), f.pruned(arg), f.body(arg))
}

func (f *found) finished(lock string, arg any) stmt {
	sql := selectFinished
	if f.full {
		sql = selectResults
	}
	return ask(sql+lock, func(r scanner) error {
		j := &job{locked: f.mode >= lockOthers}
		var more []any
		if f.full {
			more = append(more, &j.result.Encoding, &j.result.Data)
		}
		err := j.scanFinished(r, more...)
		f.jobs[j.id] = j
		return err
	}, arg)
}

func (f *found) pruned(arg any) stmt {
	lock := ""
	if f.mode >= lockOthers {
		lock = " ORDER BY id FOR UPDATE"
	}
	return ask(selectPruned+lock, func(r scanner) error {
		j := &job{kind: pruned, stored: pruned, locked: f.mode >= lockOthers}
		err := r.Scan(idInto{&j.id}, &j.keepUntil)
		f.jobs[j.id] = j
		return err
	}, arg)
}

func (f *found) body(arg any) stmt {
	sql := selectBodies
	if f.full {
		sql = selectArgs
	}
	return ask(sql, func(r scanner) error {
		var b body
		var args godwit.Payload
		var more []any
		if f.full {
			more = append(more, &args.Encoding, &args.Data)
		}
		if err := b.scan(r, more...); err != nil {
			return err
		}
		f.bodies[b.id] = true
		j := f.jobs[b.id]
		if j == nil {
			return nil
		}
		j.args = emptyIsNil(args)
		j.result = emptyIsNil(j.result)
		return b.into(j)
	}, arg)
}

// emptyIsNil makes no bytes of empty ones.
func emptyIsNil(p godwit.Payload) godwit.Payload {
	if len(p.Data) == 0 {
		p.Data = nil
	}
	return p
}

// fetch reads those of the ids that are there and calls got for each, in no particular order. full asks for arguments and
// results too.
func (s *source) fetch(ids []godwit.ID, full bool, mode lockMode, got func(j *job)) error {
	for range lookMax {
		if len(ids) == 0 {
			return nil
		}
		f := &found{full: full, mode: mode, jobs: make(map[godwit.ID]*job, len(ids)), bodies: make(map[godwit.ID]bool, len(ids))}
		if err := s.l.run(s.ctx, f.statements(ids)...); err != nil {
			return fmt.Errorf("read jobs: %w", err)
		}
		if err := s.name(f.jobs); err != nil {
			return err
		}
		var again []godwit.ID
		for _, id := range ids {
			j := f.jobs[id]
			switch {
			case j == nil && f.bodies[id], j != nil && j.kind != pruned && !f.bodies[id]:
				again = append(again, id) // it moved meanwhile
			case mode == lockOthers && j != nil && j.kind != ready && !j.locked:
				again = append(again, id) // it was ready when others were locked
			case j != nil:
				got(j)
			}
		}
		ids = again
	}
	return errAgain
}

// name gives jobs their lanes.
func (s *source) name(jobs map[godwit.ID]*job) error {
	for _, j := range jobs {
		if j.kind == pruned {
			continue
		}
		l, err := s.lane(j.laneID)
		if err != nil {
			return err
		}
		j.lane = l
	}
	return nil
}

// lane gives a lane by its number.
func (s *source) lane(id int32) (*lane, error) {
	if l := s.lanes.get(id); l != nil {
		return l, nil
	}
	if err := s.lanes.refresh(s.ctx, s.l); err != nil {
		return nil, err
	}
	if l := s.lanes.get(id); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("lane %d is not there", id)
}

// newestFailures reads, of those of the jobs that are not final, the failure of the newest attempt record that has one.
func (s *source) newestFailures(jobs []*job) (map[godwit.ID]*godwit.Failure, error) {
	failures := map[godwit.ID]*godwit.Failure{}
	var ids []godwit.ID
	for _, j := range jobs {
		if j.records > 0 && !j.kind.final() {
			ids = append(ids, j.id)
		}
	}
	if len(ids) == 0 {
		return failures, nil
	}
	const sql = "SELECT w.id, a.code, a.message, a.stack FROM unnest($1::uuid[]) w (id) CROSS JOIN LATERAL (" +
		"SELECT code, message, stack FROM godwit.attempts WHERE job = w.id AND code IS NOT NULL ORDER BY seq DESC LIMIT 1) a"
	err := s.l.run(s.ctx, ask(sql, func(r scanner) error {
		var id godwit.ID
		var f failureInto
		err := r.Scan(append([]any{idInto{&id}}, f.dest()...)...)
		failures[id] = f.failure()
		return err
	}, uuids(ids)))
	return failures, err
}

// loadReports loads what the handlers of jobs said.
func (s *source) loadReports(jobs []*job) error {
	byID := map[godwit.ID]*job{}
	var ids []godwit.ID
	for _, j := range jobs {
		switch {
		case j.report != nil:
		case !j.reported:
			j.report = &report{}
		case byID[j.id] == nil:
			byID[j.id] = j
			ids = append(ids, j.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	const sql = "SELECT job, logs, items, at, done, total, message, run, seq FROM godwit.reports WHERE job = ANY($1)"
	err := s.l.run(s.ctx, ask(sql, func(r scanner) error {
		var id godwit.ID
		var at int64
		rep, p := &report{}, &godwit.Progress{}
		err := r.Scan(idInto{&id}, &rep.logs, &rep.items, &at, &p.Done, &p.Total, &p.Message, &rep.run, &rep.seq)
		if at != 0 {
			p.At = fromMicros(at)
			rep.progress = p
		}
		byID[id].report = rep
		return err
	}, uuids(ids)))
	for _, id := range ids {
		if err == nil && byID[id].report == nil {
			err = errAgain
		}
	}
	return err
}

// shown completes the views of jobs, except for the reason they are held.
func (s *source) shown(jobs []*job) ([]godwit.Job, error) {
	failures, err := s.newestFailures(jobs)
	if err != nil {
		return nil, err
	}
	if err := s.loadReports(jobs); err != nil {
		return nil, err
	}
	views := make([]godwit.Job, len(jobs))
	for i, j := range jobs {
		v := j.view()
		if !j.kind.final() {
			v.Failure = failures[j.id]
		}
		if j.report.progress != nil {
			p := *j.report.progress
			v.Progress = &p
		}
		views[i] = v
	}
	return views, nil
}
