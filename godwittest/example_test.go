package godwittest_test

import (
	"context"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/godwittest"
)

// A test of a handler that reminds a day later.
func Example() {
	remind := godwit.NewTask[string, struct{}]("remind", godwit.Policy{})
	order := godwit.NewTask[string, string]("order", godwit.Policy{})

	_ = func(t *testing.T) {
		h := godwittest.New(t, godwit.Config{})
		godwit.Handle(h.Client, order, func(ctx context.Context, book string) (string, error) {
			_, err := remind.Submit(ctx, h, book, godwit.SubmitOptions{Delay: 24 * time.Hour, Detached: true})
			return "ordered " + book, err
		})
		if got, err := godwittest.Run(t, h, order, "Moby-Dick"); got != "ordered Moby-Dick" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		godwittest.AssertSubmitted(t, h, remind, func(book string) bool { return book == "Moby-Dick" })
	}
	// Output:
}
