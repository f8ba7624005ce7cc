package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// joinMax is how many jobs a submission may have for a claim to join it: one of many is better followed by claims of their own, beside it.
const joinMax = 100

// joinSlow is how long a look for jobs may have taken for the next to join a submission, which has to wait for it: over many dead entries,
// which somebody's old snapshot keeps, it is better left to the claimer.
const joinSlow = 100 * time.Millisecond

// briefly keeps a transaction from waiting long for what somebody else has locked, where its calls can be made by themselves.
const briefly = "set_config('lock_timeout', '100ms', true)"

// joiner gives the claim that is to join the submission of n jobs to a queue, and who is told of its answer.
type joiner func(queue string, n int) (godwit.ClaimRequest, func(godwit.ClaimAnswer, error))

// Join lets fn have a claim made with each submission of this Store that is merged with others, in the same transaction.
func (s *Store) Join(fn func(queue string, n int) (godwit.ClaimRequest, func(godwit.ClaimAnswer, error))) (stop func()) {
	one := joiner(fn)
	s.joiners.mu.Lock()
	defer s.joiners.mu.Unlock()
	s.joiners.list = append(s.joiners.list, &one)
	return func() {
		s.joiners.mu.Lock()
		defer s.joiners.mu.Unlock()
		s.joiners.list = slices.DeleteFunc(s.joiners.list, func(j *joiner) bool { return j == &one })
	}
}

// joiners are who may have claims made.
type joiners struct {
	mu   sync.Mutex // held while they are asked, so that one that was stopped is not asked any more
	list []*joiner  // guarded by mu
}

// joined is a claim that joins a submission.
type joined struct {
	store    *Store
	claiming *claiming
	answered func(godwit.ClaimAnswer, error)
	result   godwit.ClaimAnswer
	all      bool // the claim got all jobs of the submission
	err      error
}

// answer tells what came of the claim.
func (j *joined) answer() { j.answered(j.result, j.err) }

// joinedBy asks whether a claim joins the submission of the jobs; nil if none does.
func (s *Store) joinedBy(made []*job) *joined {
	if len(made) > joinMax {
		return nil
	}
	queue := made[0].lane.queue
	for _, j := range made {
		if j.kind != ready || j.lane.queue != queue {
			return nil
		}
	}
	if s.cursors.slow(queue) {
		return nil
	}
	s.joiners.mu.Lock()
	defer s.joiners.mu.Unlock()
	for _, fn := range s.joiners.list {
		if r, answered := (*fn)(queue, len(made)); answered != nil {
			return &joined{store: s, claiming: &claiming{request: r, now: s.clock.now(), joins: true}, answered: answered}
		}
	}
	return nil
}

// tookAll reports whether the claim got all jobs of the submission.
func (j *joined) tookAll(submitted []*job) bool {
	claimed := make(map[godwit.ID]bool, len(j.result.Jobs))
	for i := range j.result.Jobs {
		claimed[j.result.Jobs[i].ID] = true
	}
	return !slices.ContainsFunc(submitted, func(s *job) bool { return !claimed[s.id] })
}

// submit makes the submission and the claim; the answer is to be told when their events were. When it fails neither was made, or that is
// not known, and there is no answer to be told any more.
func (j *joined) submit(ctx context.Context, conn *pgxpool.Conn, jobs []*job, inserts submission) ([]godwit.Event, error) {
	s := j.store
	started, err := j.start(ctx, conn, jobs, inserts)
	if err == nil && !started {
		err = j.claim(ctx, conn, inserts)
	}
	if err != nil {
		j.err = toError(err)
		j.answer()
		return nil, err
	}
	u := newUnit(source{ctx: ctx, l: pgxLink{conn, s.schema}, lanes: s.lanes.Load()}, s, j.claiming.now)
	if j.result, j.err = j.claiming.answer(u); j.err != nil {
		j.err = toError(&unknownError{j.err}) // the jobs are claimed; the next heartbeat tells of them
	}
	j.all = started || j.tookAll(jobs)
	if j.all {
		s.cursors.met(j.claiming.request.Queue, false)
	}
	return u.events, nil
}

// claim makes the claim after the submission.
func (j *joined) claim(ctx context.Context, conn *pgxpool.Conn, inserts submission) error {
	s, c := j.store, j.claiming
	look := s.cursors.start(c.request.Queue, false)
	look.few = true // the jobs of the submission are ahead
	list := c.statements(s, look, false, false)
	err := s.atOnce(ctx, conn, slices.Insert(list, len(list)-1, inserts.bodies, inserts.places, inserts.unpruned)...)
	s.cursors.stop(look, c.took(err), c.dead-c.walked, err == nil && c.heads >= int64(c.request.Limit)+claimSlack)
	return err
}

// insertRunning inserts the places of jobs that are claimed as they are made.
const insertRunning = "INSERT INTO godwit.places (id, run_at, lane, rank, session, started_at, place, run, attempt)" +
	" SELECT unnest($1::uuid[]), unnest($2::bigint[]), unnest($3::integer[]), unnest($4::smallint[]), $5::uuid, $6::bigint, 3, 1, 1"

// aloneReady fails unless a claim would take just the jobs of these lanes: the session may claim from all of them, and nothing is ready
// in any that it may claim from.
const aloneReady = "WITH " + claimable + `
SELECT 1 / (NOT EXISTS (SELECT 1 FROM unnest($4::integer[]) made (lane) WHERE made.lane NOT IN (SELECT l.id FROM l))
	AND NOT EXISTS (SELECT 1 FROM l CROSS JOIN LATERAL (SELECT 1 FROM godwit.places p WHERE p.place = 2 AND p.lane = l.id LIMIT 1) p))::integer`

// start makes the submission and the claim in one: the jobs are written as running, which saves finding them again and writing their
// places twice. It reports whether it did; it does so only where the claim takes just these jobs.
func (j *joined) start(ctx context.Context, conn *pgxpool.Conn, jobs []*job, inserts submission) (bool, error) {
	s, c, columns := j.store, j.claiming, columnsOf(jobs)
	if len(jobs) >= c.request.Limit || !s.cursors.alone(c.request.Queue) {
		return false, nil
	}
	session := uuid(c.request.Session)
	lanes := columns.lanes()
	slices.Sort(lanes)
	err := s.atOnce(ctx, conn,
		do("SELECT "+byIndex+", "+briefly+", pg_advisory_xact_lock_shared($1)", s.claimsKey),
		ask("SELECT lease_until FROM godwit.sessions WHERE id = $1 FOR KEY SHARE", func(r scanner) error {
			return r.Scan(&c.leaseUntil)
		}, session),
		inserts.bodies,
		do(insertRunning, columns.ids(), columns.runAts(), columns.lanes(), columns.ranks(), session, c.now),
		do(aloneReady, session, c.request.Queue, c.now, slices.Compact(lanes)),
		inserts.unpruned)
	if sqlState(err) == divisionByZero {
		s.cursors.met(c.request.Queue, true)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c.live, c.heads = true, int64(len(jobs))
	for _, made := range jobs {
		made.kind, made.run, made.attempt, made.startedAt, made.session = running, 1, 1, c.now, c.request.Session
		v := made.view()
		v.Args = emptyIsNil(made.args)
		c.jobs, c.lanes = append(c.jobs, v), append(c.lanes, made.lane.id)
	}
	return true, nil
}
