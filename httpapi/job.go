package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// id gives the job that the path names.
func (r *request) id() (godwit.ID, error) { return godwit.ParseID(r.PathValue("id")) }

// getJob reads a job, waiting for its end or for a change if that is preferred.
func getJob(ctx context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	known := strings.Join(r.Header.Values("If-None-Match"), ",")
	if known != "" {
		a, err := r.awaitChange(ctx, id, known)
		if err == nil && matches(known, a.header.Get("ETag")) {
			a.status, a.raw = http.StatusNotModified, nil
		}
		return a, err
	}
	waited, err := r.awaitEnd(id)
	if err != nil {
		return nil, err
	}
	a, final, err := r.reread(id)
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
func getResult(_ context.Context, r *request, _ none) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	if _, err := r.awaitEnd(id); err != nil {
		return nil, err
	}
	ctx, cancel := acting(r.Context()) // anew: the wait may have taken longer
	defer cancel()
	if err := r.answer.make(ctx, jobBytes); err != nil {
		return nil, err
	}
	job, err := r.s.client.Get(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !job.State.Final():
		p := newProblem(godwit.CodeWrongState, "", "the job has no result yet: it is "+string(job.State)+" (wait for its end with Prefer: wait=N)")
		p.Job, p.State = id, job.State
		return nil, &problemError{p}
	case job.State != godwit.StateSucceeded:
		return nil, &problemError{failureProblem(id, godwit.OutcomeAnswer{State: job.State, Failure: job.Failure})}
	}
	result := wire.PayloadOf(job.Result)
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

func cancelJob(ctx context.Context, r *request, in wire.Cancel) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	return jobAfter(ctx, r, id, r.s.client.Cancel(ctx, id, in.Reason))
}

func retryJob(ctx context.Context, r *request, in wire.Retry) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	o := godwit.RetryOptions{Version: in.Version, Run: in.Run}
	if in.Args != nil {
		if err := checkDepth(in.Args); err != nil {
			return nil, err
		}
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

func rescheduleJob(ctx context.Context, r *request, in wire.Reschedule) (*answer, error) {
	id, err := r.id()
	if err != nil {
		return nil, err
	}
	if in.RunAt.IsZero() == (in.Delay == 0) {
		return nil, invalid("run_at", "or delay must be given, and only one of them")
	}
	if in.Delay < 0 || in.Delay > wire.Duration(godwit.DelayMax) {
		return nil, invalid("delay", "must be from 0 to %v", godwit.DelayMax)
	}
	when := in.RunAt
	if when.IsZero() {
		when = r.s.client.Now().Add(time.Duration(in.Delay))
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
