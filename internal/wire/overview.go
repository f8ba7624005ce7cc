package wire

import (
	"time"

	"github.com/godwit-go/godwit"
)

// Queue is a queue at a glance.
type Queue struct {
	Name             string               `json:"name"`
	Paused           bool                 `json:"paused"`
	Depth            map[godwit.State]int `json:"depth"`
	Held             int                  `json:"held"`
	OldestReady      time.Time            `json:"oldest_ready,omitzero"`
	OldestAgeSeconds float64              `json:"oldest_age_seconds,omitempty"`
	Workers          int                  `json:"workers"`
}

// Queues are the queues.
type Queues struct {
	Queues []Queue `json:"queues"`
}

// QueuesOf gives the form of queues as they stand at a time.
func QueuesOf(infos []godwit.QueueInfo, now time.Time) Queues {
	f := Queues{Queues: make([]Queue, 0, len(infos))}
	for _, q := range infos {
		form := Queue{
			Name: q.Name, Paused: q.Paused, Depth: depthOf(q.Depth), Held: q.Held, OldestReady: q.OldestReady, Workers: q.Workers,
		}
		if !q.OldestReady.IsZero() {
			form.OldestAgeSeconds = max(now.Sub(q.OldestReady), 0).Seconds()
		}
		f.Queues = append(f.Queues, form)
	}
	return f
}

// Plain gives the queues as package godwit has them.
func (f *Queues) Plain() []godwit.QueueInfo {
	var infos []godwit.QueueInfo
	for _, q := range f.Queues {
		infos = append(infos, godwit.QueueInfo{
			Name: q.Name, Paused: q.Paused, Depth: q.Depth, Held: q.Held, OldestReady: q.OldestReady, Workers: q.Workers,
		})
	}
	return infos
}

// depthOf gives an object even when there is nothing to count.
func depthOf(depth map[godwit.State]int) map[godwit.State]int {
	if depth == nil {
		return map[godwit.State]int{}
	}
	return depth
}

// Task is a task at a glance.
type Task struct {
	Name    string               `json:"name"`
	Paused  bool                 `json:"paused"`
	Depth   map[godwit.State]int `json:"depth"`
	Workers int                  `json:"workers"`
}

// Tasks are the tasks.
type Tasks struct {
	Tasks []Task `json:"tasks"`
}

// TasksOf gives the form of tasks.
func TasksOf(infos []godwit.TaskInfo) Tasks {
	f := Tasks{Tasks: make([]Task, 0, len(infos))}
	for _, t := range infos {
		f.Tasks = append(f.Tasks, Task{t.Name, t.Paused, depthOf(t.Depth), t.Workers})
	}
	return f
}

// Plain gives the tasks as package godwit has them.
func (f *Tasks) Plain() []godwit.TaskInfo {
	var infos []godwit.TaskInfo
	for _, t := range f.Tasks {
		infos = append(infos, godwit.TaskInfo{Name: t.Name, Paused: t.Paused, Depth: t.Depth, Workers: t.Workers})
	}
	return infos
}

// Paused says whether a queue or a task is paused.
type Paused struct {
	Name   string `json:"name"`
	Paused bool   `json:"paused"`
}

// Worker is a live session.
type Worker struct {
	ID         godwit.ID    `json:"id"`
	Host       string       `json:"host"`
	PID        int          `json:"pid"`
	Queues     []string     `json:"queues"`
	Tasks      []Capability `json:"tasks"`
	Lease      Duration     `json:"lease"`
	StartedAt  time.Time    `json:"started_at"`
	LeaseUntil time.Time    `json:"lease_until"`
	Running    int          `json:"running"`
	Waiting    int          `json:"waiting"`
}

// Capability is a task that a worker can run.
type Capability struct {
	Task       string `json:"task"`
	MinVersion int    `json:"min_version"`
	MaxVersion int    `json:"max_version"`
}

// Workers are the live sessions.
type Workers struct {
	Workers []Worker `json:"workers"`
}

// WorkersOf gives the form of sessions.
func WorkersOf(sessions []godwit.SessionInfo) Workers {
	f := Workers{Workers: make([]Worker, 0, len(sessions))}
	for _, s := range sessions {
		w := Worker{
			ID: s.ID, Host: s.Host, PID: s.PID, Queues: append([]string{}, s.Queues...), Tasks: []Capability{},
			Lease: Duration(s.Lease), StartedAt: s.StartedAt, LeaseUntil: s.LeaseUntil, Running: s.Running, Waiting: s.Waiting,
		}
		for _, t := range s.Tasks {
			w.Tasks = append(w.Tasks, Capability(t))
		}
		f.Workers = append(f.Workers, w)
	}
	return f
}

// Plain gives the sessions as package godwit has them.
func (f *Workers) Plain() []godwit.SessionInfo {
	var infos []godwit.SessionInfo
	for _, w := range f.Workers {
		s := godwit.SessionInfo{
			NewSession: godwit.NewSession{ID: w.ID, Lease: time.Duration(w.Lease), Host: w.Host, PID: w.PID, Queues: w.Queues},
			StartedAt:  w.StartedAt, LeaseUntil: w.LeaseUntil, Running: w.Running, Waiting: w.Waiting,
		}
		for _, t := range w.Tasks {
			s.Tasks = append(s.Tasks, godwit.Capability(t))
		}
		infos = append(infos, s)
	}
	return infos
}
