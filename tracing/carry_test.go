package tracing_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/sqlite"
	"github.com/godwit-go/godwit/tracing"
)

func TestACallerOverHTTPIsTheParent(t *testing.T) {
	t.Parallel()
	b := setup(t, onSQLite(t), tracing.Config{})
	godwit.Handle(b.Client, double, doubled)
	defer b.start(t)()
	const traceID, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	api := httpapi.New(b.Client, httpapi.Config{})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/tasks/double", strings.NewReader("21"))
	r.Host = "localhost"
	r.Header.Set("Prefer", "wait=10")
	r.Header.Set("traceparent", "00-"+traceID+"-"+spanID+"-01")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	submit, run := b.span(t, "submit double"), b.span(t, "run double")
	if submit.SpanContext.TraceID().String() != traceID || submit.Parent.SpanID().String() != spanID || !submit.Parent.IsRemote() {
		t.Errorf("the submission is in trace %s under %s", submit.SpanContext.TraceID(), submit.Parent.SpanID())
	}
	wantChild(t, run, submit.SpanContext)
}

func TestAClientOverHTTPIsTraced(t *testing.T) {
	t.Parallel()
	b := setup(t, onSQLite(t), tracing.Config{})
	godwit.Handle(b.Client, double, doubled)
	defer b.start(t)()
	server := httptest.NewServer(httpapi.New(b.Client, httpapi.Config{}))
	defer server.Close()
	remote, err := httpclient.New(httpclient.Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, request := b.provider.Tracer("test").Start(t.Context(), "request")
	defer request.End()
	p, err := double.Submit(ctx, b.tr.Submitter(remote), 21, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Await(ctx); got != 42 || err != nil {
		t.Fatalf("got %d, %v", got, err)
	}
	submits := b.spans("submit double") // the server's ends first
	if len(submits) != 2 {
		t.Fatalf("there are %d spans of the submission, want the client's and the server's", len(submits))
	}
	wantChild(t, submits[1], request.SpanContext())
	wantChild(t, submits[0], submits[1].SpanContext)
	wantChild(t, b.span(t, "run double"), submits[0].SpanContext)
}

func TestCarryGoesIntoATransaction(t *testing.T) {
	t.Parallel()
	store := onSQLite(t)
	b := setup(t, store, tracing.Config{})
	godwit.Handle(b.Client, double, doubled)
	defer b.start(t)()
	ctx, request := b.provider.Tracer("test").Start(t.Context(), "request")
	defer request.End()
	id := godwit.NewID()
	err := store.Tx(ctx, func(tx *sqlite.Tx) error {
		_, err := tx.Submit(b.tr.Carry(ctx, double.Job(21, godwit.SubmitOptions{ID: id})))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := godwit.PromiseOf[int](b, id).Await(ctx); err != nil {
		t.Fatal(err)
	}
	wantChild(t, b.span(t, "run double"), request.SpanContext())
}

func TestAJobOfAnotherTraceKeepsIt(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), tracing.Config{})
	const given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx, request := b.provider.Tracer("test").Start(t.Context(), "request")
	defer request.End()
	p, err := double.Submit(ctx, b, 1, godwit.SubmitOptions{Headers: map[string]string{"traceparent": given}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := b.Get(t.Context(), p.ID())
	if err != nil {
		t.Fatal(err)
	}
	if got := j.Headers["traceparent"]; got != given {
		t.Errorf("got traceparent %s, want %s", got, given)
	}
}

func TestWithoutAProviderNothingIsCarried(t *testing.T) {
	t.Parallel()
	tr := tracing.New(tracing.Config{}) // the global provider of a program that set none
	c, err := godwit.New(model.New(model.Config{}), tr.Instrument(godwit.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := double.Submit(t.Context(), c, 1, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if j, err := c.Get(t.Context(), p.ID()); err != nil || len(j.Headers) != 0 {
		t.Errorf("got headers %v, %v", j.Headers, err)
	}
	if s := tr.Carry(t.Context(), double.Job(1, godwit.SubmitOptions{})); len(s.Options.Headers) != 0 {
		t.Errorf("got headers %v", s.Options.Headers)
	}
}
