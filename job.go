package godwit

import "time"

// Payload is encoded data: arguments, a result or an item.
type Payload struct {
	Encoding string // names the encoding of Data; "json" is the only one so far; empty when there is no payload
	Data     []byte // at most [PayloadMax] bytes
}

// EncodingJSON tags payloads encoded by encoding/json.
const EncodingJSON = "json"

// Token identifies one run of a job: every write about the run is checked against it. Run grows at every claim and never
// falls, whatever is refunded, so a token never becomes valid again once it is stale. Session is the lease it is held under.
type Token struct {
	Job     ID
	Run     int64 // from 1
	Session ID
}

// Failure is why a run or a job did not succeed.
type Failure struct {
	Code    Code
	Message string // at most [MessageMax] bytes
	Stack   string // of a panic, at most [StackMax] bytes; otherwise empty
}

// NewJob is a job to be submitted, complete and checked: [Task.Job] and [Client] make it, a [Store] takes it. Times are cut
// to microseconds.
type NewJob struct {
	ID      ID     // made by the submitter, so that a submission may be repeated safely
	Task    string // at most [NameMax] bytes
	Version int    // of the task, from 1
	Queue   string
	Args    Payload

	Priority int           // higher first, -PriorityMax to PriorityMax
	RunAt    time.Time     // not before; zero or past: now
	Delay    time.Duration // from the store's now; excludes RunAt

	MaxAttempts   int           // from 1
	MaxCrashes    int           // from 1
	Timeout       time.Duration // of one run's working time; 0 means none
	Deadline      time.Time     // of the job; zero means none
	KeepSucceeded time.Duration // how long the finished job is kept after success
	KeepFailed    time.Duration // ... after failure or cancellation

	Tags    []string
	Headers map[string]string // trace context and the like, given to the handler

	Idempotency IdempotencyKey // empty Key: none
	Unique      UniqueKey      // empty Key: none

	Parent    Token  // the run that submits this child; zero: none
	ChildName string // key of the child within the parent
	Detached  bool   // the child is not cancelled with its parent

	// Fingerprint is a hash of what an honest repetition has in common: task, queue, arguments and options, without the id. The
	// same id or key with another fingerprint is refused, except for another version.
	Fingerprint [16]byte
}

// IdempotencyKey makes repeated submissions one: within For of the first, the same key in the same scope answers with the
// first job, whatever its state.
type IdempotencyKey struct {
	Scope string // task and caller
	Key   string // at most [KeyMax] bytes
	For   time.Duration
}

// UniqueKey keeps at most one job with the key at a time.
type UniqueKey struct {
	Scope   string // what the key is unique within: a task, a queue or everything
	Key     string // at most [KeyMax] bytes
	While   UniqueWhile
	OnClash UniqueClash
}

// UniqueWhile says how long a job holds its unique key.
type UniqueWhile string

// How long a unique key is held.
const (
	UniqueUnfinished UniqueWhile = "unfinished" // until the job is final
	UniqueUnstarted  UniqueWhile = "unstarted"  // until it is first claimed; it is not taken again by a later retry of the run
)

// UniqueClash says what a submission answers whose unique key is held.
type UniqueClash string

// What a clash answers.
const (
	ClashExisting UniqueClash = "existing" // the job that holds the key
	ClashRefuse   UniqueClash = "refuse"   // CodeUniqueConflict
)

// Job is a job as it stands, the view that every read answers with. Its JSON form is for logs; that of the HTTP API has the
// arguments and the result too.
type Job struct {
	ID       ID     `json:"id"`
	Task     string `json:"task"`
	Version  int    `json:"version"`
	Queue    string `json:"queue"`
	State    State  `json:"state"`
	Held     Held   `json:"held,omitempty"` // why a ready job is kept back
	Priority int    `json:"priority"`

	Attempt     int   `json:"attempt"` // what counts against MaxAttempts, the run under way included
	MaxAttempts int   `json:"max_attempts"`
	Run         int64 `json:"run"`     // claims so far; never falls
	Crashes     int   `json:"crashes"` // runs under which the worker died
	MaxCrashes  int   `json:"max_crashes"`
	Releases    int   `json:"releases"` // runs given back: orderly stops, snoozes, waits outlived
	Retries     int   `json:"retries"`  // times somebody retried the finished job by hand

	Args          Payload       `json:"-"` // read-only
	Timeout       time.Duration `json:"-"`
	KeepSucceeded time.Duration `json:"-"`
	KeepFailed    time.Duration `json:"-"`

	Result  Payload  `json:"-"`     // of a job that succeeded; read-only
	Failure *Failure `json:"error"` // of a failed or cancelled job, or the last one of a job that will run again

	Tags    []string          `json:"tags,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`

	IdempotencyKey string `json:"idempotency_key,omitempty"`
	UniqueKey      string `json:"unique_key,omitempty"`

	Parent    ID     `json:"parent,omitzero"`
	ChildName string `json:"child_name,omitempty"`
	Detached  bool   `json:"detached,omitempty"`
	Depth     int    `json:"depth,omitempty"` // generations above

	Progress *Progress `json:"progress,omitempty"` // of a running or waiting job, and the last of a finished one

	CreatedAt         time.Time `json:"created_at"`
	RunAt             time.Time `json:"run_at"`
	StartedAt         time.Time `json:"started_at,omitzero"` // of the newest run
	FinishedAt        time.Time `json:"finished_at,omitzero"`
	CancelRequestedAt time.Time `json:"cancel_requested_at,omitzero"`
	Deadline          time.Time `json:"deadline,omitzero"`
	KeepUntil         time.Time `json:"keep_until,omitzero"` // when the finished job may be pruned, unless pinned

	Session ID `json:"session,omitzero"` // that runs it, or that keeps its waiting goroutine
}

// Progress is how far a run says it is.
type Progress struct {
	Done    int64     `json:"done"`
	Total   int64     `json:"total"` // 0: unknown
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
}

// Attempt is the record of a run that did not succeed: every failure, snooze, release and crash leaves one.
type Attempt struct {
	Run       int64     `json:"run"`
	Attempt   int       `json:"attempt"` // as it counted during the run
	Outcome   string    `json:"outcome"` // "failed", "cancelled", "retry", "snooze", "release", "crash"
	Failure   *Failure  `json:"error,omitempty"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Session   ID        `json:"session"`
}

// LogLine is a line that a handler logged.
type LogLine struct {
	Seq     int64     `json:"seq"` // from 1, in the order of arrival; the cursor
	Run     int64     `json:"run"`
	At      time.Time `json:"at"`
	Level   string    `json:"level"`
	Message string    `json:"message"` // attributes rendered as key=value; at most [MessageMax] bytes
}

// Item is a row that a handler handed out while it ran. Items are kept until the job is pruned and are not taken back when
// the run fails: Run tells the runs apart.
type Item struct {
	Seq  int64   `json:"seq"` // from 1, in the order of arrival; the cursor
	Run  int64   `json:"run"`
	Data Payload `json:"data"`
}
