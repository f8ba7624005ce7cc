package builtin

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// traceOf gives the trace context (W3C traceparent and tracestate) that a job hands on: that of its run when it is traced here,
// otherwise that which it came with.
func traceOf(ctx context.Context, headers map[string]string) map[string]string {
	now := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, now)
	if now["traceparent"] == "" {
		now = propagation.MapCarrier{"traceparent": headers["traceparent"], "tracestate": headers["tracestate"]}
	}
	return now
}
