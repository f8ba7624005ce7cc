//go:build unix

package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
)

// pausedMax is how long a pause waits for the next start, under which it is to hold too.
const pausedMax = 2 * time.Second

// goneMax is how long after its time a job may still be there: a server that is stopped, or dead, removes nothing.
const goneMax = time.Minute

// oneOrAll makes a call about one job now by itself, now as a call about many.
func (d *driver) oneOrAll(one func(*httpclient.Client) error, all func(*httpclient.Client) ([]godwit.SettleAnswer, error)) func(*httpclient.Client) error {
	if d.c.draw(2) == 0 {
		return one
	}
	return func(c *httpclient.Client) error {
		answers, err := all(c)
		if err == nil && answers[0].Code != "" {
			err = &godwit.Error{Code: answers[0].Code}
		}
		return err
	}
}

// keepPausing pauses a task and a queue over and over, half of the times until a server was started under the pause.
func (d *driver) keepPausing(ctx context.Context) {
	const task, queue = victim.PausedTask, victim.PausedQueue
	d.work.Go(func() {
		d.pauseOften(ctx, crash.TaskScope(task),
			func(c *httpclient.Client) error { return c.PauseTask(ctx, task) },
			func(c *httpclient.Client) error { return c.ResumeTask(ctx, task) })
	})
	d.work.Go(func() {
		d.pauseOften(ctx, crash.QueueScope(queue),
			func(c *httpclient.Client) error { return c.PauseQueue(ctx, queue) },
			func(c *httpclient.Client) error { return c.ResumeQueue(ctx, queue) })
	})
}

func (d *driver) pauseOften(ctx context.Context, scope string, hold, free func(*httpclient.Client) error) {
	for stopped := false; !stopped; {
		if err := d.insist(ctx, crash.Event{}, hold); err != nil {
			d.fail(ctx, "pause "+scope, err)
			return
		}
		d.c.write(crash.Event{Kind: crash.Paused, Name: scope})
		if d.c.draw(2) == 0 {
			d.untilNextStart(ctx)
		}
		pause(ctx, time.Duration(d.c.draw(int(200*time.Millisecond))))
		d.c.write(crash.Event{Kind: crash.Resuming, Name: scope})
		if err := d.insist(ctx, crash.Event{}, free); err != nil {
			d.fail(ctx, "resume "+scope, err)
			return
		}
		select {
		case <-d.stop:
			stopped = true
		case <-ctx.Done():
			stopped = true
		case <-time.After(time.Duration(d.c.draw(int(300 * time.Millisecond)))):
		}
	}
}

// untilNextStart waits until one more server serves, if that is soon.
func (d *driver) untilNextStart(ctx context.Context) {
	d.c.mu.Lock()
	more := d.c.more
	d.c.mu.Unlock()
	select {
	case <-more:
	case <-d.stop:
	case <-ctx.Done():
	case <-time.After(pausedMax):
	}
}

// move reschedules a job that is to run much later.
func (d *driver) move(ctx context.Context, id godwit.ID) {
	at := time.Now().Add(time.Duration(100+d.c.draw(400)) * time.Millisecond).Truncate(time.Microsecond)
	e := crash.Event{Kind: crash.Moving, Job: id, Value: at.UnixMicro()}
	d.c.write(e)
	err := d.insist(ctx, crash.Event{Job: id}, func(c *httpclient.Client) error { return c.Reschedule(ctx, id, at) })
	if errors.Is(err, godwit.ErrWrongState) { // an earlier try has done it and the job has begun, or it was hastened
		return
	}
	if err != nil {
		d.fail(ctx, "reschedule job "+id.String(), err)
		return
	}
	e.Kind = crash.Moved
	d.c.write(e)
}

// remove deletes a job that has ended, and looks whether it is gone.
func (d *driver) remove(ctx context.Context, id godwit.ID) {
	err := d.insist(ctx, crash.Event{Job: id}, d.oneOrAll(
		func(c *httpclient.Client) error { return c.Delete(ctx, id) },
		func(c *httpclient.Client) ([]godwit.SettleAnswer, error) { return c.DeleteAll(ctx, []godwit.ID{id}) },
	))
	if err != nil && !errors.Is(err, godwit.ErrExpired) { // an earlier try has done it
		d.fail(ctx, "delete job "+id.String(), err)
		return
	}
	d.c.write(crash.Event{Kind: crash.Deleted, Job: id})
	_, err = d.get(ctx, id)
	d.tellGone(ctx, id, err)
}

// watch looks at a job until it is gone.
func (d *driver) watch(ctx context.Context, id godwit.ID) {
	var final time.Time
	for {
		job, err := d.get(ctx, id)
		if err == nil && job.State.Final() && final.IsZero() {
			final = time.Now()
		}
		if err != nil || !final.IsZero() && time.Since(final) > goneMax {
			d.tellGone(ctx, id, err)
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// tellGone tells how a job was answered that is to be gone.
func (d *driver) tellGone(ctx context.Context, id godwit.ID, err error) {
	var refused *godwit.Error
	switch {
	case err == nil:
		d.c.write(crash.Event{Kind: crash.Gone, Job: id})
	case errors.As(err, &refused) && (refused.Code == godwit.CodeExpired || refused.Code == godwit.CodeNotFound):
		d.c.write(crash.Event{Kind: crash.Gone, Job: id, Code: refused.Code})
	default:
		d.fail(ctx, fmt.Sprintf("read job %s, which is to be gone", id), err)
	}
}

// cancel cancels a job and looks how it stands then.
func (d *driver) cancel(ctx context.Context, id godwit.ID) {
	err := d.insist(ctx, crash.Event{Job: id}, d.oneOrAll(
		func(c *httpclient.Client) error { return c.Cancel(ctx, id, "the harness") },
		func(c *httpclient.Client) ([]godwit.SettleAnswer, error) {
			return c.CancelAll(ctx, []godwit.ID{id}, "the harness")
		},
	))
	if errors.Is(err, godwit.ErrWrongState) {
		d.c.write(crash.Event{Kind: crash.Cancelled, Job: id, Code: godwit.CodeWrongState})
		return
	}
	var job godwit.Job
	if err == nil {
		job, err = d.get(ctx, id)
	}
	if err != nil {
		d.fail(ctx, "cancel job "+id.String(), err)
		return
	}
	d.c.write(crash.Event{Kind: crash.Cancelled, Job: id, State: job.State, Run: job.Run})
}

// mend retries a failed job by hand, with arguments under which it succeeds. It names the run that failed, so that it may be
// repeated.
func (d *driver) mend(ctx context.Context, id godwit.ID) {
	o, err := d.outcome(ctx, id)
	if err == nil && o.State != godwit.StateFailed {
		return
	}
	var job godwit.Job
	if err == nil {
		job, err = d.get(ctx, id)
	}
	var a crash.Args
	if err == nil {
		err = json.Unmarshal(job.Args.Data, &a)
	}
	if err != nil {
		d.fail(ctx, "mend job "+id.String(), err)
		return
	}
	a.Mend = true
	d.c.write(crash.Event{Kind: crash.Retrying, Job: id, Run: job.Run})
	err = d.insist(ctx, crash.Event{Job: id}, func(c *httpclient.Client) error {
		return c.Retry(ctx, id, godwit.RetryOptions{Args: a, Run: job.Run})
	})
	var refused *godwit.Error
	if errors.As(err, &refused) && (refused.Code == godwit.CodeStaleRun || refused.Code == godwit.CodeWrongState) {
		return // an earlier try has done it
	}
	if err != nil {
		d.fail(ctx, "retry job "+id.String(), err)
	}
}
