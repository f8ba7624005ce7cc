package postgres

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// kind says where a job is, with the numbers that the schema uses.
type kind int16

const (
	none kind = iota
	scheduled
	ready
	running
	waiting
	succeeded
	failed
	cancelled
	pruned
)

var kindStates = [...]godwit.State{
	"", godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting,
	godwit.StateSucceeded, godwit.StateFailed, godwit.StateCancelled, "",
}

func (k kind) state() godwit.State { return kindStates[k] }
func (k kind) unfinished() bool    { return scheduled <= k && k <= waiting }
func (k kind) final() bool         { return succeeded <= k && k <= cancelled }
func (k kind) underWay() bool      { return k == running || k == waiting }

// kindOf gives the kind of a place of the table; held jobs are ready ones.
func kindOf(p states.Place) kind {
	switch p {
	case states.None:
		return none
	case states.Pruned:
		return pruned
	}
	return kind(slices.Index(kindStates[:], godwit.State(p)))
}

// lane is what jobs have in common that can or cannot run as a whole.
type lane struct {
	id      int32
	queue   string
	task    string
	version int
}

// job is a job as it stands in the unit of work that loaded it. Times are microseconds, 0 for none.
type job struct {
	id   godwit.ID
	kind kind
	lane *lane // of laneID

	laneID int32

	// Written once, except with other arguments.
	priority      int
	maxAttempts   int
	maxCrashes    int
	timeout       time.Duration
	keepSucceeded time.Duration
	keepFailed    time.Duration
	createdAt     int64
	fingerprint   [16]byte
	extra         *extra         // nil: nothing of it
	args          godwit.Payload // only when it was asked for

	// Where it stands.
	runAt, deadline   int64
	run               int64
	attempt, crashes  int
	releases, retries int
	records           int64 // attempt records ever made
	reported          bool  // it has a report
	startedAt         int64
	cancelRequestedAt int64
	session           godwit.ID
	cancelReason      string
	any, woken        bool

	// How it ended.
	finishedAt, keepUntil int64
	failure               *godwit.Failure
	result                godwit.Payload // only when it was asked for or has just been given

	// What the unit of work has to know to write it back.
	stored  kind     // as the database has it
	locked  bool     // nobody else changes it before the unit ends
	mode    lockMode // it was asked for with
	dirty   bool
	body    bool    // version, fingerprint or arguments changed
	newArgs bool    // arguments changed
	report  *report // loaded when asked for
}

// extra is what few jobs have.
type extra struct {
	Tags        []string           `json:"tags,omitempty"`
	Headers     map[string]string  `json:"headers,omitempty"`
	Idempotency key                `json:"idempotency,omitzero"`
	KnownUntil  int64              `json:"known_until,omitempty"` // of the idempotency key
	Unique      key                `json:"unique,omitzero"`
	While       godwit.UniqueWhile `json:"while,omitempty"`
	Parent      godwit.ID          `json:"parent,omitzero"`
	ChildName   string             `json:"child_name,omitempty"`
	Detached    bool               `json:"detached,omitempty"`
	Depth       int                `json:"depth,omitempty"`
}

// key is an idempotency or unique key.
type key struct {
	Scope string `json:"scope"`
	Key   string `json:"key"`
}

// report is what the handlers of a job said.
type report struct {
	logs, items int64
	run, seq    int64 // of the last numbered report
	progress    *godwit.Progress
	dirty       bool
}

// more gives what few jobs have; its fields are zero when there is nothing.
func (j *job) more() *extra {
	if j.extra == nil {
		return &extra{}
	}
	return j.extra
}

// keep is how long the job is kept in its final state.
func (j *job) keep() time.Duration {
	if j.kind == succeeded {
		return j.keepSucceeded
	}
	return j.keepFailed
}

// heldBy reports whether the token is that of the run under way.
func (j *job) heldBy(t godwit.Token) bool {
	return j.kind.underWay() && j.run == t.Run && j.session == t.Session
}

// passed reports whether the deadline is not after the time.
func (j *job) passed(at int64) bool { return j.deadline != 0 && j.deadline <= at }

// view gives the job as its users see it, without what hangs on other rows: the reason it is held, its progress, and the
// failure of one that is not final.
func (j *job) view() godwit.Job {
	v := godwit.Job{
		ID: j.id, Task: j.lane.task, Version: j.lane.version, Queue: j.lane.queue, State: j.kind.state(), Priority: j.priority,
		Attempt: j.attempt, MaxAttempts: j.maxAttempts, Run: j.run, Crashes: j.crashes, MaxCrashes: j.maxCrashes,
		Releases: j.releases, Retries: j.retries, Args: j.args, Timeout: j.timeout,
		KeepSucceeded: j.keepSucceeded, KeepFailed: j.keepFailed, Result: j.result, Failure: j.failure,
		CreatedAt: fromMicros(j.createdAt), RunAt: fromMicros(j.runAt), StartedAt: fromMicros(j.startedAt),
		FinishedAt: fromMicros(j.finishedAt), CancelRequestedAt: fromMicros(j.cancelRequestedAt),
		Deadline: fromMicros(j.deadline), KeepUntil: fromMicros(j.keepUntil), Session: j.session,
	}
	if j.extra != nil {
		j.extra.show(&v)
	}
	return v
}

// show adds it to the job as its users see it.
func (x *extra) show(v *godwit.Job) {
	v.Tags, v.Headers = slices.Clone(x.Tags), maps.Clone(x.Headers)
	v.IdempotencyKey, v.UniqueKey = x.Idempotency.Key, x.Unique.Key
	v.Parent, v.ChildName, v.Detached, v.Depth = x.Parent, x.ChildName, x.Detached, x.Depth
}

// Columns in the order in which rows are read.
const (
	placeColumns = "p.id, p.place, p.lane, p.run_at, p.deadline, p.run, p.attempt, p.crashes, p.releases, p.retries," +
		" p.records, p.reported, p.started_at, p.cancel_requested_at, p.session, p.cancel_reason, p.wait_any, p.woken"
	finishedColumns = "f.id, f.state, f.lane, f.run_at, f.deadline, f.run, f.attempt, f.crashes, f.releases, f.retries," +
		" f.records, f.reported, f.started_at, f.cancel_requested_at, f.finished_at, f.keep_until, f.code, f.message, f.stack"
	bodyColumns = "j.id, j.priority, j.max_attempts, j.max_crashes, j.timeout, j.keep_succeeded, j.keep_failed, j.created_at," +
		" j.fingerprint, j.extra"
)

// common gives where what unfinished and finished jobs have in common is read into.
func (j *job) common() []any {
	return []any{
		idInto{&j.id},
		(*int16)(&j.kind), &j.laneID, &j.runAt, &j.deadline, &j.run, &j.attempt, &j.crashes, &j.releases, &j.retries,
		&j.records, &j.reported, &j.startedAt, &j.cancelRequestedAt,
	}
}

// scanPlace reads placeColumns.
func (j *job) scanPlace(r scanner, more ...any) error {
	dest := append(j.common(), idInto{&j.session}, &j.cancelReason, &j.any, &j.woken)
	err := r.Scan(append(dest, more...)...)
	j.stored = j.kind
	return err
}

// scanFinished reads finishedColumns.
func (j *job) scanFinished(r scanner, more ...any) error {
	var f failureInto
	dest := append(append(j.common(), &j.finishedAt, &j.keepUntil), f.dest()...)
	err := r.Scan(append(dest, more...)...)
	j.stored, j.failure = j.kind, f.failure()
	return err
}

// body is what the row of a job in jobs holds.
type body struct {
	id          godwit.ID
	fingerprint godwit.ID
	job         job
	extra       pgtype.Text
}

// scan reads bodyColumns.
func (b *body) scan(r scanner, more ...any) error {
	j := &b.job
	dest := []any{
		idInto{&b.id},
		&j.priority, &j.maxAttempts, &j.maxCrashes,
		(*int64)(&j.timeout), (*int64)(&j.keepSucceeded), (*int64)(&j.keepFailed), &j.createdAt,
		idInto{&b.fingerprint},
		&b.extra,
	}
	return r.Scan(append(dest, more...)...)
}

// into completes a job with its body.
func (b *body) into(j *job) error {
	from := &b.job
	j.priority, j.maxAttempts, j.maxCrashes = from.priority, from.maxAttempts, from.maxCrashes
	j.timeout, j.keepSucceeded, j.keepFailed = from.timeout, from.keepSucceeded, from.keepFailed
	j.createdAt, j.fingerprint = from.createdAt, b.fingerprint
	return b.addExtra(j)
}

// addExtra completes a job with what few jobs have.
func (b *body) addExtra(j *job) error {
	if !b.extra.Valid {
		return nil
	}
	x, err := decodeExtra(b.extra.String)
	if err != nil {
		return fmt.Errorf("read what belongs to job %s: %w", j.id, err)
	}
	j.extra = x
	return nil
}

func decodeExtra(text string) (*extra, error) {
	x := &extra{}
	return x, json.Unmarshal([]byte(text), x)
}

func encodeExtra(x *extra) (string, error) {
	b, err := json.Marshal(x)
	if err != nil {
		return "", fmt.Errorf("encode what belongs to a job: %w", err)
	}
	return string(b), nil
}

func duration(ns pgtype.Int8) time.Duration { return time.Duration(ns.Int64) }
