package tracing

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/godwit-go/godwit"
)

const schemaURL = semconv.SchemaURL

// The attributes that the semantic conventions have no name for.
const (
	taskKey        = attribute.Key("godwit.task")
	versionKey     = attribute.Key("godwit.task.version")
	runKey         = attribute.Key("godwit.job.run")
	attemptKey     = attribute.Key("godwit.job.attempt")
	maxAttemptsKey = attribute.Key("godwit.job.max_attempts")
	crashesKey     = attribute.Key("godwit.job.crashes")
	parentKey      = attribute.Key("godwit.job.parent")
	outcomeKey     = attribute.Key("godwit.run.outcome")
	existingKey    = attribute.Key("godwit.submit.existing_count")
)

var (
	system     = semconv.MessagingSystemKey.String("godwit")
	submitName = semconv.MessagingOperationName("submit")
	runName    = semconv.MessagingOperationName("run")
)

// submitAttributes describe a submission. What differs from job to job is left out.
func submitAttributes(jobs []godwit.Submission) []attribute.KeyValue {
	set := []attribute.KeyValue{system, submitName, semconv.MessagingOperationTypeSend}
	queue, task := queueOf(jobs[0]), jobs[0].Task
	for _, s := range jobs {
		if queueOf(s) != queue {
			queue = ""
		}
		if s.Task != task {
			task = ""
		}
	}
	if queue != "" {
		set = append(set, semconv.MessagingDestinationName(queue))
	}
	if task != "" {
		set = append(set, taskKey.String(task))
	}
	if len(jobs) > 1 {
		set = append(set, semconv.MessagingBatchMessageCount(len(jobs)))
	}
	return set
}

// queueOf gives the queue of a submission.
func queueOf(s godwit.Submission) string {
	if s.Options.Queue != "" {
		return s.Options.Queue
	}
	if p, ok := s.Policy(); ok {
		return p.Queue
	}
	return godwit.QueueDefault
}

// tellSubmitted adds what became of a submission.
func tellSubmitted(span trace.Span, answers []godwit.SubmitAnswer, err error) {
	if !span.IsRecording() {
		return
	}
	if err != nil {
		kind := "other"
		var e *godwit.Error
		switch {
		case errors.As(err, &e):
			kind = string(e.Code)
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			kind = "context"
		}
		span.RecordError(err)
		fail(span, kind, err.Error())
		return
	}
	if len(answers) == 1 {
		span.SetAttributes(semconv.MessagingMessageID(answers[0].ID.String()))
	}
	existing := 0
	for _, a := range answers {
		if !a.Created {
			existing++
		}
	}
	if existing > 0 {
		span.SetAttributes(existingKey.Int(existing))
	}
}

// runAttributes describe a run.
func runAttributes(info *godwit.RunInfo) []attribute.KeyValue {
	set := []attribute.KeyValue{
		system, runName, semconv.MessagingOperationTypeProcess, semconv.MessagingDestinationName(info.Queue),
		semconv.MessagingMessageID(info.ID.String()), semconv.MessagingClientID(info.Token.Session.String()),
		taskKey.String(info.Task), versionKey.Int(info.Version), runKey.Int64(info.Run), attemptKey.Int(info.Attempt),
		maxAttemptsKey.Int(info.MaxAttempts),
	}
	if info.Crashes > 0 {
		set = append(set, crashesKey.Int(info.Crashes))
	}
	if !info.Parent.IsZero() {
		set = append(set, parentKey.String(info.Parent.String()))
	}
	return set
}

// tellRun adds what becomes of a run. A snooze, a release and a cancel are no errors: the job did what it was told.
func tellRun(ctx context.Context, span trace.Span, err error) {
	if !span.IsRecording() {
		return
	}
	outcome, failure := godwit.VerdictOf(ctx, err)
	span.SetAttributes(outcomeKey.String(string(outcome)))
	switch {
	case outcome == godwit.RunLost:
		fail(span, string(godwit.CodeLeaseLost), godwit.ErrLeaseLost.Error())
	case failure != nil && outcome != godwit.RunCancelled:
		recorded := []attribute.KeyValue{semconv.ExceptionMessage(failure.Message), semconv.ExceptionType(string(failure.Code))}
		if failure.Stack != "" {
			recorded = append(recorded, semconv.ExceptionStacktrace(failure.Stack))
		}
		span.AddEvent("exception", trace.WithAttributes(recorded...))
		fail(span, string(failure.Code), failure.Message)
	}
}

func fail(span trace.Span, kind, message string) {
	span.SetAttributes(semconv.ErrorTypeKey.String(kind))
	span.SetStatus(codes.Error, message)
}
