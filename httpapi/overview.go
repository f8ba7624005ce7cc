package httpapi

import (
	"context"
	"errors"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

func listQueues(ctx context.Context, r *request, _ none) (*answer, error) {
	if err := r.answer.make(ctx, overviewBytes); err != nil {
		return nil, err
	}
	infos, err := r.s.client.Queues(ctx)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.QueuesOf(infos, r.s.client.Now())}, nil
}

func listTasks(ctx context.Context, r *request, _ none) (*answer, error) {
	if err := r.answer.make(ctx, overviewBytes); err != nil {
		return nil, err
	}
	infos, err := r.s.client.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.TasksOf(infos)}, nil
}

func listWorkers(ctx context.Context, r *request, _ none) (*answer, error) {
	if err := r.answer.make(ctx, overviewBytes); err != nil {
		return nil, err
	}
	sessions, err := r.s.client.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.WorkersOf(sessions)}, nil
}

func pauseQueue(paused bool) call[none] {
	return func(ctx context.Context, r *request, _ none) (*answer, error) {
		name, do := r.PathValue("queue"), r.s.client.ResumeQueue
		if paused {
			do = r.s.client.PauseQueue
		}
		return &answer{body: wire.Paused{Name: name, Paused: paused}}, do(ctx, name)
	}
}

func pauseTask(paused bool) call[none] {
	return func(ctx context.Context, r *request, _ none) (*answer, error) {
		name, do := r.PathValue("task"), r.s.client.ResumeTask
		if paused {
			do = r.s.client.PauseTask
		}
		return &answer{body: wire.Paused{Name: name, Paused: paused}}, do(ctx, name)
	}
}

var statusOK = map[string]string{"status": "ok"}

// health answers while the process lives.
func health(context.Context, *request, none) (*answer, error) {
	return &answer{body: statusOK}, nil
}

// notReadyError is why the process says of itself that it cannot serve: during a stop that is as it should be.
type notReadyError struct{ err error }

func (e *notReadyError) Error() string { return e.err.Error() }
func (e *notReadyError) Unwrap() error { return e.err }

// ready answers when the store does, took what was last to be written, and nothing else keeps the process from serving.
func ready(ctx context.Context, r *request, _ none) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := r.s.client.Get(ctx, godwit.ID{}); err != nil && !errors.Is(err, godwit.ErrNotFound) {
		return nil, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the store does not answer", Err: err}
	}
	if r.s.config.Ready != nil {
		if err := r.s.config.Ready(ctx); err != nil {
			return nil, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the server is not ready", Err: &notReadyError{err}}
		}
	}
	if r.s.writes.failedLately(r.s.client.Now()) {
		return nil, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the store reads but does not write: the last submission or change was refused"}
	}
	return &answer{body: statusOK}, nil
}
