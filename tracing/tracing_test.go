package tracing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/tracing"
)

func TestOneTraceShowsTheTree(t *testing.T) {
	t.Parallel()
	b := setup(t, onSQLite(t), tracing.Config{})
	godwit.Handle(b.Client, double, doubled)
	godwit.Handle(b.Client, outer, func(ctx context.Context, n int) (int, error) {
		p, err := double.Submit(ctx, b, n, godwit.SubmitOptions{})
		if err != nil {
			return 0, err
		}
		return p.Await(ctx)
	})
	defer b.start(t)()
	ctx, request := b.provider.Tracer("test").Start(t.Context(), "request")
	p, err := outer.Submit(ctx, b, 21, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	request.End()
	if got, err := p.Await(t.Context()); got != 42 || err != nil {
		t.Fatalf("got %d, %v", got, err)
	}
	submitOuter, runOuter := b.span(t, "submit outer"), b.span(t, "run outer")
	submitDouble, runDouble := b.span(t, "submit double"), b.span(t, "run double")
	wantChild(t, submitOuter, request.SpanContext())
	wantChild(t, runOuter, submitOuter.SpanContext)
	wantLink(t, runOuter, submitOuter.SpanContext)
	wantChild(t, submitDouble, runOuter.SpanContext)
	wantChild(t, runDouble, submitDouble.SpanContext)
	if submitOuter.SpanKind != trace.SpanKindProducer || runOuter.SpanKind != trace.SpanKindConsumer {
		t.Errorf("got kinds %v and %v", submitOuter.SpanKind, runOuter.SpanKind)
	}
	wantAttributes(t, submitOuter, map[attribute.Key]string{
		"messaging.system": "godwit", "messaging.operation.name": "submit", "messaging.operation.type": "send",
		"messaging.destination.name": "default", "messaging.message.id": p.ID().String(), "godwit.task": "outer",
	})
	wantAttributes(t, runDouble, map[attribute.Key]string{
		"messaging.system": "godwit", "messaging.operation.name": "run", "messaging.operation.type": "process",
		"messaging.destination.name": "default", "godwit.task": "double", "godwit.task.version": "1", "godwit.job.run": "1",
		"godwit.job.attempt": "1", "godwit.job.max_attempts": "2", "godwit.job.parent": p.ID().String(), "godwit.run.outcome": "succeeded",
		"error.type": "",
	})
}

func wantAttributes(t *testing.T, s tracetest.SpanStub, want map[attribute.Key]string) {
	t.Helper()
	for key, v := range want {
		if got := get(s.Attributes, key); got != v {
			t.Errorf("%q has %s %q, want %q", s.Name, key, got, v)
		}
	}
}

func TestEndsOfRunsAreTold(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args     string
		fn       func(ctx context.Context, c *godwit.Client) error
		outcomes []string // with the code of the error
		stack    bool
	}{
		"an error, and again": {fn: func(context.Context, *godwit.Client) error { return errors.New("oops") }, outcomes: []string{"retry failed", "failed failed"}},
		"a permanent error":   {fn: func(context.Context, *godwit.Client) error { return godwit.Permanent(errors.New("oops")) }, outcomes: []string{"failed permanent"}},
		"a panic, and again":  {fn: func(context.Context, *godwit.Client) error { panic("ouch") }, outcomes: []string{"retry panic", "failed panic"}, stack: true},
		"runtime.Goexit":      {fn: func(context.Context, *godwit.Client) error { runtime.Goexit(); return nil }, outcomes: []string{" panic", " panic"}},
		"bad arguments":       {args: `"x"`, fn: func(context.Context, *godwit.Client) error { return nil }, outcomes: []string{"failed undecodable_args"}},
		"a snooze": {fn: func(ctx context.Context, _ *godwit.Client) error {
			if godwit.Info(ctx).Run == 1 {
				return godwit.Snooze(time.Second)
			}
			return nil
		}, outcomes: []string{"snooze ", "succeeded "}},
		"a cancel": {fn: func(ctx context.Context, c *godwit.Client) error {
			if err := c.Cancel(context.WithoutCancel(ctx), godwit.Info(ctx).ID, "enough"); err != nil {
				return err
			}
			<-ctx.Done()
			return ctx.Err()
		}, outcomes: []string{"cancelled "}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, model.New(model.Config{}), tracing.Config{})
				godwit.Handle(b.Client, double, func(ctx context.Context, _ int) (int, error) { return 0, c.fn(ctx, b.Client) })
				stop := b.start(t)
				args := c.args
				if args == "" {
					args = "1"
				}
				p, err := b.SubmitRaw(t.Context(), "double", json.RawMessage(args), godwit.SubmitOptions{})
				if err != nil {
					t.Fatal(err)
				}
				_, _ = p.Await(t.Context())
				stop()
				runs := b.spans("run double")
				if len(runs) != len(c.outcomes) {
					t.Fatalf("there are %d spans, want %d", len(runs), len(c.outcomes))
				}
				for i, s := range runs {
					code := get(s.Attributes, "error.type")
					if got := get(s.Attributes, "godwit.run.outcome") + " " + code; got != c.outcomes[i] {
						t.Errorf("run %d: got %q, want %q", i+1, got, c.outcomes[i])
					}
					if failed := s.Status.Code == codes.Error; failed != (code != "") {
						t.Errorf("run %d: got status %v with %q", i+1, s.Status, code)
					}
					if number := get(s.Attributes, "godwit.job.run"); number != fmt.Sprint(i+1) {
						t.Errorf("run %d has number %s", i+1, number)
					}
					if c.stack && !strings.Contains(get(s.Events[0].Attributes, "exception.stacktrace"), "tracing_test.go") {
						t.Errorf("run %d: no stack in %v", i+1, s.Events)
					}
				}
			})
		})
	}
}

func TestALateRunBeginsATraceOfItsOwn(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		config tracing.Config
		delay  time.Duration
		own    bool
	}{
		"soon":             {tracing.Config{}, time.Minute, false},
		"late":             {tracing.Config{}, 2 * time.Hour, true},
		"late, and wanted": {tracing.Config{NewTraceAfter: 24 * time.Hour}, 2 * time.Hour, false},
		"always":           {tracing.Config{NewTraceAfter: -1}, 0, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, model.New(model.Config{}), c.config)
				godwit.Handle(b.Client, double, doubled)
				stop := b.start(t)
				p, err := double.Submit(t.Context(), b, 1, godwit.SubmitOptions{Delay: c.delay})
				if err != nil {
					t.Fatal(err)
				}
				_, _ = p.Await(t.Context())
				stop()
				submit, run := b.span(t, "submit double"), b.span(t, "run double")
				wantLink(t, run, submit.SpanContext)
				if !c.own {
					wantChild(t, run, submit.SpanContext)
				} else if run.Parent.IsValid() || run.SpanContext.TraceID() == submit.SpanContext.TraceID() {
					t.Errorf("the run is in trace %s under %s", run.SpanContext.TraceID(), run.Parent.SpanID())
				}
			})
		})
	}
}

func TestTheContextOfStartIsLeftBehind(t *testing.T) {
	t.Parallel()
	b := setup(t, onSQLite(t), tracing.Config{})
	godwit.Handle(b.Client, double, doubled)
	ctx, boot := b.provider.Tracer("test").Start(t.Context(), "boot")
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Stop(context.WithoutCancel(ctx)) }()
	p, err := double.Submit(t.Context(), b, 1, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if run := b.span(t, "run double"); run.SpanContext.TraceID() == boot.SpanContext().TraceID() {
		t.Error("the run is in the trace of the start")
	}
}

func TestOnlyTheTraceContextIsCarried(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), tracing.Config{})
	member, err := baggage.NewMember("user", "me")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	p, err := double.Submit(baggage.ContextWithBaggage(t.Context(), bag), b, 1, godwit.SubmitOptions{Headers: map[string]string{"mine": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := b.Get(t.Context(), p.ID())
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("00-%s-%s-01", b.span(t, "submit double").SpanContext.TraceID(), b.span(t, "submit double").SpanContext.SpanID())
	if len(j.Headers) != 2 || j.Headers["mine"] != "1" || j.Headers["traceparent"] != want {
		t.Errorf("got headers %v, want mine and traceparent %s", j.Headers, want)
	}
}

func TestAJobWithoutRoomForHeadersIsTaken(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), tracing.Config{})
	headers := map[string]string{}
	for i := range godwit.HeadersMax {
		headers[fmt.Sprint("h", i)] = "x"
	}
	if _, err := double.Submit(t.Context(), b, 1, godwit.SubmitOptions{Headers: headers}); err != nil {
		t.Error(err)
	}
}

func TestABatchIsOneSpan(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), tracing.Config{})
	if _, err := double.SubmitMany(t.Context(), b, []int{1, 2, 3}, godwit.SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	wantAttributes(t, b.span(t, "submit double"), map[attribute.Key]string{"messaging.batch.message_count": "3", "messaging.message.id": ""})
	mixed := []godwit.Submission{double.Job(1, godwit.SubmitOptions{}), outer.Job(1, godwit.SubmitOptions{Queue: "mail"})}
	if _, err := b.SubmitAll(t.Context(), mixed); err != nil {
		t.Fatal(err)
	}
	wantAttributes(t, b.span(t, "submit"), map[attribute.Key]string{"messaging.destination.name": "", "godwit.task": ""})
}

func TestRefusedAndRepeatedSubmissionsAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), tracing.Config{})
	if _, err := outer.Submit(t.Context(), b, 1, godwit.SubmitOptions{Delay: -1}); err == nil {
		t.Fatal("a negative delay was taken")
	}
	refused := b.span(t, "submit outer")
	wantAttributes(t, refused, map[attribute.Key]string{"error.type": "invalid"})
	if refused.Status.Code != codes.Error || len(refused.Events) != 1 {
		t.Errorf("got status %v, events %v", refused.Status, refused.Events)
	}
	for range 2 {
		if _, err := double.Submit(t.Context(), b, 1, godwit.SubmitOptions{IdempotencyKey: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	wantAttributes(t, b.spans("submit double")[1], map[attribute.Key]string{"godwit.submit.existing_count": "1"})
}

func TestTheChoiceNotToSampleIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, onSQLite(t), tracing.Config{}, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
	sampled := make(chan trace.SpanContext, 1)
	godwit.Handle(b.Client, double, func(ctx context.Context, n int) (int, error) {
		sampled <- trace.SpanContextFromContext(ctx)
		return n, nil
	})
	defer b.start(t)()
	if _, err := double.Submit(t.Context(), b, 1, godwit.SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := <-sampled; !got.IsValid() || got.IsSampled() {
		t.Errorf("the handler has the span context %v", got)
	}
	if n := len(b.exporter.GetSpans()); n != 0 {
		t.Errorf("%d spans were sent", n)
	}
}
