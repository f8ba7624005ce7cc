package metrics_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/metrics"
)

// work makes a client with metrics, and serves them.
func work(ctx context.Context, store godwit.Store) (*godwit.Client, http.Handler, error) {
	// region:metrics
	m := metrics.New(metrics.Config{})
	c, err := godwit.New(store, m.Instrument(godwit.Config{Logger: slog.New(slog.DiscardHandler)}))
	if err != nil {
		return nil, nil, err
	}
	m.Watch(c) // the gauges of the store; m.Close lets go of it
	handler := m.Handler()
	// endregion
	context.AfterFunc(ctx, m.Close)
	return c, handler, nil
}

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, handler, err := work(ctx, model.New(model.Config{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := godwit.NewTask[string, string]("hello", godwit.Policy{})
	godwit.Handle(c, hello, func(_ context.Context, name string) (string, error) { return "Hello, " + name, nil })
	if err := c.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Stop(context.WithoutCancel(ctx)) }()
	p, err := hello.Submit(ctx, c, "godwit", godwit.SubmitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := p.Await(ctx); err != nil {
		fmt.Println(err)
		return
	}

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "godwit_runs_total") || strings.HasPrefix(lines.Text(), "godwit_up") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// godwit_runs_total{code="",outcome="succeeded",queue="default",task="hello"} 1
	// godwit_up 1
}
