package httpapi

import (
	"context"
	"slices"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// bulkParams are a filter, and how it is acted on.
var (
	bulkParams   = []string{"state", "queue", "task", "parent", "tag", "all", "dry_run", "limit", "cursor"}
	cancelParams = append([]string{"reason"}, bulkParams...)
)

// bulk is what a call does to every job that it names, or that a filter selects.
type bulk struct {
	name   string
	states []godwit.State // that it is possible in
	wanted func(*godwit.Job) bool
	do     func(context.Context, []godwit.ID) ([]godwit.SettleAnswer, error)
}

var finished = []godwit.State{godwit.StateFailed, godwit.StateCancelled}

func cancelJobs(ctx context.Context, r *request, in wire.Named) (*answer, error) {
	reason := in.Reason
	if reason == "" {
		reason = r.params.text("reason")
	}
	return bulk{
		name:   "cancel",
		states: []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting},
		wanted: func(j *godwit.Job) bool { return j.CancelRequestedAt.IsZero() },
		do: func(ctx context.Context, ids []godwit.ID) ([]godwit.SettleAnswer, error) {
			return r.s.client.CancelAll(ctx, ids, reason)
		},
	}.run(ctx, r, in)
}

func retryJobs(ctx context.Context, r *request, in wire.Named) (*answer, error) {
	return bulk{name: "retry", states: finished, do: r.s.client.RetryAll}.run(ctx, r, in)
}

func deleteJobs(ctx context.Context, r *request, in wire.Named) (*answer, error) {
	states := append([]godwit.State{godwit.StateSucceeded}, finished...)
	return bulk{name: "delete", states: states, do: r.s.client.DeleteAll}.run(ctx, r, in)
}

// run does it to the jobs that are named, or else by filter.
func (b bulk) run(ctx context.Context, r *request, in wire.Named) (*answer, error) {
	switch {
	case in.Reason != "" && b.name != "cancel":
		return nil, invalid("reason", "is that of a cancel")
	case in.Reason != "" && r.params.values.Has("reason"):
		return nil, invalid("reason", "must be given once, in the query or in the body")
	case in.IDs == nil:
		return b.byFilter(ctx, r)
	}
	for name := range r.params.values {
		if name != "reason" {
			return nil, invalid(name, "excludes ids: name the jobs or give a filter")
		}
	}
	answers, err := b.do(ctx, in.IDs)
	if err != nil {
		return nil, err
	}
	form := wire.Bulk{Matched: len(in.IDs), Jobs: make([]wire.Changed, 0, len(in.IDs))}
	count(&form, answers)
	for i, a := range answers {
		form.Jobs = append(form.Jobs, wire.Changed{ID: in.IDs[i], Code: a.Code, State: a.State})
	}
	return &answer{body: form}, nil
}

func count(form *wire.Bulk, answers []godwit.SettleAnswer) {
	for _, a := range answers {
		if a.Code == "" {
			form.Done++
			continue
		}
		if form.Refused == nil {
			form.Refused = map[godwit.Code]int{}
		}
		form.Refused[a.Code]++
	}
}

// byFilter goes through the states one after the other, newest jobs first, until the limit is reached.
func (b bulk) byFilter(ctx context.Context, r *request) (*answer, error) {
	p := r.params
	f, form := p.filter(), wire.Bulk{DryRun: p.boolean("dry_run")}
	limit, everything := p.integer("limit"), p.boolean("all")
	if !p.values.Has("limit") {
		limit = BulkMax
	}
	states, before := b.from(p, f.State)
	switch {
	case p.err != nil:
		return nil, p.err
	case limit < 1 || limit > BulkMax:
		return nil, invalid("limit", "must be from 1 to %d, got %d", BulkMax, limit)
	case f == (godwit.ListFilter{}) && !everything:
		return nil, invalid("all", "must be true to %s every job there is (or give a filter: state, queue, task, parent, tag; or name them: {\"ids\": [...]})", b.name)
	case len(p.text("reason")) > godwit.MessageMax:
		return nil, tooLarge("reason", "must be at most %d bytes, got %d", godwit.MessageMax, len(p.text("reason")))
	}
	looked := 0
	for _, f.State = range states {
		for f.Before = before; ; {
			f.Limit = min(godwit.PageMax, limit-looked)
			ids, n, next, err := b.page(ctx, r, f)
			if err != nil {
				return nil, err
			}
			looked += n
			if err := b.act(ctx, ids, &form); err != nil {
				return nil, err
			}
			if f.Before = next; f.Before.IsZero() {
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

// page reads a page of n jobs, and gives those it is to be done to. What else it read is not held any more.
func (b bulk) page(ctx context.Context, r *request, f godwit.ListFilter) (ids []godwit.ID, n int, next godwit.ID, err error) {
	defer r.answer.made()
	if err := r.answer.make(ctx, failureBytes*int64(f.Limit)); err != nil {
		return nil, 0, next, err
	}
	page, err := r.s.client.List(ctx, f)
	if err != nil {
		return nil, 0, next, err
	}
	for i := range page.Jobs {
		if b.wanted == nil || b.wanted(&page.Jobs[i]) {
			ids = append(ids, page.Jobs[i].ID)
		}
	}
	return ids, len(page.Jobs), page.Next, nil
}

// act does it to the jobs of a page.
func (b bulk) act(ctx context.Context, ids []godwit.ID, form *wire.Bulk) error {
	form.Matched += len(ids)
	if form.DryRun {
		return nil
	}
	answers, err := b.do(ctx, ids)
	count(form, answers)
	return err
}
