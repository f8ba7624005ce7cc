package postgres

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
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
		u := newUnit(source{ctx: ctx, l: pgxLink{conn, s.schema}, lanes: s.lanes.Load()}, s, c.now)
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

// claimHead merges the claimable lanes in the order of claims, each row with its address in the table, so that no index is walked to
// find it again.
const claimHead = `WITH ` + claimable + `, head AS MATERIALIZED (
	SELECT h.* FROM l CROSS JOIN LATERAL (
		SELECT p.ctid AS tid, p.id, p.rank, p.run_at FROM godwit.places p WHERE p.place = 2 AND p.lane = l.id
		ORDER BY p.rank, p.run_at, p.id LIMIT $4) h
	ORDER BY h.rank, h.run_at, h.id LIMIT $4
)`

// claimResumed is claimHead for a claim that goes on where others have stopped. Unless there is as much as it has to find, nothing is
// taken: another claim then looks from the beginning.
const claimResumed = `WITH ` + claimable + `, spans AS MATERIALIZED (
	SELECT l.id AS lane, coalesce(s.low, -32768)::smallint AS low, coalesce(s.high, 32767)::smallint AS high,
		coalesce(s.run_at, -9223372036854775808) AS run_at, coalesce(s.id, '00000000-0000-0000-0000-000000000000') AS id
	FROM l LEFT JOIN unnest($6::integer[], $7::integer[], $8::integer[], $9::bigint[], $10::uuid[]) s (lane, low, high, run_at, id)
		ON s.lane = l.id
), ahead AS MATERIALIZED (
	SELECT h.* FROM spans s CROSS JOIN LATERAL (
		SELECT p.ctid AS tid, p.id, p.rank, p.run_at FROM godwit.places p WHERE p.place = 2 AND p.lane = s.lane
		AND (p.rank, p.run_at, p.id) >= (s.low, s.run_at, s.id) AND p.rank <= s.high
		ORDER BY p.rank, p.run_at, p.id LIMIT $4) h
	ORDER BY h.rank, h.run_at, h.id LIMIT $4
), head AS MATERIALIZED (
	SELECT ahead.* FROM ahead WHERE (SELECT count(*) FROM ahead) >= $11
)`

// claimGate waits for those who have locked the first jobs for change, by a lock that does not hinder other claims.
const claimGate = `, gate AS MATERIALIZED (
	SELECT p.id FROM godwit.places p WHERE p.id = ANY (ARRAY(SELECT head.id FROM head)) ORDER BY p.id FOR KEY SHARE
)`

// claimTaken locks those of the first jobs that nobody else has locked, up to the limit.
const (
	claimTaken = `, taken AS MATERIALIZED (
	SELECT p.ctid AS tid, p.id, p.rank, p.run_at FROM godwit.places p WHERE p.ctid = ANY (ARRAY(SELECT head.tid FROM head))`
	claimAfterGate = ` AND (SELECT count(*) FROM gate) >= 0`
	claimLock      = ` AND p.place + 0 = 2 ORDER BY p.rank, p.run_at, p.id LIMIT $5 FOR NO KEY UPDATE `
)

// claimEnd begins the runs, and looks whether what was passed over is locked by other claims, which take it away. Where it is locked
// for change it may yet stay ready, so the statement fails and the claim waits at the gate. It fails too when a job that it has locked
// ran and came back while the statement was under way: what hangs on that job is newer than the statement sees.
const claimEnd = claimBegin + ` AND (SELECT count(*) FROM passed) = (SELECT count(*) FROM claims)` + claimRead

const claimBegin = `
), claimed AS (
	UPDATE godwit.places p SET place = 3, run = p.run + 1, attempt = p.attempt + 1, session = $1, started_at = $3
	WHERE p.ctid = ANY (ARRAY(SELECT taken.tid FROM taken)) RETURNING p.id, p.lane, p.run_at, p.deadline, p.run, p.attempt, p.crashes,
		p.releases, p.retries, p.records, p.reported
), let AS (
	DELETE FROM godwit.unique_keys k WHERE k.job = ANY (ARRAY(SELECT claimed.id FROM claimed)) AND k.unstarted
), passed AS MATERIALIZED (
	SELECT h.id FROM head h WHERE h.id NOT IN (SELECT taken.id FROM taken) AND ((SELECT count(*) FROM taken) < $5
	OR (h.rank, h.run_at, h.id) < (SELECT t.rank, t.run_at, t.id FROM taken t ORDER BY t.rank DESC, t.run_at DESC, t.id DESC LIMIT 1))
	LIMIT 16
), claims AS MATERIALIZED (
	SELECT p.id FROM godwit.places p WHERE p.id = ANY (ARRAY(SELECT passed.id FROM passed)) FOR KEY SHARE SKIP LOCKED
), quiet AS MATERIALIZED (
	SELECT ((SELECT count(*) FROM taken) = (SELECT count(*) FROM claimed)`

const claimRead = `)::integer AS yes
)
SELECT 1 / (SELECT quiet.yes FROM quiet), s.lease_until, (SELECT count(*) FROM head),
	` + readyWalked + ` - (SELECT count(*) FROM l) * $4, p.id, p.lane, p.run_at, p.deadline, p.run, p.attempt,
	p.crashes, p.releases, p.retries, j.priority, j.max_attempts, j.max_crashes, j.timeout, j.keep_succeeded, j.keep_failed, j.created_at,
	j.extra, j.encoding, j.args, a.code, a.message, a.stack, r.at, r.done, r.total, r.message
FROM godwit.sessions s LEFT JOIN claimed p ON true
LEFT JOIN LATERAL (SELECT j.* FROM godwit.jobs j WHERE j.id = p.id LIMIT 1) j ON true
LEFT JOIN LATERAL (SELECT a.code, a.message, a.stack FROM godwit.attempts a
	WHERE p.records > 0 AND a.job = p.id AND a.code IS NOT NULL ORDER BY a.seq DESC LIMIT 1) a ON true
LEFT JOIN LATERAL (SELECT r.at, r.done, r.total, r.message FROM godwit.reports r WHERE p.reported AND r.job = p.id LIMIT 1) r ON true
WHERE s.id = $1`

// readyWalked is how many entries of the index of ready jobs were walked over in this session of the server, dead ones among them, since its
// statistics were handed on, which does not happen amid a transaction.
const readyWalked = `pg_stat_get_xact_tuples_returned('godwit.places_ready'::regclass)`

// claiming is one look for jobs.
type claiming struct {
	request    godwit.ClaimRequest
	now        int64
	leaseUntil int64
	live       bool
	jobs       []godwit.Job // without what their lanes say
	lanes      []int32      // of the jobs
	heads      int64        // ready jobs that were looked at
	walked     int64        // what readyWalked says before the look
	dead       int64        // what it says after it, without the entries of those that were looked at
	passing    bool         // over what is locked
	joins      bool         // a submission, which must not wait for it
	row        claimRow
}

// statements take the first of the ready jobs that are looked at, in one round trip. gate lets them wait for those who have locked the
// jobs for change; wait for other claims too.
func (c *claiming) statements(s *Store, look *claimLook, gate, wait bool) []stmt {
	opening := "SELECT " + byIndex
	if c.joins {
		opening += ", " + briefly
	}
	list := []stmt{
		do(opening+", pg_advisory_xact_lock_shared($1)", s.claimsKey),
		ask("SELECT "+readyWalked+" FROM godwit.sessions WHERE id = $1 FOR KEY SHARE", func(r scanner) error {
			return r.Scan(&c.walked)
		}, uuid(c.request.Session)),
	}
	limit := max(c.request.Limit, 0)
	args := []any{uuid(c.request.Session), c.request.Queue, c.now, limit + claimSlack, limit}
	sql := claimHead + claimTaken + claimLock + "SKIP LOCKED" + claimEnd
	if (gate || wait) && !c.passing {
		list = append(list, do(waitBriefly))
	}
	switch {
	case c.passing:
		sql = claimPassing
	case wait:
		sql = claimHead + claimTaken + claimLock + claimEnd
	case gate:
		sql = claimHead + claimGate + claimTaken + claimAfterGate + claimLock + "SKIP LOCKED" + claimEnd
	case !look.whole:
		sql = claimResumed + claimTaken + claimLock + "SKIP LOCKED" + claimEnd
		least := limit + claimSlack
		if look.few {
			least = 1
		}
		args = append(args, look.spans.lanes, look.spans.from, look.spans.to, look.spans.runAts, look.spans.ids, least)
	}
	return append(list, ask(sql, c.scan, args...))
}

// claimSlack is how many more jobs a claim looks at than it may take, in case that others are just taking the first.
const claimSlack = 64

// claim takes jobs. When it gets none though there are some, it looks again and waits for those who have locked them, holding
// nothing itself; so no answer "nothing" comes while a job is ready before and after, unless somebody keeps it locked for long.
func (s *Store) claim(ctx context.Context, conn *pgxpool.Conn, r godwit.ClaimRequest) (*claiming, error) {
	whole, gate, wait := r.Limit <= 0, false, false
	for {
		look := s.cursors.start(r.Queue, whole)
		c := &claiming{request: r, now: s.clock.now(), passing: (gate || wait) && s.locked.has(r.Queue)}
		err := s.atOnce(ctx, conn, c.statements(s, look, gate, wait)...)
		s.cursors.stop(look, c.took(err), c.dead-c.walked, err == nil && c.heads >= int64(r.Limit)+claimSlack)
		switch {
		case sqlState(err) == "22012":
			gate = true
		case sqlState(err) == lockNotAvailable && (gate || wait) && !c.passing:
			s.locked.note(r.Queue)
		case err != nil || len(c.jobs) > 0 || r.Limit <= 0 || c.passing:
			return c, err
		case c.heads > 0:
			wait = true
		case look.whole:
			return c, nil
		}
		whole = true
	}
}

// took gives the last job that was taken in each lane and rank, none if the claim failed: jobs may have been read before its commit did.
func (c *claiming) took(err error) map[file]point {
	last := map[file]point{}
	if err != nil {
		return last
	}
	for i := range c.jobs {
		j := &c.jobs[i]
		f, p := file{c.lanes[i], int16(-j.Priority)}, point{j.RunAt.UnixMicro(), j.ID}
		if old, ok := last[f]; !ok || old.compare(p) < 0 {
			last[f] = p
		}
	}
	return last
}

// answer makes the answer and the events of a claim.
func (c *claiming) answer(u *unit) (answer godwit.ClaimAnswer, err error) {
	switch {
	case !c.live:
		return godwit.ClaimAnswer{Code: godwit.CodeSessionEnded}, nil
	case c.leaseUntil <= c.now:
		return godwit.ClaimAnswer{Code: godwit.CodeLeaseExpired}, nil
	}
	for i := range c.jobs {
		l, err := u.lane(c.lanes[i])
		if err != nil {
			return answer, err
		}
		j := &c.jobs[i]
		j.Task, j.Version, j.Queue = l.task, l.version, l.queue
	}
	slices.SortFunc(c.jobs, func(a, b godwit.Job) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.RunAt.Compare(b.RunAt), a.ID.Compare(b.ID))
	})
	event := states.Decide(states.OpClaim, states.Place(godwit.StateReady), 0).Event
	u.events = make([]godwit.Event, len(c.jobs))
	for i := range c.jobs {
		j := &c.jobs[i]
		u.events[i] = godwit.Event{Kind: event, At: j.StartedAt, Job: j.ID, Task: j.Task, Queue: j.Queue, State: j.State, Run: j.Run}
	}
	answer.Jobs = c.jobs
	// Others were taking some of those that were looked at; behind them there may be more than were.
	answer.More = len(c.jobs) > 0 && (len(c.jobs) == c.request.Limit || c.heads > int64(len(c.jobs)))
	return answer, nil
}

// claimRow is what a row of a claim is read into. Where a session claims nothing, everything about a job is NULL.
type claimRow struct {
	one                                       int32
	id                                        godwit.ID
	lane, attempt, crashes, releases, retries pgtype.Int4
	runAt, deadline, run, createdAt           pgtype.Int8
	priority                                  pgtype.Int2
	maxAttempts, maxCrashes                   pgtype.Int4
	timeout, keepSucceeded, keepFailed        pgtype.Int8
	encoding                                  encoding
	extra                                     pgtype.Text
	args                                      []byte
	failure                                   failureInto
	progressAt, progressDone, progressTotal   pgtype.Int8
	message                                   pgtype.Text
	dest                                      []any
}

// into gives where the columns are read into, the same for every row.
func (c *claiming) into() []any {
	w := &c.row
	if w.dest == nil {
		w.dest = []any{
			&w.one, &c.leaseUntil, &c.heads, &c.dead,
			idInto{&w.id},
			&w.lane, &w.runAt, &w.deadline, &w.run, &w.attempt, &w.crashes, &w.releases, &w.retries,
			&w.priority, &w.maxAttempts, &w.maxCrashes, &w.timeout, &w.keepSucceeded, &w.keepFailed, &w.createdAt, &w.extra, &w.encoding, &w.args,
		}
		w.dest = append(append(w.dest, w.failure.dest()...), &w.progressAt, &w.progressDone, &w.progressTotal, &w.message)
	}
	return w.dest
}

func (c *claiming) scan(r scanner) error {
	w := &c.row
	w.args = nil // the bytes of the row before belong to its job
	if err := r.Scan(c.into()...); err != nil {
		return err
	}
	c.live = true
	if w.id.IsZero() {
		return nil // none was claimed
	}
	if c.jobs == nil {
		n := min(c.heads, int64(c.request.Limit))
		c.jobs, c.lanes = make([]godwit.Job, 0, n), make([]int32, 0, n)
	}
	c.lanes = append(c.lanes, w.lane.Int32)
	c.jobs = append(c.jobs, godwit.Job{
		ID: w.id, State: godwit.StateRunning, Priority: int(w.priority.Int16), Attempt: int(w.attempt.Int32), MaxAttempts: int(w.maxAttempts.Int32),
		Run: w.run.Int64, Crashes: int(w.crashes.Int32), MaxCrashes: int(w.maxCrashes.Int32), Releases: int(w.releases.Int32),
		Retries: int(w.retries.Int32), Args: emptyIsNil(godwit.Payload{Encoding: string(w.encoding), Data: w.args}),
		Timeout: duration(w.timeout), KeepSucceeded: duration(w.keepSucceeded), KeepFailed: duration(w.keepFailed), Failure: w.failure.failure(),
		CreatedAt: fromMicros(w.createdAt.Int64), RunAt: fromMicros(w.runAt.Int64), StartedAt: fromMicros(c.now), Deadline: fromMicros(w.deadline.Int64),
		Session: c.request.Session,
	})
	j := &c.jobs[len(c.jobs)-1]
	if w.progressAt.Int64 != 0 {
		j.Progress = &godwit.Progress{
			Done: w.progressDone.Int64, Total: w.progressTotal.Int64, Message: w.message.String, At: fromMicros(w.progressAt.Int64),
		}
	}
	if !w.extra.Valid {
		return nil
	}
	x, err := decodeExtra(w.extra.String)
	if err != nil {
		return fmt.Errorf("read what belongs to job %s: %w", w.id, err)
	}
	x.show(j)
	return nil
}
