package tracing_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
	"github.com/godwit-go/godwit/tracing"
)

var (
	double = godwit.NewTask[int, int]("double", godwit.Policy{MaxAttempts: 2})
	outer  = godwit.NewTask[int, int]("outer", godwit.Policy{})
)

func doubled(_ context.Context, n int) (int, error) { return 2 * n, nil }

// bundle is a traced client.
type bundle struct {
	*godwit.Client
	tr       *tracing.Tracing
	provider *sdktrace.TracerProvider
	exporter *tracetest.InMemoryExporter
}

// setup makes a traced client that is not started on a store.
func setup(t *testing.T, store godwit.Store, config tracing.Config, options ...sdktrace.TracerProviderOption) bundle {
	t.Helper()
	b := bundle{exporter: tracetest.NewInMemoryExporter()}
	b.provider = sdktrace.NewTracerProvider(append(options, sdktrace.WithSyncer(b.exporter))...)
	config.TracerProvider = b.provider
	b.tr = tracing.New(config)
	c, err := godwit.New(store, b.tr.Instrument(godwit.Config{Logger: slog.New(slog.DiscardHandler)}))
	if err != nil {
		t.Fatal(err)
	}
	b.Client = c
	return b
}

// onSQLite opens a fresh file, closed with the test.
func onSQLite(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jobs.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// start starts the client; stop stops it before the store is closed.
func (b bundle) start(t *testing.T) (stop func()) {
	t.Helper()
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := b.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// spans gives the ended spans of a name, in the order of their ends.
func (b bundle) spans(name string) []tracetest.SpanStub {
	var found []tracetest.SpanStub
	for _, s := range b.exporter.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// span gives the one span of a name.
func (b bundle) span(t *testing.T, name string) tracetest.SpanStub {
	t.Helper()
	found := b.spans(name)
	if len(found) != 1 {
		t.Fatalf("there are %d spans %q, want one", len(found), name)
	}
	return found[0]
}

// wantChild checks that a span is a child of another, in its trace.
func wantChild(t *testing.T, child tracetest.SpanStub, of trace.SpanContext) {
	t.Helper()
	if child.SpanContext.TraceID() != of.TraceID() || child.Parent.SpanID() != of.SpanID() {
		t.Errorf("%q is child of %s in trace %s, want %s in %s", child.Name, child.Parent.SpanID(), child.SpanContext.TraceID(),
			of.SpanID(), of.TraceID())
	}
}

// wantLink checks that a span has one link, to another.
func wantLink(t *testing.T, s tracetest.SpanStub, to trace.SpanContext) {
	t.Helper()
	if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != to.SpanID() {
		t.Errorf("%q has links %v, want one to %s", s.Name, s.Links, to.SpanID())
	}
}

// get gives an attribute as text, "" without.
func get(set []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range set {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}
