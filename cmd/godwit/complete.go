package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
)

// completeTimeout is how long a shell waits for suggestions at most: who presses a key does not wait for a server that is slow.
const completeTimeout = 300 * time.Millisecond

const completeJobsMax = 20

// completeFlag gives the values of a flag to the shell.
func completeFlag(cmd *cobra.Command, flag string, values ...string) {
	mustComplete(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func mustComplete(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(fmt.Sprintf("godwit: complete --%s: %v", flag, err)) // there is no such flag: an error of the program
	}
}

func (f *clientFlags) completeQueueFlag(cmd *cobra.Command) {
	mustComplete(cmd, "queue", f.completeQueues)
}

func (f *clientFlags) completeTaskFlag(cmd *cobra.Command) {
	mustComplete(cmd, "task", f.completeTaskNames)
}

// suggestions asks the server or the database that the flags name, for a short time, and is silent about every error.
func (f *clientFlags) suggestions(cmd *cobra.Command, toComplete string, ask func(context.Context, *desk) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	d, err := f.reach(ctx, 0, newPrinter(cmd, formatTable))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found, err := ask(ctx, d)
	if err := d.end(ctx, err); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var fitting []string
	for _, s := range found {
		if strings.HasPrefix(s, toComplete) {
			fitting = append(fitting, s)
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}

func (f *clientFlags) completeQueues(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return f.suggestions(cmd, toComplete, func(ctx context.Context, d *desk) ([]string, error) { return d.queueNames(ctx) })
}

func (f *clientFlags) completeTaskNames(cmd *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	return f.suggestions(cmd, toComplete, func(ctx context.Context, d *desk) ([]string, error) { return d.taskNames(ctx) })
}

// completeTasks gives the tasks that workers know, for the first argument.
func (f *clientFlags) completeTasks(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return f.suggestions(cmd, toComplete, func(ctx context.Context, d *desk) ([]string, error) { return d.knownTasks(ctx) })
}

// completeJobs gives the newest jobs, for the first n arguments; negative: for all.
func (f *clientFlags) completeJobs(n int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if n >= 0 && len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f.suggestions(cmd, toComplete, func(ctx context.Context, d *desk) ([]string, error) {
			page, err := d.List(ctx, godwit.ListFilter{Limit: completeJobsMax})
			var found []string
			for _, j := range page.Jobs {
				found = append(found, cobra.CompletionWithDesc(j.ID.String(), j.Task+", "+string(j.State)+", "+d.ago(j.CreatedAt)))
			}
			return found, err
		})
	}
}
