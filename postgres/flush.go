package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
)

// plan is what a flush has to write, by statement.
type plan struct {
	newJobs, fresh, places, bodies, finished, prunedNow []*job
	leftPlaces, leftFinished, leftPruned                []godwit.ID
	goneJobs, goneRecords, goneReports                  []godwit.ID
}

// flush writes everything that the unit changed, in one round trip, after which the transaction and the unit agree.
func (u *unit) flush() error {
	p := plan{}
	for _, j := range u.order {
		if j.dirty {
			p.add(j)
		}
	}
	list := p.gone()
	bodies, err := p.writeBodies()
	if err != nil {
		return err
	}
	list = append(list, bodies...)
	list = append(list, p.writePlaces()...)
	list = append(list, p.writeFinished()...)
	list = append(list, u.writeAttempts()...)
	list = append(list, u.flushReports()...)
	list = append(list, u.flushKeys()...)
	list = append(list, u.flushWaits()...)
	list = append(list, u.removals...)
	u.removals = nil
	if err := u.l.run(u.ctx, list...); err != nil {
		return err
	}
	for _, j := range u.order {
		if j.dirty {
			if j.kind == ready {
				u.turned = append(u.turned, j)
			}
			j.stored, j.dirty, j.body, j.newArgs, j.locked = j.kind, false, false, false, true
		}
	}
	return nil
}

// add sorts one job into what is to be written.
func (p *plan) add(j *job) {
	switch {
	case j.stored == none && j.kind != none:
		p.newJobs = append(p.newJobs, j)
	case j.stored.unfinished() && !j.kind.unfinished():
		p.leftPlaces = append(p.leftPlaces, j.id)
	case j.stored.final() && !j.kind.final():
		p.leftFinished = append(p.leftFinished, j.id)
	case j.stored == pruned && j.kind != pruned:
		p.leftPruned = append(p.leftPruned, j.id)
	}
	if j.body && j.stored != none {
		p.bodies = append(p.bodies, j)
	}
	switch {
	case j.kind == pruned && j.stored != pruned:
		p.prunedNow = append(p.prunedNow, j)
		p.goneJobs = append(p.goneJobs, j.id)
		if j.records > 0 {
			p.goneRecords = append(p.goneRecords, j.id)
		}
		if j.reported {
			p.goneReports = append(p.goneReports, j.id)
		}
	case j.kind.final() && !j.stored.final():
		p.finished = append(p.finished, j)
	case !j.kind.unfinished():
	case j.stored.unfinished():
		p.places = append(p.places, j)
	default:
		p.fresh = append(p.fresh, j)
	}
}

// gone removes rows.
func (p *plan) gone() []stmt {
	var list []stmt
	for _, g := range []struct {
		sql string
		ids []godwit.ID
	}{
		{"DELETE FROM godwit.places WHERE id = ANY($1)", p.leftPlaces},
		{"DELETE FROM godwit.finished WHERE id = ANY($1)", p.leftFinished},
		{"DELETE FROM godwit.pruned WHERE id = ANY($1)", p.leftPruned},
		{"DELETE FROM godwit.jobs WHERE id = ANY($1)", p.goneJobs},
		{"DELETE FROM godwit.attempts WHERE job = ANY($1)", p.goneRecords},
		{"DELETE FROM godwit.reports WHERE job = ANY($1)", p.goneReports},
		{"DELETE FROM godwit.logs WHERE job = ANY($1)", p.goneReports},
		{"DELETE FROM godwit.items WHERE job = ANY($1)", p.goneReports},
	} {
		if len(g.ids) > 0 {
			list = append(list, do(g.sql, uuids(g.ids)))
		}
	}
	if len(p.prunedNow) > 0 {
		c := columnsOf(p.prunedNow)
		list = append(list, do("INSERT INTO godwit.pruned (id, until) SELECT * FROM unnest($1::uuid[], $2::bigint[])",
			c.ids(), c.longs(func(j *job) int64 { return j.keepUntil })))
	}
	return list
}

// columns makes the arguments of statements of many rows: an array for each column.
type columns []*job

func columnsOf(jobs []*job) columns { return jobs }

func column[T any](c columns, of func(j *job) T) array[T] {
	list := make(array[T], len(c))
	for i, j := range c {
		list[i] = of(j)
	}
	return list
}

func (c columns) ids() array[pgtype.UUID] {
	return column(c, func(j *job) pgtype.UUID { return pgtype.UUID{Bytes: j.id, Valid: true} })
}
func (c columns) longs(of func(j *job) int64) array[int64] { return column(c, of) }
func (c columns) ints(of func(j *job) int) array[int32] {
	return column(c, func(j *job) int32 { return int32(of(j)) })
}
func (c columns) bools(of func(j *job) bool) array[bool]     { return column(c, of) }
func (c columns) texts(of func(j *job) string) array[string] { return column(c, of) }
func (c columns) blobs(of func(j *job) []byte) array[[]byte] {
	return column(c, func(j *job) []byte { return blob(of(j)) })
}

func (c columns) lanes() array[int32] { return column(c, func(j *job) int32 { return j.lane.id }) }

func (c columns) kinds() array[int16] { return column(c, func(j *job) int16 { return int16(j.kind) }) }

func (c columns) ranks() array[int16] {
	return column(c, func(j *job) int16 { return int16(-j.priority) })
}

func (c columns) runAts() array[int64] { return c.longs(func(j *job) int64 { return j.runAt }) }

func (c columns) deadlines() array[int64]                         { return c.longs(func(j *job) int64 { return j.deadline }) }
func (c columns) optional(of func(j *job) *string) array[*string] { return column(c, of) }

// blob makes empty bytes of none, which would be NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// insertJobs makes the rows side by side. As one unnest of all the arrays each column would be kept aside first.
const insertJobs = "INSERT INTO godwit.jobs (id, fingerprint, timeout, keep_succeeded, keep_failed, created_at, lane, max_attempts," +
	" max_crashes, priority, encoding, extra, args) SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::bigint[])," +
	" unnest($4::bigint[]), unnest($5::bigint[]), unnest($6::bigint[]), unnest($7::integer[]), unnest($8::integer[])," +
	" unnest($9::integer[]), unnest($10::smallint[]), unnest($11::text[]), unnest($12::text[]), unnest($13::bytea[])"

// jobColumns gives the arguments of insertJobs.
func jobColumns(c columns) ([]any, error) {
	extras := make(array[*string], len(c))
	for i, j := range c {
		if j.extra == nil {
			continue
		}
		text, err := encodeExtra(j.extra)
		if err != nil {
			return nil, err
		}
		extras[i] = &text
	}
	return []any{
		c.ids(), column(c, func(j *job) pgtype.UUID { return pgtype.UUID{Bytes: j.fingerprint, Valid: true} }),
		c.longs(func(j *job) int64 { return int64(j.timeout) }), c.longs(func(j *job) int64 { return int64(j.keepSucceeded) }),
		c.longs(func(j *job) int64 { return int64(j.keepFailed) }), c.longs(func(j *job) int64 { return j.createdAt }), c.lanes(),
		c.ints(func(j *job) int { return j.maxAttempts }), c.ints(func(j *job) int { return j.maxCrashes }),
		column(c, func(j *job) int16 { return int16(j.priority) }), c.texts(func(j *job) string { return j.args.Encoding }), extras,
		c.blobs(func(j *job) []byte { return j.args.Data }),
	}, nil
}

func (p *plan) writeBodies() ([]stmt, error) {
	var list []stmt
	if len(p.newJobs) > 0 {
		args, err := jobColumns(p.newJobs)
		if err != nil {
			return nil, err
		}
		list = append(list, do(insertJobs, args...))
	}
	for _, j := range p.bodies {
		list = append(list, do("UPDATE godwit.jobs SET lane = $1, fingerprint = $2 WHERE id = $3", j.lane.id,
			pgtype.UUID{Bytes: j.fingerprint, Valid: true}, uuid(j.id)))
		if j.newArgs {
			list = append(list, do("UPDATE godwit.jobs SET encoding = $1, args = $2 WHERE id = $3", j.args.Encoding, blob(j.args.Data), uuid(j.id)))
		}
	}
	return list, nil
}

const placeArrays = "unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]," +
	" $8::bigint[], $9::integer[], $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::smallint[], $15::smallint[]," +
	" $16::boolean[], $17::boolean[], $18::boolean[], $19::text[])"

const insertPlaces = "INSERT INTO godwit.places (id, session, run_at, deadline, run, started_at, cancel_requested_at, records," +
	" lane, attempt, crashes, releases, retries, place, rank, reported, wait_any, woken, cancel_reason) SELECT * FROM " + placeArrays

const updatePlaces = "UPDATE godwit.places p SET session = v.session, run_at = v.run_at, deadline = v.deadline, run = v.run," +
	" started_at = v.started_at, cancel_requested_at = v.cancel_requested_at, records = v.records, lane = v.lane, attempt = v.attempt," +
	" crashes = v.crashes, releases = v.releases, retries = v.retries, place = v.place, reported = v.reported," +
	" wait_any = v.wait_any, woken = v.woken, cancel_reason = v.cancel_reason FROM " + placeArrays +
	" v (id, session, run_at, deadline, run, started_at, cancel_requested_at, records, lane, attempt, crashes, releases, retries," +
	" place, rank, reported, wait_any, woken, cancel_reason) WHERE p.id = v.id"

// placeColumnsOf gives the arguments of insertPlaces and updatePlaces.
func placeColumnsOf(c columns) []any {
	return []any{
		c.ids(), column(c, func(j *job) pgtype.UUID { return uuid(j.session) }), c.runAts(), c.deadlines(),
		c.longs(func(j *job) int64 { return j.run }), c.longs(func(j *job) int64 { return j.startedAt }),
		c.longs(func(j *job) int64 { return j.cancelRequestedAt }), c.longs(func(j *job) int64 { return j.records }), c.lanes(),
		c.ints(func(j *job) int { return j.attempt }), c.ints(func(j *job) int { return j.crashes }),
		c.ints(func(j *job) int { return j.releases }), c.ints(func(j *job) int { return j.retries }), c.kinds(),
		c.ranks(), c.bools(func(j *job) bool { return j.reported }),
		c.bools(func(j *job) bool { return j.any }), c.bools(func(j *job) bool { return j.woken }),
		c.texts(func(j *job) string { return plainText(j.cancelReason) }),
	}
}

func (p *plan) writePlaces() []stmt {
	var list []stmt
	if len(p.fresh) > 0 {
		list = append(list, do(insertPlaces, placeColumnsOf(p.fresh)...))
	}
	if len(p.places) > 0 {
		list = append(list, do(updatePlaces, placeColumnsOf(p.places)...))
	}
	return list
}

const insertFinished = "INSERT INTO godwit.finished (id, finished_at, keep_until, run_at, deadline, run, started_at, cancel_requested_at," +
	" records, lane, attempt, crashes, releases, retries, state, reported, code, message, stack, encoding, result) SELECT * FROM unnest(" +
	"$1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]," +
	" $10::integer[], $11::integer[], $12::integer[], $13::integer[], $14::integer[], $15::smallint[], $16::boolean[]," +
	" $17::text[], $18::text[], $19::text[], $20::text[], $21::bytea[])"

func (p *plan) writeFinished() []stmt {
	if len(p.finished) == 0 {
		return nil
	}
	c := columnsOf(p.finished)
	failure := func(of func(f *godwit.Failure) string) array[*string] {
		return c.optional(func(j *job) *string { return textOf(j.failure, of) })
	}
	return []stmt{do(insertFinished,
		c.ids(), c.longs(func(j *job) int64 { return j.finishedAt }), c.longs(func(j *job) int64 { return j.keepUntil }), c.runAts(),
		c.deadlines(), c.longs(func(j *job) int64 { return j.run }), c.longs(func(j *job) int64 { return j.startedAt }),
		c.longs(func(j *job) int64 { return j.cancelRequestedAt }), c.longs(func(j *job) int64 { return j.records }), c.lanes(),
		c.ints(func(j *job) int { return j.attempt }), c.ints(func(j *job) int { return j.crashes }),
		c.ints(func(j *job) int { return j.releases }), c.ints(func(j *job) int { return j.retries }), c.kinds(),
		c.bools(func(j *job) bool { return j.reported }), failure(codeOf), failure(messageOf), failure(stackOf),
		c.texts(func(j *job) string { return j.result.Encoding }), c.blobs(func(j *job) []byte { return j.result.Data }))}
}

func codeOf(f *godwit.Failure) string    { return string(f.Code) }
func messageOf(f *godwit.Failure) string { return f.Message }
func stackOf(f *godwit.Failure) string   { return f.Stack }

// textOf gives a part of a failure; nil when there is none.
func textOf(f *godwit.Failure, of func(f *godwit.Failure) string) *string {
	if f == nil {
		return nil
	}
	text := plainText(of(f))
	return &text
}
