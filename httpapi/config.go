package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/godwit-go/godwit"
)

// Bounds and their defaults.
const (
	WaitMaxDefault        = time.Minute
	WaitersMaxDefault     = 4096
	BodyBytesMaxDefault   = 256 << 20
	AnswerBytesMaxDefault = 256 << 20
	RequestBytesMax       = godwit.PayloadMax + 64<<10    // bytes of a body in JSON
	BatchLineMax          = godwit.PayloadMax + 256<<10   // bytes of a line of a batch
	BatchRequestBytesMax  = godwit.BatchBytesMax + 32<<20 // bytes of a batch
	BulkMax               = 10_000                        // jobs that one call by filter looks at
	ArgsDepthMax          = 1000                          // levels of nesting of arguments
)

const (
	changesBuffered       = 4096            // events
	pollIntervalUnwatched = time.Second     // of who waits for a change of a store that tells none
	pollIntervalWatched   = 5 * time.Second // ... of one that tells
	readyTimeout          = 2 * time.Second
	writeFailureKept      = 30 * time.Second // for which a write that failed makes the server not ready
	retryAfter            = "1"              // seconds
	actTimeout            = 30 * time.Second // for a call, waits aside
	itemsPageBytes        = 8 << 20          // of a page of items, after which it ends
	emptyBytesMax         = 4 << 10          // of a body where none is needed
	bodyBytesMin          = 512              // of the memory for a body, which grows with it
	lineBytesMin          = 4 << 10          // ... for the lines of one
	writeTimeout          = 10 * time.Second // for an answer to be taken, and
	writeTimeoutPerMiB    = 10 * time.Second // for each MiB of it
)

const (
	contentTypeJSON    = "application/json"
	contentTypeProblem = "application/problem+json"

	headerIdempotencyKey    = "Idempotency-Key"
	headerIdempotentReplay  = "Idempotent-Replayed"
	headerPreferenceApplied = "Preference-Applied"
)

// Config makes a handler. The zero value is useful.
type Config struct {
	// Logger takes what must not be shown to callers: causes of 5xx answers and panics. Defaults to slog.Default().
	Logger *slog.Logger

	// Ready says why the process cannot serve now, besides a store that does not answer. Defaults to nothing.
	Ready func(ctx context.Context) error
	// Metrics serves /metrics. Defaults to none: 404.
	Metrics http.Handler
	// Observe is told of every request when it was answered. It must not block. Defaults to nobody.
	Observe func(Observation)

	// Hosts are the names by which the server may be called, without a port, besides addresses, localhost, names under localhost and
	// internal, and the machine's own; "*" is any. Defaults to any when it is reached at an address of the machine, and to none over
	// the loopback interface, where a site could have its name point; a proxy before it that hands on the Host header needs its
	// name here.
	Hosts []string
	// HostsName is what those who run the server know Hosts by: a refusal tells them what to set. Defaults to "httpapi.Config.Hosts".
	HostsName string

	// WaitMax bounds what Prefer: wait=N may ask for; more is cut to it. Defaults to [WaitMaxDefault]; negative: nobody waits.
	WaitMax time.Duration
	// WaitersMax bounds the requests that wait at a time; further ones are answered at once, with a Retry-After. Defaults to
	// [WaitersMaxDefault].
	WaitersMax int
	// BodyBytesMax bounds the memory that holds request bodies at a time, over all requests; a request over it is answered 429. The
	// process takes about twice as much at the worst, as what was let go is collected later. Defaults to [BodyBytesMaxDefault].
	BodyBytesMax int64
	// AnswerBytesMax bounds the memory that holds answers at a time: half of it while they are read and encoded, half while they are
	// sent. A request that finds none for 10 s, or none for its answer to be sent from, is answered 503. The process takes about twice
	// as much at the worst. Defaults to [AnswerBytesMaxDefault].
	AnswerBytesMax int64
}

// Observation is one request as it was answered.
type Observation struct {
	Route    string // as in the table of routes: "GET /v1/jobs/{id}"; empty for an unknown one
	Status   int
	Code     godwit.Code // of the problem, if it was one
	Duration time.Duration
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.HostsName == "" {
		c.HostsName = "httpapi.Config.Hosts"
	}
	if c.WaitMax == 0 {
		c.WaitMax = WaitMaxDefault
	}
	if c.WaitersMax <= 0 {
		c.WaitersMax = WaitersMaxDefault
	}
	if c.BodyBytesMax <= 0 {
		c.BodyBytesMax = BodyBytesMaxDefault
	}
	if c.AnswerBytesMax <= 0 {
		c.AnswerBytesMax = AnswerBytesMaxDefault
	}
	return c
}
