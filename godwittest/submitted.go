package godwittest

import (
	"encoding/json"
	"testing"

	"github.com/godwit-go/godwit"
)

// AssertSubmitted fails the test unless a job of the task was submitted whose arguments match, and gives the first such job. A
// nil match takes any.
func AssertSubmitted[A, R any](t testing.TB, h *Harness, task *godwit.Task[A, R], match func(A) bool) godwit.Job {
	t.Helper()
	jobs := jobsOf(t, h, task)
	for _, j := range jobs {
		if match == nil || match(argsOf[A](t, j)) {
			return j
		}
	}
	t.Errorf("no job of task %q was submitted that matches; there are %d:", task.Name(), len(jobs))
	for _, j := range jobs {
		t.Errorf("  %s", j.Args.Data)
	}
	return godwit.Job{}
}

// AssertNotSubmitted fails the test when a job of the task was submitted whose arguments match. A nil match takes any.
func AssertNotSubmitted[A, R any](t testing.TB, h *Harness, task *godwit.Task[A, R], match func(A) bool) {
	t.Helper()
	for _, j := range jobsOf(t, h, task) {
		if match == nil || match(argsOf[A](t, j)) {
			t.Errorf("job %s of task %q was submitted: %s", j.ID, task.Name(), j.Args.Data)
		}
	}
}

// Submitted gives the arguments of all jobs of the task, in the order of their submission.
func Submitted[A, R any](t testing.TB, h *Harness, task *godwit.Task[A, R]) []A {
	t.Helper()
	var all []A
	for _, j := range jobsOf(t, h, task) {
		all = append(all, argsOf[A](t, j))
	}
	return all
}

// jobsOf reads the jobs of a task with their arguments, oldest first.
func jobsOf[A, R any](t testing.TB, h *Harness, task *godwit.Task[A, R]) []godwit.Job {
	t.Helper()
	var ids []godwit.ID
	filter := godwit.ListFilter{Task: task.Name(), Limit: godwit.PageMax}
	for {
		page, err := h.List(t.Context(), filter)
		if err != nil {
			t.Fatalf("godwittest: list: %v", err)
		}
		for _, j := range page.Jobs {
			ids = append(ids, j.ID)
		}
		if page.Next.IsZero() {
			break
		}
		filter.Before = page.Next
	}
	jobs := make([]godwit.Job, 0, len(ids))
	for i := len(ids) - 1; i >= 0; i-- {
		j, err := h.Get(t.Context(), ids[i])
		if err != nil {
			t.Fatalf("godwittest: %v", err)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func argsOf[A any](t testing.TB, j godwit.Job) A {
	t.Helper()
	var args A
	if err := json.Unmarshal(j.Args.Data, &args); err != nil {
		t.Fatalf("godwittest: arguments of job %s: %v", j.ID, err)
	}
	return args
}
