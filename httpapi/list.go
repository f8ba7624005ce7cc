package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

var (
	listParams = []string{"state", "queue", "task", "parent", "tag", "limit", "cursor"}
	pageParams = []string{"limit", "cursor"}
)

// filter reads what selects jobs.
func (p *params) filter() godwit.ListFilter {
	f := godwit.ListFilter{
		State: godwit.State(p.text("state")), Queue: p.text("queue"), Task: p.text("task"), Parent: p.id("parent"), Tag: p.text("tag"),
	}
	if len(p.values["tag"]) > 1 {
		p.fail(invalid("tag", "must be given once, got %d", len(p.values["tag"])))
	}
	return f
}

func listJobs(ctx context.Context, r *request, _ none) (*answer, error) {
	f := r.params.filter()
	return listPage(ctx, r, f)
}

// listChildren lists the children of a job that is there.
func listChildren(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	a, err := listPage(ctx, r, godwit.ListFilter{Parent: id})
	if err != nil {
		return nil, err
	}
	if _, err := r.s.client.Get(ctx, id); err != nil {
		return nil, err
	}
	return a, nil
}

func listPage(ctx context.Context, r *request, f godwit.ListFilter) (*answer, error) {
	f.Before, f.Limit = r.params.id("cursor"), r.params.limit()
	if r.params.err != nil {
		return nil, r.params.err
	}
	page, err := r.s.client.List(ctx, f)
	if err != nil {
		return nil, err
	}
	next := ""
	if !page.Next.IsZero() {
		next = page.Next.String()
	}
	return r.paged(wire.JobsOf(&page), next), nil
}

// paged makes the answer of a page, with the link to the next one (RFC 8288).
func (r *request) paged(form any, next string) *answer {
	a := &answer{body: form, header: http.Header{}}
	if next != "" {
		a.header.Set("Link", r.params.page(next))
	}
	return a
}

func listAttempts(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	attempts, err := r.s.client.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.Attempts{Attempts: wire.AttemptsOf(attempts)}}, nil
}

// rows reads a page of what is counted from 1: the next cursor is the last row's number when the page is full.
func rows[T any](ctx context.Context, r *request, read func(context.Context, godwit.ID, int64, int) ([]T, error), seq func(T) int64, form func([]T, int64) any) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	after, limit := r.params.sequence("cursor"), r.params.limit()
	if r.params.err != nil {
		return nil, r.params.err
	}
	if limit == 0 {
		limit = godwit.PageDefault
	}
	list, err := read(ctx, id, after, limit)
	if err != nil {
		return nil, err
	}
	if len(list) < limit {
		return r.paged(form(list, 0), ""), nil
	}
	next := seq(list[limit-1])
	return r.paged(form(list, next), strconv.FormatInt(next, 10)), nil
}

func listLogs(ctx context.Context, r *request, _ none) (*answer, error) {
	return rows(ctx, r, r.s.client.Logs, func(l godwit.LogLine) int64 { return l.Seq }, func(lines []godwit.LogLine, next int64) any {
		return wire.Logs{Logs: append([]godwit.LogLine{}, lines...), Next: next}
	})
}

func listItems(ctx context.Context, r *request, _ none) (*answer, error) {
	return rows(ctx, r, r.s.client.Items, func(it godwit.Item) int64 { return it.Seq }, func(items []godwit.Item, next int64) any {
		return wire.Items{Items: wire.ItemsOf(items), Next: next}
	})
}

func explainJob(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	e, err := r.s.client.Explain(ctx, id)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.ExplanationOf(&e)}, nil
}
