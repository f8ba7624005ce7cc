package httpapi

import (
	"context"
	"net/http"
	"strconv"

	"github.com/godwit-go/godwit"
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

type pageForm struct {
	Jobs []jobForm `json:"jobs"`
	Next string    `json:"next,omitempty"` // the cursor of the next page
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
	if _, err := r.s.client.Get(ctx, id); err != nil {
		return nil, err
	}
	return listPage(ctx, r, godwit.ListFilter{Parent: id})
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
	form := pageForm{Jobs: make([]jobForm, 0, len(page.Jobs))}
	for i := range page.Jobs {
		form.Jobs = append(form.Jobs, formOf(&page.Jobs[i]))
	}
	if !page.Next.IsZero() {
		form.Next = page.Next.String()
	}
	return r.paged(form, form.Next), nil
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
	return &answer{body: map[string]any{"attempts": attemptsOf(attempts)}}, nil
}

// rows reads a page of what is counted from 1: the next cursor is the last row's number when the page is full.
func rows[T any](ctx context.Context, r *request, name string, read func(context.Context, godwit.ID, int64, int) ([]T, error), seq func(T) int64) (*answer, error) {
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
	if list == nil {
		list = []T{}
	}
	form, next := map[string]any{name: list}, ""
	if len(list) == limit {
		next = strconv.FormatInt(seq(list[len(list)-1]), 10)
		form["next"] = next
	}
	return r.paged(form, next), nil
}

func listLogs(ctx context.Context, r *request, _ none) (*answer, error) {
	return rows(ctx, r, "logs", r.s.client.Logs, func(l godwit.LogLine) int64 { return l.Seq })
}

func listItems(ctx context.Context, r *request, _ none) (*answer, error) {
	read := func(ctx context.Context, id godwit.ID, after int64, limit int) ([]itemForm, error) {
		items, err := r.s.client.Items(ctx, id, after, limit)
		forms := make([]itemForm, 0, len(items))
		for _, it := range items {
			forms = append(forms, itemForm{it.Seq, it.Run, payloadForm(it.Data)})
		}
		return forms, err
	}
	return rows(ctx, r, "items", read, func(f itemForm) int64 { return f.Seq })
}

type reasonForm struct {
	Kind    godwit.ReasonKind `json:"kind"`
	Message string            `json:"message"`
	Mend    string            `json:"mend,omitempty"`
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
	reasons := make([]reasonForm, 0, len(e.Reasons))
	for _, reason := range e.Reasons {
		reasons = append(reasons, reasonForm(reason))
	}
	return &answer{body: map[string]any{"job": formOf(&e.Job), "reasons": reasons}}, nil
}
