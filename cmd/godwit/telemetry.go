package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/metrics"
	"github.com/godwit-go/godwit/tracing"
)

const (
	tracesFlushTimeout  = 5 * time.Second // for the last spans, when the program ends
	tracesTroubleSilent = time.Minute     // between two lines about a collector that does not take them
)

// telemetry is what a server or a worker tells of itself besides its log. What is off is nil, and costs nothing.
type telemetry struct {
	metrics *metrics.Metrics
	traces  *sdktrace.TracerProvider
}

// newTelemetry makes what the configuration asks for. serves says whether there is an address at which metrics are read. A collector of
// traces need not be there.
func newTelemetry(ctx context.Context, conf *config.Config, serves bool, log *slog.Logger) (*telemetry, error) {
	t := &telemetry{}
	if serves && conf.Metrics.Enabled {
		t.metrics = metrics.New(metrics.Config{})
	}
	if conf.Tracing.OTLPEndpoint == "" {
		return t, nil
	}
	exporter, err := newExporter(ctx, conf.Tracing.OTLPEndpoint)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(semconv.ServiceName("godwit"), semconv.ServiceVersion(version())),
		resource.WithHost(), resource.WithTelemetrySDK(), resource.WithFromEnv()) // the environment, last, goes before
	if err != nil {
		log.Warn("godwit: the traces do not say all about this process", "err", err)
	}
	otel.SetErrorHandler(&traceTrouble{log: log})
	t.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(conf.Tracing.SampleRatio))))
	return t, nil
}

// newExporter sends to an endpoint, such as http://host:4318. Its user and password, if any, become a header; a path stands before
// /v1/traces, as the protocol has it.
func newExporter(ctx context.Context, endpoint string) (sdktrace.SpanExporter, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("tracing.otlp_endpoint: %w", errors.Unwrap(err)) // the error itself shows the URL
	}
	var options []otlptracehttp.Option
	if u.User != nil {
		password, _ := u.User.Password()
		secret := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		options = append(options, otlptracehttp.WithHeaders(map[string]string{"Authorization": "Basic " + secret}))
		u.User = nil
	}
	return otlptracehttp.New(ctx, append(options, otlptracehttp.WithEndpointURL(u.JoinPath("v1", "traces").String()))...)
}

// client adds to the configuration of the client what watches it.
func (t *telemetry) client(c godwit.Config) godwit.Config {
	if t.metrics != nil {
		c = t.metrics.Instrument(c)
	}
	if t.traces != nil {
		c = tracing.New(tracing.Config{TracerProvider: t.traces}).Instrument(c)
	}
	return c
}

// watch shows the client, and its store, in the metrics.
func (t *telemetry) watch(c *godwit.Client) {
	if t.metrics != nil {
		t.metrics.Watch(c)
	}
}

// api adds /metrics to the configuration of the HTTP API, and what counts its requests.
func (t *telemetry) api(c httpapi.Config) httpapi.Config {
	if t.metrics == nil {
		return c
	}
	c.Metrics = t.metrics.Handler()
	c.Observe = func(o httpapi.Observation) { t.metrics.ObserveRequest(o.Route, o.Status, o.Duration) }
	return c
}

// close sends the last spans and lets go of the client, after it was stopped and before its store is closed.
func (t *telemetry) close() {
	if t.metrics != nil {
		t.metrics.Close()
	}
	if t.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracesFlushTimeout)
	defer cancel()
	if err := t.traces.Shutdown(ctx); err != nil {
		otel.Handle(err) // spans that are lost are no failure of the program
	}
}

// traceTrouble logs what goes wrong with the sending of traces, now and then: a collector that is down fails every few seconds.
type traceTrouble struct {
	log *slog.Logger

	mu   sync.Mutex
	last time.Time // guarded by mu
}

// Handle logs an error.
func (h *traceTrouble) Handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); h.last.IsZero() || now.Sub(h.last) >= tracesTroubleSilent {
		h.last = now
		h.log.Warn("godwit: traces are lost", "err", err)
	}
}
