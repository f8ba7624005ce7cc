package httpclient

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

// Config makes a [Client]. Only URL must be given.
type Config struct {
	// URL of the server, such as http://127.0.0.1:8080, with the path under which /v1 is found, if any.
	URL string
	// Token is sent as a bearer token. Defaults to none.
	Token string
	// HTTPClient makes the requests. A Timeout of its own must be longer than Wait. Defaults to one with its own transport
	// that keeps as many connections as awaits need. Redirects are not followed, whatever its CheckRedirect: of a submission they would
	// make a read.
	HTTPClient *http.Client

	// RetryFor is how long a call that can be repeated is repeated while the server does not answer, from the first try that failed.
	// Defaults to 15 s; negative: it is not repeated.
	RetryFor time.Duration
	// Wait is how long one request asks the server to wait; awaiting goes on with the next request. Defaults to 30 s; from 1 s to
	// 10 min.
	Wait time.Duration
}

// Client reaches a server. It is safe for use by many goroutines.
type Client struct {
	base   string // without a slash at its end
	config Config
	ids    godwit.IDs
}

var _ godwit.Admin = (*Client)(nil)

const (
	retryForDefault     = 15 * time.Second
	waitDefault         = 30 * time.Second
	waitMax             = 10 * time.Minute
	awaitsAtOnce        = 8         // requests of one AwaitOutcomes
	answerBytesMax      = 128 << 20 // of a page of items at their bounds, with room
	problemBytesMax     = 1 << 20
	retryPauseFirst     = 50 * time.Millisecond
	retryPauseMax       = 2 * time.Second
	idleConnectionsHost = 64
)

// New makes a client. It does not reach out yet.
func New(config Config) (*Client, error) {
	u, err := url.Parse(config.URL)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, invalid("URL", "must be a URL such as http://127.0.0.1:8080, got %q", config.URL)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, invalid("URL", "must have no query, fragment or user, got %q", u.Redacted())
	case strings.ContainsAny(config.Token, "\r\n"):
		return nil, invalid("Token", "must be one line")
	}
	if config.RetryFor == 0 {
		config.RetryFor = retryForDefault
	}
	if config.Wait == 0 {
		config.Wait = waitDefault
	}
	if config.Wait < time.Second || config.Wait > waitMax {
		return nil, invalid("Wait", "must be from 1s to %v, got %v", waitMax, config.Wait)
	}
	if config.HTTPClient == nil {
		transport, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			transport = &http.Transport{}
		}
		transport = transport.Clone()
		transport.MaxIdleConnsPerHost = idleConnectionsHost
		config.HTTPClient = &http.Client{Transport: transport}
	}
	direct := *config.HTTPClient // whose owner keeps it as it is
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	config.HTTPClient = &direct
	return &Client{base: strings.TrimRight(config.URL, "/"), config: config}, nil
}
