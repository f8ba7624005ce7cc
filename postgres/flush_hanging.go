package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
)

// writeAttempts writes the attempt records, and drops those that are too many.
func (u *unit) writeAttempts() []stmt {
	n := len(u.attempts)
	if n == 0 {
		return nil
	}
	jobs, sessions := make([]pgtype.UUID, n), make([]pgtype.UUID, n)
	seqs, runs, started, ended := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	attempts, outcomes := make([]int32, n), make([]string, n)
	codes, messages, stacks := make([]*string, n), make([]*string, n), make([]*string, n)
	var list []stmt
	for i := range u.attempts {
		a := &u.attempts[i]
		jobs[i], sessions[i] = uuid(a.job.id), uuid(a.Session)
		seqs[i], runs[i], started[i], ended[i] = a.seq, a.Run, a.startedAt, u.now
		attempts[i], outcomes[i] = int32(a.Attempt.Attempt), a.Outcome
		codes[i], messages[i], stacks[i] = textOf(a.Failure, codeOf), textOf(a.Failure, messageOf), textOf(a.Failure, stackOf)
		if a.seq > godwit.AttemptsKeptMax {
			list = append(list, do("DELETE FROM godwit.attempts WHERE job = $1 AND seq <= $2", jobs[i], a.seq-godwit.AttemptsKeptMax))
		}
	}
	u.attempts = u.attempts[:0]
	insert := do("INSERT INTO godwit.attempts (job, session, seq, run, started_at, ended_at, attempt, outcome, code, message, stack)"+
		" SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::integer[],"+
		" $8::text[], $9::text[], $10::text[], $11::text[])",
		jobs, sessions, seqs, runs, started, ended, attempts, outcomes, codes, messages, stacks)
	return append([]stmt{insert}, list...)
}

// flushReports writes what handlers said.
func (u *unit) flushReports() []stmt {
	list := append(u.writeLogs(), u.writeItems()...)
	u.lines = u.lines[:0]
	const sql = "INSERT INTO godwit.reports (job, logs, items, at, done, total, run, seq, message)" +
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (job) DO UPDATE SET logs = excluded.logs, items = excluded.items," +
		" at = excluded.at, done = excluded.done, total = excluded.total, run = excluded.run, seq = excluded.seq, message = excluded.message"
	for _, j := range u.order {
		r := j.report
		if r == nil || !r.dirty {
			continue
		}
		r.dirty = false
		p := r.progress
		if p == nil {
			p = &godwit.Progress{}
		}
		list = append(list, do(sql, uuid(j.id), r.logs, r.items, micros(p.At), p.Done, p.Total, r.run, r.seq, plainText(p.Message)))
	}
	return list
}

func (u *unit) writeLogs() []stmt {
	var jobs []pgtype.UUID
	var seqs, runs, ats []int64
	var levels, messages []string
	for _, l := range u.lines {
		if l.log != nil {
			jobs, seqs, runs = append(jobs, uuid(l.job)), append(seqs, l.log.Seq), append(runs, l.log.Run)
			ats, levels, messages = append(ats, micros(l.log.At)), append(levels, plainText(l.log.Level)), append(messages, plainText(l.log.Message))
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	return []stmt{do("INSERT INTO godwit.logs (job, seq, run, at, level, message) SELECT * FROM unnest($1::uuid[], $2::bigint[],"+
		" $3::bigint[], $4::bigint[], $5::text[], $6::text[])", jobs, seqs, runs, ats, levels, messages)}
}

func (u *unit) writeItems() []stmt {
	var jobs []pgtype.UUID
	var seqs, runs []int64
	var encodings []string
	var data [][]byte
	for _, l := range u.lines {
		if l.item != nil {
			jobs, seqs, runs = append(jobs, uuid(l.job)), append(seqs, l.item.Seq), append(runs, l.item.Run)
			encodings, data = append(encodings, l.item.Data.Encoding), append(data, blob(l.item.Data.Data))
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	return []stmt{do("INSERT INTO godwit.items (job, seq, run, encoding, data) SELECT * FROM unnest($1::uuid[], $2::bigint[],"+
		" $3::bigint[], $4::text[], $5::bytea[])", jobs, seqs, runs, encodings, data)}
}

// flushKeys writes idempotency and unique keys, children and cascades.
func (u *unit) flushKeys() []stmt {
	var list []stmt
	for k, e := range u.unique {
		if len(e.let) > 0 {
			list = append(list, do("DELETE FROM godwit.unique_keys WHERE scope = $1 AND key = $2 AND job = ANY($3)", k.Scope, k.Key, uuids(e.let)))
			e.let = nil
		}
		switch {
		case !e.dirty && !e.locked:
		case e.job.IsZero():
			list = append(list, do("DELETE FROM godwit.unique_keys WHERE scope = $1 AND key = $2", k.Scope, k.Key))
			e.locked = false
		case e.dirty:
			list = append(list, do("UPDATE godwit.unique_keys SET job = $3, unstarted = $4 WHERE scope = $1 AND key = $2",
				k.Scope, k.Key, uuid(e.job), u.jobs[e.job].more().While == godwit.UniqueUnstarted))
		}
		e.dirty = false
	}
	for k, e := range u.known {
		switch {
		case !e.dirty && !e.locked:
		case e.job.IsZero():
			list = append(list, do("DELETE FROM godwit.known_keys WHERE scope = $1 AND key = $2", k.Scope, k.Key))
			e.locked = false
		case e.dirty:
			list = append(list, do("UPDATE godwit.known_keys SET job = $3, until = $4 WHERE scope = $1 AND key = $2",
				k.Scope, k.Key, uuid(e.job), e.until))
		}
		e.dirty = false
	}
	return append(append(list, u.flushCascades()...), u.flushChildren()...)
}

func (u *unit) flushCascades() []stmt {
	var list []stmt
	for id, n := range u.cascades {
		if n == nil {
			list = append(list, do("DELETE FROM godwit.cascades WHERE parent = $1", uuid(id)))
			continue
		}
		list = append(list, do("INSERT INTO godwit.cascades (parent, after) VALUES ($1, $2)"+
			" ON CONFLICT (parent) DO UPDATE SET after = excluded.after", uuid(id), uuids([]godwit.ID{n.after})[0]))
	}
	clear(u.cascades)
	return list
}

func (u *unit) flushChildren() []stmt {
	var list []stmt
	var parents, ids []pgtype.UUID
	var epochs []int32
	var detached []bool
	var names []string
	for k, e := range u.children {
		switch {
		case !e.dirty:
			continue
		case e.id.IsZero():
			list = append(list, do("DELETE FROM godwit.children WHERE parent = $1 AND name = $2", uuid(k.parent), k.name))
		default:
			parents, ids, epochs = append(parents, uuid(k.parent)), append(ids, uuid(e.id)), append(epochs, int32(e.epoch))
			detached, names = append(detached, e.detached), append(names, k.name)
		}
		e.dirty = false
	}
	if len(ids) == 0 {
		return list
	}
	return append(list, do("INSERT INTO godwit.children (parent, id, epoch, detached, name) SELECT * FROM unnest($1::uuid[], $2::uuid[],"+
		" $3::integer[], $4::boolean[], $5::text[]) ON CONFLICT (parent, name) DO UPDATE SET id = excluded.id, epoch = excluded.epoch,"+
		" detached = excluded.detached", parents, ids, epochs, detached, names))
}
