package model

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

func batchTooLarge(n int) error {
	return &godwit.Error{
		Code: godwit.CodeTooLarge, Field: "batch",
		Message: fmt.Sprintf("must hold at most %d items, got %d (send several batches)", godwit.BatchMax, n),
	}
}

// Submit makes jobs, all or none.
func (s *Store) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	if len(jobs) > godwit.BatchMax {
		return nil, batchTooLarge(len(jobs))
	}
	return do(ctx, s, func(w *world, now time.Time) []godwit.SubmitAnswer {
		w.undo = nil
		answers := make([]godwit.SubmitAnswer, len(jobs))
		refused := false
		for i := range jobs {
			answers[i] = w.submit(&jobs[i], now)
			refused = refused || answers[i].Code != ""
		}
		if !refused {
			return answers
		}
		for _, undo := range slices.Backward(w.undo) {
			undo()
		}
		w.events = nil
		for i := range answers {
			if answers[i].Code == "" {
				answers[i] = godwit.SubmitAnswer{Code: godwit.CodeBatchRefused}
			}
		}
		return answers
	})
}

func (w *world) submit(n *godwit.NewJob, now time.Time) godwit.SubmitAnswer {
	if _, pruned := w.pruned[n.ID]; pruned {
		return godwit.SubmitAnswer{Code: godwit.CodeExpired}
	}
	if j, ok := w.jobs[n.ID]; ok {
		return met(j, n, godwit.CodeIDConflict)
	}
	runAt := start(n, now)
	depth := 0
	if !n.Parent.Job.IsZero() {
		answer, parent := w.submitChild(n, now)
		if parent == nil || answer != (godwit.SubmitAnswer{}) {
			return answer
		}
		depth = parent.view.Depth + 1
	}
	idem := key{n.Idempotency.Scope, n.Idempotency.Key}
	if k, ok := w.known[idem]; ok && idem.key != "" && k.until.After(now) {
		return met(w.jobs[k.job], n, godwit.CodeIdempotency)
	}
	uniq := key{n.Unique.Scope, n.Unique.Key}
	if id, ok := w.unique[uniq]; ok && uniq.key != "" {
		if n.Unique.OnClash == godwit.ClashRefuse {
			return godwit.SubmitAnswer{Code: godwit.CodeUniqueConflict}
		}
		return godwit.SubmitAnswer{ID: id, State: w.jobs[id].view.State}
	}
	deadline := n.Deadline.UTC().Truncate(time.Microsecond)
	if !n.Deadline.IsZero() && !deadline.After(runAt) {
		return godwit.SubmitAnswer{Code: godwit.CodeInvalid, Field: "deadline"}
	}
	j := w.create(n, now, runAt, deadline, depth)
	w.tell(godwit.EventSubmitted, now, j, "")
	return godwit.SubmitAnswer{ID: n.ID, Created: true, State: j.view.State}
}

// start is when the job may first run.
func start(n *godwit.NewJob, now time.Time) time.Time {
	runAt := n.RunAt.UTC().Truncate(time.Microsecond)
	if n.RunAt.IsZero() {
		runAt = now.Add(n.Delay).Truncate(time.Microsecond)
	}
	if runAt.Before(now) {
		return now
	}
	return runAt
}

// met answers a submission with the job it meets, or refuses it with code when they differ.
func met(j *job, n *godwit.NewJob, code godwit.Code) godwit.SubmitAnswer {
	if j.fingerprint != n.Fingerprint && (j.view.Task != n.Task || j.view.Version == n.Version) {
		return godwit.SubmitAnswer{Code: code}
	}
	return godwit.SubmitAnswer{ID: j.view.ID, State: j.view.State}
}

// submitChild answers for a child that may not or need not be made; an empty answer and the parent mean that it is to be made.
func (w *world) submitChild(n *godwit.NewJob, now time.Time) (godwit.SubmitAnswer, *job) {
	refuse := func(c godwit.Code) (godwit.SubmitAnswer, *job) { return godwit.SubmitAnswer{Code: c}, nil }
	if w.sessions[n.Parent.Session] == nil {
		return refuse(godwit.CodeSessionEnded)
	}
	parent := w.jobs[n.Parent.Job]
	if parent == nil || !parent.heldBy(n.Parent) {
		return refuse(godwit.CodeStaleRun)
	}
	if !parent.view.CancelRequestedAt.IsZero() {
		return refuse(godwit.CodeCancelRequested)
	}
	if parent.view.Depth+1 > godwit.DepthMax {
		return refuse(godwit.CodeTooDeep)
	}
	id, ok := w.children[parent.view.ID][n.ChildName]
	if !ok {
		return godwit.SubmitAnswer{}, parent
	}
	child := w.jobs[id]
	over := child.view.State == godwit.StateFailed || child.view.State == godwit.StateCancelled
	if over && child.epoch < parent.view.Retries {
		if child.view.Task != n.Task {
			return refuse(godwit.CodeChildMismatch)
		}
		return w.reopen(child, parent, n, now), nil
	}
	answer := met(child, n, godwit.CodeChildMismatch)
	if answer.Code == "" && child.view.CancelRequestedAt.IsZero() {
		epoch := child.epoch
		w.undo = append(w.undo, func() { child.epoch = epoch })
		child.epoch = parent.view.Retries
	}
	return answer, nil
}

func (w *world) reopen(child, parent *job, n *godwit.NewJob, now time.Time) godwit.SubmitAnswer {
	saved := *child
	note, noted := w.cascades[child.view.ID]
	answer := w.retryByHand(godwit.RetryRequest{ID: child.view.ID, Args: &n.Args, Version: n.Version}, now)
	if answer.Code != "" {
		return godwit.SubmitAnswer{Code: answer.Code}
	}
	w.undo = append(w.undo, func() {
		w.setState(child, saved.view.State)
		w.letGo(child)
		*child = saved
		if noted {
			w.cascades[child.view.ID] = note
		}
	})
	child.fingerprint = n.Fingerprint
	child.epoch = parent.view.Retries
	return godwit.SubmitAnswer{ID: child.view.ID, Reopened: true, State: child.view.State}
}

func (w *world) create(n *godwit.NewJob, now, runAt, deadline time.Time, depth int) *job {
	j := &job{
		view: godwit.Job{
			ID: n.ID, Task: n.Task, Version: n.Version, Queue: n.Queue, Priority: n.Priority,
			MaxAttempts: n.MaxAttempts, MaxCrashes: n.MaxCrashes, Args: clonePayload(n.Args), Timeout: n.Timeout,
			KeepSucceeded: n.KeepSucceeded, KeepFailed: n.KeepFailed,
			Tags: slices.Clone(n.Tags), Headers: maps.Clone(n.Headers),
			IdempotencyKey: n.Idempotency.Key, UniqueKey: n.Unique.Key, Parent: n.Parent.Job, ChildName: n.ChildName,
			Detached: n.Detached, Depth: depth, CreatedAt: now, RunAt: runAt,
		},
		fingerprint: n.Fingerprint,
		idempotency: key{n.Idempotency.Scope, n.Idempotency.Key},
		unique:      key{n.Unique.Scope, n.Unique.Key},
		while:       n.Unique.While,
	}
	if !n.Deadline.IsZero() {
		j.view.Deadline = deadline
	}
	w.jobs[n.ID] = j
	if !j.view.Parent.IsZero() {
		parent := w.jobs[j.view.Parent]
		j.epoch = parent.view.Retries
		if w.children[parent.view.ID] == nil {
			w.children[parent.view.ID] = map[string]godwit.ID{}
		}
		w.children[parent.view.ID][n.ChildName] = n.ID
	}
	before, wasKnown := w.known[j.idempotency]
	w.undo = append(w.undo, func() { w.uncreate(j, before, wasKnown) })
	if j.idempotency.key != "" {
		j.known = now.Add(n.Idempotency.For).Truncate(time.Microsecond)
		w.known[j.idempotency] = knownKey{n.ID, j.known}
	}
	if j.unique.key != "" {
		w.unique[j.unique] = n.ID
		j.holdsUnique = true
	}
	state := godwit.StateReady
	if runAt.After(now) {
		state = godwit.StateScheduled
	}
	w.setState(j, state)
	return j
}

// uncreate takes back create, given what its idempotency key stood for before.
func (w *world) uncreate(j *job, before knownKey, wasKnown bool) {
	w.setState(j, godwit.StateCancelled)
	w.letGo(j)
	delete(w.jobs, j.view.ID)
	delete(w.children[j.view.Parent], j.view.ChildName)
	if j.idempotency.key == "" {
		return
	}
	delete(w.known, j.idempotency)
	if wasKnown {
		w.known[j.idempotency] = before
	}
}

func clonePayload(p godwit.Payload) godwit.Payload {
	p.Data = bytes.Clone(p.Data)
	return p
}

// heldBy reports whether the token is that of the run under way.
func (j *job) heldBy(t godwit.Token) bool {
	underWay := j.view.State == godwit.StateRunning || j.view.State == godwit.StateWaiting
	return underWay && j.view.Run == t.Run && j.view.Session == t.Session
}

// apply moves a job as a row of the table says, records the attempt and tells the event. kept is the failure that a final
// job keeps, own the one of the run itself.
func (w *world) apply(r *states.Row, j *job, now time.Time, kept, own *godwit.Failure) {
	v := &j.view
	if r.Record != "" {
		w.record(r, j, now, kept, own)
	}
	v.Run += int64(r.Run)
	v.Attempt = r.Attempt.Apply(v.Attempt)
	v.Crashes = r.Crashes.Apply(v.Crashes)
	v.Releases = r.Releases.Apply(v.Releases)
	v.Retries = r.Retries.Apply(v.Retries)
	if r.To != states.Same {
		w.move(j, godwit.State(r.To), now, kept)
	}
	code := godwit.Code("")
	switch {
	case v.State.Final() && kept != nil:
		code = kept.Code
	case own != nil:
		code = own.Code
	}
	w.tell(r.Event, now, j, code)
	if v.State.Final() && r.To != states.Same {
		w.wake(v.ID, now)
	}
}

func (w *world) record(r *states.Row, j *job, now time.Time, kept, own *godwit.Failure) {
	failure := own
	if failure == nil && (r.Record == "failed" || r.Record == "cancelled") {
		failure = kept
	}
	j.attempts = append(j.attempts, godwit.Attempt{
		Run: j.view.Run, Attempt: j.view.Attempt, Outcome: r.Record, Failure: failure,
		StartedAt: j.view.StartedAt, EndedAt: now, Session: j.view.Session,
	})
	if over := len(j.attempts) - godwit.AttemptsKeptMax; over > 0 {
		j.attempts = j.attempts[over:]
	}
}

// move changes the state and everything that hangs on it.
func (w *world) move(j *job, to godwit.State, now time.Time, kept *godwit.Failure) {
	v := &j.view
	w.setState(j, to)
	if to != godwit.StateWaiting && to != godwit.StateRunning {
		v.Session = godwit.ID{}
	}
	if to != godwit.StateWaiting {
		w.forget(j)
	}
	if !to.Final() {
		return
	}
	v.FinishedAt = now
	v.Failure = kept
	v.KeepUntil = now.Add(j.keep()).Truncate(time.Microsecond)
	if j.known.After(v.KeepUntil) {
		v.KeepUntil = j.known
	}
	w.letGo(j)
	if to == godwit.StateCancelled && len(w.toCancel(v.ID, godwit.ID{})) > 0 {
		w.cascades[v.ID] = godwit.ID{}
	}
}

// keep is the retention of the job's final state.
func (j *job) keep() time.Duration {
	if j.view.State == godwit.StateSucceeded {
		return j.view.KeepSucceeded
	}
	return j.view.KeepFailed
}

// letGo frees the job's unique key.
func (w *world) letGo(j *job) {
	if j.holdsUnique {
		delete(w.unique, j.unique)
		j.holdsUnique = false
	}
}
