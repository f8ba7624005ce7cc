package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
)

func newJobReschedule() *cobra.Command {
	f := &clientFlags{}
	var delay time.Duration
	var runAt string
	var at time.Time
	a := &act{
		verb: "reschedule", done: "rescheduled",
		do: func(ctx context.Context, d *desk, id godwit.ID) error { return d.Reschedule(ctx, id, at) },
	}
	cmd := &cobra.Command{
		Use: "reschedule ID... {--delay DURATION | --run-at TIME}", Short: "Set the time of scheduled and ready jobs",
		Args: someIDs, ValidArgsFunction: f.completeJobs(-1),
	}
	f.bind(cmd)
	cmd.Flags().DurationVar(&delay, "delay", 0, "so much from now")
	cmd.Flags().StringVar(&runAt, "run-at", "", "not before this `TIME`, in RFC 3339")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		delayed := cmd.Flags().Changed("delay")
		if delayed == (runAt != "") {
			return usagef("--delay or --run-at must be given, and only one of them (run-now makes a job ready at once)")
		}
		if delay < 0 || delay > godwit.DelayMax {
			return usagef("--delay must be from 0s to %s, got %s", godwit.DelayMax, delay)
		}
		at = time.Now().Add(delay)
		if !delayed {
			var err error
			if at, err = parseTime("run-at", runAt); err != nil {
				return err
			}
		}
		return f.work(a.each)(cmd, args)
	}
	return cmd
}

// parseTime reads a moment as it was typed.
func parseTime(flag, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usagef("--%s must be a time in RFC 3339 such as 2030-01-31T09:00:00Z, got %s", flag, quoteShort(text))
	}
	return t, nil
}
