package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// Codes of problems that only HTTP has, besides those of docs/errors.md.
const (
	CodeMalformed           godwit.Code = "malformed"            // the body or a header cannot be read
	CodeForbiddenOrigin     godwit.Code = "forbidden_origin"     // a browser sent it on behalf of another site
	CodeForbiddenHost       godwit.Code = "forbidden_host"       // the Host header has a name that the server does not know
	CodeNoRoute             godwit.Code = "no_route"             // there is no such call
	CodeMethodNotAllowed    godwit.Code = "method_not_allowed"   // the path has other methods
	CodeUnsupportedEncoding godwit.Code = "unsupported_encoding" // the body is compressed
	CodeTooBusy             godwit.Code = "too_busy"             // too many bytes of bodies are in memory
	CodeOverloaded          godwit.Code = "overloaded"           // too many bytes of answers are in memory
	CodeInternal            godwit.Code = "internal"             // a fault of the server, which has logged it
)

// statuses maps every code to its HTTP status. What is not here is a 500.
var statuses = map[godwit.Code]int{
	CodeMalformed:           http.StatusBadRequest,
	CodeForbiddenOrigin:     http.StatusForbidden,
	CodeForbiddenHost:       http.StatusForbidden,
	CodeUnsupportedEncoding: http.StatusUnsupportedMediaType,
	CodeNoRoute:             http.StatusNotFound,
	CodeMethodNotAllowed:    http.StatusMethodNotAllowed,
	CodeTooBusy:             http.StatusTooManyRequests,
	CodeOverloaded:          http.StatusServiceUnavailable,
	CodeInternal:            http.StatusInternalServerError,

	godwit.CodeNotFound:    http.StatusNotFound,
	godwit.CodeUnknownTask: http.StatusNotFound,
	godwit.CodeExpired:     http.StatusGone,
	godwit.CodeTooLarge:    http.StatusRequestEntityTooLarge,

	godwit.CodeInvalid:      http.StatusUnprocessableEntity,
	godwit.CodeIdempotency:  http.StatusUnprocessableEntity,
	godwit.CodeBatchRefused: http.StatusUnprocessableEntity,
	godwit.CodeTooDeep:      http.StatusUnprocessableEntity,

	godwit.CodeWrongState:      http.StatusConflict,
	godwit.CodePinned:          http.StatusConflict,
	godwit.CodeIDConflict:      http.StatusConflict,
	godwit.CodeUniqueConflict:  http.StatusConflict,
	godwit.CodeChildMismatch:   http.StatusConflict,
	godwit.CodeAwaitCycle:      http.StatusConflict,
	godwit.CodeStaleRun:        http.StatusConflict,
	godwit.CodeSessionEnded:    http.StatusConflict,
	godwit.CodeLeaseExpired:    http.StatusConflict,
	godwit.CodeDuplicate:       http.StatusConflict,
	godwit.CodeSettled:         http.StatusConflict,
	godwit.CodeCancelRequested: http.StatusConflict,
	godwit.CodeStopping:        http.StatusConflict,
	godwit.CodeLeaseLost:       http.StatusConflict,

	godwit.CodeLimitReached: http.StatusTooManyRequests,

	godwit.CodeFailed:           http.StatusFailedDependency,
	godwit.CodePermanent:        http.StatusFailedDependency,
	godwit.CodePanic:            http.StatusFailedDependency,
	godwit.CodeTimeout:          http.StatusFailedDependency,
	godwit.CodeDeadlineExceeded: http.StatusFailedDependency,
	godwit.CodeCrashed:          http.StatusFailedDependency,
	godwit.CodeCancelled:        http.StatusFailedDependency,
	godwit.CodeUndecodable:      http.StatusFailedDependency,
	godwit.CodeUnencodable:      http.StatusFailedDependency,
	godwit.CodeResultTooLarge:   http.StatusFailedDependency,

	godwit.CodeUnavailable:    http.StatusServiceUnavailable,
	godwit.CodeOutcomeUnknown: http.StatusServiceUnavailable,
	godwit.CodeLocked:         http.StatusServiceUnavailable,
	godwit.CodeClosed:         http.StatusServiceUnavailable,
	godwit.CodeCorrupt:        http.StatusInternalServerError,
}

// StatusOf gives the HTTP status of a code.
func StatusOf(code godwit.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// uniqueOptions spells the options of uniqueness as the API does.
var uniqueOptions = strings.NewReplacer("unique.key", "unique_key", "unique.by_args", "unique_by_args",
	"unique.scope", "unique_scope", "unique.while", "unique_while", "unique.on_clash", "unique_on_clash")

// problemOf makes a problem of an error. Causes of a server's faults are not shown.
func problemOf(err error) *wire.Problem {
	code, field, detail := CodeInternal, "", "internal error (the server has logged it)"
	var e *godwit.Error
	switch {
	case errors.As(err, &e):
		code, field, detail = e.Code, uniqueOptions.Replace(e.Field), err.Error()
		said, _, _ := strings.Cut(detail, `"`) // what is quoted is the caller's own
		detail = uniqueOptions.Replace(said) + detail[len(said):]
		if code == godwit.CodeUniqueConflict {
			detail = strings.Replace(detail, "use ClashExisting", "submit with unique_on_clash existing", 1)
		}
		if StatusOf(code) >= http.StatusInternalServerError {
			detail = (&godwit.Error{Code: e.Code, Message: e.Message}).Error()
		}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		code, detail = godwit.CodeUnavailable, "the request ended before it was served"
	}
	return newProblem(code, field, detail)
}

func newProblem(code godwit.Code, field, detail string) *wire.Problem {
	status := StatusOf(code)
	return &wire.Problem{Title: http.StatusText(status), Status: status, Detail: detail, Code: code, Field: field}
}

// failureProblem is the answer to a call for the result of a job that has none.
func failureProblem(id godwit.ID, o godwit.OutcomeAnswer) *wire.Problem {
	code, message, stack := godwit.CodeFailed, "", ""
	if o.Failure != nil {
		code, message, stack = o.Failure.Code, o.Failure.Message, o.Failure.Stack
	}
	p := newProblem(code, "", message)
	p.Status = http.StatusFailedDependency
	p.Title = http.StatusText(p.Status)
	p.Job, p.State, p.Stack = id, o.State, stack
	return p
}

func invalid(field, format string, args ...any) *godwit.Error {
	return &godwit.Error{Code: godwit.CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

func malformed(field, format string, args ...any) *godwit.Error {
	return &godwit.Error{Code: CodeMalformed, Field: field, Message: fmt.Sprintf(format, args...)}
}

func tooLarge(field, format string, args ...any) *godwit.Error {
	return &godwit.Error{Code: godwit.CodeTooLarge, Field: field, Message: fmt.Sprintf(format, args...)}
}

// quoteShort quotes at most 64 bytes of s.
func quoteShort(s string) string {
	if len(s) > 64 {
		return fmt.Sprintf("%q... (%d bytes)", s[:64], len(s))
	}
	return fmt.Sprintf("%q", s)
}
