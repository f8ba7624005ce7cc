package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/model"
)

// A request waits for the result of a job that goes on if the caller does not.
func Example() {
	c, err := godwit.New(model.New(model.Config{}), godwit.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	double := godwit.NewTask[int, int]("double", godwit.Policy{})
	godwit.Handle(c, double, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	ctx := context.Background()
	if err := c.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Stop(ctx) }()
	handler := httpapi.New(c, httpapi.Config{})

	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/tasks/double", strings.NewReader("21"))
	r.Header.Set("Prefer", "wait=10")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)

	w2 := httptest.NewRecorder()
	handler.ServeHTTP(w2, httptest.NewRequestWithContext(ctx, http.MethodGet, w.Header().Get("Location")+"/result", nil))
	fmt.Println(w2.Body)
	// Output:
	// 200
	// 42
}
