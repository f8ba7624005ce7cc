package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// request is one call of the API.
type request struct {
	method string
	path   string // escaped
	query  url.Values
	body   []byte
	wait   time.Duration // preferred; 0: none
	repeat bool          // twice does what once does
	done   []godwit.Code // refusals that say, after a try whose answer was lost, that it was carried out
}

// reply is what the server answered.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call makes a call and decodes its answer.
func call[Out any](ctx context.Context, c *Client, r request) (Out, error) {
	var out Out
	a, err := c.do(ctx, r)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		return out, &godwit.Error{Code: godwit.CodeUnavailable, Message: "the server's answer cannot be read (is it a godwit server?)", Err: err}
	}
	return out, nil
}

// run makes a call whose answer does not matter.
func (c *Client) run(ctx context.Context, r request) error {
	_, err := c.do(ctx, r)
	return err
}

// do makes a call, again and again while that is safe and may help.
func (c *Client) do(ctx context.Context, r request) (*reply, error) {
	var silent time.Time // since when the server does not answer
	sent := false        // a try before may have been served
	for pause := retryPauseFirst; ; pause = min(2*pause, retryPauseMax) {
		asked := time.Now()
		a, f := c.once(ctx, r)
		if f == nil || sent && f.means(r.done) {
			return a, nil
		}
		if served := !f.unsent && r.wait > 0 && time.Since(asked) > retryPauseMax; silent.IsZero() || served {
			silent, pause = time.Now(), retryPauseFirst // a wait that was cut off had been answered so far
		}
		sent = sent || !f.unsent
		f.unsent = !sent
		next := max(f.after, pause/2+rand.N(pause))
		if ctx.Err() != nil || !f.mayRepeat(r) || time.Since(silent)+next > c.config.RetryFor {
			return a, f.verdict(ctx, r)
		}
		timer := time.NewTimer(next)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, f.verdict(ctx, r)
		}
	}
}

// fault is a try that failed.
type fault struct {
	err    error
	unsent bool          // the server surely did nothing, in this try and those before
	passes bool          // it may go another way next time
	after  time.Duration // not to be repeated before, as the server says
}

// mayRepeat reports whether a further try is safe and may help.
func (f *fault) mayRepeat(r request) bool { return f.passes && (r.repeat || f.unsent) }

// means reports whether it is a refusal with one of the codes.
func (f *fault) means(codes []godwit.Code) bool {
	var e *godwit.Error
	return !f.passes && errors.As(f.err, &e) && slices.Contains(codes, e.Code)
}

// verdict is the error of a call that is not tried again.
func (f *fault) verdict(ctx context.Context, r request) error {
	if !f.passes {
		return f.err
	}
	reads := r.method == http.MethodGet
	switch {
	case reads && ctx.Err() != nil:
		return ended(ctx)
	case f.unsent && ctx.Err() != nil:
		return fmt.Errorf("%w (%w)", ended(ctx), f.err)
	case !reads && !f.unsent && !errors.Is(f.err, godwit.ErrOutcomeUnknown):
		return &godwit.Error{
			Code: godwit.CodeOutcomeUnknown, Message: "the call was cut off: it may or may not have happened", Err: errors.Join(ctx.Err(), f.err),
		}
	}
	return f.err
}

// ended is the error of a context that ended: its cause, which matches ctx.Err() too.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w (%w)", cause, err)
}

// once makes one try.
func (c *Client) once(ctx context.Context, r request) (*reply, *fault) {
	if ctx.Err() != nil {
		return nil, &fault{err: ctx.Err(), unsent: true, passes: true}
	}
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	hr, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, &fault{err: invalid("URL", "cannot be used: %v", err)}
	}
	c.setHeaders(hr, r)
	res, err := c.config.HTTPClient.Do(hr)
	if err != nil {
		var dial *net.OpError
		unsent := errors.As(err, &dial) && dial.Op == "dial"
		return nil, &fault{err: unavailable(err), unsent: unsent, passes: true}
	}
	defer func() { _ = res.Body.Close() }() // it was read, or is of no use
	bound := int64(answerBytesMax)
	if res.StatusCode >= http.StatusMultipleChoices {
		bound = problemBytesMax
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, bound))
	if err != nil {
		return nil, &fault{err: unavailable(err), passes: true}
	}
	a := &reply{res.StatusCode, res.Header, body}
	if res.StatusCode < http.StatusMultipleChoices {
		return a, nil
	}
	return a, faultOf(a)
}

func (c *Client) setHeaders(hr *http.Request, r request) {
	hr.Header.Set("Accept", "application/json")
	if r.body != nil {
		hr.Header.Set("Content-Type", "application/json")
	}
	if c.config.Token != "" {
		hr.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	if r.wait > 0 {
		hr.Header.Set("Prefer", "wait="+strconv.Itoa(int(r.wait/time.Second)))
	}
}

// faultOf makes an error of an answer that is a problem.
func faultOf(a *reply) *fault {
	f := &fault{}
	var p wire.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || p.Code == "" { // from a proxy
		p = wire.Problem{Code: codeOf(a.status), Detail: fmt.Sprintf("the server answered %d %s", a.status, http.StatusText(a.status))}
		if to := a.header.Get("Location"); a.status < http.StatusBadRequest && to != "" {
			p.Detail += fmt.Sprintf(", which leads to %.200q (call the server where it is)", to)
		}
	} else {
		f.unsent = p.Code != godwit.CodeOutcomeUnknown // refused: nothing happened
	}
	switch a.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		f.passes = true
	}
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && seconds >= 0 {
		f.after = min(time.Duration(seconds)*time.Second, retryPauseMax)
	}
	f.err = errorOf(&p)
	return f
}

// errorOf makes the error that the server made the problem of: "job 2 of 3: priority must be ..." has its field within.
func errorOf(p *wire.Problem) error {
	e := &godwit.Error{Code: p.Code, Field: p.Field, Message: p.Detail}
	if p.Field == "" {
		return e
	}
	before, after, found := strings.Cut(p.Detail, p.Field+" ")
	if !found {
		return e
	}
	e.Message = after
	if before != "" {
		return fmt.Errorf("%s: %w", strings.TrimSuffix(before, ": "), e)
	}
	return e
}

// codeOf gives the code of a status that came without one.
func codeOf(status int) godwit.Code {
	switch status {
	case http.StatusNotFound:
		return godwit.CodeNotFound
	case http.StatusGone:
		return godwit.CodeExpired
	case http.StatusConflict:
		return godwit.CodeWrongState
	case http.StatusRequestEntityTooLarge:
		return godwit.CodeTooLarge
	case http.StatusTooManyRequests:
		return godwit.CodeUnavailable
	}
	if status >= http.StatusInternalServerError {
		return godwit.CodeUnavailable
	}
	return godwit.CodeInvalid
}

func unavailable(err error) error {
	return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the server cannot be reached", Err: err}
}

func invalid(field, format string, args ...any) error {
	return &godwit.Error{Code: godwit.CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}
