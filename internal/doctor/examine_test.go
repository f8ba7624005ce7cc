package doctor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/doctor"
)

var now = time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)

// ward is a store as the doctor sees it.
type ward struct {
	godwit.Admin
	queues   []godwit.QueueInfo
	tasks    []godwit.TaskInfo
	sessions []godwit.SessionInfo
	jobs     []godwit.Job // newest first
	err      error
}

func (w *ward) Queues(context.Context) ([]godwit.QueueInfo, error)     { return w.queues, w.err }
func (w *ward) Tasks(context.Context) ([]godwit.TaskInfo, error)       { return w.tasks, nil }
func (w *ward) Sessions(context.Context) ([]godwit.SessionInfo, error) { return w.sessions, nil }

func (w *ward) List(_ context.Context, f godwit.ListFilter) (godwit.ListAnswer, error) {
	var page godwit.ListAnswer
	for _, j := range w.jobs {
		if j.State != f.State || !f.Before.IsZero() && j.ID.Compare(f.Before) >= 0 {
			continue
		}
		if len(page.Jobs) == f.Limit {
			page.Next = page.Jobs[len(page.Jobs)-1].ID
			return page, nil
		}
		page.Jobs = append(page.Jobs, j)
	}
	return page, nil
}

func session(lease time.Duration) godwit.SessionInfo {
	return godwit.SessionInfo{NewSession: godwit.NewSession{Host: "h", PID: 7}, LeaseUntil: now.Add(lease), Running: 2}
}

func depth(ready, running int) map[godwit.State]int {
	return map[godwit.State]int{godwit.StateReady: ready, godwit.StateRunning: running}
}

// many makes n jobs of the same form, newest first, with ids of their own.
func many(n int, form godwit.Job) []godwit.Job {
	jobs := make([]godwit.Job, n)
	for i := range jobs {
		jobs[i] = form
		jobs[i].ID[15], jobs[i].ID[14] = byte(n-i), byte((n-i)>>8)
		jobs[i].ID[0] = form.State[0]
	}
	return jobs
}

func served(q godwit.QueueInfo) *ward {
	q.Workers = 1
	return &ward{queues: []godwit.QueueInfo{q}, sessions: []godwit.SessionInfo{session(time.Minute)}}
}

func withJobs(jobs ...godwit.Job) *ward {
	w := served(godwit.QueueInfo{Name: "q"})
	w.jobs = jobs
	return w
}

func TestExamineFinds(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	cases := map[string]struct {
		ward     *ward
		check    string
		severity doctor.Severity
		message  string
		command  string
	}{
		"workers that live": {withJobs(), "workers", doctor.OK, "1 worker lives with 2 jobs running", ""},
		"nobody, and nothing to do": {
			&ward{}, "workers", doctor.Info, "no worker lives, and no job waits for one", "",
		},
		"nobody, and jobs that wait": {
			&ward{queues: []godwit.QueueInfo{{Name: "q", Depth: depth(3, 0)}}}, "workers", doctor.Error, "no worker lives, and 3 jobs wait", "",
		},
		"a lease that is over": {
			&ward{sessions: []godwit.SessionInfo{session(-2 * time.Minute)}}, "leases", doctor.Error, "process 7 on h) ended 2 minutes ago, and nobody rescues its 2 jobs", "session list",
		},
		"a lease just over": {
			&ward{sessions: []godwit.SessionInfo{session(-time.Second)}}, "leases", doctor.OK, "no lease is over", "",
		},
		"a paused queue that holds jobs": {
			served(godwit.QueueInfo{Name: "q", Paused: true, Held: 4, Depth: depth(4, 0)}), "queues", doctor.Warning, "queue q is paused and holds 4 ready jobs", "queue resume q",
		},
		"a paused queue without jobs": {
			served(godwit.QueueInfo{Name: "q", Paused: true}), "queues", doctor.Info, "queue q is paused, and holds no ready job", "queue resume q",
		},
		"a queue that nobody serves": {
			&ward{queues: []godwit.QueueInfo{{Name: "q", Depth: depth(1, 0)}}, sessions: []godwit.SessionInfo{session(time.Minute)}},
			"queues", doctor.Error, "queue q has 1 job, and no live worker serves it", "",
		},
		"a paused task": {
			&ward{tasks: []godwit.TaskInfo{{Name: "t", Paused: true, Depth: depth(1, 1)}}}, "tasks", doctor.Warning, "task t is paused, and 2 jobs wait or run of it", "task resume t",
		},
		"a task that nobody knows": {
			&ward{tasks: []godwit.TaskInfo{{Name: "t", Depth: depth(2, 0)}}, sessions: []godwit.SessionInfo{session(time.Minute)}},
			"tasks", doctor.Error, "task t has 2 jobs, and no live worker knows it", "job list --task t",
		},
		"a version that nobody knows": {
			withJobs(many(2, godwit.Job{State: godwit.StateReady, Held: godwit.HeldUnknownVersion})...),
			"tasks", doctor.Error, "2 ready jobs are held: live workers know the task, but not the version", "job show ",
		},
		"jobs that wait for long": {
			served(godwit.QueueInfo{Name: "q", Depth: depth(9, 2), OldestReady: ago(10 * time.Minute)}), "ages", doctor.Warning, "in queue q 9 jobs are ready, the oldest for 10 minutes", "job list --state ready --queue q",
		},
		"held jobs, which are no sign of slow workers": {
			served(godwit.QueueInfo{Name: "q", Depth: depth(9, 2), Held: 9, OldestReady: ago(time.Hour)}), "ages", doctor.OK, "no ready job is older than 5 minutes", "",
		},
		"a job that is overdue": {
			withJobs(many(1, godwit.Job{State: godwit.StateScheduled, RunAt: ago(time.Minute)})...), "overdue", doctor.Error, "1 scheduled job is due and not made ready, the oldest for 1m0s", "job show ",
		},
		"a job that is due later": {
			withJobs(many(1, godwit.Job{State: godwit.StateScheduled, RunAt: now.Add(time.Minute)})...), "overdue", doctor.OK, "1 scheduled job, none overdue", "",
		},
		"a run over its timeout": {
			withJobs(many(1, godwit.Job{State: godwit.StateRunning, Task: "t", StartedAt: ago(10 * time.Minute), Timeout: time.Minute})...),
			"runs", doctor.Warning, "(t) runs for 10 minutes, and its timeout is 1m0s", "job show ",
		},
		"a run that will not stop": {
			withJobs(many(1, godwit.Job{State: godwit.StateRunning, StartedAt: ago(time.Minute), CancelRequestedAt: ago(time.Minute), Timeout: time.Hour})...),
			"runs", doctor.Warning, "was asked to stop 1m0s ago and still runs", "job show ",
		},
		"a long run without a timeout": {
			withJobs(many(1, godwit.Job{State: godwit.StateRunning, StartedAt: ago(3 * time.Hour)})...), "runs", doctor.Warning, "runs for 3 hours, and has no timeout", "job show ",
		},
		"a run that is on time": {
			withJobs(many(1, godwit.Job{State: godwit.StateRunning, StartedAt: ago(time.Minute), Timeout: time.Hour})...), "runs", doctor.OK, "1 running job, none stuck", "",
		},
		"a job that kills workers": {
			withJobs(many(1, godwit.Job{State: godwit.StateReady, Task: "t", Crashes: 3, MaxCrashes: 5})...), "crashes", doctor.Warning, "workers died 3 times under job", "job show ",
		},
		"a task that fails": {
			withJobs(append(
				many(5, godwit.Job{State: godwit.StateFailed, Task: "t", FinishedAt: ago(time.Minute), Failure: &godwit.Failure{Message: "no paper"}}),
				many(5, godwit.Job{State: godwit.StateSucceeded, Task: "t", FinishedAt: ago(time.Minute)})...)...),
			"failures", doctor.Warning, "5 of 10 jobs of task t that finished within 60 minutes failed (50%), the newest with: no paper", "job list --state failed --task t",
		},
		"a task that failed long ago": {
			withJobs(many(9, godwit.Job{State: godwit.StateFailed, Task: "t", FinishedAt: ago(2 * time.Hour)})...), "failures", doctor.OK, "0 jobs failed within 60 minutes", "",
		},
		"a few failures among many": {
			withJobs(append(
				many(5, godwit.Job{State: godwit.StateFailed, Task: "t", FinishedAt: ago(time.Minute)}),
				many(95, godwit.Job{State: godwit.StateSucceeded, Task: "t", FinishedAt: ago(time.Minute)})...)...),
			"failures", doctor.OK, "5 jobs failed", "",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, err := doctor.Examine(t.Context(), c.ward, doctor.Limits{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			var told []string
			for _, f := range findings {
				told = append(told, fmt.Sprintf("%+v", f))
				if f.Check == c.check && f.Severity == c.severity && strings.Contains(f.Message, c.message) && strings.HasPrefix(f.Command, c.command) &&
					(c.command == "") == (f.Command == "") {
					return
				}
			}
			t.Errorf("no %s of %s with %q and command %q among\n%s", c.severity, c.check, c.message, c.command, strings.Join(told, "\n"))
		})
	}
}

func TestExamineOfAStoreAloneCountsNobody(t *testing.T) {
	t.Parallel()
	w := served(godwit.QueueInfo{Name: "q", Depth: depth(1, 0)})
	findings, err := doctor.Examine(t.Context(), w, doctor.Limits{Now: now, Alone: true})
	if err != nil || findings[0].Severity != doctor.Error || !strings.HasPrefix(findings[0].Message, "no worker lives, and 1 job waits") {
		t.Errorf("got %v, %v", findings, err)
	}
}

func TestExamineBoundsWhatItLooksAtAndTells(t *testing.T) {
	t.Parallel()
	w := withJobs(many(2500, godwit.Job{State: godwit.StateRunning, StartedAt: now.Add(-time.Hour), Timeout: time.Minute})...)
	findings, err := doctor.Examine(t.Context(), w, doctor.Limits{Now: now, Scanned: 1500})
	if err != nil {
		t.Fatal(err)
	}
	stuck := 0
	for _, f := range findings {
		if f.Check == "runs" {
			stuck++
		}
	}
	if stuck != 10 {
		t.Errorf("%d findings about single runs, want 10", stuck)
	}
	w = withJobs(many(2500, godwit.Job{State: godwit.StateScheduled, RunAt: now.Add(time.Hour)})...)
	findings, err = doctor.Examine(t.Context(), w, doctor.Limits{Now: now, Scanned: 1500})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Check == "overdue" && f.Message == "of the newest 1500 scheduled jobs none overdue" {
			return
		}
	}
	t.Errorf("nothing says that only 1500 jobs were looked at: %v", findings)
}

func TestExaminePassesOnWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, err := doctor.Examine(t.Context(), &ward{err: godwit.ErrUnavailable}, doctor.Limits{})
	if !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given []doctor.Severity
		want  doctor.Severity
	}{
		{nil, doctor.OK},
		{[]doctor.Severity{doctor.OK, doctor.Info}, doctor.Info},
		{[]doctor.Severity{doctor.Warning, doctor.Error, doctor.OK}, doctor.Error},
	} {
		var findings []doctor.Finding
		for _, s := range c.given {
			findings = append(findings, doctor.Finding{Severity: s})
		}
		if got := doctor.Worst(findings); got != c.want {
			t.Errorf("%v: got %s, want %s", c.given, got, c.want)
		}
	}
}
