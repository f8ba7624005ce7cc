package godwit

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Permanent marks an error as one that trying again does not mend: the job fails at once. A nil error stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// RetryAfter marks an error as one to be tried again after d, in place of the task's back-off: a server said when. A nil error
// stays nil; a negative d is 0.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{bounded(d), err}
}

// Snooze is the error of a handler that wants to run again after d, although nothing failed: it costs no attempt. A
// negative d is 0.
func Snooze(d time.Duration) error { return &snoozeError{bounded(d)} }

func bounded(d time.Duration) time.Duration { return min(max(d, 0), DelayMax) }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type retryAfterError struct {
	after time.Duration
	err   error
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

type snoozeError struct{ after time.Duration }

func (e *snoozeError) Error() string { return fmt.Sprintf("snooze for %v", e.after) }

// panicError is a handler that panicked or called runtime.Goexit.
type panicError struct {
	message string
	stack   string
}

func (e *panicError) Error() string { return e.message }

// verdict is how a run ends. A run with drop says nothing to the store: its token is over, or the end of the session says it.
type verdict struct {
	outcome Outcome
	failure *Failure
	delay   time.Duration
	drop    bool
}

// judge says how a run ends whose handler returned err, with the cause for which its context ended, nil when it did not. An
// explicit wish of the handler goes before the cause.
func judge(err, cause error, policy Policy, attempt int, child func(ID) bool) verdict {
	switch {
	case errors.Is(cause, ErrLeaseLost):
		return verdict{drop: true}
	case err == nil:
		return verdict{outcome: OutcomeSucceed}
	}
	var (
		undecodable *undecodableError
		permanent   *permanentError
		snooze      *snoozeError
		after       *retryAfterError
		panicked    *panicError
	)
	retry := func(code Code, delay time.Duration) verdict {
		return verdict{outcome: OutcomeRetry, failure: failureOf(code, err), delay: delay}
	}
	switch {
	case errors.As(err, &undecodable):
		return verdict{outcome: OutcomeReject, failure: failureOf(CodeUndecodable, undecodable)}
	case errors.As(err, &permanent):
		return verdict{outcome: OutcomeFail, failure: failureOf(CodePermanent, err)}
	case errors.As(err, &snooze):
		return verdict{outcome: OutcomeSnooze, delay: snooze.after}
	case errors.As(err, &after):
		return retry(CodeFailed, after.after)
	case errors.Is(cause, ErrStopping):
		return verdict{outcome: OutcomeRelease}
	case errors.Is(cause, ErrCancelled):
		return verdict{outcome: OutcomeFail, failure: failureOf(CodeCancelled, because(cause, err))}
	case errors.Is(cause, ErrDeadlineExceeded):
		return verdict{outcome: OutcomeFail, failure: failureOf(CodeDeadlineExceeded, because(cause, err))}
	case errors.As(err, &panicked):
		v := retry(CodePanic, policy.Backoff.Delay(attempt))
		v.failure.Stack = cut(panicked.stack, StackMax)
		return v
	case errors.Is(cause, ErrTimeout):
		err = because(cause, err)
		return retry(CodeTimeout, policy.Backoff.Delay(attempt))
	}
	if code, final := finalCode(err, child); final {
		return verdict{outcome: OutcomeFail, failure: failureOf(code, err)}
	}
	return retry(CodeFailed, policy.Backoff.Delay(attempt))
}

// finalCode finds the errors that another run of the same handler would meet again.
func finalCode(err error, child func(ID) bool) (Code, bool) {
	var e *Error
	if errors.As(err, &e) {
		switch e.Code {
		case CodeUnencodable, CodeResultTooLarge, CodeAwaitCycle, CodeChildMismatch, CodeTooDeep:
			return e.Code, true
		}
	}
	var failed *JobError
	if errors.As(err, &failed) && child(failed.Job) {
		return CodePermanent, true
	}
	return "", false
}

// because puts the cause for which a context ended before the handler's error, or in its place when that says only that it ended.
func because(cause, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, cause) {
		return cause
	}
	return fmt.Errorf("%w: %w", cause, err)
}

func failureOf(code Code, err error) *Failure {
	return &Failure{Code: code, Message: cut(err.Error(), MessageMax)}
}

// cut bounds a text, and says so when it had to. The middle goes: the cause of a chain of errors stands at its end.
func cut(s string, bound int) string {
	const mark = " ... (cut) ... "
	if len(s) <= bound {
		return validUTF8(s)
	}
	tail := (bound - len(mark)) / 4
	return validUTF8(s[:bound-len(mark)-tail]) + mark + validUTF8(s[len(s)-tail:])
}

// ended makes the error of a wait that the context cut short: it matches ctx.Err() and the context's cause.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return &endedError{cause, err}
}

type endedError struct{ cause, err error }

func (e *endedError) Error() string   { return e.cause.Error() }
func (e *endedError) Unwrap() []error { return []error{e.cause, e.err} }
