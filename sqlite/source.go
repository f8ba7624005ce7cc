package sqlite

import (
	"fmt"

	"github.com/godwit-go/godwit"
)

// source reads jobs over one connection, for the writer and the readers alike.
type source struct {
	c     *conn
	lanes func(id int64) (*lane, error)
}

// fetch reads those of the ids that are there and calls got for each, in no particular order. full asks for arguments and
// results too.
func (r *source) fetch(ids []godwit.ID, full bool, got func(j *job) error) error {
	places := selectPlaces
	if full {
		places = selectPlacesArgs
	}
	found := 0
	err := r.c.selectIDs(places, ids, func(s *row) error {
		j := &job{}
		if err := j.scanCommon(s, r.lanes, scheduled, waiting); err != nil {
			return err
		}
		j.scanPlace(s, full)
		found++
		return got(j)
	})
	if err != nil || found == len(ids) {
		return err
	}
	err = r.fetchFinished(ids, full, func(j *job) error {
		found++
		return got(j)
	})
	if err != nil || found == len(ids) {
		return err
	}
	return r.c.selectIDs(selectPruned, ids, func(s *row) error {
		return got(&job{id: columnID(s, 0), kind: pruned, stored: pruned, keepUntil: columnMicros(s, 1)})
	})
}

// fetchFinished reads those of the ids that are finished jobs.
func (r *source) fetchFinished(ids []godwit.ID, full bool, got func(j *job) error) error {
	finished := selectFinished
	if full {
		finished = selectFinishedFull
	}
	return r.c.selectIDs(finished, ids, func(s *row) error {
		j := &job{}
		if err := j.scanCommon(s, r.lanes, succeeded, cancelled); err != nil {
			return err
		}
		j.scanFinished(s, full)
		return got(j)
	})
}

var (
	selectBodies = in("SELECT id FROM godwit_jobs WHERE id IN")
	selectEnds   = in("SELECT id FROM godwit_finished WHERE id IN")
)

// noneOf looks whether jobs that were not found are wholly absent: one of which a part is there was lost by damage.
func (r *source) noneOf(ids []godwit.ID) error {
	for _, m := range []*multi{selectBodies, selectUnfinished, selectEnds} {
		err := r.c.manyIDs(m, ids, func(s *row) error {
			return damagedJob(tableOf(m.head), columnID(s, 0), "is there only in part")
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// newestFailure reads the failure of the newest attempt record that has one; nil when none has.
func (r *source) newestFailure(j *job) (*godwit.Failure, error) {
	if j.records == 0 {
		return nil, nil // no failure is what a job without one shows
	}
	var f *godwit.Failure
	err := r.c.query("SELECT code, message, stack FROM godwit_attempts WHERE job = ? AND code IS NOT NULL ORDER BY seq DESC LIMIT 1",
		func(s *row) error {
			f = columnFailure(s, 0)
			return nil
		}, j.id)
	return f, err
}

// reportOf loads what the handlers of a job said.
func (r *source) reportOf(j *job) (*report, error) {
	if j.report != nil {
		return j.report, nil
	}
	rep := &report{}
	if !j.reported {
		j.report = rep
		return rep, nil
	}
	err := r.c.query("SELECT logs, items, at, done, total, message, run, seq FROM godwit_reports WHERE job = ?", func(s *row) error {
		rep.logs, rep.items = columnNumber(s, 0), columnNumber(s, 1)
		rep.run, rep.seq = s.ColumnInt64(6), s.ColumnInt64(7)
		if at := columnMicros(s, 2); at != 0 {
			rep.progress = &godwit.Progress{
				Done: s.ColumnInt64(3), Total: s.ColumnInt64(4), Message: s.ColumnText(5), At: fromMicros(at),
			}
		}
		return nil
	}, j.id)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	j.report = rep
	return rep, nil
}

// show completes the view of a job, except for the reason it is held.
func (r *source) show(j *job, failure *godwit.Failure) (godwit.Job, error) {
	v := j.view()
	if !j.kind.final() {
		v.Failure = failure
	}
	rep, err := r.reportOf(j)
	if err != nil {
		return v, err
	}
	if rep.progress != nil {
		p := *rep.progress
		v.Progress = &p
	}
	return v, nil
}
