package httpapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// bulkParams are a filter, and how it is acted on.
var bulkParams = []string{"state", "queue", "task", "parent", "tag", "all", "dry_run", "reason", "limit", "cursor"}

// bulk is what a call does to every job that a filter selects.
type bulk struct {
	name   string
	states []godwit.State // that it is possible in
	wanted func(*godwit.Job) bool
	do     func(ctx context.Context, r *request, id godwit.ID) error
}

var finished = []godwit.State{godwit.StateFailed, godwit.StateCancelled}

func cancelJobs(ctx context.Context, r *request, _ none) (*answer, error) {
	return bulk{
		name:   "cancel",
		states: []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting},
		wanted: func(j *godwit.Job) bool { return j.CancelRequestedAt.IsZero() },
		do: func(ctx context.Context, r *request, id godwit.ID) error {
			return r.s.client.Cancel(ctx, id, r.params.text("reason"))
		},
	}.run(ctx, r)
}

func retryJobs(ctx context.Context, r *request, _ none) (*answer, error) {
	return bulk{name: "retry", states: finished, do: func(ctx context.Context, r *request, id godwit.ID) error {
		return r.s.client.Retry(ctx, id, godwit.RetryOptions{})
	}}.run(ctx, r)
}

func deleteJobs(ctx context.Context, r *request, _ none) (*answer, error) {
	states := append([]godwit.State{godwit.StateSucceeded}, finished...)
	return bulk{name: "delete", states: states, do: func(ctx context.Context, r *request, id godwit.ID) error {
		return r.s.client.Delete(ctx, id)
	}}.run(ctx, r)
}

// run goes through the states one after the other, newest jobs first, until the limit is reached.
func (b bulk) run(ctx context.Context, r *request) (*answer, error) {
	p := r.params
	f, form := p.filter(), wire.Bulk{DryRun: p.boolean("dry_run"), Refused: map[godwit.Code]int{}}
	limit := p.integer("limit")
	if !p.values.Has("limit") {
		limit = BulkMax
	}
	states, before := b.from(p, f.State)
	switch {
	case p.err != nil:
		return nil, p.err
	case limit < 1 || limit > BulkMax:
		return nil, invalid("limit", "must be from 1 to %d, got %d", BulkMax, limit)
	case f == (godwit.ListFilter{}) && !p.boolean("all"):
		return nil, invalid("all", "must be true to %s every job there is (or give a filter: state, queue, task, parent, tag)", b.name)
	case len(p.text("reason")) > godwit.MessageMax:
		return nil, tooLarge("reason", "must be at most %d bytes, got %d", godwit.MessageMax, len(p.text("reason")))
	}
	looked := 0
	for _, f.State = range states {
		for f.Before = before; ; {
			f.Limit = min(godwit.PageMax, limit-looked)
			page, err := r.s.client.List(ctx, f)
			if err != nil {
				return nil, err
			}
			looked += len(page.Jobs)
			if err := b.act(ctx, r, page.Jobs, &form); err != nil {
				return nil, err
			}
			if f.Before = page.Next; f.Before.IsZero() {
				break
			}
			if looked >= limit {
				form.Next = string(f.State) + "." + f.Before.String()
				return &answer{body: form}, nil
			}
		}
		before = godwit.ID{}
		if looked >= limit && f.State != states[len(states)-1] {
			form.Next = string(states[slices.Index(states, f.State)+1])
			return &answer{body: form}, nil
		}
	}
	return &answer{body: form}, nil
}

// from gives the states that are left and where to begin in the first.
func (b bulk) from(p *params, only godwit.State) ([]godwit.State, godwit.ID) {
	states := b.states
	if only != "" {
		if !slices.Contains(b.states, only) {
			p.fail(invalid("state", "must be one in which a job can be part of a %s: %s; got %s", b.name, join(b.states), quoteShort(string(only))))
		}
		states = []godwit.State{only}
	}
	state, id, _ := strings.Cut(p.text("cursor"), ".")
	if state == "" {
		return states, godwit.ID{}
	}
	i := slices.Index(states, godwit.State(state))
	before, err := godwit.ID{}, error(nil)
	if id != "" {
		before, err = godwit.ParseID(id)
	}
	if i < 0 || err != nil {
		p.fail(invalid("cursor", "must be the next of an earlier answer, got %s", quoteShort(p.text("cursor"))))
		return states, godwit.ID{}
	}
	return states[i:], before
}

func join(states []godwit.State) string {
	names := make([]string, 0, len(states))
	for _, s := range states {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// act does it to the jobs of a page, many at a time, so that the store can write them together.
func (b bulk) act(ctx context.Context, r *request, jobs []godwit.Job, form *wire.Bulk) error {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // guards form and fault
		fault error
	)
	matched := 0
	places := make(chan struct{}, bulkConcurrency)
	for i := range jobs {
		if b.wanted != nil && !b.wanted(&jobs[i]) {
			continue
		}
		matched++
		if form.DryRun {
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			err := b.do(ctx, r, jobs[i].ID)
			<-places
			mu.Lock()
			defer mu.Unlock()
			var refusal *godwit.Error
			switch {
			case err == nil:
				form.Done++
			case errors.As(err, &refusal) && StatusOf(refusal.Code) < 500:
				form.Refused[refusal.Code]++
			default:
				fault = err
			}
		})
	}
	wg.Wait()
	form.Matched += matched
	return fault
}
