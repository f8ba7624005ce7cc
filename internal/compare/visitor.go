package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

const bodyMax = 1 << 20

// outcome is what became of a request.
type outcome int

const (
	answered outcome = iota
	timedOut         // the client lost patience
	refused          // any other answer, or none
)

// visit is one request as its client saw it.
type visit struct {
	outcome  outcome
	response time.Duration // until the answer, with the result or a URL
	done     time.Duration // until the result was there; [never] if it is not
	follow   string        // the URL of a job to follow; empty when the answer has the result
	why      string        // of a refusal
}

// visitor is the clients of a service.
type visitor struct {
	http   *http.Client
	url    string
	origin string
	prefer string // sent with the request
}

func newVisitor(s *service, cfg *Config, timeout time.Duration, prefer string) *visitor {
	return &visitor{
		url: s.url, origin: s.origin, prefer: prefer,
		http: &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * cfg.Concurrency}},
	}
}

func (v *visitor) close() { v.http.CloseIdleConnections() }

// waitFor is the preference for waiting so long.
func waitFor(d time.Duration) string { return "wait=" + strconv.Itoa(int(d/time.Second)) }

// jobForm is what is read of a job.
type jobForm struct {
	State  godwit.State
	Result json.RawMessage
	Error  *struct{ Message string }
}

// send makes a request and judges its answer.
func (v *visitor) send(ctx context.Context, request int) (visit, error) {
	begun := time.Now()
	status, location, body, err := v.call(ctx, http.MethodPost, v.url, v.prefer, strconv.Itoa(request))
	took := time.Since(begun)
	switch {
	case ctx.Err() != nil:
		return visit{}, context.Cause(ctx)
	case isTimeout(err):
		return visit{outcome: timedOut, response: never, done: never}, nil
	case err != nil:
		return visit{outcome: refused, response: never, done: never, why: err.Error()}, nil //nolint:nilerr // a refusal is a measurement
	case status == http.StatusAccepted:
		return visit{response: took, done: never, follow: v.origin + location}, nil
	case status != http.StatusOK:
		return visit{outcome: refused, response: never, done: never, why: fmt.Sprintf("%d %s", status, body)}, nil
	}
	if strings.Contains(v.url, Task.Name()) {
		if body, err = resultOf(body); err != nil {
			return visit{}, fmt.Errorf("request %d: %w", request, err)
		}
	}
	return visit{response: took, done: took}, check(request, body)
}

// follow waits for the job of a request to end, as often as it takes.
func (v *visitor) follow(ctx context.Context, request int, at, prefer string) error {
	for {
		status, _, body, err := v.call(ctx, http.MethodGet, at, prefer, "")
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("follow request %d: %w", request, context.Cause(ctx))
		case isTimeout(err):
			continue
		case err != nil:
			return fmt.Errorf("follow request %d: %w", request, err)
		case status != http.StatusOK:
			return fmt.Errorf("follow request %d: %d %s", request, status, body)
		}
		result, err := resultOf(body)
		if errors.Is(err, errNotFinal) {
			continue
		}
		if err != nil {
			return fmt.Errorf("follow request %d: %w", request, err)
		}
		return check(request, result)
	}
}

func (v *visitor) call(ctx context.Context, method, at, prefer, body string) (status int, location string, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	if prefer != "" {
		r.Header.Set("Prefer", prefer)
	}
	a, err := v.http.Do(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer a.Body.Close() //nolint:errcheck // only read
	answer, err = io.ReadAll(io.LimitReader(a.Body, bodyMax))
	return a.StatusCode, a.Header.Get("Location"), answer, err
}

func isTimeout(err error) bool {
	var u *url.Error
	var n net.Error
	return errors.As(err, &u) && u.Timeout() || errors.As(err, &n) && n.Timeout()
}

var errNotFinal = errors.New("the job is not final")

// resultOf gives the result of a job that succeeded.
func resultOf(body []byte) ([]byte, error) {
	var job jobForm
	if err := json.Unmarshal(body, &job); err != nil {
		return nil, fmt.Errorf("read a job: %w", err)
	}
	switch {
	case !job.State.Final():
		return nil, errNotFinal
	case job.State != godwit.StateSucceeded && job.Error != nil:
		return nil, fmt.Errorf("the job %s: %s", job.State, job.Error.Message)
	}
	return job.Result, nil
}

// check compares a result with the one right answer.
func check(request int, result []byte) error {
	var got Answer
	if err := json.Unmarshal(result, &got); err != nil {
		return fmt.Errorf("read the result of request %d: %w", request, err)
	}
	if want := answerTo(request); got != want {
		return fmt.Errorf("request %d got the result %+v, want %+v", request, got, want)
	}
	return nil
}
