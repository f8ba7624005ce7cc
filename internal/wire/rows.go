package wire

import (
	"encoding/json"

	"github.com/godwit-go/godwit"
)

// Item is a row that a handler emitted.
type Item struct {
	Seq  int64           `json:"seq"`
	Run  int64           `json:"run"`
	Data json.RawMessage `json:"data"`
}

// Items is a page of items.
type Items struct {
	Items []Item `json:"items"`
	Next  int64  `json:"next,omitzero,string"` // the cursor of the next page
}

// ItemsOf gives the forms of items, never nil.
func ItemsOf(items []godwit.Item) []Item {
	forms := make([]Item, 0, len(items))
	for _, it := range items {
		forms = append(forms, Item{it.Seq, it.Run, PayloadOf(it.Data)})
	}
	return forms
}

// PlainItems gives items as package godwit has them.
func PlainItems(forms []Item) []godwit.Item {
	var items []godwit.Item
	for _, f := range forms {
		items = append(items, godwit.Item{Seq: f.Seq, Run: f.Run, Data: PlainPayload(f.Data)})
	}
	return items
}

// Logs is a page of log lines, whose own form is that of package godwit.
type Logs struct {
	Logs []godwit.LogLine `json:"logs"`
	Next int64            `json:"next,omitzero,string"` // the cursor of the next page
}

// Explanation says why a job is not running.
type Explanation struct {
	Job     Job      `json:"job"`
	Reasons []Reason `json:"reasons"`
}

// Reason is one reason of an [Explanation].
type Reason struct {
	Kind    godwit.ReasonKind `json:"kind"`
	Message string            `json:"message"`
	Mend    string            `json:"mend,omitempty"`
}

// ExplanationOf gives the form of an explanation.
func ExplanationOf(e *godwit.Explanation) Explanation {
	f := Explanation{Job: JobOf(&e.Job), Reasons: make([]Reason, 0, len(e.Reasons))}
	for _, r := range e.Reasons {
		f.Reasons = append(f.Reasons, Reason(r))
	}
	return f
}

// Plain gives the explanation as package godwit has it.
func (f *Explanation) Plain() godwit.Explanation {
	e := godwit.Explanation{Job: f.Job.Plain()}
	for _, r := range f.Reasons {
		e.Reasons = append(e.Reasons, godwit.Reason(r))
	}
	return e
}

// Changed is what became of one job of a call about many.
type Changed struct {
	ID    godwit.ID    `json:"id"`
	Code  godwit.Code  `json:"code,omitempty"`  // why it was refused
	State godwit.State `json:"state,omitempty"` // afterwards, or as it stands when refused
}

// Bulk says what a call about many jobs did.
type Bulk struct {
	DryRun  bool                `json:"dry_run,omitempty"`
	Matched int                 `json:"matched"` // jobs that are named, or that the filter selects and the call is for
	Done    int                 `json:"done"`
	Refused map[godwit.Code]int `json:"refused,omitempty"` // by code
	Jobs    []Changed           `json:"jobs,omitempty"`    // of a call that names them, in its order
	Next    string              `json:"next,omitempty"`    // the cursor to go on with: there are more
}
