package tracing_test

import (
	"context"
	"fmt"
	"log/slog"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/tracing"
)

// traced makes a client whose jobs are traced.
func traced(store godwit.Store, provider *sdktrace.TracerProvider) (*godwit.Client, error) {
	// region:tracing
	tr := tracing.New(tracing.Config{TracerProvider: provider})
	return godwit.New(store, tr.Instrument(godwit.Config{Logger: slog.New(slog.DiscardHandler)}))
	// endregion
}

// An order reserves its goods in a job of its own, and one trace shows both.
func Example() {
	ctx := context.Background()
	exporter := tracetest.NewInMemoryExporter() // a program has one that sends
	c, err := traced(model.New(model.Config{}), sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)))
	if err != nil {
		fmt.Println(err)
		return
	}
	reserve := godwit.NewTask[int, int]("reserve", godwit.Policy{})
	order := godwit.NewTask[int, int]("order", godwit.Policy{})
	godwit.Handle(c, reserve, func(_ context.Context, n int) (int, error) { return n, nil })
	godwit.Handle(c, order, func(ctx context.Context, n int) (int, error) {
		p, err := reserve.Submit(ctx, c, n, godwit.SubmitOptions{})
		if err != nil {
			return 0, err
		}
		return p.Await(ctx)
	})
	if err := c.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Stop(ctx) }()
	p, err := order.Submit(ctx, c, 7, godwit.SubmitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := p.Await(ctx); err != nil {
		fmt.Println(err)
		return
	}
	under := map[string][]string{} // names of spans by the span above
	for _, s := range exporter.GetSpans() {
		under[s.Parent.SpanID().String()] = append(under[s.Parent.SpanID().String()], s.SpanContext.SpanID().String(), s.Name)
	}
	for indent, above := "", "0000000000000000"; under[above] != nil; indent += "  " {
		fmt.Println(indent + under[above][1])
		above = under[above][0]
	}
	// Output:
	// submit order
	//   run order
	//     submit reserve
	//       run reserve
}
