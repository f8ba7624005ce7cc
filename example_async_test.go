package godwit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/async"
)

// A promise of a durable job and a future of local work are awaited alike.
func ExamplePromise_async() {
	ctx := context.Background()
	square := godwit.NewTask[int, int]("square", godwit.Policy{})
	c := exampleClient()
	godwit.Handle(c, square, func(_ context.Context, n int) (int, error) { return n * n, nil })
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here

	err := async.Run(ctx, func(ctx context.Context, s *async.Scope) error {
		durable, err := square.Submit(ctx, c, 12, godwit.SubmitOptions{}) // survives a crash
		if err != nil {
			return err
		}
		local := async.Go(s, func(context.Context) (int, error) { return 13 * 13, nil }) // does not
		both, err := async.All(ctx, []async.Awaitable[int]{durable, local}...)
		fmt.Println(both)
		return err
	})
	fmt.Println(err)
	// Output:
	// [144 169]
	// <nil>
}

// Children of a job and its waits are found again by their names.
func ExampleSleep() {
	ctx := context.Background()
	remind := godwit.NewTask[string, string]("remind", godwit.Policy{})
	c := exampleClient()
	godwit.Handle(c, remind, func(ctx context.Context, text string) (string, error) {
		if err := godwit.Sleep(ctx, "before the reminder", 0); err != nil { // hours, as a rule: no slot is held, a crash loses nothing
			return "", err
		}
		return "remember: " + text, nil
	})
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here
	p, err := remind.Submit(ctx, c, "the milk", godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Await(ctx))
	// Output: remember: the milk <nil>
}
