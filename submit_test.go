package godwit_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

func TestBadSubmissionsAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	tags := make([]string, godwit.TagsMax+1)
	for i := range tags {
		tags[i] = "x"
	}
	headers := map[string]string{"big": strings.Repeat("x", godwit.HeaderMax)}
	long := strings.Repeat("x", 300)
	cases := map[string]struct {
		o     godwit.SubmitOptions
		code  godwit.Code
		field string
		words string
	}{
		"negative delay":        {godwit.SubmitOptions{Delay: -time.Second}, godwit.CodeInvalid, "delay", "must not be negative, got -1s"},
		"delay of eleven years": {godwit.SubmitOptions{Delay: 11 * 365 * 24 * time.Hour}, godwit.CodeInvalid, "delay", "at most"},
		"delay and time":        {godwit.SubmitOptions{Delay: 1, RunAt: time.Now()}, godwit.CodeInvalid, "run_at", "excludes delay"},
		"time far ahead":        {godwit.SubmitOptions{RunAt: time.Now().AddDate(20, 0, 0)}, godwit.CodeInvalid, "run_at", "ahead"},
		"priority too high":     {godwit.SubmitOptions{Priority: new(1001)}, godwit.CodeInvalid, "priority", "from -1000 to 1000, got 1001"},
		"priority too low":      {godwit.SubmitOptions{Priority: new(math.MinInt)}, godwit.CodeInvalid, "priority", "from -1000"},
		"no attempts":           {godwit.SubmitOptions{MaxAttempts: -1}, godwit.CodeInvalid, "max_attempts", "from 1 to 10000, got -1"},
		"odd queue":             {godwit.SubmitOptions{Queue: "a b"}, godwit.CodeInvalid, "queue", "letters"},
		"long queue":            {godwit.SubmitOptions{Queue: long}, godwit.CodeTooLarge, "queue", "at most 128"},
		"deadline before start": {godwit.SubmitOptions{Delay: time.Hour, Deadline: time.Minute}, godwit.CodeInvalid, "deadline", "after the first start"},
		"long key":              {godwit.SubmitOptions{IdempotencyKey: long}, godwit.CodeTooLarge, "idempotency_key", "at most 256"},
		"key that is no text":   {godwit.SubmitOptions{IdempotencyKey: "\xff"}, godwit.CodeInvalid, "idempotency_key", "UTF-8"},
		"two unique keys":       {godwit.SubmitOptions{Unique: godwit.Unique{Key: "k", ByArgs: true}}, godwit.CodeInvalid, "unique.key", "excludes"},
		"unknown scope":         {godwit.SubmitOptions{Unique: godwit.Unique{Key: "k", Scope: "queu"}}, godwit.CodeInvalid, "unique.scope", `did you mean "queue"?`},
		"unknown while":         {godwit.SubmitOptions{Unique: godwit.Unique{Key: "k", While: "unfinishd"}}, godwit.CodeInvalid, "unique.while", `did you mean "unfinished"?`},
		"many tags":             {godwit.SubmitOptions{Tags: tags}, godwit.CodeTooLarge, "tags", "at most 16, got 17"},
		"empty tag":             {godwit.SubmitOptions{Tags: []string{""}}, godwit.CodeInvalid, "tags", "empty"},
		"big header":            {godwit.SubmitOptions{Headers: headers}, godwit.CodeTooLarge, "headers", "at most"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, godwit.Config{})
			_, err := double.Submit(t.Context(), b, 1, c.o)
			var e *godwit.Error
			if !errors.As(err, &e) || e.Code != c.code || e.Field != c.field || !strings.Contains(e.Message, c.words) {
				t.Errorf("got %v, want %s about %s: %s", err, c.code, c.field, c.words)
			}
		})
	}
}

// What no job can have is refused in a filter too: a store would answer that there is none, or fail in its own words.
func TestBadFiltersAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	long := strings.Repeat("x", 20_000)
	for name, c := range map[string]struct {
		f     godwit.ListFilter
		code  godwit.Code
		field string
		words string
	}{
		"odd queue":               {godwit.ListFilter{Queue: "a b"}, godwit.CodeInvalid, "queue", "letters"},
		"long queue":              {godwit.ListFilter{Queue: long}, godwit.CodeTooLarge, "queue", "at most 128"},
		"odd task":                {godwit.ListFilter{Task: "\xff"}, godwit.CodeInvalid, "task", "letters"},
		"long task":               {godwit.ListFilter{Task: long}, godwit.CodeTooLarge, "task", "at most 128"},
		"long tag":                {godwit.ListFilter{Tag: long}, godwit.CodeTooLarge, "tag", "at most 128"},
		"tag with a zero byte":    {godwit.ListFilter{Tag: "a\x00"}, godwit.CodeInvalid, "tag", "zero byte"},
		"tag that is no text":     {godwit.ListFilter{Tag: "\xff"}, godwit.CodeInvalid, "tag", "UTF-8"},
		"state that there is not": {godwit.ListFilter{State: "don"}, godwit.CodeInvalid, "state", "must be one of"},
		"many at a time":          {godwit.ListFilter{Limit: godwit.PageMax + 1}, godwit.CodeInvalid, "limit", "from 1 to 1000"},
	} {
		_, err := b.List(t.Context(), c.f)
		var e *godwit.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Field != c.field || !strings.Contains(e.Message, c.words) {
			t.Errorf("%s: got %v, want %s about %s: %s", name, err, c.code, c.field, c.words)
		}
	}
	if _, err := b.List(t.Context(), godwit.ListFilter{Queue: "default", Task: "test.double", Tag: "any text, é"}); err != nil {
		t.Errorf("a good filter: %v", err)
	}
}

func TestBadArgumentsAreRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	_, err := block.Submit(t.Context(), b, strings.Repeat("x", godwit.PayloadMax), godwit.SubmitOptions{})
	wantCode(t, err, godwit.CodeTooLarge)
	odd := godwit.NewTask[chan int, int]("odd", godwit.Policy{})
	_, err = odd.Submit(t.Context(), b, make(chan int), godwit.SubmitOptions{})
	wantCode(t, err, godwit.CodeInvalid)
	_, err = double.SubmitMany(t.Context(), b, make([]int, 1_000_000), godwit.SubmitOptions{})
	wantCode(t, err, godwit.CodeTooLarge)
	if err == nil || !strings.Contains(err.Error(), "at most 10000 in one call, got 1000000") {
		t.Errorf("got %v", err)
	}
	_, err = b.SubmitAll(t.Context(), []godwit.Submission{double.Job(1, godwit.SubmitOptions{}), double.Job(1, godwit.SubmitOptions{Delay: -1})})
	wantCode(t, err, godwit.CodeInvalid)
	if err == nil || !strings.Contains(err.Error(), "job 2 of 2: delay") {
		t.Errorf("got %v, want the item named", err)
	}
	if page, err := b.List(t.Context(), godwit.ListFilter{}); err != nil || len(page.Jobs) != 0 {
		t.Errorf("got %v, %v, want nothing submitted", page, err)
	}
}

func TestRawSubmissionsOfUnknownTasksAreRefusedWithAHint(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return n, nil })
	_, err := b.SubmitRaw(t.Context(), "duoble", []byte("1"), godwit.SubmitOptions{})
	wantCode(t, err, godwit.CodeUnknownTask)
	if err == nil || !strings.Contains(err.Error(), `did you mean "double"?`) {
		t.Errorf("got %v", err)
	}
	_, err = b.SubmitRaw(t.Context(), "double", []byte("{"), godwit.SubmitOptions{})
	wantCode(t, err, godwit.CodeInvalid)
	_, err = b.SubmitRaw(t.Context(), "a b", []byte("1"), godwit.SubmitOptions{})
	wantCode(t, err, godwit.CodeInvalid)
}

func TestIDsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "x", "0190a6f2-7b3c-7def-8123-456789abcdeg", "0190a6f27b3c7def8123456789abcdef", strings.Repeat("x", 1<<20)} {
		_, err := godwit.ParseID(s)
		wantCode(t, err, godwit.CodeInvalid)
	}
	b := setup(t, godwit.Config{})
	_, err := b.Get(t.Context(), godwit.ID{})
	wantCode(t, err, godwit.CodeNotFound)
	_, err = godwit.PromiseOf[int](b, godwit.ID{}).Await(t.Context())
	wantCode(t, err, godwit.CodeNotFound)
}

func TestTimeInThePastIsNow(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	p := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 1, godwit.SubmitOptions{RunAt: time.Now().AddDate(-30, 0, 0)}))
	if j := b.job(t, p.ID()); j.State != godwit.StateReady || j.RunAt != j.CreatedAt {
		t.Errorf("got %s at %v", j.State, j.RunAt)
	}
}

func TestIdempotencyKeyAnswersWithTheFirstJob(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	o := godwit.SubmitOptions{IdempotencyKey: "k", Deadline: time.Hour}
	first := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 1, o))
	again := must[*godwit.Promise[int]](t, "submit again")(double.Submit(t.Context(), b, 1, o))
	if first.ID() != again.ID() || !first.Created() || again.Created() {
		t.Errorf("got %v and %v", first, again)
	}
	_, err := double.Submit(t.Context(), b, 2, o)
	wantCode(t, err, godwit.CodeIdempotency)
	o.Tags = []string{"other"}
	_, err = double.Submit(t.Context(), b, 1, o)
	wantCode(t, err, godwit.CodeIdempotency)
	o = godwit.SubmitOptions{IdempotencyKey: "k", Caller: "somebody else"}
	other := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 1, o))
	if !other.Created() {
		t.Error("the keys of two callers met")
	}
}

func TestSameIDIsTheSameSubmission(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	o := godwit.SubmitOptions{ID: godwit.NewID()}
	for range 2 {
		if p, err := double.Submit(t.Context(), b, 1, o); err != nil || p.ID() != o.ID {
			t.Errorf("got %v, %v", p, err)
		}
	}
	_, err := double.Submit(t.Context(), b, 2, o)
	wantCode(t, err, godwit.CodeIDConflict)
}

func TestUniqueKeyKeepsOneJobAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, godwit.Config{})
	byArgs := godwit.SubmitOptions{Unique: godwit.Unique{ByArgs: true}}
	first := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 1, byArgs))
	again := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 1, byArgs))
	other := must[*godwit.Promise[int]](t, "submit")(double.Submit(t.Context(), b, 2, byArgs))
	if again.ID() != first.ID() || other.ID() == first.ID() {
		t.Errorf("got %s, %s, %s", first.ID(), again.ID(), other.ID())
	}
	refuse := byArgs
	refuse.Unique.OnClash = godwit.ClashRefuse
	_, err := double.Submit(t.Context(), b, 1, refuse)
	wantCode(t, err, godwit.CodeUniqueConflict)
	if err := b.Cancel(t.Context(), first.ID(), ""); err != nil {
		t.Fatal(err)
	}
	if p, err := double.Submit(t.Context(), b, 1, refuse); err != nil || !p.Created() {
		t.Errorf("got %v, %v, want the key free again", p, err)
	}
}

func TestRegistrationErrorsPanic(t *testing.T) {
	t.Parallel()
	cases := map[string]func(){
		"no name":           func() { godwit.NewTask[int, int]("", godwit.Policy{}) },
		"odd name":          func() { godwit.NewTask[int, int]("a/b", godwit.Policy{}) },
		"reserved name":     func() { godwit.NewTask[int, int]("godwit.x", godwit.Policy{}) },
		"negative attempts": func() { godwit.NewTask[int, int]("x", godwit.Policy{MaxAttempts: -1}) },
		"versions crossed":  func() { godwit.NewTask[int, int]("x", godwit.Policy{MinVersion: 2}) },
		"back-off of NaN":   func() { godwit.NewTask[int, int]("x", godwit.Policy{Backoff: godwit.Backoff{Factor: math.NaN()}}) },
		"no handler":        func() { godwit.Handle(setup(t, godwit.Config{}).Client, double, nil) },
		"two handlers": func() {
			b := setup(t, godwit.Config{})
			for range 2 {
				godwit.Handle(b.Client, double, func(_ context.Context, n int) (int, error) { return n, nil })
			}
		},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("it did not panic")
				}
			}()
			f()
		})
	}
}

func TestBadConfigsAreRefused(t *testing.T) {
	t.Parallel()
	queue := func(n int) map[string]godwit.QueueConfig { return map[string]godwit.QueueConfig{"q": {Concurrency: n}} }
	cases := map[string]godwit.Config{
		"Queues[q].Concurrency must be from 1 to 10000, got -3": {Queues: queue(-3)},
		"Lease must be from 1s to 1h0m0s, got 1ms":              {Lease: time.Millisecond},
		"PollInterval must be from 1ms to 1m0s, got -1s":        {PollInterval: -time.Second},
		"Middleware must not hold nil":                          {Middleware: []godwit.Middleware{nil}},
	}
	for want, c := range cases {
		if _, err := godwit.New(setup(t, godwit.Config{}).store, c); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := godwit.New(nil, godwit.Config{}); err == nil {
		t.Error("a client without a store was made")
	}
}

func TestBackoffGrowsToItsMaximum(t *testing.T) {
	t.Parallel()
	b := godwit.Backoff{Base: time.Second, Factor: 3, Max: time.Minute, Jitter: -1}
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 3 * time.Second, 4: 27 * time.Second, 5: time.Minute, 10_000: time.Minute} {
		if got := b.Delay(attempt); got != want {
			t.Errorf("attempt %d: got %v, want %v", attempt, got, want)
		}
	}
	for range 1000 {
		if d := (godwit.Backoff{}).Delay(1); d < 800*time.Millisecond || d > 1200*time.Millisecond {
			t.Fatalf("got %v, want 1s and a fifth more or less", d)
		}
	}
}

// An id of a time to come would be the newest in every list until then. That time is later than what either clock says: a store may have
// one of its own.
func TestIDsOfATimeToComeAreRefused(t *testing.T) {
	t.Parallel()
	behind := model.New(model.Config{Now: func() time.Time { return time.Now().Add(-1000 * time.Hour) }})
	ahead := model.New(model.Config{Now: func() time.Time { return time.Now().Add(1000 * time.Hour) }})
	for name, c := range map[string]struct {
		store   *model.Store
		at      time.Duration
		refused bool
	}{
		"less than a day ahead":                   {model.New(model.Config{}), 23 * time.Hour, false},
		"more than a day ahead":                   {model.New(model.Config{}), 25 * time.Hour, true},
		"of now, where the store's clock is back": {behind, 0, false},
		"ahead, where the store's clock is too":   {ahead, 1023 * time.Hour, false},
		"ahead of the store's clock as well":      {ahead, 1025 * time.Hour, true},
	} {
		b := setupOn(t, c.store, godwit.Config{})
		godwit.Handle(b.Client, double, func(context.Context, int) (int, error) { return 0, nil })
		ids := godwit.IDs{Now: func() time.Time { return time.Now().Add(c.at) }}
		_, err := double.Submit(t.Context(), b, 1, godwit.SubmitOptions{ID: ids.New()})
		if refused := errors.Is(err, &godwit.Error{Code: godwit.CodeInvalid, Field: "id"}); refused != c.refused || !refused && err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
