package crash

import (
	"slices"
	"time"

	"github.com/godwit-go/godwit"
)

// checkChildren wants one job for a name of a parent.
func (c *checker) checkChildren() {
	type key struct {
		parent godwit.ID
		name   string
	}
	children := map[key]godwit.ID{}
	see := func(k key, id godwit.ID) {
		if other, ok := children[k]; ok && other != id {
			c.violate(RuleChild, k.parent, "its child %s is %s and %s", k.name, other, id)
		}
		children[k] = id
	}
	for _, h := range c.sorted() {
		for _, e := range h.met {
			if !e.Parent.IsZero() {
				see(key{e.Parent, e.Name}, e.Job)
			}
		}
		if h.there() && !h.final.Job.Parent.IsZero() {
			see(key{h.final.Job.Parent, h.final.Job.ChildName}, h.id)
		}
	}
}

// checkKeys wants one job for an idempotency key of a task.
func (c *checker) checkKeys() {
	type key struct{ task, key string }
	jobs := map[key]godwit.ID{}
	see := func(k key, id godwit.ID) {
		if other, ok := jobs[k]; ok && other != id {
			c.violate(RuleKey, id, "key %s stands for it and for %s", k.key, other)
		}
		jobs[k] = id
	}
	for _, h := range c.sorted() {
		for _, e := range h.met {
			if e.Key != "" {
				see(key{e.Task, e.Key}, e.Job)
			}
		}
		if h.there() && h.final.Job.IdempotencyKey != "" {
			see(key{h.final.Job.Task, h.final.Job.IdempotencyKey}, h.id)
		}
	}
}

// checkUnique wants the lives of the jobs with one unique key not to overlap, by store time.
func (c *checker) checkUnique() {
	type holding struct {
		id         godwit.ID
		begin, end time.Time
	}
	holders := map[string][]holding{}
	for _, h := range c.sorted() {
		if h.there() && len(h.asked) > 0 && h.asked[0].Unique != "" {
			key := h.asked[0].Task + " " + h.asked[0].Unique
			holders[key] = append(holders[key], holding{h.id, h.final.Job.CreatedAt, h.final.Job.FinishedAt})
		}
	}
	for key, held := range holders {
		slices.SortFunc(held, func(a, b holding) int { return a.begin.Compare(b.begin) })
		for i := 1; i < len(held); i++ {
			if before := held[i-1]; before.end.After(held[i].begin.Add(c.slack.Clocks + c.slack.Call)) {
				c.violate(RuleUnique, held[i].id, "made at %v, when %s held %s until %v", held[i].begin, before.id, key, before.end)
			}
		}
	}
}
