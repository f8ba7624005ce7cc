package model

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/states"
)

// show gives the view of a job: with the reason a ready job is held, and the newest failure of one that is not final.
func (w *world) show(j *job) godwit.Job {
	v := j.view
	v.Held = w.held(&v)
	if !v.State.Final() {
		for _, a := range slices.Backward(j.attempts) {
			if a.Failure != nil {
				v.Failure = a.Failure
				break
			}
		}
	}
	v.Failure = cloneFailure(v.Failure)
	v.Tags, v.Headers = slices.Clone(v.Tags), maps.Clone(v.Headers)
	return v
}

func cloneFailure(f *godwit.Failure) *godwit.Failure {
	if f == nil {
		return nil
	}
	c := *f
	return &c
}

func absent(place states.Place) godwit.Code {
	if place == states.Pruned {
		return godwit.CodeExpired
	}
	return godwit.CodeNotFound
}

// Get reads jobs.
func (s *Store) Get(ctx context.Context, ids []godwit.ID) ([]godwit.JobAnswer, error) {
	return readEach(ctx, s, ids, func(w *world, id godwit.ID) godwit.JobAnswer {
		place, j := w.place(id)
		if j == nil {
			return godwit.JobAnswer{Code: absent(place)}
		}
		return godwit.JobAnswer{Job: w.show(j)}
	})
}

// Outcomes reads how jobs stand.
func (s *Store) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	return readEach(ctx, s, ids, func(w *world, id godwit.ID) godwit.OutcomeAnswer {
		place, j := w.place(id)
		if j == nil {
			return godwit.OutcomeAnswer{Code: absent(place)}
		}
		a := godwit.OutcomeAnswer{State: j.view.State}
		if a.State.Final() {
			a.Result, a.Failure = j.view.Result, cloneFailure(j.view.Failure)
		}
		return a
	})
}

func readEach[A any](ctx context.Context, s *Store, ids []godwit.ID, op func(*world, godwit.ID) A) ([]A, error) {
	if len(ids) > godwit.BatchMax {
		return nil, batchTooLarge(len(ids))
	}
	return read(ctx, s, func(w *world, _ time.Time) []A {
		answers := make([]A, 0, len(ids))
		for _, id := range ids {
			answers = append(answers, op(w, id))
		}
		return answers
	})
}

// List reads a page of jobs, newest first.
func (s *Store) List(ctx context.Context, f godwit.ListFilter) (godwit.ListAnswer, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = godwit.PageDefault
	}
	limit = min(limit, godwit.PageMax)
	return read(ctx, s, func(w *world, _ time.Time) godwit.ListAnswer {
		var answer godwit.ListAnswer
		for _, id := range slices.Backward(sortedIDs(w.jobs)) {
			if !f.Before.IsZero() && id.Compare(f.Before) >= 0 || !matches(&w.jobs[id].view, &f) {
				continue
			}
			if len(answer.Jobs) == limit {
				answer.Next = answer.Jobs[limit-1].ID
				break
			}
			v := w.show(w.jobs[id])
			v.Args, v.Result = godwit.Payload{}, godwit.Payload{}
			answer.Jobs = append(answer.Jobs, v)
		}
		return answer
	})
}

func matches(v *godwit.Job, f *godwit.ListFilter) bool {
	return (f.State == "" || v.State == f.State) &&
		(f.Queue == "" || v.Queue == f.Queue) &&
		(f.Task == "" || v.Task == f.Task) &&
		(f.Parent.IsZero() || v.Parent == f.Parent) &&
		(f.Tag == "" || slices.Contains(v.Tags, f.Tag))
}

// rows reads what hangs on a job.
func rows[T any](ctx context.Context, s *Store, id godwit.ID, get func(*job) []T) ([]T, godwit.Code, error) {
	code := godwit.Code("")
	list, err := read(ctx, s, func(w *world, _ time.Time) []T {
		place, j := w.place(id)
		if j == nil {
			code = absent(place)
			return nil
		}
		return slices.Clone(get(j))
	})
	return list, code, err
}

// page cuts the rows after a sequence number that counts from 1.
func page[T any](list []T, after int64, limit int) []T {
	if limit <= 0 {
		limit = godwit.PageDefault
	}
	list = list[min(max(after, 0), int64(len(list))):]
	return list[:min(len(list), min(limit, godwit.PageMax))]
}

// Attempts reads attempt records.
func (s *Store) Attempts(ctx context.Context, id godwit.ID) ([]godwit.Attempt, godwit.Code, error) {
	return rows(ctx, s, id, func(j *job) []godwit.Attempt { return j.attempts })
}

// Logs reads log lines.
func (s *Store) Logs(ctx context.Context, id godwit.ID, after int64, limit int) ([]godwit.LogLine, godwit.Code, error) {
	return rows(ctx, s, id, func(j *job) []godwit.LogLine { return page(j.logs, after, limit) })
}

// Items reads emitted items.
func (s *Store) Items(ctx context.Context, id godwit.ID, after int64, limit int) ([]godwit.Item, godwit.Code, error) {
	return rows(ctx, s, id, func(j *job) []godwit.Item { return page(j.items, after, limit) })
}

// Queues reads every queue.
func (s *Store) Queues(ctx context.Context) ([]godwit.QueueInfo, error) {
	return read(ctx, s, func(w *world, _ time.Time) []godwit.QueueInfo {
		all := map[string]*godwit.QueueInfo{}
		at := func(name string) *godwit.QueueInfo {
			if all[name] == nil {
				all[name] = &godwit.QueueInfo{Name: name, Paused: w.pausedQueues[name], Depth: map[godwit.State]int{}}
			}
			return all[name]
		}
		for name := range w.pausedQueues {
			at(name)
		}
		for _, sess := range w.sessions {
			for _, name := range sess.Queues {
				at(name).Workers++
			}
		}
		for _, j := range w.jobs {
			if j.view.State.Final() {
				continue
			}
			q := at(j.view.Queue)
			q.Depth[j.view.State]++
			if j.view.State == godwit.StateReady {
				if w.held(&j.view) != "" {
					q.Held++
				}
				if q.OldestReady.IsZero() || j.view.RunAt.Before(q.OldestReady) {
					q.OldestReady = j.view.RunAt
				}
			}
		}
		var list []godwit.QueueInfo
		for _, name := range slices.Sorted(maps.Keys(all)) {
			list = append(list, *all[name])
		}
		return list
	})
}

// Tasks reads every task.
func (s *Store) Tasks(ctx context.Context) ([]godwit.TaskInfo, error) {
	return read(ctx, s, func(w *world, _ time.Time) []godwit.TaskInfo {
		all := map[string]*godwit.TaskInfo{}
		at := func(name string) *godwit.TaskInfo {
			if all[name] == nil {
				all[name] = &godwit.TaskInfo{Name: name, Paused: w.pausedTasks[name], Depth: map[godwit.State]int{}}
			}
			return all[name]
		}
		for name := range w.pausedTasks {
			at(name)
		}
		for _, sess := range w.sessions {
			seen := map[string]bool{}
			for _, c := range sess.Tasks {
				if !seen[c.Task] {
					at(c.Task).Workers++
				}
				seen[c.Task] = true
			}
		}
		for _, j := range w.jobs {
			if !j.view.State.Final() {
				at(j.view.Task).Depth[j.view.State]++
			}
		}
		var list []godwit.TaskInfo
		for _, name := range slices.Sorted(maps.Keys(all)) {
			list = append(list, *all[name])
		}
		return list
	})
}

// Sessions reads the live sessions.
func (s *Store) Sessions(ctx context.Context) ([]godwit.SessionInfo, error) {
	return read(ctx, s, func(w *world, _ time.Time) []godwit.SessionInfo {
		var list []godwit.SessionInfo
		for _, id := range sortedIDs(w.sessions) {
			sess := w.sessions[id]
			info := godwit.SessionInfo{NewSession: sess.NewSession, StartedAt: sess.startedAt, LeaseUntil: sess.leaseUntil}
			for _, j := range w.jobsOf(id) {
				if j.view.State == godwit.StateRunning {
					info.Running++
				} else {
					info.Waiting++
				}
			}
			list = append(list, info)
		}
		return list
	})
}
