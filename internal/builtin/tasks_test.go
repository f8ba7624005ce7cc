package builtin_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
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

func TestSleepAndFailRefuseWhatTheyDoNotKnow(t *testing.T) {
	with(t, func(ctx context.Context, c *godwit.Client) {
		for _, wrong := range []struct{ task, args, want string }{
			{"sleep", `{"for":"2h"}`, "for must be from 0s to 1h0m0s, got 2h0m0s"},
			{"sleep", `{"for":"-1s"}`, "for must be from 0s to 1h0m0s, got -1s"},
			{"sleep", `{"for":"soon"}`, `for must be a duration such as "150ms", got "soon"`},
			{"sleep", `{"for":5}`, `for must be a duration such as "150ms", got number`},
			{"sleep", `{"four":"5s"}`, `"four" is no field (did you mean "for"?)`},
			{"sleep", `"5s"`, "must be an object"},
			{"fail", `{"times":-1}`, "times must be at least 0, got -1"},
			{"fail", `{"tims":2}`, `"tims" is no field (did you mean "times"?)`},
			{"fail", `{"times":"2"}`, "times must be a whole number, got string"},
			{"fail", `null`, "must be an object"},
		} {
			answers, err := c.SubmitAll(ctx, []godwit.Submission{c.RawJob(wrong.task, 1, json.RawMessage(wrong.args), godwit.SubmitOptions{})})
			if err != nil {
				t.Fatal(err)
			}
			outcomes, err := c.AwaitOutcomes(ctx, []godwit.ID{answers[0].ID})
			if err != nil {
				t.Fatal(err)
			}
			f := outcomes[0].Failure
			if f == nil || f.Code != godwit.CodeUndecodable || !strings.HasSuffix(f.Message, wrong.want) {
				t.Errorf("%s %s: %+v, want %s", wrong.task, wrong.args, f, wrong.want)
			}
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
