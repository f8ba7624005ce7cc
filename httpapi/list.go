package httpapi

import (
	"cmp"
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
	if err := r.answer.make(ctx, failureBytes*int64(cmp.Or(f.Limit, godwit.PageDefault))); err != nil {
		return nil, err
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
	if err := r.answer.make(ctx, failureBytes*godwit.AttemptsKeptMax); err != nil {
		return nil, err
	}
	attempts, err := r.s.client.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.Attempts{Attempts: wire.AttemptsOf(attempts)}}, nil
}

// rows reads a page of what is counted from 1, each of at most so many bytes: the next cursor is the last row's number when there may be more.
func rows[T any](ctx context.Context, r *request, size int64, read func(context.Context, godwit.ID, int64, int) (list []T, more bool, err error), seq func(T) int64, form func([]T, int64) any) (*answer, error) {
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
	if err := r.answer.make(ctx, min(size*int64(limit), itemsBytes)); err != nil {
		return nil, err
	}
	list, more, err := read(ctx, id, after, limit)
	if err != nil {
		return nil, err
	}
	if !more {
		return r.paged(form(list, 0), ""), nil
	}
	next := seq(list[len(list)-1])
	return r.paged(form(list, next), strconv.FormatInt(next, 10)), nil
}

func listLogs(ctx context.Context, r *request, _ none) (*answer, error) {
	read := func(ctx context.Context, id godwit.ID, after int64, limit int) ([]godwit.LogLine, bool, error) {
		lines, err := r.s.client.Logs(ctx, id, after, limit)
		return lines, len(lines) == limit, err
	}
	return rows(ctx, r, godwit.MessageMax, read, func(l godwit.LogLine) int64 { return l.Seq }, func(lines []godwit.LogLine, next int64) any {
		return wire.Logs{Logs: append([]godwit.LogLine{}, lines...), Next: next}
	})
}

func listItems(ctx context.Context, r *request, _ none) (*answer, error) {
	return rows(ctx, r, godwit.ItemMax, r.readItems, func(it godwit.Item) int64 { return it.Seq }, func(items []godwit.Item, next int64) any {
		return wire.Items{Items: wire.ItemsOf(items), Next: next}
	})
}

// readItems reads a page of items, some at a time. It ends early when the items are large, so that no page is.
func (r *request) readItems(ctx context.Context, id godwit.ID, after int64, limit int) (list []godwit.Item, more bool, err error) {
	for size := 0; len(list) < limit && size < itemsPageBytes; {
		want := min(limit-len(list), itemsPageBytes/godwit.ItemMax)
		part, err := r.s.client.Items(ctx, id, after, want)
		if err != nil {
			return nil, false, err
		}
		list = append(list, part...)
		if len(part) < want {
			return list, false, nil
		}
		for _, it := range part {
			size += len(it.Data.Data)
		}
		after = part[len(part)-1].Seq
	}
	return list, true, nil
}

func explainJob(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	if err := r.answer.make(ctx, jobBytes+listBytes); err != nil { // its children are looked at
		return nil, err
	}
	e, err := r.s.client.Explain(ctx, id)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.ExplanationOf(&e)}, nil
}
