package godwit

import "time"

// SubmitAnswer says what became of a submission.
type SubmitAnswer struct {
	Code     Code   // empty when the job stands
	Field    string // the field at fault, with CodeInvalid
	ID       ID     // of the job that stands for the submission: the new one or the one met
	Created  bool   // false when it was there before
	Reopened bool   // a child that had failed or was cancelled before its parent was retried by hand is ready anew
	State    State  // of that job
}

// NewSession is a worker's start.
type NewSession struct {
	ID     ID
	Lease  time.Duration // [LeaseMin] to [LeaseMax]
	Host   string        // for people
	PID    int           // for people
	Queues []string      // served; at most [QueuesMax]
	Tasks  []Capability  // known; at most [TasksMax]
}

// Capability is a task that a worker can run. Aliases are announced as capabilities of their own.
type Capability struct {
	Task       string
	MinVersion int // oldest version of its arguments that the handler takes, from 1
	MaxVersion int // newest
}

// SessionAnswer answers what is done to a session.
type SessionAnswer struct {
	Code Code
	// LeaseUntil is the store time at which the lease ends unless it is renewed.
	LeaseUntil time.Time
	// MaxID, of StartSession, is the greatest id of a job in the store, expired ones aside, for [IDs.Observe]; zero when there is none.
	MaxID ID
}

// HeartbeatRequest renews a lease.
type HeartbeatRequest struct {
	Session ID
	Runs    []Token // every run that the worker has, running and parked
}

// HeartbeatAnswer tells a worker how its runs stand.
type HeartbeatAnswer struct {
	Code       Code
	LeaseUntil time.Time
	Cancelled  []Token // of Runs: to be cancelled: asked to stop, or cancelled while it waited
	Lost       []Token // of Runs: no longer held under this token for another reason (settled, failed, never so)
	// Unnamed are the runs that the session holds and Runs does not name, by id: those of a claim whose answer was lost. The worker
	// releases them, unless a claim of its own was under way between request and answer.
	Unnamed []Token
}

// RescueAnswer counts what a rescue did.
type RescueAnswer struct {
	Sessions  []ID // ended, oldest lease first
	Retried   int  // jobs that will run again
	Failed    int  // jobs that crashed too often
	Cancelled int  // jobs that were to be cancelled
	Unheld    int  // waiting jobs that lost their holder
}

// ClaimRequest asks for work.
type ClaimRequest struct {
	Session ID
	Queue   string
	Limit   int // 1 to [PageMax]
}

// ClaimAnswer hands out work. The token of each job is (job.ID, job.Run, session).
type ClaimAnswer struct {
	Code Code
	Jobs []Job
	More bool // there may be more: Limit was reached, or other claims were just taking some
}

// Settlement ends a run.
type Settlement struct {
	Token
	Outcome Outcome
	Result  Payload       // with OutcomeSucceed
	Failure *Failure      // with OutcomeFail, OutcomeRetry and OutcomeReject
	Delay   time.Duration // with OutcomeRetry and OutcomeSnooze, from 0
	// Reported is recorded with the settle, atomically.
	Reported Reported
}

// SettleAnswer answers an operation on one job.
type SettleAnswer struct {
	Code  Code
	State State // of the job afterwards, or as it stands when refused; empty when unknown, expired, stale or of an ended session
}

// ParkRequest makes a running job wait.
type ParkRequest struct {
	Token
	Await []ID // at least 1, at most [BatchMax]
	Any   bool // one settled promise is enough
}

// Reported is what a handler says while it runs.
type Reported struct {
	Progress *Progress // replaces the one before; At is set by the store
	Logs     []LogLine // Seq and Run are set by the store
	Items    []Payload
}

// Report records what a handler says.
type Report struct {
	Token
	// Seq numbers the reports of a run, so that one whose outcome is unknown may be repeated: from 1, growing. One that is not above the
	// last number recorded of the run answers CodeDuplicate and records nothing. 0: not numbered, always recorded.
	Seq int64
	Reported
}

// AdvanceAnswer counts what an advance did.
type AdvanceAnswer struct {
	Ready     int       // scheduled jobs made ready
	Expired   int       // jobs failed for their deadline
	Cancelled int       // children cancelled or asked to stop
	More      bool      // a part reached its limit: call again
	NextAt    time.Time // earliest RunAt of a scheduled job or Deadline of an unfinished one that is not running; zero: none
}

// PruneAnswer counts what a prune did.
type PruneAnswer struct {
	Pruned    int  // jobs that became expired
	Forgotten int  // expired ids forgotten
	More      bool // a limit was reached: call again
}

// CancelRequest cancels a job.
type CancelRequest struct {
	ID     ID
	Reason string // for people, at most [MessageMax] bytes
}

// RetryRequest retries a finished job by hand.
type RetryRequest struct {
	ID      ID
	Args    *Payload // other arguments; nil: the same
	Version int      // version of the other arguments; 0: the same
	// Run is the run that is known to have failed or to have been cancelled: when it is no longer the job's newest the retry answers
	// CodeStaleRun, so that it may be repeated. 0: any.
	Run int64
}

// RescheduleRequest moves a job in time.
type RescheduleRequest struct {
	ID    ID
	RunAt time.Time     // zero: by Delay
	Delay time.Duration // from now; 0: run now
}

// JobAnswer is a job, or why there is none: CodeNotFound or CodeExpired.
type JobAnswer struct {
	Code Code
	Job  Job
}

// OutcomeAnswer is how a job stands, or why that is not known: CodeNotFound or CodeExpired.
type OutcomeAnswer struct {
	Code    Code
	State   State
	Result  Payload  // when State is succeeded
	Failure *Failure // when State is failed or cancelled
}

// ListFilter selects jobs. Empty fields select all.
type ListFilter struct {
	State  State
	Queue  string
	Task   string
	Parent ID
	Tag    string
	Before ID  // jobs with smaller ids only: the cursor
	Limit  int // 1 to [PageMax]; 0: [PageDefault]
}

// ListAnswer is a page.
type ListAnswer struct {
	Jobs []Job // without arguments and results
	Next ID    // Before of the next page; zero: this was the last one
}

// QueueInfo is a queue at a glance.
type QueueInfo struct {
	Name        string
	Paused      bool
	Depth       map[State]int // of the states scheduled, ready, running, waiting; states without jobs are absent
	Held        int           // of the ready ones
	OldestReady time.Time     // earliest RunAt of a ready job; zero: none is ready
	Workers     int           // sessions that serve it
}

// TaskInfo is a task at a glance.
type TaskInfo struct {
	Name    string
	Paused  bool
	Depth   map[State]int // as in QueueInfo
	Workers int           // sessions that know it
}

// SessionInfo is a live session.
type SessionInfo struct {
	NewSession
	StartedAt  time.Time
	LeaseUntil time.Time
	Running    int // jobs
	Waiting    int // jobs that it holds
}
