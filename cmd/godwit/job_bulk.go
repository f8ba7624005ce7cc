package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// bulkFlags say how an act by filter goes ahead.
type bulkFlags struct {
	yes    bool
	dryRun bool
}

func (f *bulkFlags) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.yes, "yes", false, "go ahead with every job that the filter selects")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only count them")
}

func (f *bulkFlags) check(a *act) error {
	switch {
	case f.yes && f.dryRun:
		return usagef("--yes excludes --dry-run: give the one or the other")
	case !f.yes && !f.dryRun:
		return usagef("a filter may select many jobs: count them with --dry-run, then %s them with --yes", a.verb)
	}
	return nil
}

// all does it to every job that the filter selects, state after state, newest jobs first.
func (a *act) all(ctx context.Context, d *desk, filter godwit.ListFilter, dryRun bool) error {
	states := a.states
	if filter.State != "" {
		if !slices.Contains(states, filter.State) {
			return usagef("--state must be one in which a job can be %s: %s; got %s", a.done, joined(states), filter.State)
		}
		states = []godwit.State{filter.State}
	}
	form := wire.Bulk{DryRun: dryRun, Refused: map[godwit.Code]int{}}
	filter.Limit = godwit.PageMax
	var err error
	for _, filter.State = range states {
		if err = a.pages(ctx, d, filter, &form); err != nil {
			break
		}
	}
	if err != nil && form.Matched == 0 { // it did not begin
		return err
	}
	if printed := a.printBulk(d, form); printed != nil {
		return printed
	}
	switch {
	case err != nil:
		return fmt.Errorf("stopped half-way: %w", err)
	case len(form.Refused) > 0:
		return reported{exitFailed}
	}
	return nil
}

func (a *act) pages(ctx context.Context, d *desk, filter godwit.ListFilter, form *wire.Bulk) error {
	for {
		page, err := d.selected(ctx, filter)
		if err != nil {
			return err
		}
		jobs := page.Jobs
		if a.wanted != nil {
			jobs = slices.DeleteFunc(jobs, func(j godwit.Job) bool { return !a.wanted(&j) })
		}
		form.Matched += len(jobs)
		if !form.DryRun {
			if err := a.page(ctx, d, jobs, form); err != nil {
				return err
			}
		}
		if filter.Before = page.Next; filter.Before.IsZero() {
			return nil
		}
	}
}

// page does it to the jobs of a page in one call.
func (a *act) page(ctx context.Context, d *desk, jobs []godwit.Job, form *wire.Bulk) error {
	ids := make([]godwit.ID, 0, len(jobs))
	for i := range jobs {
		ids = append(ids, jobs[i].ID)
	}
	answers, err := a.many(ctx, d, ids)
	if err != nil {
		return err
	}
	for _, answer := range answers {
		if answer.Code == "" {
			form.Done++
		} else {
			form.Refused[answer.Code]++
		}
	}
	return nil
}

func (a *act) printBulk(d *desk, form wire.Bulk) error {
	if d.json {
		return d.object(form)
	}
	if form.DryRun {
		fmt.Fprintf(d.out, "%s would be %s\n", count(form.Matched, "job", "jobs"), a.done)
		return nil
	}
	fmt.Fprintf(d.out, "%s of %d %s\n", count(form.Done, "job", "jobs"), form.Matched, a.done)
	for _, code := range slices.Sorted(maps.Keys(form.Refused)) {
		d.note("godwit: %s refused: %s", count(form.Refused[code], "job was", "jobs were"), words(string(code)))
	}
	return nil
}

func joined(states []godwit.State) string {
	list := ""
	for i, s := range states {
		if i > 0 {
			list += ", "
		}
		list += string(s)
	}
	return list
}
