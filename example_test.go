package godwit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// exampleClient makes a client on a store in memory; a program opens a lasting one with open.Store.
func exampleClient() *godwit.Client {
	c, err := godwit.New(model.New(model.Config{}), godwit.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func Example() {
	ctx := context.Background()
	shout := godwit.NewTask[string, string]("shout", godwit.Policy{MaxAttempts: 5, Timeout: time.Minute})

	c := exampleClient()
	godwit.Handle(c, shout, func(_ context.Context, s string) (string, error) {
		return strings.ToUpper(s) + "!", nil
	})
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here

	p, err := shout.Submit(ctx, c, "hello", godwit.SubmitOptions{}) // durable when it returns
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Await(ctx))
	// Output: HELLO! <nil>
}

func ExampleTask_Submit_idempotencyKey() {
	ctx := context.Background()
	charge := godwit.NewTask[int, string]("charge", godwit.Policy{})
	c := exampleClient()
	for range 2 { // the request was repeated
		p, err := charge.Submit(ctx, c, 995, godwit.SubmitOptions{IdempotencyKey: "order-7"})
		fmt.Println(p.Created(), err)
	}
	_, err := charge.Submit(ctx, c, 1, godwit.SubmitOptions{IdempotencyKey: "order-7"})
	fmt.Println(errors.Is(err, godwit.ErrIdempotency))
	// Output:
	// true <nil>
	// false <nil>
	// true
}

func ExampleUnique() {
	ctx := context.Background()
	reindex := godwit.NewTask[string, int]("reindex", godwit.Policy{})
	c := exampleClient()
	once := godwit.SubmitOptions{Unique: godwit.Unique{ByArgs: true, OnClash: godwit.ClashRefuse}}
	_, err := reindex.Submit(ctx, c, "books", once)
	fmt.Println(err)
	_, err = reindex.Submit(ctx, c, "books", once)
	fmt.Println(errors.Is(err, godwit.ErrUniqueConflict))
	// Output:
	// <nil>
	// true
}

func ExampleAwaitAll() {
	ctx := context.Background()
	square := godwit.NewTask[int, int]("square", godwit.Policy{})
	sum := godwit.NewTask[int, int]("sum-of-squares", godwit.Policy{})

	c := exampleClient()
	godwit.Handle(c, square, func(_ context.Context, n int) (int, error) { return n * n, nil })
	godwit.Handle(c, sum, func(ctx context.Context, n int) (int, error) {
		args := make([]int, n)
		for i := range args {
			args[i] = i + 1
		}
		children, err := square.SubmitMany(ctx, c, args, godwit.SubmitOptions{})
		if err != nil {
			return 0, err
		}
		squares, err := godwit.AwaitAll(ctx, children...) // holds no slot while it waits
		total := 0
		for _, s := range squares {
			total += s
		}
		return total, err
	})
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here

	p, err := sum.Submit(ctx, c, 10, godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Await(ctx))
	// Output: 385 <nil>
}

func ExamplePermanent() {
	ctx := context.Background()
	fetch := godwit.NewTask[string, string]("fetch", godwit.Policy{})
	c := exampleClient()
	godwit.Handle(c, fetch, func(context.Context, string) (string, error) {
		return "", godwit.Permanent(errors.New("404: no such page"))
	})
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here
	p, err := fetch.Submit(ctx, c, "https://example.com/gone", godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = p.Await(ctx)
	var failed *godwit.JobError
	if errors.As(err, &failed) {
		fmt.Println(failed.State, failed.Code, failed.Message)
	}
	// Output: failed permanent 404: no such page
}

func ExampleClient_Cancel() {
	ctx := context.Background()
	count := godwit.NewTask[int, int]("count", godwit.Policy{})
	c := exampleClient()
	begun := make(chan struct{})
	godwit.Handle(c, count, func(ctx context.Context, _ int) (int, error) {
		close(begun)
		<-ctx.Done()
		fmt.Println("told to stop:", errors.Is(context.Cause(ctx), godwit.ErrCancelled))
		return 0, ctx.Err()
	})
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here
	p, err := count.Submit(ctx, c, 1, godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	<-begun
	if err := c.Cancel(ctx, p.ID(), "no longer needed"); err != nil {
		log.Fatal(err)
	}
	_, err = p.Await(ctx)
	fmt.Println(errors.Is(err, godwit.ErrCancelled))
	// Output:
	// told to stop: true
	// true
}

func ExampleEmit() {
	ctx := context.Background()
	search := godwit.NewTask[string, int]("search", godwit.Policy{})
	c := exampleClient()
	godwit.Handle(c, search, func(ctx context.Context, word string) (int, error) {
		for i, city := range []string{"Oslo", "Turku"} {
			godwit.SetProgress(ctx, int64(i), 2, "at "+city)
			if err := godwit.Emit(ctx, city+" has "+word); err != nil {
				return 0, err
			}
		}
		return 2, nil
	})
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here
	p, err := search.Submit(ctx, c, "rain", godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.Await(ctx); err != nil {
		log.Fatal(err)
	}
	items, err := c.Items(ctx, p.ID(), 0, 0)
	for _, item := range items {
		fmt.Println(item.Seq, string(item.Data.Data))
	}
	fmt.Println(err)
	// Output:
	// 1 "Oslo has rain"
	// 2 "Turku has rain"
	// <nil>
}

func ExampleClient_Explain() {
	ctx := context.Background()
	send := godwit.NewTask[string, string]("mail.send", godwit.Policy{})
	c := exampleClient()
	p, err := send.Submit(ctx, c, "ann@example.com", godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	e, err := c.Explain(ctx, p.ID())
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range e.Reasons {
		fmt.Printf("%s: %s; %s\n", r.Kind, r.Message, r.Mend)
	}
	// Output: unknown_task: no live worker knows task "mail.send"; start a worker with a handler of the task
}

func ExampleMiddleware() {
	ctx := context.Background()
	timed := func(next godwit.HandlerFunc) godwit.HandlerFunc {
		return func(ctx context.Context) error {
			err := next(ctx)
			fmt.Println("ran", godwit.Info(ctx).Task)
			return err
		}
	}
	c, err := godwit.New(model.New(model.Config{}), godwit.Config{Middleware: []godwit.Middleware{timed}})
	if err != nil {
		log.Fatal(err)
	}
	greet := godwit.NewTask[string, string]("greet", godwit.Policy{})
	godwit.Handle(c, greet, func(_ context.Context, s string) (string, error) { return "hello " + s, nil })
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer c.Stop(ctx) //nolint:errcheck // the example ends here
	p, err := greet.Submit(ctx, c, "ann", godwit.SubmitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Await(ctx))
	// Output:
	// ran greet
	// hello ann <nil>
}
