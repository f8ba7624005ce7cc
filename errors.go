package godwit

import (
	"fmt"
	"strings"
)

// Code says in one stable word what was refused or went wrong. Codes are part of the compatibility promise; the message
// beside a code is not. docs/errors.md lists every code with its meaning and its mend.
type Code string

// Codes of refusals and of outcomes. A [Store] answers with them for each item; the client turns them into an [Error].
const (
	CodeInvalid          Code = "invalid"              // an argument is outside its bounds; the field and the bound are named
	CodeTooLarge         Code = "too_large"            // a payload, batch, name or key is over its bound
	CodeNotFound         Code = "not_found"            // nothing with this id was ever here, or it was forgotten
	CodeExpired          Code = "expired"              // the job was here and has been pruned or deleted
	CodeWrongState       Code = "wrong_state"          // the operation is not possible in the job's state
	CodePinned           Code = "pinned"               // the result is needed by the parent, which has not succeeded
	CodeIDConflict       Code = "id_conflict"          // the id is taken by a different submission
	CodeIdempotency      Code = "idempotency_mismatch" // the idempotency key was used for a different submission
	CodeUniqueConflict   Code = "unique_conflict"      // another job holds the unique key
	CodeChildMismatch    Code = "child_mismatch"       // the parent submitted a different child under this name before
	CodeBatchRefused     Code = "batch_refused"        // another item of the same batch was refused, so none was taken
	CodeAwaitCycle       Code = "await_cycle"          // a job may not wait for itself or for an ancestor
	CodeTooDeep          Code = "too_deep"             // children of children of ... are nested too deep
	CodeLimitReached     Code = "limit_reached"        // a job's bound on log lines or items is reached
	CodeStaleRun         Code = "stale_run"            // the run was lost: another run of the job has begun
	CodeSessionEnded     Code = "session_ended"        // the session was ended: its jobs run elsewhere
	CodeLeaseExpired     Code = "lease_expired"        // the session must renew its lease before it may claim
	CodeDuplicate        Code = "duplicate"            // this run is over already; State says how the job stands
	CodeSettled          Code = "settled"              // what was to be awaited has settled: there is nothing to wait for
	CodeCancelRequested  Code = "cancel_requested"     // the job is being cancelled
	CodeCancelled        Code = "cancelled"            // the job was cancelled
	CodeFailed           Code = "failed"               // the handler returned an error
	CodePermanent        Code = "permanent"            // the handler returned an error marked permanent
	CodePanic            Code = "panic"                // the handler panicked; the message holds the stack
	CodeTimeout          Code = "timeout"              // the run took longer than its timeout
	CodeDeadlineExceeded Code = "deadline_exceeded"    // the job did not finish before its deadline
	CodeCrashed          Code = "crashed"              // the worker died under the job more often than MaxCrashes allows
	CodeUndecodable      Code = "undecodable_args"     // the arguments do not decode into the task's input type
	CodeUnencodable      Code = "unencodable_result"   // the result does not encode
	CodeResultTooLarge   Code = "result_too_large"     // the encoded result is over the payload bound
	CodeUnknownTask      Code = "unknown_task"         // neither this client nor a live worker knows the task
	CodeLocked           Code = "locked"               // another process holds the database file
	CodeCorrupt          Code = "corrupt"              // the database is damaged or is not one of ours
	CodeUnavailable      Code = "unavailable"          // the store cannot serve now (disk full, connection lost)
	CodeOutcomeUnknown   Code = "outcome_unknown"      // the call was cut off: it may or may not have happened; repeat it with the same id
	CodeClosed           Code = "closed"               // the store or client was closed
	CodeStopping         Code = "stopping"             // the worker stops: the run is given back
	CodeLeaseLost        Code = "lease_lost"           // the worker could not renew its lease, or lost the run: it runs elsewhere
)

// Error is the one public error type. Code is for programs, Message for people.
type Error struct {
	Code    Code
	Field   string // the argument at fault, empty when there is none
	Message string // one sentence, lower case, saying what is wrong, the bound and the mend
	Err     error  // the cause, nil when there is none
}

// Error gives "field: message" or the message, then the cause.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Field != "" {
		b.WriteString(e.Field)
		b.WriteByte(' ')
	}
	if e.Message != "" {
		b.WriteString(e.Message)
	} else {
		b.WriteString(strings.ReplaceAll(string(e.Code), "_", " "))
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an [Error] with the same code, so that errors.Is(err, godwit.ErrNotFound) works for every
// error with [CodeNotFound].
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Sentinels for errors.Is. Any [Error] with the same code matches.
var (
	ErrInvalid          = &Error{Code: CodeInvalid}
	ErrTooLarge         = &Error{Code: CodeTooLarge}
	ErrNotFound         = &Error{Code: CodeNotFound}
	ErrExpired          = &Error{Code: CodeExpired}
	ErrWrongState       = &Error{Code: CodeWrongState}
	ErrIdempotency      = &Error{Code: CodeIdempotency}
	ErrUniqueConflict   = &Error{Code: CodeUniqueConflict}
	ErrAwaitCycle       = &Error{Code: CodeAwaitCycle}
	ErrCancelled        = &Error{Code: CodeCancelled}
	ErrDeadlineExceeded = &Error{Code: CodeDeadlineExceeded}
	ErrLocked           = &Error{Code: CodeLocked}
	ErrCorrupt          = &Error{Code: CodeCorrupt}
	ErrUnavailable      = &Error{Code: CodeUnavailable}
	ErrOutcomeUnknown   = &Error{Code: CodeOutcomeUnknown}
	ErrClosed           = &Error{Code: CodeClosed}
	ErrTimeout          = &Error{Code: CodeTimeout}
	ErrUnknownTask      = &Error{Code: CodeUnknownTask}
)

// Causes of the end of a handler's context, besides [ErrTimeout], [ErrCancelled] and [ErrDeadlineExceeded]: ask
// errors.Is(context.Cause(ctx), godwit.ErrStopping).
var (
	ErrStopping  = &Error{Code: CodeStopping, Message: "the worker stops"}
	ErrLeaseLost = &Error{Code: CodeLeaseLost, Message: "the run was lost: it goes on elsewhere"}
)

func invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

func tooLarge(field, format string, args ...any) *Error {
	return &Error{Code: CodeTooLarge, Field: field, Message: fmt.Sprintf(format, args...)}
}

// quoteShort quotes at most 64 bytes of s, so that a huge input does not make a huge message.
func quoteShort(s string) string {
	if len(s) > 64 {
		return fmt.Sprintf("%q... (%d bytes)", s[:64], len(s))
	}
	return fmt.Sprintf("%q", s)
}
