package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/godwit-go/godwit"
)

// Bounds of an answer.
const (
	responseHeaderBytesMax = 32 << 10
	responseTextMax        = 800 << 10      // bytes of the body in JSON: with the headers the result stays below godwit.PayloadMax
	excerptMax             = 1 << 10        // bytes of the body in an error
	retryAfterMax          = 24 * time.Hour // that a server may ask for; more is cut to it
	dialTimeout            = 10 * time.Second
)

// HTTP calls a URL.
var HTTP = godwit.NewTask[HTTPArgs, HTTPResult]("http", godwit.Policy{Timeout: HTTPTimeoutMax + time.Minute})

// HTTPResult is the result of http.
type HTTPResult struct {
	Status       int               `json:"status"`
	Headers      map[string]string `json:"headers"` // several values of a name are joined by ", "; without Set-Cookie
	Body         string            `json:"body"`
	BodyEncoding string            `json:"body_encoding,omitempty"` // "base64" when the body is no text
	BodyCut      bool              `json:"body_cut,omitempty"`      // there was more of it
}

// HandleHTTP registers the handler of http with a client. The connections that it keeps are closed by the function it gives.
func HandleHTTP(c *godwit.Client, conf HTTPConfig) (closeIdle func()) {
	caller := newCaller(conf, nil)
	godwit.Handle(c, HTTP, caller.call)
	return caller.client.CloseIdleConnections
}

// caller does the jobs of http.
type caller struct {
	conf   HTTPConfig
	client *http.Client
}

// newCaller makes a caller. The resolver is net's own unless a test gives one.
func newCaller(conf HTTPConfig, resolver *net.Resolver) *caller {
	c := &caller{conf: conf}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: resolver, ControlContext: c.control}
	transport := &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: responseHeaderBytesMax,
	}
	if conf.Proxy != nil {
		transport.Proxy = http.ProxyURL(conf.Proxy)
	}
	c.client = &http.Client{Transport: transport, CheckRedirect: c.checkRedirect}
	return c
}

// control looks at an address when it is dialled, after names were resolved, so that no name can lead where no address may. A
// proxy may be anywhere: the configuration names it, and nothing else is dialled then.
func (c *caller) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	if c.conf.Proxy != nil {
		return nil
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", quoteShort(address), err)
	}
	return mayReach(to.Addr(), c.conf.AllowPrivate)
}

// call does a job.
func (c *caller) call(ctx context.Context, args HTTPArgs) (HTTPResult, error) {
	timeout := time.Duration(args.Timeout)
	if timeout == 0 {
		timeout = min(timeoutDefault, c.conf.TimeoutMax)
	}
	if timeout < 0 || timeout > c.conf.TimeoutMax {
		return HTTPResult{}, godwit.Permanent(fmt.Errorf("timeout must be more than 0s and at most %s, got %s", c.conf.TimeoutMax, timeout))
	}
	short, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := c.request(short, args)
	if err != nil {
		return HTTPResult{}, godwit.Permanent(err)
	}
	name := r.Method + " " + shown(r.URL)
	response, err := c.client.Do(r)
	if err != nil {
		return HTTPResult{}, failed(ctx, short, name, timeout, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	body, more, err := readAtMost(response.Body, c.conf.ResponseBytesMax)
	if err != nil {
		return HTTPResult{}, failed(ctx, short, name, timeout, err)
	}
	if err := verdict(name, response, body, time.Now()); err != nil {
		return HTTPResult{}, err
	}
	return result(response, body, more), nil
}

func result(response *http.Response, body []byte, more bool) HTTPResult {
	if more {
		body = wholeRunes(body)
	}
	text, encoding := asText(body, responseTextMax)
	headers := make(map[string]string, len(response.Header))
	for name, values := range response.Header {
		if name != "Set-Cookie" { // a secret, and not to be joined
			headers[name] = strings.Join(values, ", ")
		}
	}
	return HTTPResult{Status: response.StatusCode, Headers: headers, Body: text, BodyEncoding: encoding, BodyCut: more}
}

// readAtMost reads at most limit bytes, and reports whether there was more.
func readAtMost(r io.Reader, limit int) (data []byte, more bool, err error) {
	data, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(data) > limit {
		return data[:limit], true, nil
	}
	return data, false, err
}

// shown gives an address without its query, which may hold a secret.
func shown(u *url.URL) string {
	return cutText((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), 256)
}

// failed says why there is no answer. Why the run ends goes before what became of the request.
func failed(run, short context.Context, name string, timeout time.Duration, err error) error {
	var (
		refused  *refusedError
		redirect *redirectError
		wrapped  *url.Error
	)
	switch {
	case run.Err() != nil:
		return fmt.Errorf("%s: %w", name, context.Cause(run))
	case errors.As(err, &refused):
		return godwit.Permanent(fmt.Errorf("%s: %w", name, refused))
	case errors.As(err, &redirect):
		return godwit.Permanent(fmt.Errorf("%s: %w", name, redirect))
	case short.Err() != nil:
		return fmt.Errorf("%s: no whole answer within %s", name, timeout)
	case errors.As(err, &wrapped):
		err = wrapped.Err // without the URL, which may hold a secret
	}
	return fmt.Errorf("%s: %w", name, err)
}
