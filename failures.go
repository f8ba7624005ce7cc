package godwit

// The failures that stores record by themselves, the same on each.

// CancelledFailure is the failure of a job that was cancelled for the reason given, which may be empty.
func CancelledFailure(reason string) *Failure {
	if reason == "" {
		reason = "the job was cancelled"
	}
	return &Failure{Code: CodeCancelled, Message: reason}
}

// CascadeReason is the reason recorded for children that are cancelled with their parent.
func CascadeReason(parent ID) string { return "the parent " + parent.String() + " was cancelled" }

// CrashedFailure is the failure of a run whose worker died, as its lease tells: it ran out.
func CrashedFailure(session ID) *Failure {
	return &Failure{Code: CodeCrashed, Message: "the worker died under the job: the lease of session " + session.String() + " ran out"}
}

// OrphanedFailure is the failure of a run whose process ended: a store that one process has at a time was opened anew.
func OrphanedFailure(session ID) *Failure {
	return &Failure{Code: CodeCrashed, Message: "the worker died under the job: the process of session " + session.String() + " ended"}
}

// DeadlineFailure is the failure of a job that its deadline overtook. last is the failure of its last run, nil when there was
// none.
func DeadlineFailure(last *Failure) *Failure {
	f := &Failure{Code: CodeDeadlineExceeded, Message: "the deadline passed before the job could succeed"}
	if last != nil {
		f.Message += "; last error: " + last.Message
		f.Stack = last.Stack
	}
	return f
}
