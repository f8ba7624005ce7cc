package postgres

import (
	"context"
	"database/sql"
	"hash/fnv"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// Claim hands out ready jobs of a queue.
func (s *Store) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	return write(ctx, s, func(u *unit) (godwit.ClaimAnswer, error) { return u.claim(r) })
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
// nobody else has locked, up to the limit. The rows are found again by their ids, so that no plan can go over the whole table.
const claimRows = `WITH ` + claimable + `, head AS MATERIALIZED (
	SELECT h.id, h.rank, h.run_at FROM l CROSS JOIN LATERAL (
		SELECT p.id, p.rank, p.run_at FROM godwit.places p WHERE p.place = 2 AND p.lane = l.id
		ORDER BY p.rank, p.run_at, p.id LIMIT $4) h
	ORDER BY h.rank, h.run_at, h.id LIMIT $4
), taken AS MATERIALIZED (
	SELECT p.id FROM godwit.places p WHERE p.id = ANY (ARRAY(SELECT head.id FROM head)) AND p.place = 2
	ORDER BY p.rank, p.run_at, p.id LIMIT $5 FOR NO KEY UPDATE `

const claimEnd = `
), claimed AS (
	UPDATE godwit.places p SET place = 3, run = p.run + 1, attempt = p.attempt + 1, session = $1, started_at = $3
	WHERE p.id = ANY (ARRAY(SELECT taken.id FROM taken)) RETURNING p.*
)
SELECT head.id, p.id IS NOT NULL, p.lane, p.run_at, p.deadline, p.run, p.attempt, p.crashes, p.releases, p.retries, p.records,
	p.reported, p.cancel_reason, j.priority, j.max_attempts, j.max_crashes, j.timeout, j.keep_succeeded, j.keep_failed, j.created_at,
	j.extra, j.encoding, j.args
FROM head LEFT JOIN claimed p ON p.id = head.id LEFT JOIN godwit.jobs j ON j.id = p.id
ORDER BY head.rank, head.run_at, head.id`

// claiming is a claim under way.
type claiming struct {
	*unit
	request godwit.ClaimRequest
	jobs    []*job
	passed  int // rows of the last look that others had locked
	over    bool
}

func (u *unit) claim(r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	var answer godwit.ClaimAnswer
	c := &claiming{unit: u, request: r}
	leaseUntil, live := int64(0), false
	first := []stmt{
		do("SELECT pg_advisory_xact_lock_shared($1)", u.store.claimsKey),
		ask("SELECT lease_until FROM godwit.sessions WHERE id = $1 FOR KEY SHARE", func(row scanner) error {
			live = true
			return row.Scan(&leaseUntil)
		}, uuid(r.Session)),
	}
	if r.Limit > 0 {
		first = append(first, c.look(r.Limit, true))
	}
	err := u.l.run(u.ctx, first...)
	switch {
	case err != nil:
		return answer, err
	case !live:
		answer.Code = godwit.CodeSessionEnded
		return answer, nil
	case leaseUntil <= u.now:
		answer.Code = godwit.CodeLeaseExpired
		return answer, nil
	}
	if err := c.lookFurther(); err != nil {
		return answer, err
	}
	answer.Jobs, err = c.hand()
	answer.More = len(answer.Jobs) > 0 && len(answer.Jobs) == r.Limit
	return answer, err
}

// look makes the statement that takes what is still missing, from the first n of the ready jobs.
func (c *claiming) look(n int, skip bool) stmt {
	missing := c.request.Limit - len(c.jobs)
	lock := ""
	if skip {
		lock = "SKIP LOCKED"
	}
	c.passed, c.over = 0, true
	seen := 0
	return ask(claimRows+lock+claimEnd, func(r scanner) error {
		seen++
		c.over = seen < n
		return c.scan(r)
	}, uuid(c.request.Session), c.request.Queue, c.now, n, missing)
}

// lookFurther looks beyond what others have locked. When they have locked all there is, it waits for them, holding nothing
// itself: they mostly take it away, but may yet leave it.
func (c *claiming) lookFurther() error {
	for len(c.jobs) < c.request.Limit && c.passed > 0 {
		n := c.passed + 2*(c.request.Limit-len(c.jobs))
		if c.over && len(c.jobs) > 0 {
			return nil
		}
		if err := c.l.run(c.ctx, c.look(n, !c.over)); err != nil {
			return err
		}
	}
	return nil
}

func (c *claiming) scan(r scanner) error {
	j := &job{kind: running, stored: running, locked: true, session: c.request.Session, startedAt: c.now}
	var taken bool
	var lane, attempt, crashes, releases, retries, maxAttempts, maxCrashes sql.NullInt32
	var runAt, deadline, run, records, timeout, keepSucceeded, keepFailed, createdAt sql.NullInt64
	var priority sql.NullInt16
	var reported sql.NullBool
	var reason, text, encoding sql.NullString
	err := r.Scan(idInto{&j.id}, &taken, &lane, &runAt, &deadline, &run, &attempt, &crashes, &releases, &retries, &records, &reported,
		&reason, &priority, &maxAttempts, &maxCrashes, &timeout, &keepSucceeded, &keepFailed, &createdAt, &text, &encoding, &j.args.Data)
	if err != nil {
		return err
	}
	if !taken {
		c.passed++
		return nil
	}
	j.laneID, j.attempt, j.crashes, j.releases, j.retries = lane.Int32, int(attempt.Int32), int(crashes.Int32), int(releases.Int32), int(retries.Int32)
	j.maxAttempts, j.maxCrashes, j.priority = int(maxAttempts.Int32), int(maxCrashes.Int32), int(priority.Int16)
	j.runAt, j.deadline, j.run, j.records, j.createdAt = runAt.Int64, deadline.Int64, run.Int64, records.Int64, createdAt.Int64
	j.timeout, j.keepSucceeded, j.keepFailed = duration(timeout), duration(keepSucceeded), duration(keepFailed)
	j.reported, j.cancelReason, j.args.Encoding = reported.Bool, reason.String, encoding.String
	j.args = emptyIsNil(j.args)
	c.jobs = append(c.jobs, j)
	b := body{extra: text}
	return b.addExtra(j)
}

// hand tells of the jobs that were taken, lets their keys go that are held until the first start, and shows them.
func (c *claiming) hand() ([]godwit.Job, error) {
	if len(c.jobs) == 0 {
		return nil, nil
	}
	row := states.Decide(states.OpClaim, states.Place(godwit.StateReady), 0)
	var started []godwit.ID
	for _, j := range c.jobs {
		var err error
		if j.lane, err = c.lane(j.laneID); err != nil {
			return nil, err
		}
		c.tell(row.Event, j, "")
		if x := j.more(); x.While == godwit.UniqueUnstarted && x.Unique.Key != "" {
			started = append(started, j.id)
		}
	}
	if len(started) > 0 {
		if err := c.l.run(c.ctx, do("DELETE FROM godwit.unique_keys WHERE job = ANY($1)", uuids(started))); err != nil {
			return nil, err
		}
	}
	return c.shown(c.jobs)
}
