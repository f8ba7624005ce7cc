package godwit

// State is where a job stands, as its user sees it. docs/states.md draws the states and lists every transition.
type State string

// The states of a job. Only the last three are final.
const (
	StateScheduled State = "scheduled" // its time has not come; a retry's too
	StateReady     State = "ready"     // may run now; when [Job.Held] is set, something keeps it back
	StateRunning   State = "running"   // a worker runs it
	StateWaiting   State = "waiting"   // gave its slot back while it awaits other jobs
	StateSucceeded State = "succeeded" // done; the result is kept
	StateFailed    State = "failed"    // attempts used up, a permanent error, a deadline: the dead letter
	StateCancelled State = "cancelled" // cancelled before it could succeed
)

// States lists the states in the order of a job's life.
func States() []State {
	return []State{
		StateScheduled, StateReady, StateRunning, StateWaiting, StateSucceeded, StateFailed, StateCancelled,
	}
}

// Final reports whether the state is one that a job does not leave by itself.
func (s State) Final() bool {
	return s == StateSucceeded || s == StateFailed || s == StateCancelled
}

// Held says why a ready job is kept back. A held job stands outside the claim path: a million of them cost a claim nothing.
type Held string

// The reasons for which a ready job is held, in the order in which they are reported.
const (
	HeldQueuePaused    Held = "queue_paused"    // the queue is paused
	HeldTaskPaused     Held = "task_paused"     // the task is paused
	HeldUnknownTask    Held = "unknown_task"    // no live worker knows the task
	HeldUnknownVersion Held = "unknown_version" // live workers know the task, but not this version
	HeldUnservedQueue  Held = "unserved_queue"  // no live worker that knows the task serves the queue
)

// Outcome is how a run ended, as its worker reports it to the store.
type Outcome string

// The outcomes of a run.
const (
	OutcomeSucceed Outcome = "succeed" // the handler returned a result
	OutcomeFail    Outcome = "fail"    // the handler failed for good
	OutcomeRetry   Outcome = "retry"   // the handler failed; run again after a delay while attempts are left
	OutcomeSnooze  Outcome = "snooze"  // the handler asked to run again later; the attempt is given back
	OutcomeRelease Outcome = "release" // the worker stops; run elsewhere at once; the attempt is given back
	OutcomeReject  Outcome = "reject"  // the handler was never called (undecodable arguments): failed, the attempt is given back
)
