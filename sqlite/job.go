package sqlite

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// kind says where a job is, with the numbers that the schema uses.
type kind int8

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
	id      int64
	queue   string
	task    string
	version int
}

// job is a job as it stands in the unit of work that loaded it. Times are microseconds, 0 for none.
type job struct {
	id   godwit.ID
	kind kind
	lane *lane

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
	stored     kind // as the file has it
	storedLane *lane
	holder     godwit.ID // the session, as the file has it
	dirty      bool
	body       bool    // version, fingerprint or arguments changed
	newArgs    bool    // arguments changed
	hasArgs    bool    // arguments are loaded
	claimed    bool    // claimed, and nothing else
	keptOn     bool    // kept past its time, and nothing else
	report     *report // loaded when asked for
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
	x := j.more()
	return godwit.Job{
		ID: j.id, Task: j.lane.task, Version: j.lane.version, Queue: j.lane.queue, State: j.kind.state(), Priority: j.priority,
		Attempt: j.attempt, MaxAttempts: j.maxAttempts, Run: j.run, Crashes: j.crashes, MaxCrashes: j.maxCrashes,
		Releases: j.releases, Retries: j.retries, Args: j.args, Timeout: j.timeout,
		KeepSucceeded: j.keepSucceeded, KeepFailed: j.keepFailed, Result: j.result, Failure: j.failure,
		Tags: slices.Clone(x.Tags), Headers: maps.Clone(x.Headers),
		IdempotencyKey: x.Idempotency.Key, UniqueKey: x.Unique.Key,
		Parent: x.Parent, ChildName: x.ChildName, Detached: x.Detached, Depth: x.Depth,
		CreatedAt: fromMicros(j.createdAt), RunAt: fromMicros(j.runAt), StartedAt: fromMicros(j.startedAt),
		FinishedAt: fromMicros(j.finishedAt), CancelRequestedAt: fromMicros(j.cancelRequestedAt),
		Deadline: fromMicros(j.deadline), KeepUntil: fromMicros(j.keepUntil), Session: j.session,
	}
}

// Columns in the order in which scan reads them.
const (
	placeColumns = "p.id, p.place, p.lane, p.run_at, p.deadline, p.run, p.attempt, p.crashes, p.releases, p.retries," +
		" p.records, p.reported, p.started_at, p.cancel_requested_at"
	finishedColumns = "f.id, f.state, f.lane, f.run_at, f.deadline, f.run, f.attempt, f.crashes, f.releases, f.retries," +
		" f.records, f.reported, f.started_at, f.cancel_requested_at"
	bodyColumns = "j.priority, j.max_attempts, j.max_crashes, j.timeout, j.keep_succeeded, j.keep_failed, j.created_at," +
		" j.fingerprint, j.extra"
	placeOnly    = "p.session, p.cancel_reason, p.wait_any, p.woken"
	finishedOnly = "f.finished_at, f.keep_until, f.code, f.message, f.stack"

	bodyAt = 14 // the first of bodyColumns
	onlyAt = 23 // the first of placeOnly or finishedOnly
	argsAt = 27 // of an unfinished job: encoding, args
	endAt  = 28 // of a finished job: encoding and args, encoding and result
)

const (
	fromPlaces   = " FROM godwit_places p JOIN godwit_jobs j ON j.id = p.id"
	fromFinished = " FROM godwit_finished f JOIN godwit_jobs j ON j.id = f.id"
)

var (
	selectPlaces     = in("SELECT " + placeColumns + ", " + bodyColumns + ", " + placeOnly + fromPlaces + " WHERE p.id IN")
	selectPlacesArgs = in("SELECT " + placeColumns + ", " + bodyColumns + ", " + placeOnly + ", j.encoding, j.args" + fromPlaces +
		" WHERE p.id IN")
	selectFinished     = in("SELECT " + finishedColumns + ", " + bodyColumns + ", " + finishedOnly + fromFinished + " WHERE f.id IN")
	selectFinishedFull = in("SELECT " + finishedColumns + ", " + bodyColumns + ", " + finishedOnly +
		", j.encoding, j.args, f.encoding, f.result" + fromFinished + " WHERE f.id IN")
	selectPruned = in("SELECT id, until FROM godwit_pruned WHERE id IN")
)

// scanCommon reads what unfinished and finished jobs have in common; the kinds from low to high are those of the table.
func (j *job) scanCommon(s *row, lanes func(int64) (*lane, error), low, high kind) error {
	j.id = columnID(s, 0)
	j.kind = columnKind(s, 1, low, high)
	var err error
	if j.lane, err = lanes(s.ColumnInt64(2)); err != nil {
		return fmt.Errorf("job %s: %w", j.id, err)
	}
	j.stored, j.storedLane = j.kind, j.lane
	j.runAt, j.deadline, j.run = columnMicros(s, 3), columnMicros(s, 4), columnNumber(s, 5)
	j.attempt, j.crashes = columnCount(s, 6), columnCount(s, 7)
	j.releases, j.retries = columnCount(s, 8), columnCount(s, 9)
	j.records, j.reported = columnNumber(s, 10), s.ColumnInt64(11) != 0
	j.startedAt, j.cancelRequestedAt = columnMicros(s, 12), columnMicros(s, 13)

	j.priority, j.maxAttempts, j.maxCrashes = s.ColumnInt(bodyAt), columnCount(s, bodyAt+1), columnCount(s, bodyAt+2)
	j.timeout = time.Duration(columnNumber(s, bodyAt+3))
	j.keepSucceeded, j.keepFailed = time.Duration(columnNumber(s, bodyAt+4)), time.Duration(columnNumber(s, bodyAt+5))
	j.createdAt = columnMicros(s, bodyAt+6)
	if n := s.ColumnLen(bodyAt + 7); n != len(j.fingerprint) {
		s.fault(bodyAt+7, "has %d bytes instead of %d", n, len(j.fingerprint))
	}
	s.ColumnBytes(bodyAt+7, j.fingerprint[:])
	if s.ColumnType(bodyAt+8) != zs.TypeNull {
		j.extra = &extra{}
		if json.Unmarshal([]byte(s.ColumnText(bodyAt+8)), j.extra) != nil {
			s.fault(bodyAt+8, "cannot be read")
		}
	}
	if s.err != nil {
		return damaged("godwit_jobs", fmt.Errorf("job %s: %w", j.id, s.err))
	}
	return nil
}

func (j *job) scanPlace(s *row, args bool) {
	j.session = columnID(s, onlyAt)
	j.cancelReason = s.ColumnText(onlyAt + 1)
	j.holder = j.session
	j.any, j.woken = s.ColumnInt64(onlyAt+2) != 0, s.ColumnInt64(onlyAt+3) != 0
	if args {
		j.args, j.hasArgs = columnPayload(s, argsAt), true
	}
}

func (j *job) scanFinished(s *row, full bool) {
	j.finishedAt, j.keepUntil = columnMicros(s, onlyAt), columnMicros(s, onlyAt+1)
	j.failure = columnFailure(s, onlyAt+2)
	if full {
		j.args, j.result = columnPayload(s, endAt), columnPayload(s, endAt+2)
	}
}
