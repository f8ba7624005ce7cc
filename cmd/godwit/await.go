package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// awaitOne waits for the end of a job and prints its result.
func (d *desk) awaitOne(ctx context.Context, id godwit.ID, longest time.Duration) error {
	outcomes, err := d.await(ctx, []godwit.ID{id}, longest)
	if err != nil {
		return err
	}
	if d.json {
		if err := d.printJob(ctx, id); err != nil {
			return err
		}
		return jobFailure(id, outcomes[0])
	}
	if err := jobFailure(id, outcomes[0]); err != nil {
		return err
	}
	return d.printResult(outcomes[0].Result)
}

// printResult prints a result so that people can read it and programs too.
func (d *desk) printResult(p godwit.Payload) error {
	data := wire.PayloadOf(p)
	if data == nil {
		data = json.RawMessage("null")
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(d.out, b.String())
	return err
}

// jobFailure is the error of a job that did not succeed.
func jobFailure(id godwit.ID, o godwit.OutcomeAnswer) error {
	switch {
	case o.Code == godwit.CodeNotFound:
		return &godwit.Error{Code: o.Code, Message: fmt.Sprintf("job %s was never here, or was forgotten", id)}
	case o.Code != "":
		return &godwit.Error{Code: o.Code, Message: fmt.Sprintf("job %s was here and has been pruned or deleted", id)}
	case o.State == godwit.StateSucceeded:
		return nil
	}
	e := &godwit.JobError{Job: id, State: o.State, Code: godwit.CodeFailed}
	if o.Failure != nil {
		e.Code, e.Message, e.Stack = o.Failure.Code, o.Failure.Message, o.Failure.Stack
	}
	return e
}

// await waits for the end of jobs, over restarts of the server. When it must give up it says with which ids to go on.
func (d *desk) await(ctx context.Context, ids []godwit.ID, longest time.Duration) ([]godwit.OutcomeAnswer, error) {
	if longest > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, longest)
		defer cancel()
	}
	asked, err := d.patient(ctx)
	if err != nil {
		return nil, err
	}
	for {
		outcomes, err := asked.AwaitOutcomes(ctx, ids)
		if errors.Is(err, godwit.ErrUnavailable) && ctx.Err() == nil && d.store == nil {
			d.note("the server does not answer; waiting up to %s for it to come back", d.flags.waitRetryFor())
			err = d.reconnect(ctx, ids[0])
			if err == nil {
				d.note("the server is back")
				continue
			}
		}
		var stop stopped
		goOn := "godwit job wait" + d.flags.again() + idList(ids)
		switch {
		case err == nil:
			return outcomes, nil
		case errors.As(context.Cause(ctx), &stop):
			d.note("stopped waiting; what was submitted goes on (%s)", goOn)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("not finished after %s: it goes on (%s)", longest, goOn)
		case errors.Is(err, godwit.ErrUnavailable):
			return nil, fmt.Errorf("the outcome of %s is unknown: %w (once the server is back: %s)", count(len(ids), "job", "jobs"), d.worded(err), goOn)
		}
		return nil, err
	}
}

// patient gives whom a wait asks: a client that tells at once when the server has gone, so that people are told too.
func (d *desk) patient(ctx context.Context) (*desk, error) {
	if d.store != nil {
		return d, nil
	}
	return d.flags.reach(ctx, 0, d.printer)
}

// reconnect asks for a job until the server answers, whatever it says.
func (d *desk) reconnect(ctx context.Context, id godwit.ID) error {
	fresh, err := d.flags.reach(ctx, d.flags.waitRetryFor(), d.printer)
	if err != nil {
		return err
	}
	_, err = fresh.Get(ctx, id)
	if errors.Is(err, godwit.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	return nil
}

// waitRetryFor is how long a server is waited for while a job is awaited.
func (f *clientFlags) waitRetryFor() time.Duration {
	if f.given("retry-for") {
		return f.retryFor
	}
	return waitRetryForDefault
}

// idList gives ids for a command to be typed, as many as a person would.
func idList(ids []godwit.ID) string {
	list := ""
	for i, id := range ids {
		if i == 10 {
			return list + " ..."
		}
		list += " " + id.String()
	}
	return list
}
