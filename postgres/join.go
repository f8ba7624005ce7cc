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

// claim makes the submission and the claim after it; the answer is to be told when their events were. When it fails neither was made, or
// that is not known, and there is no answer to be told any more.
func (j *joined) claim(ctx context.Context, conn *pgxpool.Conn, submission []stmt) (events []godwit.Event, err error) {
	s, c := j.store, j.claiming
	look := s.cursors.start(c.request.Queue, false)
	look.few = true // the jobs of the submission are ahead
	list := c.statements(s, look, false, false)
	err = s.atOnce(ctx, conn, slices.Insert(list, len(list)-1, submission...)...)
	s.cursors.stop(look, c.took(err), c.dead-c.walked, err == nil && c.heads >= int64(c.request.Limit)+claimSlack)
	if err != nil {
		j.err = toError(err)
		j.answer()
		return nil, err
	}
	u := newUnit(source{ctx: ctx, l: pgxLink{conn, s.schema}, lanes: s.lanes.Load()}, s, c.now)
	if j.result, j.err = c.answer(u); j.err != nil {
		j.err = toError(&unknownError{j.err}) // the jobs are claimed; the next heartbeat tells of them
	}
	return u.events, nil
}
