package builtin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
)

// Bounds of a request.
const (
	urlMax          = 8 << 10  // bytes
	headersMax      = 64       // headers
	headerBytesMax  = 16 << 10 // bytes of all names and values
	timeoutDefault  = 30 * time.Second
	idempotencyName = "Idempotency-Key"
)

// HTTPArgs are the arguments of http.
type HTTPArgs struct {
	Method       string                  `json:"method,omitempty"` // Defaults to GET, with a body to POST
	URL          string                  `json:"url"`
	Headers      map[string]HeaderValues `json:"headers,omitempty"`
	Body         json.RawMessage         `json:"body,omitempty"`          // a text, or any other JSON, which is sent as such
	BodyEncoding string                  `json:"body_encoding,omitempty"` // "base64" when the text holds bytes
	Timeout      Duration                `json:"timeout,omitzero"`        // of the whole request. Defaults to 30s
}

// UnmarshalJSON refuses fields that there are not.
func (a *HTTPArgs) UnmarshalJSON(data []byte) error {
	type plain HTTPArgs
	if err := decodeStrict(data, (*plain)(a), "method", "url", "headers", "body", "body_encoding", "timeout"); err != nil {
		return err
	}
	var given struct{ Timeout *Duration }
	if err := json.Unmarshal(data, &given); err == nil && given.Timeout != nil && *given.Timeout == 0 {
		return errors.New("timeout must be more than 0s (leave it out for the default)")
	}
	return nil
}

// HeaderValues are the values of a header: in JSON a text, or a list of texts. An empty list takes a default header away.
type HeaderValues []string

// UnmarshalJSON reads a text or a list.
func (v *HeaderValues) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil && !bytes.Equal(data, []byte("null")) {
		*v = HeaderValues{one}
		return nil
	}
	var many []string
	if err := json.Unmarshal(data, &many); err != nil || many == nil {
		return errors.New("headers must have texts or lists of texts as values")
	}
	*v = many
	return nil
}

// request makes the request that the arguments describe. What is wrong with them is an error that trying again does not mend.
func (c *caller) request(ctx context.Context, a HTTPArgs) (*http.Request, error) {
	body, kind, err := a.body()
	if err != nil {
		return nil, err
	}
	method, err := a.method(body != nil)
	if err != nil {
		return nil, err
	}
	u, err := c.url(a.URL)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("url cannot be called") // its own text may show secrets
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	c.addOwnHeaders(r, godwit.Info(ctx))
	return r, a.addHeaders(r)
}

// addOwnHeaders adds what requests have by default.
func (c *caller) addOwnHeaders(r *http.Request, job godwit.RunInfo) {
	r.Header.Set("User-Agent", c.conf.UserAgent)
	if safe := []string{http.MethodGet, http.MethodHead, http.MethodOptions}; !slices.Contains(safe, r.Method) && !job.ID.IsZero() {
		r.Header.Set(idempotencyName, job.ID.String())
	}
	for name, v := range traceOf(r.Context(), job.Headers) {
		if v != "" && isHeaderValue(v) {
			r.Header.Set(name, v)
		}
	}
}

func (a *HTTPArgs) method(hasBody bool) (string, error) {
	known := []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}
	method := strings.ToUpper(a.Method)
	switch {
	case method == "" && hasBody:
		return http.MethodPost, nil
	case method == "":
		return http.MethodGet, nil
	case !slices.Contains(known, method):
		return "", fmt.Errorf("method must be one of %s, got %s%s", strings.Join(known, ", "), quoteShort(a.Method), suggest.DidYouMean(method, known))
	}
	return method, nil
}

// body gives the bytes to send, nil for none, and their media type.
func (a *HTTPArgs) body() (body []byte, kind string, err error) {
	if a.BodyEncoding != "" && a.BodyEncoding != encodingBase64 {
		return nil, "", fmt.Errorf("body_encoding must be %q or not given, got %s", encodingBase64, quoteShort(a.BodyEncoding))
	}
	if len(a.Body) == 0 || bytes.Equal(a.Body, []byte("null")) {
		return nil, "", nil
	}
	var text string
	if err := json.Unmarshal(a.Body, &text); err != nil {
		if a.BodyEncoding != "" {
			return nil, "", errors.New("body must be a text when body_encoding is given")
		}
		return a.Body, "application/json", nil
	}
	if a.BodyEncoding == "" {
		return []byte(text), "text/plain; charset=utf-8", nil
	}
	if body, err = base64.StdEncoding.DecodeString(text); err != nil {
		return nil, "", errors.New("body must be base64, as body_encoding says")
	}
	return body, "application/octet-stream", nil
}

// url checks an address as it is written. What its name resolves to is checked when it is dialled.
func (c *caller) url(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("url must be given")
	}
	if len(raw) > urlMax {
		return nil, fmt.Errorf("url must be at most %d bytes, got %d", urlMax, len(raw))
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("url cannot be read (is something to be escaped?)")
	}
	return u, c.checkURL(u)
}

// checkURL checks an address of a job or of a redirect.
func (c *caller) checkURL(u *url.URL) error {
	switch {
	case u.Scheme == "":
		return errors.New("url must begin with http:// or https://, got neither")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("url must begin with http:// or https://, got %s", quoteShort(u.Scheme+":"))
	case u.User != nil:
		return errors.New("url must not hold a user or a password (send the header Authorization)")
	case u.Hostname() == "":
		return errors.New("url must name a host")
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return mayReach(addr, c.conf.AllowPrivate)
	}
	return nil
}

// ownHeaders are what the connection is made of, and no part of a request.
var ownHeaders = []string{
	"Connection", "Content-Length", "Expect", "Http2-Settings", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// addHeaders adds the headers of a job.
func (a *HTTPArgs) addHeaders(r *http.Request) error {
	total, seen := 0, map[string]bool{}
	for name, values := range a.Headers {
		if !token.MatchString(name) {
			return fmt.Errorf("headers must be named by letters, digits and -, got %s", quoteShort(name))
		}
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if slices.Contains(ownHeaders, canonical) {
			return fmt.Errorf("headers must not hold %s, which belongs to the connection", canonical)
		}
		if seen[canonical] {
			return fmt.Errorf("headers must hold %s once (give its values as a list)", canonical)
		}
		seen[canonical] = true
		for _, v := range values {
			if !isHeaderValue(v) {
				return fmt.Errorf("headers must have values without control characters, and %s has one", canonical)
			}
			total += len(name) + len(v)
		}
		if len(values) > headersMax || len(a.Headers) > headersMax || total > headerBytesMax {
			return fmt.Errorf("headers must be at most %d with %d bytes in all", headersMax, headerBytesMax)
		}
		if err := setHeader(r, canonical, values); err != nil {
			return err
		}
	}
	return nil
}

func setHeader(r *http.Request, name string, values []string) error {
	switch {
	case name == "Host" && (len(values) != 1 || !isHost(values[0])):
		return errors.New("headers must have a host, or a host and port, as Host")
	case name == "Host":
		r.Host = values[0]
	case name == "User-Agent" && len(values) == 0:
		r.Header[name] = []string{""} // which net/http leaves out
	default:
		r.Header[name] = values
	}
	return nil
}

func isHost(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "80"
	}
	u, err := url.Parse("http://" + net.JoinHostPort(strings.Trim(host, "[]"), port))
	return err == nil && u.Hostname() != "" && u.User == nil && u.Path == "" && !strings.ContainsAny(s, "/?#@ ")
}

// token is the grammar of names in RFC 9110, 5.6.2.
var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$")

// isHeaderValue refuses what would end a header and begin another one.
func isHeaderValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
