package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// SleepMax bounds how long the sleep task sleeps.
const SleepMax = time.Hour

// Duration is a span of time that JSON has as text: "150ms".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return durationError(text)
	}
	*d = Duration(v)
	return nil
}

// durationError is a text that is no duration. Who decodes it knows its field.
type durationError string

func (n durationError) Error() string {
	return `must be a duration such as "150ms", got ` + quoteShort(string(n))
}

// MarshalText writes the text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// SleepArgs are the arguments of sleep.
type SleepArgs struct {
	For Duration `json:"for"` // up to [SleepMax]
}

// UnmarshalJSON refuses fields that there are not.
func (a *SleepArgs) UnmarshalJSON(data []byte) error {
	type plain SleepArgs
	err := decodeStrict(data, (*plain)(a), "for")
	if err == nil && (a.For < 0 || time.Duration(a.For) > SleepMax) {
		err = fmt.Errorf("for must be from 0s to %s, got %s", SleepMax, time.Duration(a.For))
	}
	return err
}

// FailArgs are the arguments of fail.
type FailArgs struct {
	Times   int    `json:"times"`   // attempts that fail; then it succeeds
	Message string `json:"message"` // of the error. Defaults to one that says so
}

// UnmarshalJSON refuses fields that there are not.
func (a *FailArgs) UnmarshalJSON(data []byte) error {
	type plain FailArgs
	err := decodeStrict(data, (*plain)(a), "times", "message")
	if err == nil && a.Times < 0 {
		err = fmt.Errorf("times must be at least 0, got %d", a.Times)
	}
	return err
}

// The tasks.
var (
	Echo  = godwit.NewTask[json.RawMessage, json.RawMessage]("echo", godwit.Policy{})
	Sleep = godwit.NewTask[SleepArgs, SleepArgs]("sleep", godwit.Policy{Timeout: 2 * SleepMax})
	Fail  = godwit.NewTask[FailArgs, int]("fail", godwit.Policy{})
)

// Handle registers the handlers with a client.
func Handle(c *godwit.Client) {
	godwit.Handle(c, Echo, echo)
	godwit.Handle(c, Sleep, sleep)
	godwit.Handle(c, Fail, fail)
}

// echo gives its argument back.
func echo(_ context.Context, args json.RawMessage) (json.RawMessage, error) { return args, nil }

// sleep takes its time.
func sleep(ctx context.Context, args SleepArgs) (SleepArgs, error) {
	timer := time.NewTimer(time.Duration(args.For))
	defer timer.Stop()
	select {
	case <-timer.C:
		return args, nil
	case <-ctx.Done():
		return args, context.Cause(ctx)
	}
}

// fail fails as often as it is told, then gives the attempt that succeeded.
func fail(ctx context.Context, args FailArgs) (int, error) {
	attempt := godwit.Info(ctx).Attempt
	if attempt > args.Times {
		return attempt, nil
	}
	if args.Message == "" {
		return 0, fmt.Errorf("attempt %d of the %d that were to fail", attempt, args.Times)
	}
	return 0, errors.New(args.Message)
}
