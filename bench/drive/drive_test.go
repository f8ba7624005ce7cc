package drive

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// fake runs what is submitted at once, once started; lose and again say what it does wrong.
type fake struct {
	r           *Recorder
	lose, again int
	results     int
	submitted   []int
}

func (f *fake) Open(_ context.Context, _ Spec, r *Recorder) error {
	f.r = r
	return nil
}

func (f *fake) Submit(_ context.Context, from, n int) error {
	for i := from; i < from+n; i++ {
		f.submitted = append(f.submitted, i)
	}
	return nil
}

func (f *fake) Start(context.Context) error {
	for _, seq := range f.submitted[:len(f.submitted)-f.lose] {
		if _, err := f.r.Run(ArgsOf(seq)); err != nil {
			return err
		}
	}
	for range f.again {
		if _, err := f.r.Run(ArgsOf(0)); err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) Drain(context.Context) error { return nil }
func (f *fake) Close(context.Context) error { return nil }

func (f *fake) Results(_ context.Context, _, n int) (int, error) { return n + f.results, nil }

var bulkSpec = Spec{Scenario: "bulk", Jobs: 50, Batch: 8}

func TestBulkCountsWhatRan(t *testing.T) {
	t.Parallel()
	out, err := measure(bulkSpec, &fake{again: 3})
	if err != nil {
		t.Fatal(err)
	}
	if out.Jobs != 50 || out.Results != 50 || out.Repeated != 3 || out.Values["jobs_per_s"] <= 0 {
		t.Errorf("got %+v", out)
	}
}

func TestMissingResultFailsTheMeasurement(t *testing.T) {
	t.Parallel()
	if _, err := measure(bulkSpec, &fake{results: -1}); err == nil || !strings.Contains(err.Error(), "49 of 50 results") {
		t.Errorf("got %v", err)
	}
}

func TestMissingResultFailsAStartUp(t *testing.T) {
	t.Parallel()
	spec := bulkSpec
	spec.Scenario = "startup"
	if _, err := measure(spec, &fake{results: -1}); err == nil || !strings.Contains(err.Error(), "49 of 50 results") {
		t.Errorf("got %v", err)
	}
}

func TestStartUpEndsAtTheFirstStart(t *testing.T) {
	t.Parallel()
	spec := bulkSpec
	spec.Scenario = "startup"
	out, err := measure(spec, &fake{})
	if err != nil {
		t.Fatal(err)
	}
	if open, first := out.Values["open_ms"], out.Values["first_ms"]; open <= 0 || first < open || out.Jobs != 50 || out.Results != 50 {
		t.Errorf("got %+v", out)
	}
}

func TestMissingRunIsWaitedForInVain(t *testing.T) {
	t.Parallel()
	f := &fake{lose: 1, submitted: []int{0, 1, 2}}
	r := newRecorder(3)
	if err := f.Open(t.Context(), Spec{}, r); err != nil {
		t.Fatal(err)
	}
	if err := f.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := r.waitRan(ctx, 3); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 of 3 jobs ran") {
		t.Errorf("got %v", err)
	}
	if err := r.waitRan(t.Context(), 2); err != nil {
		t.Error(err)
	}
}

func TestHandlerRefusesOtherArguments(t *testing.T) {
	t.Parallel()
	r := newRecorder(2)
	for _, args := range []Args{{Seq: 2, Text: text}, {Seq: -1, Text: text}, {Seq: 0, Text: "other"}} {
		if _, err := r.Run(args); err == nil {
			t.Errorf("%+v were taken", args)
		}
	}
	if result, err := r.Run(ArgsOf(1)); err != nil || !result.Right(1) || result.Right(0) {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for q, want := range map[float64]float64{0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(hundred, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing it is %v", got)
	}
}

func TestWindowsHoldEveryJob(t *testing.T) {
	t.Parallel()
	r := newRecorder(10)
	for i := range 10 {
		r.submitted[i] = int64(i) * 1e9
		r.started[i].Store(int64(i)*1e9 + 2e6)
	}
	total := 0.0
	windows := r.windows(0, 10, 4)
	width := windows[0].Second
	for _, w := range windows {
		total += w.Rate * width
		if w.P50 != 2 || w.P99 != 2 {
			t.Errorf("got %+v, want latencies of 2 ms", w)
		}
	}
	if total < 9.99 || total > 10.01 {
		t.Errorf("the windows hold %v jobs, want 10", total)
	}
}
