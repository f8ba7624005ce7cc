package postgres

import (
	"context"
	"database/sql"
	"hash/fnv"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Claim hands out ready jobs of a queue.
func (s *Store) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	var answer godwit.ClaimAnswer
	var events []godwit.Event
	err := s.call(ctx, s.conns, func(ctx context.Context, conn *pgxpool.Conn) error {
		c, err := s.claim(ctx, conn, r)
		if err != nil {
			return err
		}
		u := newUnit(source{ctx: ctx, l: pgxLink{conn, s.schema}, lanes: s.lanes}, s, c.now)
		if answer, err = c.answer(u); err != nil {
			return &unknownError{err} // the jobs are claimed; the next heartbeat tells of them
		}
		events = u.events
		return nil
	})
	if err != nil {
		return godwit.ClaimAnswer{}, err
	}
	s.watchers.tell(events)
	return answer, nil
}

// claimsKey is the advisory lock that every claim shares, and that is taken alone by what keeps claims out.
func claimsKey(schema string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("godwit claims " + schema)) // it never fails
	return int64(h.Sum64())
}

// keepClaimsOut waits for the claims under way, and lets no other begin before the unit ends.
func (u *unit) keepClaimsOut() error {
	return u.l.run(u.ctx, do("SELECT pg_advisory_xact_lock($1)", u.store.claimsKey))
}

// claimable are the lanes that a session may claim from: it is live, serves the queue and knows the task, and neither is paused.
const claimable = `l AS MATERIALIZED (
	SELECT DISTINCT l.id FROM godwit.lanes l
	JOIN godwit.capabilities c ON c.session = $1 AND c.task = l.task AND l.version BETWEEN c.min_version AND c.max_version
	WHERE l.queue = $2
	AND EXISTS (SELECT 1 FROM godwit.sessions s WHERE s.id = $1 AND s.lease_until > $3)
	AND EXISTS (SELECT 1 FROM godwit.serves v WHERE v.session = $1 AND v.queue = $2)
	AND NOT EXISTS (SELECT 1 FROM godwit.paused_queues q WHERE q.name = $2)
	AND NOT EXISTS (SELECT 1 FROM godwit.paused_tasks t WHERE t.name = l.task))`

// claimRows takes the first jobs of the claimable lanes. head merges the lanes in the order of claims; taken locks those that
// nobody else has locked, up to the limit. The rows are found again by their ids, so that no plan can go over the whole table. A job
// that ran and came back while the statement was under way is left alone (its run is another): what hangs on it is newer than the
// statement sees.
const claimRows = `WITH ` + claimable + `, head AS MATERIALIZED (
	SELECT h.id, h.rank, h.run_at, h.run FROM l CROSS JOIN LATERAL (
		SELECT p.id, p.rank, p.run_at, p.run FROM godwit.places p WHERE p.place = 2 AND p.lane = l.id
		ORDER BY p.rank, p.run_at, p.id LIMIT $4) h
	ORDER BY h.rank, h.run_at, h.id LIMIT $4
)`

// claimGate waits for those who have locked the first jobs for change, by a lock that does not hinder other claims.
const claimGate = `, gate AS MATERIALIZED (
	SELECT p.id FROM godwit.places p WHERE p.id = ANY (ARRAY(SELECT head.id FROM head)) ORDER BY p.id FOR KEY SHARE
)`

const claimTaken = `, taken AS MATERIALIZED (
	SELECT p.id, p.rank, p.run_at FROM godwit.places p WHERE p.id = ANY (ARRAY(SELECT head.id FROM head)) AND p.place + 0 = 2
	ORDER BY p.rank, p.run_at, p.id LIMIT $5 FOR NO KEY UPDATE `

const claimTakenAfterGate = `, taken AS MATERIALIZED (
	SELECT p.id, p.rank, p.run_at FROM godwit.places p
	WHERE (SELECT count(*) FROM gate) >= 0 AND p.id = ANY (ARRAY(SELECT head.id FROM head)) AND p.place + 0 = 2
	ORDER BY p.rank, p.run_at, p.id LIMIT $5 FOR NO KEY UPDATE `

// claimEnd begins the runs, and looks whether what was passed over is locked by other claims, which take it away. Where it is locked
// for change it may yet stay ready, so the statement fails and the claim waits at the gate.
const claimEnd = `
), claimed AS (
	UPDATE godwit.places p SET place = 3, run = p.run + 1, attempt = p.attempt + 1, session = $1, started_at = $3
	WHERE p.id = ANY (ARRAY(SELECT taken.id FROM taken)) AND (p.id, p.run) IN (SELECT head.id, head.run FROM head) RETURNING p.*
), let AS (
	DELETE FROM godwit.unique_keys k USING claimed WHERE k.job = claimed.id AND k.unstarted
), passed AS MATERIALIZED (
	SELECT h.id FROM head h WHERE h.id NOT IN (SELECT taken.id FROM taken) AND ((SELECT count(*) FROM taken) < $5
	OR (h.rank, h.run_at, h.id) < (SELECT t.rank, t.run_at, t.id FROM taken t ORDER BY t.rank DESC, t.run_at DESC, t.id DESC LIMIT 1))
	ORDER BY h.rank, h.run_at, h.id LIMIT 16
), claims AS MATERIALIZED (
	SELECT p.id FROM godwit.places p WHERE p.id = ANY (ARRAY(SELECT passed.id FROM passed)) FOR KEY SHARE SKIP LOCKED
), quiet AS MATERIALIZED (
	SELECT ((SELECT count(*) FROM passed) = (SELECT count(*) FROM claims))::integer AS yes
)
SELECT 1 / (SELECT quiet.yes FROM quiet), s.lease_until, (SELECT count(*) FROM head), p.id, p.lane, p.run_at, p.deadline, p.run, p.attempt, p.crashes, p.releases, p.retries, p.records,
	p.reported, p.cancel_reason, j.priority, j.max_attempts, j.max_crashes, j.timeout, j.keep_succeeded, j.keep_failed, j.created_at,
	j.extra, j.encoding, j.args, a.code, a.message, a.stack, r.at, r.done, r.total, r.message
FROM godwit.sessions s LEFT JOIN claimed p ON true LEFT JOIN godwit.jobs j ON j.id = p.id
LEFT JOIN LATERAL (SELECT a.code, a.message, a.stack FROM godwit.attempts a
	WHERE p.records > 0 AND a.job = p.id AND a.code IS NOT NULL ORDER BY a.seq DESC LIMIT 1) a ON true
LEFT JOIN godwit.reports r ON p.reported AND r.job = p.id
WHERE s.id = $1 ORDER BY p.rank, p.run_at, p.id`

// claiming is one look for jobs.
type claiming struct {
	request    godwit.ClaimRequest
	now        int64
	leaseUntil int64
	live       bool
	jobs       []*job
	heads      int // ready jobs that were looked at
}

// statements take the first of the ready jobs, in one round trip. gate lets them wait for those who have locked the jobs for change;
// wait for other claims too.
func (c *claiming) statements(s *Store, gate, wait bool) []stmt {
	list := []stmt{
		do("SELECT pg_advisory_xact_lock_shared($1)", s.claimsKey),
		do("SELECT 1 FROM godwit.sessions WHERE id = $1 FOR KEY SHARE", uuid(c.request.Session)),
	}
	sql := claimRows + claimTaken + "SKIP LOCKED" + claimEnd
	switch {
	case wait:
		sql = claimRows + claimTaken + claimEnd
	case gate:
		sql = claimRows + claimGate + claimTakenAfterGate + "SKIP LOCKED" + claimEnd
	}
	limit := max(c.request.Limit, 0)
	return append(list, ask(sql, c.scan, uuid(c.request.Session), c.request.Queue, c.now, limit+claimSlack, limit))
}

// claimSlack is how many more jobs a claim looks at than it may take, in case that others are just taking the first.
const claimSlack = 64

// claim takes jobs. When it gets none though there are some, it looks again and waits for those who have locked them, holding
// nothing itself; so no answer "nothing" comes while a job is ready before and after.
func (s *Store) claim(ctx context.Context, conn *pgxpool.Conn, r godwit.ClaimRequest) (*claiming, error) {
	gate, wait := false, false
	for {
		c := &claiming{request: r, now: s.clock.now()}
		err := s.atOnce(ctx, conn, c.statements(s, gate, wait)...)
		switch {
		case sqlState(err) == "22012":
			gate = true
		case err != nil || len(c.jobs) > 0 || c.heads == 0 || r.Limit <= 0:
			return c, err
		default:
			wait = true
		}
	}
}

// answer makes the answer and the events of a claim.
func (c *claiming) answer(u *unit) (answer godwit.ClaimAnswer, err error) {
	switch {
	case !c.live:
		return godwit.ClaimAnswer{Code: godwit.CodeSessionEnded}, nil
	case c.leaseUntil <= c.now:
		return godwit.ClaimAnswer{Code: godwit.CodeLeaseExpired}, nil
	}
	row := states.Decide(states.OpClaim, states.Place(godwit.StateReady), 0)
	for _, j := range c.jobs {
		if j.lane, err = u.lane(j.laneID); err != nil {
			return answer, err
		}
		u.tell(row.Event, j, "")
		v := j.view()
		v.Progress = j.report.progress
		answer.Jobs = append(answer.Jobs, v)
	}
	// Others were taking some of those that were looked at; behind them there may be more than were.
	answer.More = len(c.jobs) > 0 && (len(c.jobs) == c.request.Limit || c.heads > len(c.jobs))
	return answer, nil
}

func (c *claiming) scan(r scanner) error {
	j := &job{kind: running, stored: running, locked: true, session: c.request.Session, startedAt: c.now}
	var one int
	var lane, attempt, crashes, releases, retries, maxAttempts, maxCrashes sql.NullInt32
	var runAt, deadline, run, records, timeout, keepSucceeded, keepFailed, createdAt sql.NullInt64
	var priority sql.NullInt16
	var reported sql.NullBool
	var reason, text, encoding, message sql.NullString
	var at, done, total sql.NullInt64
	var f failureInto
	dest := []any{
		&one, &c.leaseUntil, &c.heads,
		idInto{&j.id},
		&lane, &runAt, &deadline, &run, &attempt, &crashes, &releases, &retries, &records, &reported,
		&reason, &priority, &maxAttempts, &maxCrashes, &timeout, &keepSucceeded, &keepFailed, &createdAt, &text, &encoding, &j.args.Data,
	}
	dest = append(dest, f.dest()...)
	if err := r.Scan(append(dest, &at, &done, &total, &message)...); err != nil {
		return err
	}
	c.live = true
	if j.id.IsZero() {
		return nil // none was claimed
	}
	j.laneID, j.attempt, j.crashes, j.releases, j.retries = lane.Int32, int(attempt.Int32), int(crashes.Int32), int(releases.Int32), int(retries.Int32)
	j.maxAttempts, j.maxCrashes, j.priority = int(maxAttempts.Int32), int(maxCrashes.Int32), int(priority.Int16)
	j.runAt, j.deadline, j.run, j.records, j.createdAt = runAt.Int64, deadline.Int64, run.Int64, records.Int64, createdAt.Int64
	j.timeout, j.keepSucceeded, j.keepFailed = duration(timeout), duration(keepSucceeded), duration(keepFailed)
	j.reported, j.cancelReason, j.args.Encoding = reported.Bool, reason.String, encoding.String
	j.args, j.failure, j.report = emptyIsNil(j.args), f.failure(), &report{}
	if at.Int64 != 0 {
		j.report.progress = &godwit.Progress{Done: done.Int64, Total: total.Int64, Message: message.String, At: fromMicros(at.Int64)}
	}
	c.jobs = append(c.jobs, j)
	b := body{extra: text}
	return b.addExtra(j)
}
