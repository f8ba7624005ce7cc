package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

func newJobWait() *cobra.Command {
	f := &clientFlags{}
	cmd := &cobra.Command{
		Use:   "wait ID...",
		Short: "Wait until jobs are finished",
		Long: `wait ends when all the jobs are finished: with exit code 0 when they succeeded, 4 when one failed or was cancelled, 3 when one is
not there. A server that restarts meanwhile is waited for. --timeout bounds the whole wait; without it there is no bound.`,
		Args:              someIDs,
		ValidArgsFunction: f.completeJobs(-1),
	}
	f.bind(cmd)
	timeout := cmd.Flags().Lookup("timeout")
	timeout.Usage, timeout.DefValue = "give up after so long; 0 for never", "0s"
	f.timeout = 0
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		longest := f.timeout
		if err := checkDuration("timeout", longest); err != nil {
			return err
		}
		f.timeout = 0 // the wait says by itself when it is over
		return f.work(func(ctx context.Context, d *desk, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return d.wait(ctx, ids, longest)
		})(cmd, args)
	}
	return cmd
}

// wait waits for jobs and says how each of them ended.
func (d *desk) wait(ctx context.Context, ids []godwit.ID, longest time.Duration) error {
	if d.alone {
		if err := d.refuseUnfinished(ctx, ids); err != nil {
			return err
		}
	}
	outcomes, err := d.await(ctx, ids, longest)
	if err != nil {
		return err
	}
	failed, missing := 0, 0
	for i, o := range outcomes {
		err := jobFailure(ids[i], o)
		switch {
		case err == nil:
		case o.Code != "":
			missing++
		default:
			failed++
		}
		if d.json {
			err = d.line(outcomeFormOf(ids[i], o))
		} else if err != nil {
			d.note("godwit: %v", err)
			continue
		} else {
			_, err = fmt.Fprintln(d.out, ids[i], d.state(o.State))
		}
		if err != nil {
			return err
		}
	}
	switch {
	case missing > 0:
		return reported{exitNotFound}
	case failed > 0:
		return reported{exitJobFailed}
	}
	return nil
}

// refuseUnfinished refuses to wait for what nobody can finish meanwhile.
func (d *desk) refuseUnfinished(ctx context.Context, ids []godwit.ID) error {
	for _, id := range ids {
		job, err := d.Get(ctx, id)
		switch {
		case errors.Is(err, godwit.ErrNotFound) || errors.Is(err, godwit.ErrExpired): // the wait says so
		case err != nil:
			return err
		case !job.State.Final():
			return usagef("job %s is %s, and nobody runs jobs of %s now: it would be waited for for ever (start godwit serve, and use --server)", id, job.State, d.where)
		}
	}
	return nil
}

// outcomeForm is how a job ended, in JSON.
type outcomeForm struct {
	ID    godwit.ID     `json:"id"`
	State godwit.State  `json:"state,omitempty"`
	Code  godwit.Code   `json:"code,omitempty"` // why the job is not there
	Error *wire.Failure `json:"error,omitempty"`
}

func outcomeFormOf(id godwit.ID, o godwit.OutcomeAnswer) outcomeForm {
	return outcomeForm{ID: id, State: o.State, Code: o.Code, Error: wire.FailureOf(o.Failure)}
}
