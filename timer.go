package godwit

import (
	"context"
	"fmt"
	"time"
)

// reservedPrefix begins the names of tasks of godwit itself.
const reservedPrefix = "godwit."

const timerTask = reservedPrefix + "timer"

// timer is the task behind [Sleep]: a job that does nothing, in its time.
var timer = NewTask[struct{}, struct{}](timerTask, Policy{Timeout: time.Minute})

func runTimer(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }

// Sleep lets a handler wait for d, durably and without a slot: when the process dies, the job goes on waiting for the rest of
// the time. The name is the key of the wait within the job; the same name is the same wait, in every run of the job. Outside a
// handler it is an error.
func Sleep(ctx context.Context, name string, d time.Duration) error {
	r := runFrom(ctx)
	if r == nil {
		return outsideHandler("Sleep")
	}
	o := SubmitOptions{Name: name, Delay: max(d, 0), Queue: r.job.Queue, Priority: new(PriorityMax)}
	p, err := timer.Submit(ctx, r.w.c, struct{}{}, o)
	if err != nil {
		return fmt.Errorf("sleep: %w", err)
	}
	_, err = p.Await(ctx)
	return err
}

func outsideHandler(what string) error {
	return &Error{Code: CodeInvalid, Field: "ctx", Message: "is not the context of a handler, which " + what + " needs"}
}
