package tracing

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/godwit-go/godwit"
)

// NewTraceAfterDefault is the age of a job from which on its runs begin traces of their own.
const NewTraceAfterDefault = time.Hour

const scope = "github.com/godwit-go/godwit/tracing"

// Config makes a [Tracing]. The zero value is useful.
type Config struct {
	// TracerProvider makes the spans. Defaults to the global one of package otel.
	TracerProvider trace.TracerProvider
	// Propagator writes the trace context into the headers of jobs and reads it. Defaults to W3C Trace Context, without baggage. A
	// header that does not fit into the job's bounds is left out.
	Propagator propagation.TextMapPropagator
	// NewTraceAfter is how long after its submission a run begins a trace of its own, linked to that of the submission. Defaults to
	// [NewTraceAfterDefault]; negative: every run does.
	NewTraceAfter time.Duration
}

// Tracing makes the spans of a client. Make one with [New]. It is safe for use by many goroutines and many clients.
type Tracing struct {
	tracer        trace.Tracer
	propagator    propagation.TextMapPropagator
	newTraceAfter time.Duration
}

// New makes a Tracing.
func New(config Config) *Tracing {
	if config.TracerProvider == nil {
		config.TracerProvider = otel.GetTracerProvider()
	}
	if config.Propagator == nil {
		config.Propagator = propagation.TraceContext{}
	}
	if config.NewTraceAfter == 0 {
		config.NewTraceAfter = NewTraceAfterDefault
	}
	return &Tracing{
		tracer:     config.TracerProvider.Tracer(scope, trace.WithSchemaURL(schemaURL)),
		propagator: config.Propagator, newTraceAfter: config.NewTraceAfter,
	}
}

// Instrument gives the config with tracing added to it, outermost: for [godwit.New].
func (t *Tracing) Instrument(config godwit.Config) godwit.Config {
	config.SubmitMiddleware = slices.Insert(slices.Clone(config.SubmitMiddleware), 0, t.submit)
	config.Middleware = slices.Insert(slices.Clone(config.Middleware), 0, t.run)
	return config
}

// Submitter gives a submitter whose submissions are traced as those of an instrumented client: for one that is no [godwit.Client], such as
// that of package httpclient.
func (t *Tracing) Submitter(s godwit.Submitter) godwit.Submitter {
	return &submitter{Submitter: s, submit: t.submit(s.SubmitAll)}
}

type submitter struct {
	godwit.Submitter
	submit godwit.SubmitFunc
}

// SubmitAll makes the jobs within a span.
func (s *submitter) SubmitAll(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
	return s.submit(ctx, slices.Clone(jobs))
}

// Carry gives the submission with the trace context of ctx, for a driver's SubmitTx: its runs are children of the span that ctx
// has. It makes no span, as the transaction may yet be rolled back.
func (t *Tracing) Carry(ctx context.Context, s godwit.Submission) godwit.Submission {
	return put(s, t.headersOf(ctx))
}

// headersOf gives the trace context of ctx as headers; nothing when there is none.
func (t *Tracing) headersOf(ctx context.Context) propagation.MapCarrier {
	headers := propagation.MapCarrier{}
	t.propagator.Inject(ctx, headers)
	return headers
}

// put gives the submission with headers, as far as they fit: tracing is no reason to refuse a job.
func put(s godwit.Submission, headers propagation.MapCarrier) godwit.Submission {
	for name, value := range headers {
		_, there := s.Options.Headers[name]
		if len(name)+len(value) <= godwit.HeaderMax && (there || len(s.Options.Headers) < godwit.HeadersMax) {
			s = s.WithHeader(name, value)
		}
	}
	return s
}

// contextOf gives the span context that headers carry; an invalid one when they carry none.
func (t *Tracing) contextOf(headers map[string]string) trace.SpanContext {
	ctx := t.propagator.Extract(context.Background(), propagation.MapCarrier(headers))
	return trace.SpanContextFromContext(ctx)
}

// submit makes a span around a submission and gives its context to the jobs. Without a span in ctx it belongs to the trace that the first job
// carries, as a caller of the HTTP API gave it. A job that carries a trace context of another trace keeps it.
func (t *Tracing) submit(next godwit.SubmitFunc) godwit.SubmitFunc {
	return func(ctx context.Context, jobs []godwit.Submission) (answers []godwit.SubmitAnswer, err error) {
		if len(jobs) == 0 {
			return next(ctx, jobs)
		}
		if !trace.SpanContextFromContext(ctx).IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, t.contextOf(jobs[0].Options.Headers))
		}
		ctx, span := t.tracer.Start(ctx, nameOf("submit", jobs), trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithAttributes(submitAttributes(jobs)...))
		defer span.End()
		mine, headers := span.SpanContext().TraceID(), t.headersOf(ctx)
		for i, s := range jobs {
			if carried := t.contextOf(s.Options.Headers); !carried.IsValid() || carried.TraceID() == mine {
				jobs[i] = put(s, headers)
			}
		}
		answers, err = next(ctx, jobs)
		tellSubmitted(span, answers, err)
		return answers, err
	}
}

// nameOf names the span of a submission: by its task, if it is of one.
func nameOf(what string, jobs []godwit.Submission) string {
	for _, s := range jobs {
		if s.Task != jobs[0].Task {
			return what
		}
	}
	return what + " " + jobs[0].Task
}

// run makes a span around a run. What the context of the client's Start had is left behind: it is no part of what the job is for.
func (t *Tracing) run(next godwit.HandlerFunc) godwit.HandlerFunc {
	return func(ctx context.Context) error {
		info := godwit.Info(ctx)
		origin := t.contextOf(info.Headers)
		options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(runAttributes(&info)...)}
		if origin.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: origin}))
		}
		parent := origin
		if t.newTraceAfter < 0 || time.Since(info.CreatedAt) > t.newTraceAfter {
			parent = trace.SpanContext{}
		}
		ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "run "+info.Task, options...)
		returned := false
		defer func() {
			if !returned { // a panic of another middleware, or runtime.Goexit
				fail(span, string(godwit.CodePanic), "the run did not return")
			}
			span.End()
		}()
		err := next(ctx)
		returned = true
		tellRun(ctx, span, err)
		return err
	}
}
