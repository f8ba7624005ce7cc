package metrics_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/metrics"
)

var double = godwit.NewTask[int, int]("double", godwit.Policy{MaxAttempts: 2, Backoff: godwit.Backoff{Base: time.Millisecond}})

// doubled is a handler that fails for negative numbers.
func doubled(_ context.Context, n int) (int, error) {
	if n < 0 {
		return 0, errors.New("negative")
	}
	return 2 * n, nil
}

func TestRunsAndSubmissionsAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, onSQLite(t), metrics.Config{}, godwit.Config{})
	godwit.Handle(b.Client, double, doubled)
	defer b.start(t)()
	ctx := t.Context()
	for _, n := range []int{1, 2, -1} {
		p, err := double.Submit(ctx, b, n, godwit.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = p.Await(ctx)
	}
	bad, err := b.SubmitRaw(ctx, "double", []byte(`"three"`), godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = bad.Await(ctx)
	for range 2 {
		later := godwit.SubmitOptions{Delay: time.Hour, IdempotencyKey: "k"}
		if _, err := double.Submit(ctx, b, 4, later); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := double.Submit(ctx, b, 5, godwit.SubmitOptions{Delay: -1}); err == nil {
		t.Fatal("a negative delay was taken")
	}
	b.scrape(t).want(t, series{
		"submissions_total{code=,outcome=created,task=double}":                       5,
		"submissions_total{code=,outcome=existing,task=double}":                      1,
		"submissions_total{code=invalid,outcome=refused,task=double}":                1,
		"submit_duration_seconds{}":                                                  7,
		"runs_total{code=,outcome=succeeded,queue=default,task=double}":              2,
		"runs_total{code=failed,outcome=retry,queue=default,task=double}":            1,
		"runs_total{code=failed,outcome=failed,queue=default,task=double}":           1,
		"runs_total{code=undecodable_args,outcome=failed,queue=default,task=double}": 1,
		"run_duration_seconds{task=double}":                                          5,
		"run_start_latency_seconds{queue=default}":                                   5,
		"up{}": 1,
		"queue_jobs{queue=default,state=scheduled}": 1,
		"queue_jobs{queue=default,state=ready}":     0,
		"queue_workers{queue=default}":              1,
		"task_jobs{state=scheduled,task=double}":    1,
		"task_workers{task=double}":                 1,
		"task_paused{task=double}":                  0,
		"sessions{}":                                1,
		"stuck_runs{}":                              0,
		"slots_in_use{queue=default}":               0,
	})
}

func TestGaugesShowTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, model.New(model.Config{}), metrics.Config{}, godwit.Config{
			Queues: map[string]godwit.QueueConfig{"default": {Concurrency: 3}},
		})
		release := make(chan struct{})
		godwit.Handle(b.Client, double, func(context.Context, int) (int, error) { <-release; return 0, nil })
		nap := godwit.NewTask[int, int]("nap", godwit.Policy{})
		godwit.Handle(b.Client, nap, func(ctx context.Context, _ int) (int, error) { return 0, godwit.Sleep(ctx, "x", time.Minute) })
		submit := func(task *godwit.Task[int, int], o godwit.SubmitOptions) {
			t.Helper()
			if _, err := task.Submit(t.Context(), b, 1, o); err != nil {
				t.Fatal(err)
			}
		}
		stop := b.start(t)
		submit(nap, godwit.SubmitOptions{})
		submit(double, godwit.SubmitOptions{})
		submit(double, godwit.SubmitOptions{Queue: "mail"})
		if err := b.PauseQueue(t.Context(), "mail"); err != nil {
			t.Fatal(err)
		}
		<-time.After(10 * time.Second)
		b.scrape(t).want(t, series{
			"slots{queue=default}": 3, "slots_in_use{queue=default}": 1, "waiting_runs{}": 1, "stuck_runs{}": 0,
			"queue_jobs{queue=default,state=running}": 1, "queue_jobs{queue=default,state=waiting}": 1,
			"queue_jobs{queue=default,state=scheduled}": 1, "queue_jobs{queue=mail,state=ready}": 1,
			"queue_held_jobs{queue=mail}": 1, "queue_held_jobs{queue=default}": 0,
			"queue_oldest_ready_age_seconds{queue=mail}": 10, "queue_oldest_ready_age_seconds{queue=default}": 0,
			"queue_paused{queue=mail}": 1, "queue_paused{queue=default}": 0,
			"queue_workers{queue=mail}": 0, "queue_workers{queue=default}": 1,
			"task_jobs{state=waiting,task=nap}": 1, "task_workers{task=godwit.timer}": 1, "sessions{}": 1,
		})
		close(release)
		stop()
	})
}

func TestCrashesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := model.New(model.Config{})
		b := setup(t, store, metrics.Config{}, godwit.Config{})
		godwit.Handle(b.Client, double, doubled)
		fragile := godwit.NewTask[int, int]("fragile", godwit.Policy{MaxCrashes: 1})
		godwit.Handle(b.Client, fragile, doubled)
		die(t, b, store, double, fragile)
		stop := b.start(t)
		<-time.After(time.Minute)
		b.scrape(t).want(t, series{
			"crashed_runs_total{outcome=retry,task=double}":                 1,
			"crashed_runs_total{outcome=failed,task=fragile}":               1,
			"runs_total{code=,outcome=succeeded,queue=default,task=double}": 1,
		})
		stop()
	})
}

// die submits a job of each task, and has a worker claim them that then dies.
func die(t *testing.T, b bundle, store godwit.Store, tasks ...*godwit.Task[int, int]) {
	t.Helper()
	session := godwit.NewSession{ID: godwit.NewID(), Lease: godwit.LeaseMin, Queues: []string{godwit.QueueDefault}}
	for _, task := range tasks {
		session.Tasks = append(session.Tasks, godwit.Capability{Task: task.Name(), MinVersion: 1, MaxVersion: 1})
		if _, err := task.Submit(t.Context(), b, 1, godwit.SubmitOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.StartSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	answer, err := store.Claim(t.Context(), godwit.ClaimRequest{Session: session.ID, Queue: godwit.QueueDefault, Limit: 10})
	if err != nil || len(answer.Jobs) != len(tasks) {
		t.Fatalf("claimed %d jobs, %v", len(answer.Jobs), err)
	}
}

func TestNamesFromOutsideAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), metrics.Config{NamesMax: 2}, godwit.Config{})
	for _, name := range []string{"d", "c", "b", "a", "c"} {
		task := godwit.NewTask[int, int](name, godwit.Policy{Queue: "queue-" + name})
		if _, err := task.Submit(t.Context(), b, 1, godwit.SubmitOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	got := b.scrape(t)
	got.want(t, series{
		"submissions_total{code=,outcome=created,task=c}":       2,
		"submissions_total{code=,outcome=created,task=d}":       1,
		"submissions_total{code=,outcome=created,task=(other)}": 2,
		"queue_jobs{queue=queue-a,state=ready}":                 1,
		"queue_jobs{queue=queue-b,state=ready}":                 1,
		"queue_jobs{queue=(other),state=ready}":                 3,
		"queue_held_jobs{queue=(other)}":                        3,
		"task_jobs{state=ready,task=(other)}":                   3,
	})
	for name := range got {
		if strings.Contains(name, "queue-c") || strings.Contains(name, "task=a") && strings.HasPrefix(name, "submissions") {
			t.Errorf("%s is told apart", name)
		}
	}
}

func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), metrics.Config{}, godwit.Config{})
	b.m.ObserveRequest("GET /v1/jobs", http.StatusOK, time.Millisecond)
	b.m.ObserveRequest("", http.StatusNotFound, time.Millisecond)
	b.scrape(t).want(t, series{
		"http_requests_total{route=GET /v1/jobs,status=200}": 1, "http_requests_total{route=(other),status=404}": 1,
		"http_request_duration_seconds{route=GET /v1/jobs}": 1,
	})
}

func TestHandlerServesWhatThereIs(t *testing.T) {
	t.Parallel()
	b := setup(t, model.New(model.Config{}), metrics.Config{}, godwit.Config{})
	w := httptest.NewRecorder()
	b.m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, want := range []string{"godwit_up 1", "godwit_build_info{version=", "go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in the answer %d", want, w.Code)
		}
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	t.Parallel()
	problems, err := testutil.GatherAndLint(full(t).reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestConfigOutsideItsBoundsPanics(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]metrics.Config{
		"ReadTimeout": {ReadTimeout: time.Hour}, "ReadEvery": {ReadEvery: -1}, "NamesMax": {NamesMax: metrics.NamesMax + 1},
		"RunBuckets": {RunBuckets: []float64{1, 1}}, "LatencyBuckets": {LatencyBuckets: []float64{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if p, ok := recover().(string); !ok || !strings.Contains(p, name) {
					t.Errorf("panicked with %v, want %s named", p, name)
				}
			}()
			metrics.New(config)
		})
	}
}
