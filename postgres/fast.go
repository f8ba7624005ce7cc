package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/groupcommit"
)

// Most submissions have neither keys nor parents, and most runs succeed with nobody waiting. Such calls are merged, those of all
// callers that come together, into one transaction of a few statements in one round trip. The statements check what they assume: a
// job that exists already, an id that was pruned, a run that was lost, a job that somebody waits for make one of them fail, the
// transaction is undone, and each call is made by itself in a unit of work, which looks at everything.

// mergeMax is how many items of merged calls make a transaction full: the next call begins another one. A call of more is a
// transaction of its own, beside the others.
const mergeMax = 1000

// fast is one call on its way.
type fast[Q any] struct {
	items []Q
	alone bool  // it has to be made by itself
	err   error // why it was not made
}

// fastDo makes the items of calls in one transaction.
type fastDo[Q any] func(ctx context.Context, conn *pgxpool.Conn, items []Q) (*made, error)

// made is what came of calls that were made together.
type made struct {
	events []godwit.Event
	told   bool   // other processes know, or need not know
	then   func() // to be done when they were told; may be nil
}

// fastLane is a lane of calls of one kind, with the goroutine that makes them.
type fastLane[Q any] struct {
	do    fastDo[Q]
	group *groupcommit.Group
	calls []*fast[Q] // owned by the group's goroutine: of the group under way
}

// newFastLane starts a lane.
func newFastLane[Q any](s *Store, do fastDo[Q]) *fastLane[Q] {
	l := &fastLane[Q]{do: do}
	l.group = groupcommit.New(groupcommit.Config{
		Begin:    func() error { return nil },
		Rollback: func() { l.calls = l.calls[:0] },
		Disk:     func(error) bool { return false },
		Commit: func() error {
			l.commit(s)
			l.calls = nil
			return nil // each call has its own error
		},
	})
	return l
}

// commit carries a group out, in as many transactions as it fills.
func (l *fastLane[Q]) commit(s *Store) {
	for rest := l.calls; len(rest) > 0; {
		n, size := 1, len(rest[0].items)
		for n < len(rest) && size+len(rest[n].items) <= mergeMax {
			size += len(rest[n].items)
			n++
		}
		together(context.Background(), s, rest[:n], l.do)
		rest = rest[n:]
	}
}

// together makes calls in one transaction. When its statements do not find what they assume, the calls are left to themselves.
func together[Q any](ctx context.Context, s *Store, calls []*fast[Q], do fastDo[Q]) {
	items := calls[0].items
	if len(calls) > 1 {
		items = nil
		for _, c := range calls {
			items = append(items, c.items...)
		}
	}
	var done *made
	err := s.persist(ctx, s.conns, func(ctx context.Context, conn *pgxpool.Conn) error {
		var err error
		done, err = do(ctx, conn, items)
		if meets(err) || sqlState(err) == divisionByZero || sqlState(err) == lockNotAvailable {
			err = errUnusual
		}
		return err
	})
	for _, c := range calls {
		c.alone = errors.Is(err, errUnusual)
		if !c.alone {
			c.err = err
		}
	}
	if err != nil {
		return
	}
	s.tell(done.events, done.told)
	if done.then != nil {
		done.then()
	}
}

// call makes a call among others, and reports whether it was made; otherwise it has to be made by itself.
func (l *fastLane[Q]) call(ctx context.Context, s *Store, items []Q) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := s.enter(); err != nil {
		return false, err
	}
	defer s.leave()
	c := &fast[Q]{items: items}
	if len(items) > mergeMax {
		together(ctx, s, []*fast[Q]{c}, l.do)
		return c.made()
	}
	err := l.group.Do(ctx, func() error {
		l.calls = append(l.calls, c)
		return nil
	})
	switch {
	case errors.Is(err, groupcommit.ErrOutcomeUnknown):
		return false, toError(&unknownError{err})
	case err != nil:
		return false, toError(err)
	}
	return c.made()
}

// made reports whether the call was made.
func (c *fast[Q]) made() (bool, error) {
	if c.err != nil {
		return false, toError(c.err)
	}
	return !c.alone, nil
}

// errUnusual says that calls cannot be merged: something is not as their statements assume.
var errUnusual = errors.New("a call is to be made by itself")

// divisionByZero is how a statement says that it does not find what it assumes.
const divisionByZero = "22012"

// plain reports whether submissions can be merged: nothing is to be looked up for them.
func plain(jobs []godwit.NewJob) bool {
	if len(jobs) == 0 {
		return false
	}
	for i := range jobs {
		n := &jobs[i]
		if !n.Parent.Job.IsZero() || n.ChildName != "" || n.Idempotency.Key != "" || n.Unique.Key != "" || !n.Deadline.IsZero() {
			return false
		}
	}
	return true
}

// submission are the statements that make new jobs: they insert what the jobs are and where they stand, and then see that none was
// pruned before.
type submission struct{ bodies, places, unpruned stmt }

// submitPlain makes jobs that are new and have no keys. A claim of this process may join.
func (s *Store) submitPlain(ctx context.Context, conn *pgxpool.Conn, jobs []godwit.NewJob) (*made, error) {
	u := newUnit(source{ctx: ctx, l: pgxLink{conn, s.schema}, lanes: s.lanes.Load()}, s, s.clock.now())
	fresh := make([]*job, len(jobs))
	for i := range jobs {
		fresh[i] = &job{id: jobs[i].ID}
		if err := u.create(fresh[i], &jobs[i], nil, u.firstStart(&jobs[i]), 0); err != nil {
			return nil, err
		}
		u.tell(godwit.EventSubmitted, fresh[i], "")
	}
	slices.SortFunc(fresh, func(a, b *job) int { return a.id.Compare(b.id) })
	c := columnsOf(fresh)
	bodies, err := jobColumns(c)
	if err != nil {
		return nil, err
	}
	inserts := submission{
		bodies: do(insertJobs, bodies...),
		places: do("INSERT INTO godwit.places (id, run_at, lane, place, rank) SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::integer[]),"+
			" unnest($4::smallint[]), unnest($5::smallint[])", c.ids(), c.runAts(), c.lanes(), c.kinds(), c.ranks()),
		unpruned: do("SELECT 1 / (NOT EXISTS (SELECT 1 FROM godwit.pruned WHERE id = ANY($1)))::integer", c.ids()),
	}
	if j := s.joinedBy(fresh); j != nil {
		switch events, err := j.submit(ctx, conn, fresh, inserts); {
		case err == nil:
			s.cursors.fall(fresh)
			return &made{events: append(u.events, events...), told: j.all, then: j.answer}, nil
		case sqlState(err) == "" || conn.Conn().IsClosed() || meets(err) || readOnly(err):
			s.doubt(err, fresh)
			return nil, err
		}
		// The claim, or the submission, did not find what it assumes, or others were in the way, or the server would not have one of the
		// two; it has undone both: the submission is made by itself.
	}
	told, err := s.atOnceTelling(ctx, conn, u.events, do("SELECT "+byIndex), inserts.bodies, inserts.places, inserts.unpruned)
	if err != nil {
		s.doubt(err, fresh)
		return nil, err
	}
	s.cursors.fall(fresh)
	return &made{events: u.events, told: told}, nil
}

// created answers submissions of jobs that are new.
func created(jobs []godwit.NewJob, now int64, err error) ([]godwit.SubmitAnswer, error) {
	if err != nil {
		return nil, err
	}
	answers := make([]godwit.SubmitAnswer, len(jobs))
	for i := range jobs {
		answers[i] = godwit.SubmitAnswer{ID: jobs[i].ID, Created: true, State: godwit.StateReady}
		if startOf(&jobs[i], now) > now {
			answers[i].State = godwit.StateScheduled
		}
	}
	return answers, nil
}

// successes reports whether settlements can be merged: each is a success of a job of its own that reports nothing.
func successes(items []godwit.Settlement) bool {
	if len(items) == 0 {
		return false
	}
	for i := range items {
		r := &items[i].Reported
		if items[i].Outcome != godwit.OutcomeSucceed || items[i].Run < 1 || items[i].Session.IsZero() ||
			r.Progress != nil || len(r.Logs) > 0 || len(r.Items) > 0 {
			return false
		}
	}
	return true
}

// settleSuccesses ends runs and writes their results in one statement. Their unique keys go with them. "p.session = w.session" would say
// that there is a session, and so let the planner walk the index of those that have one, all of it for each run: it does when
// ANALYZE came as few were running, and a settlement of 1000 then takes seconds.
const settleSuccesses = `WITH gone AS (
	DELETE FROM godwit.places p
	USING unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::bytea[]) w (id, run, session, encoding, result)
	WHERE p.id = w.id AND p.run = w.run AND p.session IS NOT DISTINCT FROM w.session AND p.place = 3
	RETURNING p.id, p.run_at, p.deadline, p.run, p.started_at, p.cancel_requested_at, p.records, p.lane, p.attempt, p.crashes,
		p.releases, p.retries, p.reported, w.encoding, w.result
), made AS (
	INSERT INTO godwit.finished (id, finished_at, keep_until, run_at, deadline, run, started_at, cancel_requested_at, records, lane,
		attempt, crashes, releases, retries, state, reported, encoding, result)
	SELECT g.id, $6::bigint, CASE WHEN j.extra IS NULL THEN $6::bigint + j.keep_succeeded / 1000
			ELSE greatest($6::bigint + j.keep_succeeded / 1000, (j.extra::json ->> 'known_until')::bigint) END,
		g.run_at, g.deadline, g.run, g.started_at, g.cancel_requested_at, g.records, g.lane,
		g.attempt, g.crashes, g.releases, g.retries, 5, g.reported, g.encoding, g.result
	FROM gone g CROSS JOIN LATERAL (SELECT j.keep_succeeded, j.extra FROM godwit.jobs j WHERE j.id = g.id LIMIT 1) j RETURNING id, lane, run
), let AS (
	DELETE FROM godwit.unique_keys k WHERE k.job = ANY ($1)
)
SELECT 1 / ((SELECT count(*) FROM made) = cardinality($1::uuid[]))::integer, made.id, made.lane, made.run
FROM (SELECT) one LEFT JOIN made ON true`

// settleSucceeded ends runs that succeeded, of jobs that nobody waits for. The fence is the row of the place: rescue and the end of
// a session take it from the session before the session is gone.
func (s *Store) settleSucceeded(ctx context.Context, conn *pgxpool.Conn, items []godwit.Settlement) (*made, error) {
	items = slices.SortedFunc(slices.Values(items), func(a, b godwit.Settlement) int {
		return cmp.Or(a.Job.Compare(b.Job), cmp.Compare(a.Run, b.Run))
	})
	n := len(items)
	ids, sessions, runs := make(array[pgtype.UUID], n), make(array[pgtype.UUID], n), make(array[int64], n)
	encodings, results := make(array[string], n), make(array[[]byte], n)
	for i := range items {
		ids[i], sessions[i], runs[i] = uuid(items[i].Job), uuid(items[i].Session), items[i].Run
		encodings[i], results[i] = items[i].Result.Encoding, blob(items[i].Result.Data)
	}
	u := newUnit(source{ctx: ctx, l: pgxLink{conn, s.schema}, lanes: s.lanes.Load()}, s, s.clock.now())
	unawaited := do("SELECT 1 / (NOT EXISTS (SELECT 1 FROM godwit.waits WHERE promise = ANY($1)))::integer", ids)
	if s.awaited.Load() { // it is likely to fail once more, and does so before anything is written
		err := pgxLink{conn, s.schema}.run(ctx, unawaited)
		if sqlState(err) == divisionByZero {
			return nil, err
		}
		s.awaited.Store(false)
	}
	var ended []*job
	err := s.atOnce(ctx, conn,
		do("SELECT "+byIndex),
		ask(settleSuccesses, func(r scanner) error {
			j := &job{kind: succeeded}
			var one int
			err := r.Scan(&one, idInto{&j.id}, &j.laneID, &j.run)
			ended = append(ended, j)
			return err
		}, ids, runs, sessions, encodings, results, u.now),
		unawaited)
	s.awaited.Store(sqlState(err) == divisionByZero)
	if err != nil {
		return nil, err
	}
	if len(ended) != n {
		return nil, errors.New("runs were ended that nobody asked for") // the statement excludes it
	}
	for _, j := range ended {
		if j.lane, err = u.lane(j.laneID); err == nil {
			u.tell(godwit.EventSucceeded, j, "")
		}
	}
	return &made{events: u.events}, nil
}
