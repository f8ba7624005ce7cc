package godwit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// An observer is told what became of each run, before anybody can see the end of its job.
func ExampleObserver() {
	ctx := context.Background()
	c, err := godwit.New(model.New(model.Config{}), godwit.Config{
		Logger: slog.New(slog.DiscardHandler),
		Observers: []godwit.Observer{func(o godwit.Observation) {
			fmt.Println(o.Job.Task, "run", o.Job.Run, o.Outcome, o.Failure != nil)
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	flaky := godwit.NewTask[string, string]("flaky", godwit.Policy{MaxAttempts: 2})
	godwit.Handle(c, flaky, func(ctx context.Context, name string) (string, error) {
		if godwit.Info(ctx).Attempt == 1 {
			return "", godwit.RetryAfter(0, errors.New("not yet"))
		}
		return name, nil
	})
	if err := c.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Stop(ctx) }()
	p, err := flaky.Submit(ctx, c, "x", godwit.SubmitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := p.Await(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// flaky run 1 retry true
	// flaky run 2 succeeded false
}

// A middleware of submissions gives every job a header that says who asked for it.
func ExampleSubmitMiddleware() {
	type userKey struct{}
	signed := func(next godwit.SubmitFunc) godwit.SubmitFunc {
		return func(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
			if user, ok := ctx.Value(userKey{}).(string); ok {
				for i, s := range jobs {
					jobs[i] = s.WithHeader("user", user)
				}
			}
			return next(ctx, jobs)
		}
	}
	c, err := godwit.New(model.New(model.Config{}), godwit.Config{SubmitMiddleware: []godwit.SubmitMiddleware{signed}})
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := godwit.NewTask[string, string]("hello", godwit.Policy{})
	ctx := context.WithValue(context.Background(), userKey{}, "ada")
	p, err := hello.Submit(ctx, c, "x", godwit.SubmitOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	j, err := c.Get(ctx, p.ID())
	fmt.Println(j.Headers["user"], err)
	// Output: ada <nil>
}
