package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// takePlace takes one of the places of those who wait; false when all are taken: the request is then answered at once, since a
// preference is not a demand.
func (r *request) takePlace() (leave func(), ok bool) {
	select {
	case r.s.waiters <- struct{}{}:
		return func() { <-r.s.waiters }, true
	default:
		return nil, false
	}
}

// awaitEnd waits for the end of a job as long as the request prefers, and reports whether it waited as long as was asked for, or to
// the end.
func (r *request) awaitEnd(id godwit.ID) (waited bool, err error) {
	if !r.prefer.waits {
		return false, nil
	}
	leave, ok := r.takePlace()
	if !ok {
		return false, nil
	}
	defer leave()
	ctx, cancel := r.waiting()
	defer cancel()
	_, err = r.s.client.AwaitOutcomes(ctx, []godwit.ID{id})
	if err != nil && ctx.Err() != nil { // the time was over, or the wait was cut short: the server stops, or who waits has gone
		return errors.Is(ctx.Err(), context.DeadlineExceeded), nil
	}
	return true, err
}

// awaitChange waits until the job's tag is another than those given, or the job is final.
func (r *request) awaitChange(ctx context.Context, id godwit.ID, known string) (*answer, error) {
	if !r.prefer.waits {
		a, _, err := readJob(ctx, r, id)
		return a, err
	}
	changed, told, leave := r.s.changes.watch(id)
	defer leave()
	a, final, err := readJob(ctx, r, id)
	if err != nil || final || !matches(known, a.header.Get("ETag")) {
		return a, err
	}
	r.drop(a) // it is known
	free, ok := r.takePlace()
	if !ok {
		a.header.Set("Retry-After", retryAfter)
		return a, nil
	}
	defer free()
	waiting, cancel := r.waiting()
	defer cancel()
	every := pollIntervalUnwatched
	if told {
		every = pollIntervalWatched
	}
	for {
		poll := time.NewTimer(every/2 + rand.N(every))
		over := false
		select {
		case <-changed:
		case <-poll.C:
		case <-waiting.Done():
			over = true
		}
		poll.Stop()
		a, final, err = r.reread(id)
		if err != nil || final || over || !matches(known, a.header.Get("ETag")) {
			return a, err
		}
		r.drop(a)
	}
}

// reread reads the job after a wait.
func (r *request) reread(id godwit.ID) (*answer, bool, error) {
	ctx, cancel := acting(r.Context())
	defer cancel()
	return readJob(ctx, r, id)
}

// drop gives back what an answer holds that is not sent.
func (r *request) drop(a *answer) {
	a.raw = nil
	r.answer.made()
}

// readJob reads a job with its attempts, and its tag.
func readJob(ctx context.Context, r *request, id godwit.ID) (a *answer, final bool, err error) {
	job, err := r.job(ctx, id)
	if err != nil {
		return nil, false, err
	}
	attempts, err := r.s.client.Attempts(ctx, id)
	if err != nil {
		return nil, false, err
	}
	body, err := wire.Encode(wire.JobOf(&job).With(attempts))
	if err != nil {
		return nil, false, err
	}
	sum := sha256.Sum256(body)
	a = &answer{raw: body, header: http.Header{}}
	a.header.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	return a, job.State.Final(), nil
}

// job reads a job in memory that is enough for its attempts too, whose number is known with it.
func (r *request) job(ctx context.Context, id godwit.ID) (godwit.Job, error) {
	enough := int64(jobBytes)
	for {
		if err := r.answer.make(ctx, enough); err != nil {
			return godwit.Job{}, err
		}
		job, err := r.s.client.Get(ctx, id)
		if err != nil {
			return godwit.Job{}, err
		}
		enough = jobBytes + failureBytes*min(job.Run, godwit.AttemptsKeptMax)
		if r.answer.grow(enough) {
			return job, nil
		}
	}
}

// matches reports whether a tag is among those of an If-None-Match.
func matches(header, tag string) bool {
	for known := range strings.SplitSeq(header, ",") {
		known = strings.TrimPrefix(strings.TrimSpace(known), "W/")
		if known == tag || known == "*" {
			return true
		}
	}
	return false
}
