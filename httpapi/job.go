package httpapi

import (
	"context"
	"net/http"

	"github.com/godwit-go/godwit"
)

// id gives the job that the path names.
func (r *request) id() (godwit.ID, error) { return godwit.ParseID(r.PathValue("id")) }

// getJob reads a job, waiting for its end or for a change if that is preferred.
func getJob(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	known := r.Header.Get("If-None-Match")
	if known != "" {
		a, err := r.awaitChange(ctx, id, known)
		if err == nil && matches(known, a.header.Get("ETag")) {
			a.status, a.raw = http.StatusNotModified, nil
		}
		return a, err
	}
	waited, err := r.awaitEnd(ctx, id)
	if err != nil {
		return nil, err
	}
	a, final, err := r.reread(ctx, id)
	if err != nil {
		return nil, err
	}
	r.tellWaited(a, waited, final)
	return a, nil
}

// tellWaited says which preference was followed, and when to come back if the job is not final.
func (r *request) tellWaited(a *answer, waited, final bool) {
	if applied := r.prefer.applied(waited); applied != "" {
		a.header.Set(headerPreferenceApplied, applied)
	}
	if r.prefer.waits && !final {
		a.header.Set("Retry-After", retryAfter)
	}
}

// getResult gives the result alone.
func getResult(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	if _, err := r.awaitEnd(ctx, id); err != nil {
		return nil, err
	}
	ctx, cancel := afterWait(ctx)
	defer cancel()
	job, err := r.s.client.Get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !job.State.Final():
		p := newProblem(godwit.CodeWrongState, "", "the job has no result yet: it is "+string(job.State)+" (wait for its end with Prefer: wait=N)")
		p.Job, p.State = id.String(), job.State
		return nil, &problemError{p}
	case job.State != godwit.StateSucceeded:
		return nil, &problemError{failureProblem(id, godwit.OutcomeAnswer{State: job.State, Failure: job.Failure})}
	}
	result := payloadForm(job.Result)
	if result == nil {
		result = []byte("null")
	}
	return &answer{raw: result}, nil
}

// jobAfter answers with the job as it stands after what was done to it.
func jobAfter(ctx context.Context, r *request, id godwit.ID, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	a, _, err := readJob(ctx, r, id)
	return a, err
}

type cancelInput struct {
	Reason string `json:"reason"`
}

func cancelJob(ctx context.Context, r *request, in cancelInput) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	return jobAfter(ctx, r, id, r.s.client.Cancel(ctx, id, in.Reason))
}

type retryInput struct {
	Args    rawField `json:"args"`
	Version int      `json:"version"`
}

// rawField is a JSON value that may be there or not; null is there.
type rawField []byte

// UnmarshalJSON copies the value.
func (f *rawField) UnmarshalJSON(data []byte) error {
	*f = append((*f)[:0], data...)
	return nil
}

// MarshalJSON gives the value.
func (f rawField) MarshalJSON() ([]byte, error) { return f, nil }

func retryJob(ctx context.Context, r *request, in retryInput) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	o := godwit.RetryOptions{Version: in.Version}
	if in.Args != nil {
		o.Args = in.Args
	}
	return jobAfter(ctx, r, id, r.s.client.Retry(ctx, id, o))
}

func runJobNow(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	return jobAfter(ctx, r, id, r.s.client.RunNow(ctx, id))
}

type rescheduleInput struct {
	RunAt string   `json:"run_at"`
	Delay duration `json:"delay"`
}

func rescheduleJob(ctx context.Context, r *request, in rescheduleInput) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	if (in.RunAt == "") == (in.Delay == 0) {
		return nil, invalid("run_at", "or delay must be given, and only one of them")
	}
	if in.Delay < 0 || in.Delay > duration(godwit.DelayMax) {
		return nil, invalid("delay", "must be from 0 to %v", godwit.DelayMax)
	}
	when := r.s.client.Now().Add(timeOf(in.Delay))
	if in.RunAt != "" {
		if when, err = readTime(in.RunAt); err != nil {
			return nil, invalid("run_at", "must be a time in RFC 3339, got %s", quoteShort(in.RunAt))
		}
	}
	return jobAfter(ctx, r, id, r.s.client.Reschedule(ctx, id, when))
}

func deleteJob(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	if err := r.s.client.Delete(ctx, id); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}
