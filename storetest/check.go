package storetest

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/godwit-go/godwit"
)

// Check fails the test when what a store shows does not fit together. It also asks the store itself, when it has a method
// Check(context.Context) error. Nobody else may change the store meanwhile.
func Check(t testing.TB, s godwit.Store) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // it may be called when the test is over
	if own, ok := s.(interface{ Check(context.Context) error }); ok {
		if err := own.Check(ctx); err != nil {
			t.Errorf("the store's own check: %v", err)
		}
	}
	c := &checker{TB: t, ctx: ctx, store: s, live: map[godwit.ID]*godwit.SessionInfo{}}
	sessions, err := s.Sessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sessions {
		c.live[sessions[i].ID] = &sessions[i]
	}
	c.jobs = allJobs(ctx, t, s, godwit.PageMax)
	for i := range c.jobs {
		c.job(&c.jobs[i])
	}
	c.sessions()
	c.queues()
	c.tasks()
}

type checker struct {
	testing.TB
	ctx   context.Context
	store godwit.Store
	jobs  []godwit.Job
	live  map[godwit.ID]*godwit.SessionInfo
}

// allJobs reads every page of the list.
func allJobs(ctx context.Context, t testing.TB, s godwit.Store, limit int) []godwit.Job {
	t.Helper()
	var all []godwit.Job
	f := godwit.ListFilter{Limit: limit}
	for {
		page, err := s.List(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Jobs {
			if n := len(all); n > 0 && all[n-1].ID.Compare(page.Jobs[i].ID) <= 0 {
				t.Fatalf("the list goes on from %s with %s", all[n-1].ID, page.Jobs[i].ID)
			}
			all = append(all, page.Jobs[i])
		}
		if page.Next.IsZero() {
			return all
		}
		f.Before = page.Next
	}
}

func (c *checker) assert(j *godwit.Job, holds bool, law string) {
	c.Helper()
	if !holds {
		c.Errorf("job %s breaks the law %q:\n\t%s", j.ID, law, describeShort(*j))
	}
}

func (c *checker) job(j *godwit.Job) {
	c.Helper()
	final, held := j.State.Final(), j.State == godwit.StateRunning || j.State == godwit.StateWaiting
	c.assert(j, slices.Contains(godwit.States(), j.State), "a job is in one of the states")
	c.assert(j, final == !j.FinishedAt.IsZero(), "exactly a final job has a finishing time")
	c.assert(j, final == !j.KeepUntil.IsZero(), "exactly a final job has an end of its keeping")
	c.assert(j, !final || !j.KeepUntil.Before(j.FinishedAt), "a final job is kept from its finish on")
	c.assert(j, j.Held == "" || j.State == godwit.StateReady, "only a ready job is held")
	c.assert(j, held || j.Session.IsZero(), "only a running or waiting job has a session")
	c.assert(j, j.State != godwit.StateRunning || c.live[j.Session] != nil, "a running job has a live session")
	c.assert(j, j.Session.IsZero() || c.live[j.Session] != nil, "a waiting job has no ended session")
	c.assert(j, !held || j.Run > 0 && !j.StartedAt.IsZero(), "a run was claimed and started")
	c.assert(j, j.CancelRequestedAt.IsZero() || j.State == godwit.StateRunning || final, "a job asked to stop runs or is final")
	c.assert(j, j.Attempt >= 0 && int64(j.Attempt) <= j.Run, "attempts are not negative and not above the runs")
	c.assert(j, j.Attempt <= j.MaxAttempts || j.Releases+j.Crashes > 0 || j.State != godwit.StateScheduled, "retries stop at the maximum")
	c.assert(j, j.Crashes <= j.MaxCrashes && j.Crashes >= 0, "crashes stop at their maximum")
	c.assert(j, int64(j.Releases) <= j.Run && j.Releases >= 0, "no more releases than runs")
	c.assert(j, j.State != godwit.StateSucceeded || j.Failure == nil, "a success has no failure")
	c.assert(j, j.State != godwit.StateFailed && j.State != godwit.StateCancelled || j.Failure != nil, "what did not succeed has a failure")
	c.assert(j, j.Parent.IsZero() == (j.Depth == 0), "exactly a child has generations above")
	records, code, err := c.store.Attempts(c.ctx, j.ID)
	if err != nil || code != "" {
		c.Errorf("attempts of %s: %q, %v", j.ID, code, err)
	}
	c.assert(j, len(records) <= godwit.AttemptsKeptMax, "attempt records are bounded")
	last := int64(0)
	for _, a := range records {
		c.assert(j, a.Run >= last && a.Run <= j.Run, "attempt records are in the order of the runs")
		last = a.Run
	}
}

func (c *checker) sessions() {
	c.Helper()
	for id, info := range c.live {
		running, waiting := 0, 0
		for i := range c.jobs {
			switch {
			case c.jobs[i].Session != id:
			case c.jobs[i].State == godwit.StateRunning:
				running++
			default:
				waiting++
			}
		}
		if running != info.Running || waiting != info.Waiting {
			c.Errorf("session %s counts %d running and %d waiting jobs, the list %d and %d", id, info.Running, info.Waiting, running, waiting)
		}
	}
}

// depths counts the unfinished jobs of the list by a name and by state.
func (c *checker) depths(name func(*godwit.Job) string) map[string]map[godwit.State]int {
	all := map[string]map[godwit.State]int{}
	for i := range c.jobs {
		j := &c.jobs[i]
		if j.State.Final() {
			continue
		}
		if all[name(j)] == nil {
			all[name(j)] = map[godwit.State]int{}
		}
		all[name(j)][j.State]++
	}
	return all
}

func (c *checker) queues() {
	c.Helper()
	queues, err := c.store.Queues(c.ctx)
	if err != nil {
		c.Fatal(err)
	}
	want := c.depths(func(j *godwit.Job) string { return j.Queue })
	held := map[string]int{}
	for i := range c.jobs {
		if c.jobs[i].Held != "" {
			held[c.jobs[i].Queue]++
		}
	}
	for i := range queues {
		q := &queues[i]
		if !maps.Equal(q.Depth, want[q.Name]) || q.Held != held[q.Name] {
			c.Errorf("queue %s counts %v, %d held, the list %v, %d", q.Name, q.Depth, q.Held, want[q.Name], held[q.Name])
		}
		delete(want, q.Name)
	}
	for name := range want {
		c.Errorf("queue %s has unfinished jobs and is not among the queues", name)
	}
}

func (c *checker) tasks() {
	c.Helper()
	tasks, err := c.store.Tasks(c.ctx)
	if err != nil {
		c.Fatal(err)
	}
	want := c.depths(func(j *godwit.Job) string { return j.Task })
	for i := range tasks {
		if !maps.Equal(tasks[i].Depth, want[tasks[i].Name]) {
			c.Errorf("task %s counts %v, the list %v", tasks[i].Name, tasks[i].Depth, want[tasks[i].Name])
		}
		delete(want, tasks[i].Name)
	}
	for name := range want {
		c.Errorf("task %s has unfinished jobs and is not among the tasks", name)
	}
}
