package builtin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/godwittest"
)

// httpConfig lets jobs reach the servers of tests, on 127.0.0.1 alone.
func httpConfig() HTTPConfig {
	return HTTPConfig{
		AllowPrivate: prefixes("127.0.0.1/32"), ResponseBytesMax: 64 << 10, TimeoutMax: time.Minute, RedirectsMax: 3, UserAgent: "godwit-test",
	}
}

// server serves a handler until the test ends.
func server(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// harness knows the task http.
func harness(t *testing.T, conf HTTPConfig) *godwittest.Harness {
	t.Helper()
	h := godwittest.New(t, godwit.Config{})
	t.Cleanup(HandleHTTP(h.Client, conf))
	return h
}

// calling does a call outside of a job.
func calling(t *testing.T, conf HTTPConfig, args HTTPArgs) (HTTPResult, error) {
	t.Helper()
	c := newCaller(conf, nil)
	t.Cleanup(c.client.CloseIdleConnections)
	return c.call(t.Context(), args)
}

// isPermanent reports whether a handler's error fails the job at once: what Permanent makes equals what it makes again.
func isPermanent(err error) bool {
	return err != nil && fmt.Sprintf("%T", err) == fmt.Sprintf("%T", godwit.Permanent(errors.New("")))
}

func args(t *testing.T, text string) HTTPArgs {
	t.Helper()
	var a HTTPArgs
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestHTTPSendsWhatItWasGivenAndGivesTheAnswer(t *testing.T) {
	t.Parallel()
	type seen struct {
		*http.Request
		body string
	}
	requests := make(chan seen, 1)
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what was read is compared
		requests <- seen{r, string(body)}
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		w.Header().Set("Set-Cookie", "secret=1")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "grüß <dich>")
	})
	h := harness(t, httpConfig())
	p, err := HTTP.Submit(t.Context(), h, args(t, `{"url":"`+s.URL+`/a?q=1#f","body":{"x":[1,2]},"headers":{"x-many":["1","2"],"Host":"other.example"}}`),
		godwit.SubmitOptions{Headers: map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := godwittest.Await(t, h, p)
	if err != nil {
		t.Fatal(err)
	}
	r := <-requests
	if r.Method != http.MethodPost || r.URL.String() != "/a?q=1" || r.body != `{"x":[1,2]}` || r.Host != "other.example" {
		t.Errorf("the server got %s %s for %s with %q", r.Method, r.URL, r.Host, r.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "godwit-test", "Idempotency-Key": p.ID().String(), "X-Many": "1",
		"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Referer": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s was %q, want %q", name, got, want)
		}
	}
	if result.Status != 201 || result.Body != "grüß <dich>" || result.Headers["X-Two"] != "a, b" || result.Headers["Set-Cookie"] != "" || result.BodyEncoding != "" {
		t.Errorf("the result is %+v", result)
	}
}

func TestHTTPDefaultHeadersGiveWay(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 2)
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { requests <- r })
	h := harness(t, httpConfig())
	for _, text := range []string{
		`{"method":"put","url":"` + s.URL + `","body":"eA==","body_encoding":"base64","headers":{"user-agent":[],"idempotency-key":"mine","Content-Type":"image/x"}}`,
		`{"url":"` + s.URL + `"}`,
	} {
		if _, err := godwittest.Run(t, h, HTTP, args(t, text)); err != nil {
			t.Fatal(err)
		}
	}
	put, get := <-requests, <-requests
	if put.Method != http.MethodPut || put.UserAgent() != "" || put.Header.Get("Idempotency-Key") != "mine" || put.Header.Get("Content-Type") != "image/x" || put.ContentLength != 1 {
		t.Errorf("the server got %s with %v", put.Method, put.Header)
	}
	if get.Method != http.MethodGet || get.Header.Get("Idempotency-Key") != "" || get.Header.Get("Content-Type") != "" {
		t.Errorf("the server got %s with %v", get.Method, get.Header)
	}
}

func TestTraceOfARunGoesBeforeThatOfItsJob(t *testing.T) {
	t.Parallel()
	came := map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b"}
	if got := traceOf(t.Context(), came); got["traceparent"] != came["traceparent"] || got["tracestate"] != "a=b" {
		t.Errorf("without a trace of the run it is %v", got)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	got := traceOf(trace.ContextWithSpanContext(t.Context(), span), came)
	if want := "00-01000000000000000000000000000000-0200000000000000-01"; got["traceparent"] != want || got["tracestate"] != "" {
		t.Errorf("with a trace of the run it is %v, want %s", got, want)
	}
}

func TestHTTPStatusDecides(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		200: "result", 204: "result", 304: "result", 400: "permanent", 404: "permanent", 410: "permanent", 422: "permanent",
		408: "retry", 429: "retry", 500: "retry", 501: "retry", 503: "retry", 599: "retry",
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			s := server(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				if status >= 400 {
					fmt.Fprint(w, "because\r\nof ", strings.Repeat("x", 5000))
				}
			})
			_, err := calling(t, httpConfig(), HTTPArgs{URL: s.URL + "/p?token=hush"})
			got := "result"
			if isPermanent(err) {
				got = "permanent"
			} else if err != nil {
				got = "retry"
			}
			if got != want {
				t.Errorf("%d is %s (%v), want %s", status, got, err, want)
			}
			if err == nil {
				return
			}
			if begin := fmt.Sprintf("GET %s/p answered %d", s.URL, status); !strings.HasPrefix(err.Error(), begin) || !strings.Contains(err.Error(), ": because  of xxx") {
				t.Errorf("the error is %q", err)
			}
			if strings.Contains(err.Error(), "hush") || len(err.Error()) > 1500 {
				t.Errorf("the error has %d bytes: %q", len(err.Error()), err)
			}
		})
	}
}

func TestHTTPRetriesWhenTheServerSaysSo(t *testing.T) {
	t.Parallel()
	first := true
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		if first {
			first = false
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	h := harness(t, httpConfig())
	begun := h.Now()
	if _, err := godwittest.Run(t, h, HTTP, HTTPArgs{URL: s.URL}); err != nil {
		t.Fatal(err)
	}
	if after := h.Now().Sub(begun); after < time.Hour || after > time.Hour+time.Second {
		t.Errorf("it was tried again after %s, want 1h", after)
	}
}

func TestRetryAfterIsReadAndBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, "-1": 0, "": 0, "soon": 0, "1.5": 0, "99999999999999999999": retryAfterMax, "90000": retryAfterMax,
		"Mon, 23 Nov 2026 12:00:30 GMT": 30 * time.Second, "Mon, 23 Nov 2026 11:00:00 GMT": 0, "Mon, 23 Nov 2099 11:00:00 GMT": retryAfterMax,
	} {
		got, ok := retryAfter(http.Header{"Retry-After": {text}}, now)
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%q is %s, %t; want %s", text, got, ok, want)
		}
	}
	skewed := http.Header{"Retry-After": {"Mon, 23 Nov 2026 10:00:30 GMT"}, "Date": {"Mon, 23 Nov 2026 10:00:00 GMT"}}
	if got, _ := retryAfter(skewed, now); got != 30*time.Second {
		t.Errorf("from a server whose clock is behind it is %s, want 30s", got)
	}
}

func TestHTTPErrorOfTheNetworkIsTriedAgain(t *testing.T) {
	t.Parallel()
	gone := server(t, nil)
	gone.Close()
	if _, err := calling(t, httpConfig(), HTTPArgs{URL: gone.URL + "?token=hush"}); err == nil || isPermanent(err) || strings.Contains(err.Error(), "hush") {
		t.Errorf("a server that is not there gave %v", err)
	}
	cut := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "not so much")
	})
	if _, err := calling(t, httpConfig(), HTTPArgs{URL: cut.URL}); err == nil || isPermanent(err) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an answer that was cut off gave %v", err)
	}
}

func TestHTTPSlowServerEndsWithTheTimeout(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() //nolint:errcheck // it is one
		<-r.Context().Done()
		close(over)
	})
	_, err := calling(t, httpConfig(), HTTPArgs{URL: s.URL, Timeout: Duration(50 * time.Millisecond)})
	if err == nil || isPermanent(err) || !strings.HasSuffix(err.Error(), "no whole answer within 50ms") {
		t.Errorf("got %v", err)
	}
	<-over
}

func TestHTTPEndsWithItsRun(t *testing.T) {
	t.Parallel()
	begun, over := make(chan struct{}), make(chan struct{})
	s := server(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(over)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-begun
		cancel(godwit.ErrStopping)
	}()
	c := newCaller(httpConfig(), nil)
	t.Cleanup(c.client.CloseIdleConnections)
	if _, err := c.call(ctx, HTTPArgs{URL: s.URL}); !errors.Is(err, godwit.ErrStopping) {
		t.Errorf("got %v, want the cause", err)
	}
	<-over
}

func TestHTTPKeepsSoMuchOfABody(t *testing.T) {
	t.Parallel()
	bodies := map[string]func(io.Writer){
		"endless": func(w io.Writer) {
			for err := error(nil); err == nil; {
				_, err = io.WriteString(w, strings.Repeat("é", 1000))
			}
		},
		"zeros": func(w io.Writer) {
			_, _ = w.Write(make([]byte, 64<<10)) // what arrives is compared
		},
		"binary": func(w io.Writer) { _, _ = w.Write([]byte{0xff, 0xfe, 0}) },
		"exact":  func(w io.Writer) { _, _ = io.WriteString(w, strings.Repeat("x", 64<<10)) },
	}
	s := server(t, func(w http.ResponseWriter, r *http.Request) { bodies[r.URL.Path[1:]](w) })
	bomb := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		bodies["endless"](z)
	})
	for name, want := range map[string]HTTPResult{
		"/endless": {Body: strings.Repeat("é", 32<<10), BodyCut: true},
		"/zeros":   {Body: strings.Repeat("\x00", 64<<10)},
		"/binary":  {Body: base64.StdEncoding.EncodeToString([]byte{0xff, 0xfe, 0}), BodyEncoding: "base64"},
		"/exact":   {Body: strings.Repeat("x", 64<<10)},
	} {
		got, err := calling(t, httpConfig(), HTTPArgs{URL: s.URL + name})
		if err != nil || got.Body != want.Body || got.BodyCut != want.BodyCut || got.BodyEncoding != want.BodyEncoding {
			t.Errorf("%s gave %d bytes, cut %t, encoding %q, %v", name, len(got.Body), got.BodyCut, got.BodyEncoding, err)
		}
	}
	if got, err := calling(t, httpConfig(), HTTPArgs{URL: bomb.URL}); err != nil || len(got.Body) != 64<<10 || !got.BodyCut {
		t.Errorf("a bomb gave %d bytes, cut %t, %v", len(got.Body), got.BodyCut, err)
	}
}

func TestLargestResultsFit(t *testing.T) {
	t.Parallel()
	headers := http.Header{}
	for i := range 32 {
		headers[fmt.Sprintf("X-%d", i)] = []string{strings.Repeat("<", 1020)}
	}
	for name, unit := range map[string]string{"markup": "<", "zeros": "\x00", "binary": "\xff", "letters": "x", "separators": "\u2028"} {
		body := bytes.Repeat([]byte(unit), (512<<10)/len(unit))
		data, err := json.Marshal(result(&http.Response{Header: headers}, body, true))
		if err != nil || len(data) > godwit.PayloadMax {
			t.Errorf("%s make a result of %d bytes, %v", name, len(data), err)
		}
	}
}

func TestHTTPUsesAProxyOnlyWhenConfigured(t *testing.T) {
	t.Parallel()
	if transport, ok := newCaller(httpConfig(), nil).client.Transport.(*http.Transport); !ok || transport.Proxy != nil {
		t.Error("without a configured proxy one of the environment would be used")
	}
	asked := make(chan string, 1)
	proxy := server(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() })
	conf := httpConfig()
	conf.AllowPrivate = nil
	conf.Proxy, _ = url.Parse(proxy.URL) // httptest makes sound ones
	if _, err := calling(t, conf, HTTPArgs{URL: "http://example.test/x"}); err != nil {
		t.Fatal(err)
	}
	if got := <-asked; got != "http://example.test/x" {
		t.Errorf("the proxy was asked for %s", got)
	}
	if _, err := calling(t, conf, HTTPArgs{URL: "http://10.0.0.1/x"}); !isPermanent(err) {
		t.Errorf("a private address through the proxy gave %v", err)
	}
}

func TestHTTPArgumentsAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"url":"http://a","header":{}}`:       `"header" is no field (did you mean "headers"?)`,
		`{"url":"http://a","timeout":"0s"}`:    `timeout must be more than 0s (leave it out for the default)`,
		`{"url":"http://a","timeout":"soon"}`:  `timeout must be a duration such as "150ms", got "soon"`,
		`{"url":"http://a","timeout":5}`:       `timeout must be a duration such as "150ms"`,
		`{"url":5}`:                            `url must be a text, got number`,
		`[]`:                                   `must be an object`,
		`{"url":"http://a","headers":{"A":5}}`: `headers must have texts or lists of texts as values`,
		`{}`:                                   `url must be given`,
		`{"url":"ftp://a/b"}`:                  `url must begin with http:// or https://, got "ftp:"`,
		`{"url":"file:///etc/passwd"}`:         `url must begin with http:// or https://`,
		`{"url":"http:///b"}`:                  `url must name a host`,
		`{"url":"http://me:hush@a/"}`:          `url must not hold a user or a password (send the header Authorization)`,
		`{"url":"http://a/%zz"}`:               `url cannot be read`,
		`{"url":"http://a/` + strings.Repeat("x", urlMax) + `"}`:                  `url must be at most 8192 bytes, got 8201`,
		`{"url":"http://a","method":"CONNECT"}`:                                   `method must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, got "CONNECT"`,
		`{"url":"http://a","method":"PSOT"}`:                                      `(did you mean "POST"?)`,
		`{"url":"http://a","method":"GET /\r\nX: y"}`:                             `method must be one of`,
		`{"url":"http://a","headers":{"A":"b\r\nC: d"}}`:                          `headers must have values without control characters, and A has one`,
		`{"url":"http://a","headers":{"A\r\nB":"c"}}`:                             `headers must be named by letters, digits and -, got "A\r\nB"`,
		`{"url":"http://a","headers":{"transfer-encoding":"chunked"}}`:            `headers must not hold Transfer-Encoding, which belongs to the connection`,
		`{"url":"http://a","headers":{"Content-Length":"5"}}`:                     `headers must not hold Content-Length`,
		`{"url":"http://a","headers":{"a":"1","A":"2"}}`:                          `headers must hold A once (give its values as a list)`,
		`{"url":"http://a","headers":{"Host":"a/b"}}`:                             `headers must have a host, or a host and port, as Host`,
		`{"url":"http://a","headers":{"A":"` + strings.Repeat("x", 17000) + `"}}`: `headers must be at most 64 with 16384 bytes in all`,
		`{"url":"http://a","body":"x","body_encoding":"hex"}`:                     `body_encoding must be "base64" or not given, got "hex"`,
		`{"url":"http://a","body":"***","body_encoding":"base64"}`:                `body must be base64, as body_encoding says`,
		`{"url":"http://a","body":{},"body_encoding":"base64"}`:                   `body must be a text when body_encoding is given`,
		`{"url":"http://a","timeout":"2m"}`:                                       `timeout must be more than 0s and at most 1m0s, got 2m0s`,
		`{"url":"x"}`:                                                             `url must begin with http:// or https://, got neither`,
		`{"url":"http://a","timeout":"-1s"}`:                                      `timeout must be more than 0s`,
	} {
		var a HTTPArgs
		err := json.Unmarshal([]byte(text), &a)
		if err == nil {
			if _, err = calling(t, httpConfig(), a); !isPermanent(err) {
				t.Errorf("%.100s gave %v, want a permanent error", text, err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 || strings.Contains(err.Error(), "hush") {
			t.Errorf("%.100s gave %v, want %s", text, err, want)
		}
	}
}

// FuzzHTTPRequest makes requests of arguments: none may say more to a server than its fields.
func FuzzHTTPRequest(f *testing.F) {
	f.Add([]byte(`{"method":"POST","url":"https://example.com/a?b=c","headers":{"A":["b","c"],"Host":"x:1"},"body":{"a":1},"timeout":"1s"}`))
	f.Add([]byte(`{"url":"http://[::ffff:127.0.0.1]:80/","headers":{"A":"b\r\nC: d"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a HTTPArgs
		if json.Unmarshal(data, &a) != nil {
			return
		}
		r, err := newCaller(HTTPConfig{UserAgent: "x"}, nil).request(t.Context(), a)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if addr, err := netip.ParseAddr(r.URL.Hostname()); err == nil && kindOf(addr) != "" {
			t.Errorf("%s was taken", r.URL)
		}
		var sent bytes.Buffer
		if err := r.Write(&sent); err != nil {
			return // net/http refuses it when it is sent
		}
		head, _, _ := strings.Cut(sent.String(), "\r\n\r\n")
		lines := 0
		for _, values := range r.Header {
			lines += len(values)
		}
		if got := strings.Count(head, "\r\n"); got > lines+4 { // Host, Content-Length or Transfer-Encoding, and what it adds
			t.Errorf("%d headers make %d lines:\n%s", lines, got, head)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7", "")
	f.Add("Mon, 23 Nov 2026 12:00:30 GMT", "Mon, 23 Nov 2026 12:00:00 GMT")
	f.Fuzz(func(t *testing.T, text, date string) {
		got, ok := retryAfter(http.Header{"Retry-After": {text}, "Date": {date}}, time.Unix(0, 0))
		if ok && (got <= 0 || got > retryAfterMax) {
			t.Errorf("%q is %s", text, got)
		}
	})
}

func TestAnswersOfOthersReachAnErrorAsOneLineThatDoesNothing(t *testing.T) {
	t.Parallel()
	s := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "a\u009b31mb\u202ec\u2028d\x1b]0;e\r\nf") // what arrives is compared
	})
	_, err := calling(t, httpConfig(), args(t, `{"url":"`+s.URL+`"}`))
	if err == nil || !strings.HasSuffix(err.Error(), "a 31mb c d ]0;e  f") {
		t.Errorf("got %q", err)
	}
}
