package godwit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

var untilEnd = godwit.NewTask[struct{}, int]("until-end", godwit.Policy{Backoff: godwit.Backoff{Base: time.Minute}})

func TestSleepUntilATimeIsOneWaitInEveryRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		b := setup(t, godwit.Config{})
		end := time.Now().Add(time.Hour)
		godwit.Handle(b.Client, untilEnd, func(ctx context.Context, _ struct{}) (int, error) {
			if err := godwit.Sleep(ctx, "until the end", time.Until(end)); err != nil { // another duration in each run
				return 0, err
			}
			if n := godwit.Info(ctx).Attempt; n > 1 {
				return n, nil
			}
			return 0, errors.New("not yet")
		})
		b.start(t)
		defer b.stop(t)
		p := must[*godwit.Promise[int]](t, "submit")(untilEnd.Submit(t.Context(), b, struct{}{}, godwit.SubmitOptions{}))
		if got, err := p.Await(t.Context()); err != nil || got != 2 {
			t.Errorf("got %d, %v; want 2: the second run met the wait of the first", got, err)
		}
		if time.Now().Before(end) {
			t.Error("the job ended before the wait did")
		}
	})
}

func TestOptionsThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	for name, c := range map[string]struct {
		options godwit.SubmitOptions
		code    godwit.Code
	}{
		"an id that is no UUIDv7":              {godwit.SubmitOptions{ID: godwit.ID{1, 2, 3}}, godwit.CodeInvalid},
		"a clash without a key":                {godwit.SubmitOptions{Unique: godwit.Unique{OnClash: godwit.ClashRefuse}}, godwit.CodeInvalid},
		"a duration of a key without one":      {godwit.SubmitOptions{IdempotencyFor: time.Hour}, godwit.CodeInvalid},
		"a header that is not text":            {godwit.SubmitOptions{Headers: map[string]string{"x": "\xff"}}, godwit.CodeInvalid},
		"a header with a zero byte":            {godwit.SubmitOptions{Headers: map[string]string{"x": "\x00"}}, godwit.CodeInvalid},
		"a header without a name":              {godwit.SubmitOptions{Headers: map[string]string{"": "x"}}, godwit.CodeInvalid},
		"a header that is longer than allowed": {godwit.SubmitOptions{Headers: map[string]string{"x": string(make([]byte, 2000))}}, godwit.CodeTooLarge},
	} {
		_, err := untilEnd.Submit(t.Context(), b, struct{}{}, c.options)
		if !errors.Is(err, &godwit.Error{Code: c.code}) {
			t.Errorf("%s: got %v, want code %s", name, err, c.code)
		}
	}
	_, err := untilEnd.SubmitMany(t.Context(), b, make([]struct{}, 2), godwit.SubmitOptions{ID: godwit.NewID()})
	wantCode(t, err, godwit.CodeInvalid)
	wantCode(t, b.Retry(t.Context(), godwit.NewID(), godwit.RetryOptions{Version: 2}), godwit.CodeInvalid)
}
