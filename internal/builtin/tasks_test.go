package builtin_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/builtin"
	"github.com/godwit-go/godwit/internal/model"
)

// with runs f with a started client that knows the tasks, in virtual time.
func with(t *testing.T, f func(ctx context.Context, c *godwit.Client)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := godwit.New(model.New(model.Config{}), godwit.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		builtin.Handle(c)
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t.Context(), c)
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestEchoGivesItsArgumentBack(t *testing.T) {
	with(t, func(ctx context.Context, c *godwit.Client) {
		p, err := builtin.Echo.Submit(ctx, c, json.RawMessage(`{"a":[1,null]}`), godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Await(ctx); err != nil || string(got) != `{"a":[1,null]}` {
			t.Errorf("got %s, %v", got, err)
		}
	})
}

func TestSleepTakesItsTime(t *testing.T) {
	with(t, func(ctx context.Context, c *godwit.Client) {
		begun := time.Now()
		p, err := builtin.Sleep.Submit(ctx, c, builtin.SleepArgs{For: builtin.Duration(30 * time.Minute)}, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Await(ctx); err != nil {
			t.Fatal(err)
		}
		if slept := time.Since(begun); slept < 30*time.Minute {
			t.Errorf("slept %s of virtual time, want 30m", slept)
		}
	})
}

func TestSleepRefusesWhatIsOutOfBounds(t *testing.T) {
	with(t, func(ctx context.Context, c *godwit.Client) {
		p, err := builtin.Sleep.Submit(ctx, c, builtin.SleepArgs{For: builtin.Duration(2 * time.Hour)}, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Await(ctx); !errors.Is(err, &godwit.Error{Code: godwit.CodePermanent}) {
			t.Errorf("got %v, want a permanent failure", err)
		}
	})
}

func TestFailFailsAsOftenAsItIsTold(t *testing.T) {
	with(t, func(ctx context.Context, c *godwit.Client) {
		p, err := builtin.Fail.Submit(ctx, c, builtin.FailArgs{Times: 2}, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Await(ctx); err != nil || got != 3 {
			t.Errorf("succeeded at attempt %d, %v; want 3", got, err)
		}
	})
}
