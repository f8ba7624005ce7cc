package main

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// Bounds on the tree of a job's children.
const (
	treeDepthMax = 4
	treeJobsMax  = 200
)

// tree is a job with the children of it that are shown.
type tree struct {
	job      godwit.Job
	children []*tree
	states   map[godwit.State]int // of the children, shown or not, as far as they were counted
	more     bool                 // there are others, which were not counted
}

// grow reads the children of a job, and theirs, within bounds. It goes through the generations one after the other, so that what
// is left out is what is far away.
func (d *desk) grow(ctx context.Context, root godwit.Job, perJob int) (*tree, error) {
	top := &tree{job: root}
	left := treeJobsMax
	for generation := []*tree{top}; len(generation) > 0; {
		var next []*tree
		for _, t := range generation {
			if t.job.Depth-root.Depth >= treeDepthMax || left == 0 {
				continue
			}
			if err := d.readChildren(ctx, t, min(perJob, left)); err != nil {
				return nil, err
			}
			left -= len(t.children)
			next = append(next, t.children...)
		}
		generation = next
	}
	return top, nil
}

// readChildren counts the children of a job, up to a page, and keeps the newest.
func (d *desk) readChildren(ctx context.Context, t *tree, keep int) error {
	page, err := d.List(ctx, godwit.ListFilter{Parent: t.job.ID, Limit: godwit.PageMax})
	if err != nil {
		return err
	}
	t.states, t.more = map[godwit.State]int{}, !page.Next.IsZero()
	for i, child := range page.Jobs {
		t.states[child.State]++
		if i < keep {
			t.children = append(t.children, &tree{job: child})
		}
	}
	return nil
}

// counted is how many children were counted.
func (t *tree) counted() int {
	n := 0
	for _, k := range t.states {
		n += k
	}
	return n
}

// summary says how the children stand: "96: 90 succeeded, 6 running".
func (t *tree) summary() string {
	var parts []string
	for _, s := range godwit.States() {
		if n := t.states[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	more := ""
	if t.more {
		more = " or more"
	}
	return fmt.Sprintf("%d%s: %s", t.counted(), more, strings.Join(parts, ", "))
}

// branches prints the children below their parents.
func (d *desk) branches(t *tree, indent string) {
	hidden := t.counted() - len(t.children)
	for i, child := range t.children {
		branch, below := "├─ ", "│  "
		if i == len(t.children)-1 && hidden == 0 && !t.more {
			branch, below = "└─ ", "   "
		}
		j := &child.job
		line := fmt.Sprintf("  %s%s%s %s %s", indent, branch, j.ID, d.state(j.State), nameOf(j))
		if detail := d.detail(j); detail != "" {
			line += "  " + detail
		}
		fmt.Fprintln(d.out, d.fitted(line))
		d.branches(child, indent+below)
	}
	switch {
	case t.more:
		fmt.Fprintf(d.out, "  %s└─ ... and more than %d others\n", indent, hidden)
	case hidden > 0:
		fmt.Fprintf(d.out, "  %s└─ ... and %d more\n", indent, hidden)
	}
}

// nameOf is what a parent calls its child.
func nameOf(j *godwit.Job) string {
	if j.ChildName != "" && !strings.HasPrefix(j.ChildName, j.Task+"#") {
		return j.Task + " " + j.ChildName
	}
	return j.Task
}

// treeForm is a child in JSON.
type treeForm struct {
	Job      wire.Job             `json:"job"`
	Children []treeForm           `json:"children"`
	States   map[godwit.State]int `json:"states"`
	More     bool                 `json:"more,omitempty"`
}

func (t *tree) form() treeForm {
	f := treeForm{Job: wire.JobOf(&t.job), Children: []treeForm{}, States: map[godwit.State]int{}, More: t.more}
	maps.Copy(f.States, t.states)
	for _, child := range t.children {
		f.Children = append(f.Children, child.form())
	}
	return f
}
