package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/godwit-go/godwit"
)

// Submit makes jobs, all or none.
func (s *Store) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	if err := checkBatch(len(jobs)); err != nil {
		return nil, err
	}
	switch {
	case plain(jobs):
		if s.makeLanes(ctx, jobs) != nil {
			break // what hinders it is met again below
		}
		now := s.clock.now()
		if done, err := s.submits.call(ctx, s, jobs); done || err != nil {
			return created(jobs, now, err)
		}
	case len(jobs) == 1:
		if answer, made, err := s.keyed.ask(ctx, s, jobs[0]); made || err != nil {
			return one(answer, err)
		}
	}
	return write(ctx, s, func(u *unit) ([]godwit.SubmitAnswer, error) { return u.submitAll(jobs) })
}

// submitAll submits jobs. When one is refused the unit is to be forgotten with all it was about to write.
func (u *unit) submitAll(jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	if err := u.loadSubmissions(jobs); err != nil {
		return nil, err
	}
	answers := make([]godwit.SubmitAnswer, len(jobs))
	refused := false
	for i := range jobs {
		var err error
		if answers[i], err = u.submit(&jobs[i]); err != nil {
			return nil, err
		}
		refused = refused || answers[i].Code != ""
	}
	if !refused {
		return answers, nil
	}
	u.refused = true
	for i := range answers {
		if answers[i].Code == "" {
			answers[i] = godwit.SubmitAnswer{Code: godwit.CodeBatchRefused}
		}
	}
	return answers, nil
}

// loadSubmissions loads what submissions may meet: their parents, which are locked, jobs with their ids, children with their
// names, and keys.
func (u *unit) loadSubmissions(jobs []godwit.NewJob) error {
	ids := make([]godwit.ID, len(jobs))
	var parents []godwit.Token
	for i := range jobs {
		ids[i] = jobs[i].ID
		if !jobs[i].Parent.Job.IsZero() {
			parents = append(parents, jobs[i].Parent)
		}
	}
	if err := u.loadTokens(parents); err != nil {
		return err
	}
	if err := u.load(ids, peek); err != nil {
		return err
	}
	if err := u.loadChildren(jobs); err != nil {
		return err
	}
	return u.loadKeys(jobs)
}

func refused(code godwit.Code) (godwit.SubmitAnswer, error) {
	return godwit.SubmitAnswer{Code: code}, nil
}

// met answers a submission with the job it meets, or refuses it with code when they differ.
func (u *unit) met(j *job, n *godwit.NewJob, code godwit.Code) godwit.SubmitAnswer {
	if j.fingerprint != n.Fingerprint && (j.lane.task != n.Task || j.lane.version == n.Version) {
		return godwit.SubmitAnswer{Code: code}
	}
	return godwit.SubmitAnswer{ID: j.id, State: u.glimpse(j)}
}

func (u *unit) submit(n *godwit.NewJob) (godwit.SubmitAnswer, error) {
	j, err := u.get(n.ID)
	switch {
	case err != nil:
		return godwit.SubmitAnswer{}, err
	case j.kind == pruned:
		return refused(godwit.CodeExpired)
	case j.kind != none:
		return u.met(j, n, godwit.CodeIDConflict), nil
	}
	runAt := u.firstStart(n)
	var parent *job
	if !n.Parent.Job.IsZero() {
		var answer godwit.SubmitAnswer
		if answer, parent, err = u.submitChild(n); err != nil || parent == nil {
			return answer, err
		}
	}
	if answer, found, err := u.meetKeys(n); found || err != nil {
		return answer, err
	}
	deadline := micros(n.Deadline)
	if deadline != 0 && deadline <= runAt {
		return godwit.SubmitAnswer{Code: godwit.CodeInvalid, Field: "deadline"}, nil
	}
	if err := u.create(j, n, parent, runAt, deadline); err != nil {
		return godwit.SubmitAnswer{}, err
	}
	u.tell(godwit.EventSubmitted, j, "")
	return godwit.SubmitAnswer{ID: n.ID, Created: true, State: j.kind.state()}, nil
}

// firstStart is when the job may first run.
func (u *unit) firstStart(n *godwit.NewJob) int64 { return startOf(n, u.now) }

func startOf(n *godwit.NewJob, now int64) int64 {
	runAt := micros(n.RunAt)
	if runAt == 0 {
		runAt = after(now, n.Delay)
	}
	return max(runAt, now)
}

// submitChild answers for a child that may not or need not be made; a parent means that it is to be made.
func (u *unit) submitChild(n *godwit.NewJob) (godwit.SubmitAnswer, *job, error) {
	refuse := func(c godwit.Code) (godwit.SubmitAnswer, *job, error) {
		return godwit.SubmitAnswer{Code: c}, nil, nil
	}
	if !u.sessions[n.Parent.Session] {
		return refuse(godwit.CodeSessionEnded)
	}
	parent, err := u.get(n.Parent.Job)
	switch {
	case err != nil:
		return godwit.SubmitAnswer{}, nil, err
	case !parent.heldBy(n.Parent):
		return refuse(godwit.CodeStaleRun)
	case parent.cancelRequestedAt != 0:
		return refuse(godwit.CodeCancelRequested)
	case parent.more().Depth+1 > godwit.DepthMax:
		return refuse(godwit.CodeTooDeep)
	}
	entry := u.children[childKey{parent.id, n.ChildName}]
	if entry.id.IsZero() {
		return godwit.SubmitAnswer{}, parent, nil
	}
	j, err := u.get(entry.id)
	if err != nil {
		return godwit.SubmitAnswer{}, nil, err
	}
	if j.kind == none || j.kind == pruned {
		return godwit.SubmitAnswer{}, nil, errAgain // it cannot be: a child stays as long as its parent has not succeeded
	}
	if (j.kind == failed || j.kind == cancelled) && entry.epoch < parent.retries {
		if j.lane.task != n.Task {
			return refuse(godwit.CodeChildMismatch)
		}
		answer, err := u.reopen(j, n)
		if answer.Code == "" {
			entry.epoch, entry.dirty = parent.retries, true
		}
		return answer, nil, err
	}
	answer := u.met(j, n, godwit.CodeChildMismatch)
	if u.merged && u.glimpsed {
		return answer, nil, nil // the call is made by itself, and until then the child may end
	}
	if answer.Code == "" && entry.epoch != parent.retries && j.cancelRequestedAt == 0 {
		entry.epoch, entry.dirty = parent.retries, true
	}
	return answer, nil, nil
}

// reopen makes a child ready anew that ended unhappily before its parent was retried by hand.
func (u *unit) reopen(j *job, n *godwit.NewJob) (godwit.SubmitAnswer, error) {
	if err := u.load([]godwit.ID{j.id}, lockOthers); err != nil {
		return godwit.SubmitAnswer{}, err
	}
	answer, err := u.retryByHand(godwit.RetryRequest{ID: j.id, Args: &n.Args, Version: n.Version})
	if err != nil || answer.Code != "" {
		return godwit.SubmitAnswer{Code: answer.Code}, err
	}
	j.fingerprint, j.body = n.Fingerprint, true
	return godwit.SubmitAnswer{ID: j.id, Reopened: true, State: j.kind.state()}, nil
}

// meetKeys answers a submission whose idempotency or unique key stands for a job already.
func (u *unit) meetKeys(n *godwit.NewJob) (godwit.SubmitAnswer, bool, error) {
	if n.Idempotency.Key != "" {
		e := u.known[key{n.Idempotency.Scope, n.Idempotency.Key}]
		if !e.job.IsZero() && e.until > u.now {
			j, err := u.get(e.job)
			if err != nil {
				return godwit.SubmitAnswer{}, true, err
			}
			if j.kind == none || j.kind == pruned {
				return godwit.SubmitAnswer{}, true, errAgain // it was pruned after the key was read
			}
			return u.met(j, n, godwit.CodeIdempotency), true, nil
		}
	}
	if n.Unique.Key == "" {
		return godwit.SubmitAnswer{}, false, nil
	}
	e := u.unique[key{n.Unique.Scope, n.Unique.Key}]
	switch {
	case e.job.IsZero():
		return godwit.SubmitAnswer{}, false, nil
	case n.Unique.OnClash == godwit.ClashRefuse:
		return godwit.SubmitAnswer{Code: godwit.CodeUniqueConflict}, true, nil
	}
	u.glimpsed = u.glimpsed || !e.locked && !e.dirty
	return godwit.SubmitAnswer{ID: e.job, State: e.state}, true, nil
}

// create fills in a job that is new.
func (u *unit) create(j *job, n *godwit.NewJob, parent *job, runAt, deadline int64) error {
	l, err := u.laneOf(laneName{n.Queue, n.Task, n.Version})
	if err != nil {
		return err
	}
	j.kind, j.lane = ready, l
	if runAt > u.now {
		j.kind = scheduled
	}
	j.priority, j.maxAttempts, j.maxCrashes = n.Priority, n.MaxAttempts, n.MaxCrashes
	j.timeout, j.keepSucceeded, j.keepFailed = n.Timeout, n.KeepSucceeded, n.KeepFailed
	j.createdAt, j.fingerprint, j.args = u.now, n.Fingerprint, n.Args
	j.runAt, j.deadline, j.dirty = runAt, deadline, true
	if parent == nil && len(n.Tags) == 0 && len(n.Headers) == 0 && n.Idempotency.Key == "" && n.Unique.Key == "" &&
		n.ChildName == "" && !n.Detached {
		return nil
	}
	return u.createExtra(j, n, parent)
}

// createExtra fills in what few jobs have, and takes the keys.
func (u *unit) createExtra(j *job, n *godwit.NewJob, parent *job) error {
	x := &extra{
		Tags: slices.Clone(n.Tags), Headers: maps.Clone(n.Headers), Parent: n.Parent.Job, ChildName: n.ChildName, Detached: n.Detached,
		Idempotency: key{n.Idempotency.Scope, n.Idempotency.Key}, Unique: key{n.Unique.Scope, n.Unique.Key}, While: n.Unique.While,
	}
	j.extra = x
	if parent != nil {
		x.Depth = parent.more().Depth + 1
		u.children[childKey{parent.id, n.ChildName}] = &child{id: j.id, detached: n.Detached, epoch: parent.retries, dirty: true}
	}
	if x.Idempotency.Key != "" {
		x.KnownUntil = after(u.now, n.Idempotency.For)
		e := u.known[x.Idempotency]
		e.job, e.until, e.dirty = j.id, x.KnownUntil, true
	}
	if x.Unique.Key != "" {
		e := u.unique[x.Unique]
		e.job, e.state, e.dirty = j.id, j.kind.state(), true
	}
	return nil
}
