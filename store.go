package godwit

import (
	"context"
	"time"
)

// Store is the driver boundary: the transitions of docs/states.md, each atomic, most of them taking batches.
//
// Rules for every method:
//
//   - What a method answered is durable (fsynced) when it returns, and visible to every later call.
//   - Refusals that a caller must expect are answers, one per item in the order of the request, with a [Code]; Code is empty
//     when the item was done. The error is for infrastructure alone: [CodeUnavailable], [CodeCorrupt], [CodeOutcomeUnknown],
//     [CodeClosed], [CodeTooLarge] for a batch over [BatchMax]. When the error is not nil nothing of the call happened, except
//     with CodeOutcomeUnknown, after which it may be repeated: submissions by their ids; settles, parks and resumes by their
//     tokens; reports by their numbers; a retry by the run it names. What a claim may have handed out shows in the next
//     heartbeat (Unnamed).
//   - Cancelling ctx before the call was taken up refuses it with ctx.Err(). Once it was taken up it runs to its end: the call
//     waits for it, or gives up with CodeOutcomeUnknown.
//   - Items of one call are applied in order, each seeing those before it.
//   - Arguments are not retained and not changed after return; answers belong to the caller, except that payload bytes are
//     read-only.
//   - Time is store time, one monotonic clock for all workers of the store, in microseconds, UTC. All operations of one call
//     happen at one instant.
//   - A Store is safe for use by many goroutines.
type Store interface {
	// Now gives store time. It never goes back.
	Now() time.Time

	// Submit makes jobs, all or none: when one item is refused the others answer CodeBatchRefused. An item whose id, child
	// name, idempotency key or unique key (with ClashExisting) meets a job that fits answers with that job.
	Submit(ctx context.Context, jobs []NewJob) ([]SubmitAnswer, error)

	// StartSession makes a session and its lease. The same start again while the session lives answers as the first did, renewing
	// nothing; another one with its id answers CodeIDConflict. Ids of ended sessions must not be used again.
	StartSession(ctx context.Context, s NewSession) (SessionAnswer, error)
	// Heartbeat renews the lease and answers which of the runs the worker names are lost or to be cancelled, and which it
	// should have named.
	// An ended session answers CodeSessionEnded.
	Heartbeat(ctx context.Context, r HeartbeatRequest) (HeartbeatAnswer, error)
	// EndSession ends a session in good order: its running jobs are released, its waiting jobs wait on without a holder.
	// An unknown or ended session answers CodeSessionEnded.
	EndSession(ctx context.Context, session ID) (SessionAnswer, error)
	// Rescue ends sessions whose lease is over, at most limit of them, oldest lease first, ties by id, each in one transaction with the
	// move of its jobs. One that somebody else holds up may be left for a later call. limit is at least 1, as everywhere; less is
	// CodeInvalid.
	Rescue(ctx context.Context, limit int) (RescueAnswer, error)

	// Claim hands the session up to Limit ready jobs of a queue that it has announced, by priority (higher first), then
	// RunAt, then id; held jobs and jobs of tasks or versions it has not announced are left. An ended session answers
	// CodeSessionEnded, one whose lease ran out CodeLeaseExpired.
	Claim(ctx context.Context, r ClaimRequest) (ClaimAnswer, error)
	// Settle ends runs. See docs/states.md for what each outcome does in each state.
	Settle(ctx context.Context, s []Settlement) ([]SettleAnswer, error)
	// Park makes running jobs wait for promises; the session remains the holder and keeps the token. When one of the
	// promises has settled already (with Any), or all (without), it answers CodeSettled and the job runs on. A job
	// that waits already waits for the union, with Any unless nothing is new. Wait for itself or an ancestor: CodeAwaitCycle; for an id never
	// seen: CodeNotFound; a pruned one counts as settled.
	Park(ctx context.Context, r []ParkRequest) ([]SettleAnswer, error)
	// Resume makes waiting jobs run on under the token they were parked with, whether or not what they wait for has settled.
	Resume(ctx context.Context, tokens []Token) ([]SettleAnswer, error)
	// Report records progress, log lines and items of running or waiting jobs.
	Report(ctx context.Context, r []Report) ([]SettleAnswer, error)

	// Advance does what has become due, in this order: it makes scheduled jobs ready whose RunAt has come, by (RunAt, id);
	// fails scheduled, ready and waiting jobs past their Deadline, by (Deadline, id); cancels the children of cancelled parents,
	// by (parent id, child id). Each part looks at no more than limit jobs.
	Advance(ctx context.Context, limit int) (AdvanceAnswer, error)
	// Prune looks at up to limit finished jobs whose KeepUntil has come, and at up to limit expired ids whose time is over; the earliest
	// first, ties by id. The jobs become "expired" and lose all but their id, except that pinned ones are kept for another
	// [PinnedPause]. Ids are forgotten after having been expired for as long as the job was kept.
	Prune(ctx context.Context, limit int) (PruneAnswer, error)

	// Cancel cancels jobs that are not final; a running one is asked to stop: CancelRequestedAt is set and its worker told.
	// Cancelling a cancelled job changes nothing and is no refusal; of one that succeeded or failed: CodeWrongState.
	Cancel(ctx context.Context, r []CancelRequest) ([]SettleAnswer, error)
	// Retry makes failed and cancelled jobs ready anew with a full budget, with other arguments if any are given. A deadline
	// that has passed is dropped. A held unique key answers CodeUniqueConflict.
	Retry(ctx context.Context, r []RetryRequest) ([]SettleAnswer, error)
	// Reschedule sets the time of scheduled and ready jobs; a time not in the future makes them ready.
	Reschedule(ctx context.Context, r []RescheduleRequest) ([]SettleAnswer, error)
	// Delete removes final jobs before their time; their ids answer CodeExpired from then on, for as long as they were to be kept.
	Delete(ctx context.Context, ids []ID) ([]SettleAnswer, error)
	// PauseQueue holds or frees the jobs of a queue, whether or not any exists yet. It is idempotent.
	PauseQueue(ctx context.Context, queue string, paused bool) error
	// PauseTask holds or frees the jobs of a task.
	PauseTask(ctx context.Context, task string, paused bool) error

	// Get reads jobs.
	Get(ctx context.Context, ids []ID) ([]JobAnswer, error)
	// Outcomes reads the state of jobs and the result or failure of final ones, and nothing more.
	Outcomes(ctx context.Context, ids []ID) ([]OutcomeAnswer, error)
	// List reads a page of jobs, newest (greatest id) first.
	List(ctx context.Context, f ListFilter) (ListAnswer, error)
	// Attempts reads the kept attempt records of a job, oldest first.
	Attempts(ctx context.Context, id ID) ([]Attempt, Code, error)
	// Logs reads log lines with Seq > after, at most limit.
	Logs(ctx context.Context, id ID, after int64, limit int) ([]LogLine, Code, error)
	// Items reads items with Seq > after, at most limit.
	Items(ctx context.Context, id ID, after int64, limit int) ([]Item, Code, error)
	// Queues reads every queue that has an unfinished job, a session or a pause, by name.
	Queues(ctx context.Context) ([]QueueInfo, error)
	// Tasks reads every task that has an unfinished job, a session or a pause, by name.
	Tasks(ctx context.Context) ([]TaskInfo, error)
	// Sessions reads the sessions that have not ended, by id.
	Sessions(ctx context.Context) ([]SessionInfo, error)

	// Close waits for calls under way and lets go of everything. Later calls answer CodeClosed. It is safe twice.
	Close() error
}

// Watcher is what a Store offers that can tell of changes as they happen. What it tells is a hint for speed: the runtime
// polls besides.
type Watcher interface {
	// Watch calls fn with the events of each commit, in commit order, after the commit. fn must not block and must not call
	// the Store. stop ends it; fn is not called after stop has returned.
	Watch(fn func(events []Event)) (stop func())
}

// Foreteller is what a Watcher offers whose calls share commits. A claim that is made when it tells of ready jobs may join the commit
// that makes them ready, instead of waiting for it and then for one of its own.
type Foreteller interface {
	// Foretell calls fn with a queue that will have ready jobs when the commit under way has happened, which it may not. fn must not
	// block and must not call the Store. stop ends it; fn is not called after stop has returned.
	Foretell(fn func(queue string)) (stop func())
}

// Joiner is what a Watcher offers in which a claim can be a part of the commit that makes jobs ready. It saves the worker that has
// nothing to do a commit of its own, and what lies between the two.
type Joiner interface {
	// Join calls fn when n jobs are about to be made ready in a queue. The claim that fn gives is made after them, in the same
	// transaction. answered is called with what came of it, once, after the commit or when there was none; Watch tells of the commit
	// before. fn gives nil for it when it wants no claim. Neither function must block or call the Store. stop ends it; fn is not
	// called after stop has returned, answered may be.
	Join(fn func(queue string, n int) (r ClaimRequest, answered func(ClaimAnswer, error))) (stop func())
}

// Hinter is what a Watcher offers with whose store other processes work too. It tells what they change, of which Watch says nothing.
type Hinter interface {
	// Hints calls fn with what other processes have changed, after their commits, merged and in no certain order. Some of it may
	// get lost. fn must not block and must not call the Store. stop ends it; fn is not called after stop has returned.
	Hints(fn func(h Hint)) (stop func())
	// Hears reports whether hints arrive at present. While they do not, the runtime polls as if the store told nothing; when that
	// changes, a hint with Any says so.
	Hears() bool
}

// Hint is what other processes have changed, as far as it may wake somebody.
type Hint struct {
	Any     bool      // anything may have changed
	Queues  []string  // that may have ready jobs
	RunAt   time.Time // when the first of the jobs that were scheduled is due; zero: none was
	Settled bool      // jobs have settled that Jobs does not name
	Jobs    []Event   // jobs that settled or are to be cancelled: Kind, Job, State, Run, Code and Reason
}

// Event is one change of one job, or of a queue or task as a whole.
type Event struct {
	Kind  EventKind `json:"kind"`
	At    time.Time `json:"at"` // store time
	Job   ID        `json:"job,omitzero"`
	Task  string    `json:"task,omitempty"`
	Queue string    `json:"queue,omitempty"`
	State State     `json:"state,omitempty"` // after the change
	Run   int64     `json:"run,omitempty"`
	RunAt time.Time `json:"run_at,omitzero"` // of a job that became scheduled
	Code  Code      `json:"code,omitempty"`  // of the failure, if any

	Reason  string `json:"reason,omitempty"` // of cancel_requested and cancelled
	Session ID     `json:"session,omitzero"` // of session_started and session_ended
}

// EventKind names a change.
type EventKind string

// The kinds of events. docs/states.md says which operation makes which.
const (
	EventSubmitted       EventKind = "submitted"
	EventReady           EventKind = "ready"   // its time came, or what it awaited settled and nobody holds it
	EventStarted         EventKind = "started" // claimed
	EventProgress        EventKind = "progress"
	EventRetrying        EventKind = "retrying"
	EventSnoozed         EventKind = "snoozed"
	EventReleased        EventKind = "released"
	EventRescued         EventKind = "rescued"
	EventParked          EventKind = "parked"
	EventWoken           EventKind = "woken" // what a held waiting job awaits has settled
	EventResumed         EventKind = "resumed"
	EventSucceeded       EventKind = "succeeded"
	EventFailed          EventKind = "failed"
	EventCancelRequested EventKind = "cancel_requested"
	EventCancelled       EventKind = "cancelled"
	EventRetried         EventKind = "retried" // by hand
	EventRescheduled     EventKind = "rescheduled"
	EventPruned          EventKind = "pruned"
	EventDeleted         EventKind = "deleted"
	EventQueuePaused     EventKind = "queue_paused"
	EventQueueResumed    EventKind = "queue_resumed"
	EventTaskPaused      EventKind = "task_paused"
	EventTaskResumed     EventKind = "task_resumed"
	EventSessionStarted  EventKind = "session_started"
	EventSessionEnded    EventKind = "session_ended"
)
