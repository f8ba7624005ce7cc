// Package tracing follows jobs with OpenTelemetry, from whoever submits them to the handler that does them.
//
//	tr := tracing.New(tracing.Config{TracerProvider: provider})
//	c, err := godwit.New(store, tr.Instrument(godwit.Config{}))
//
// It needs the API of OpenTelemetry alone: the program brings the SDK and the exporter. A client that is not instrumented pays
// nothing.
//
// # Spans
//
// A submission is a span of kind producer, "submit" and the task, which ends when the jobs are durable. Its trace context goes with
// each job, in the headers traceparent and tracestate of W3C Trace Context; baggage does not, as it would be kept with the
// job. A run is a span of kind consumer, "run" and the task, which ends with the handler: each attempt has one of its own, with
// its number, its outcome and its error. What a handler submits becomes part of its run's span, so that one trace shows the
// whole tree of a job.
//
// # Where a run belongs
//
// The span of a run is a child of the submission's span and linked to it. A run that begins long after its job was submitted, by default an
// hour, begins a trace of its own, linked to the submission: a trace that grows for days is of no use. See [Config].NewTraceAfter.
//
// # What does not pass through a client
//
// A driver's SubmitTx takes what [Tracing.Carry] gives. A client of package httpclient is wrapped by [Tracing.Submitter]. Callers of
// the HTTP API send the header traceparent.
//
// docs/tracing.md lists every attribute.
package tracing
