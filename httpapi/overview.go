package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/godwit-go/godwit"
)

type queueForm struct {
	Name             string               `json:"name"`
	Paused           bool                 `json:"paused"`
	Depth            map[godwit.State]int `json:"depth"`
	Held             int                  `json:"held"`
	OldestReady      time.Time            `json:"oldest_ready,omitzero"`
	OldestAgeSeconds float64              `json:"oldest_age_seconds,omitempty"`
	Workers          int                  `json:"workers"`
}

func listQueues(ctx context.Context, r *request, _ none) (*answer, error) {
	infos, err := r.s.client.Queues(ctx)
	if err != nil {
		return nil, err
	}
	now := r.s.client.Now()
	list := make([]queueForm, 0, len(infos))
	for _, q := range infos {
		f := queueForm{
			Name: q.Name, Paused: q.Paused, Depth: depthOf(q.Depth), Held: q.Held, OldestReady: q.OldestReady, Workers: q.Workers,
		}
		if !q.OldestReady.IsZero() {
			f.OldestAgeSeconds = max(now.Sub(q.OldestReady), 0).Seconds()
		}
		list = append(list, f)
	}
	return &answer{body: map[string]any{"queues": list}}, nil
}

// depthOf gives an object even when there is nothing to count.
func depthOf(depth map[godwit.State]int) map[godwit.State]int {
	if depth == nil {
		return map[godwit.State]int{}
	}
	return depth
}

type taskForm struct {
	Name    string               `json:"name"`
	Paused  bool                 `json:"paused"`
	Depth   map[godwit.State]int `json:"depth"`
	Workers int                  `json:"workers"`
}

func listTasks(ctx context.Context, r *request, _ none) (*answer, error) {
	infos, err := r.s.client.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]taskForm, 0, len(infos))
	for _, t := range infos {
		list = append(list, taskForm{t.Name, t.Paused, depthOf(t.Depth), t.Workers})
	}
	return &answer{body: map[string]any{"tasks": list}}, nil
}

type workerForm struct {
	ID         godwit.ID        `json:"id"`
	Host       string           `json:"host"`
	PID        int              `json:"pid"`
	Queues     []string         `json:"queues"`
	Tasks      []capabilityForm `json:"tasks"`
	Lease      string           `json:"lease"`
	StartedAt  time.Time        `json:"started_at"`
	LeaseUntil time.Time        `json:"lease_until"`
	Running    int              `json:"running"`
	Waiting    int              `json:"waiting"`
}

type capabilityForm struct {
	Task       string `json:"task"`
	MinVersion int    `json:"min_version"`
	MaxVersion int    `json:"max_version"`
}

func listWorkers(ctx context.Context, r *request, _ none) (*answer, error) {
	sessions, err := r.s.client.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]workerForm, 0, len(sessions))
	for _, s := range sessions {
		f := workerForm{
			ID: s.ID, Host: s.Host, PID: s.PID, Queues: append([]string{}, s.Queues...), Tasks: []capabilityForm{},
			Lease: s.Lease.String(), StartedAt: s.StartedAt, LeaseUntil: s.LeaseUntil, Running: s.Running, Waiting: s.Waiting,
		}
		for _, t := range s.Tasks {
			f.Tasks = append(f.Tasks, capabilityForm(t))
		}
		list = append(list, f)
	}
	return &answer{body: map[string]any{"workers": list}}, nil
}

type pausedForm struct {
	Name   string `json:"name"`
	Paused bool   `json:"paused"`
}

func pauseQueue(paused bool) call[none] {
	return func(ctx context.Context, r *request, _ none) (*answer, error) {
		name, do := r.PathValue("queue"), r.s.client.ResumeQueue
		if paused {
			do = r.s.client.PauseQueue
		}
		return &answer{body: pausedForm{name, paused}}, do(ctx, name)
	}
}

func pauseTask(paused bool) call[none] {
	return func(ctx context.Context, r *request, _ none) (*answer, error) {
		name, do := r.PathValue("task"), r.s.client.ResumeTask
		if paused {
			do = r.s.client.PauseTask
		}
		return &answer{body: pausedForm{name, paused}}, do(ctx, name)
	}
}

var statusOK = map[string]string{"status": "ok"}

// health answers while the process lives.
func health(context.Context, *request, none) (*answer, error) {
	return &answer{body: statusOK}, nil
}

// ready answers when the store does, and nothing else keeps the process from serving.
func ready(ctx context.Context, r *request, _ none) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := r.s.client.Get(ctx, godwit.ID{}); err != nil && !errors.Is(err, godwit.ErrNotFound) {
		return nil, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the store does not answer", Err: err}
	}
	if r.s.config.Ready != nil {
		if err := r.s.config.Ready(ctx); err != nil {
			return nil, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the server is not ready", Err: err}
		}
	}
	return &answer{body: statusOK}, nil
}
