package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// submitOne submits a job of the task in the path; the body is its argument.
func submitOne(ctx context.Context, r *request, args raw) (*answer, error) {
	s, err := submitTask(ctx, r, args)
	if err != nil {
		return nil, asParameter(err)
	}
	return r.submitted(s)
}

// asParameter names what the caller of a call for one job gave: a line of a batch has a list of tags, and its key.
func asParameter(err error) error {
	var e *godwit.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	said, _, _ := strings.Cut(e.Message, `"`) // what is quoted is the caller's own
	switch e.Field {
	case "tags":
		named.Field = "tag"
	case "idempotency_key":
		named.Field = headerIdempotencyKey
	case "idempotency_for":
		named.Message = strings.ReplaceAll(said, "idempotency_key", headerIdempotencyKey) + e.Message[len(said):]
	default:
		return err
	}
	return &named
}

// submitTask makes the job.
func submitTask(ctx context.Context, r *request, args raw) (s godwit.SubmitAnswer, err error) {
	task := r.PathValue("task")
	in, err := fromParams(r.params, task, args)
	if err != nil {
		return s, err
	}
	if in.IdempotencyKey, err = idempotencyKey(r.Header); err != nil {
		return s, err
	}
	if !utf8.Valid(args) {
		return s, malformed("body", "must be UTF-8")
	}
	if !json.Valid(args) {
		return s, malformed("body", "must be the task's argument in JSON, got %s (null for a task without an argument)", quoteShort(string(args)))
	}
	if err := r.s.client.CheckTask(ctx, task); err != nil {
		return s, err
	}
	in.Headers = withTrace(nil, r.Header)
	sub, err := submissionOf(r.s.client, in)
	if err != nil {
		return s, err
	}
	answers, err := r.s.client.SubmitAll(ctx, []godwit.Submission{sub})
	if err != nil {
		return s, err
	}
	return answers[0], nil
}

// submitted answers a submission: 202, or 200 with the finished job if that was waited for.
func (r *request) submitted(s godwit.SubmitAnswer) (*answer, error) {
	r.letGo() // the argument is not kept while the request waits
	waited, err := r.awaitEnd(s.ID)
	if err != nil {
		return nil, err
	}
	a, final, err := r.reread(s.ID)
	if err != nil {
		return nil, err
	}
	a.status = http.StatusAccepted
	if r.prefer.waits && final {
		a.status = http.StatusOK
	}
	r.tellWaited(a, waited, final)
	a.header.Set("Location", "/v1/jobs/"+s.ID.String())
	if !s.Created {
		a.header.Set(headerIdempotentReplay, "true")
	}
	return a, nil
}

// idempotencyKey reads the header, whose value may stand in quotes, as its draft has it.
func idempotencyKey(h http.Header) (string, error) {
	given := h.Values(headerIdempotencyKey)
	if len(given) == 0 {
		return "", nil
	}
	if len(given) > 1 {
		return "", malformed(headerIdempotencyKey, "must be given once, got %d", len(given))
	}
	key := strings.TrimSpace(given[0])
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if key == "" {
		return "", malformed(headerIdempotencyKey, "must not be empty")
	}
	return key, nil
}

// submitMany submits the jobs of the lines, all or none.
func submitMany(ctx context.Context, r *request, body stream) (*answer, error) {
	subs, err := readBatch(ctx, r, body)
	if err != nil {
		return nil, err
	}
	answers, err := r.s.client.SubmitAll(ctx, subs)
	if err != nil {
		return nil, err
	}
	return &answer{body: wire.BatchOf(answers), status: http.StatusAccepted}, nil
}

// readBatch reads the lines one by one, so that a refused batch costs no more than what was read.
func readBatch(ctx context.Context, r *request, body stream) ([]godwit.Submission, error) {
	var subs []godwit.Submission
	checked := map[string]bool{}
	for size := 0; ; {
		line, err := body.next()
		switch {
		case errors.Is(err, io.EOF) && len(subs) == 0:
			return nil, invalid("jobs", "must hold a line of JSON for each job, got none")
		case errors.Is(err, io.EOF):
			return subs, nil
		case err != nil:
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(subs) == godwit.BatchMax {
			return nil, tooLarge("jobs", "must be at most %d in one call (submit in several calls)", godwit.BatchMax)
		}
		sub, err := readLine(ctx, r, line, checked)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", body.number, err)
		}
		if size += len(sub.Args.Data); size > godwit.BatchBytesMax {
			return nil, tooLarge("args", "of one call must be at most %d bytes together (submit in several calls)", godwit.BatchBytesMax)
		}
		subs = append(subs, sub)
	}
}

func readLine(ctx context.Context, r *request, line []byte, checked map[string]bool) (godwit.Submission, error) {
	var in wire.Submission
	if err := decodeStrict(line, &in); err != nil {
		return godwit.Submission{}, err
	}
	if in.Policy == nil && !checked[in.Task] { // a submitter with a policy knows what it does
		if err := r.s.client.CheckTask(ctx, in.Task); err != nil {
			return godwit.Submission{}, err
		}
		checked[in.Task] = true
	}
	in.Headers = withTrace(in.Headers, r.Header)
	return submissionOf(r.s.client, &in)
}
