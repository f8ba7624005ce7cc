package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/godwit-go/godwit"
)

// server is the handler.
type server struct {
	client    *godwit.Client
	config    Config
	mux       *http.ServeMux
	origins   *http.CrossOriginProtection
	waiters   chan struct{} // a place for each request that waits
	hosts     []string      // names by which it may be called
	changes   *changes
	stops     stops
	writes    writes
	bodyBytes atomic.Int64 // of bodies in memory
	memory    *memory      // of answers
}

// New makes the handler of a client. The client need not be started: one that is not serves what others run. A nil client is
// an error of the program, and panics.
func New(c *godwit.Client, config Config) http.Handler {
	if c == nil {
		panic("httpapi: New without a client")
	}
	config = config.withDefaults()
	s := &server{
		client: c, config: config, mux: http.NewServeMux(), origins: http.NewCrossOriginProtection(),
		waiters: make(chan struct{}, config.WaitersMax), hosts: hostsOf(config), changes: newChanges(c),
		memory: newMemory(config.AnswerBytesMax),
	}
	for _, r := range routes(s) {
		s.mux.Handle(r.pattern, r.handler)
	}
	s.mux.HandleFunc("/", s.unrouted)
	return s
}

// ServeHTTP answers a request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !clean(r.URL.Path) {
		s.unrouted(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// route is one call: a pattern of http.ServeMux.
type route struct {
	pattern string
	params  []string // query parameters that it knows
	handler http.Handler
}

// at makes a route.
func at[In any](s *server, pattern string, known []string, do call[In]) route {
	return route{pattern, known, serve(s, pattern, known, do)}
}

// routes lists every call. docs/http.md describes each; a test holds the two equal.
func routes(s *server) []route {
	found := []route{
		at(s, "POST /v1/tasks/{task}", submitParams, submitOne),
		at(s, "POST /v1/jobs", nil, submitMany),

		at(s, "GET /v1/jobs/{id}", nil, getJob),
		at(s, "GET /v1/jobs/{id}/result", nil, getResult),
		at(s, "GET /v1/jobs", listParams, listJobs),
		at(s, "GET /v1/jobs/{id}/children", pageParams, listChildren),
		at(s, "GET /v1/jobs/{id}/attempts", nil, listAttempts),
		at(s, "GET /v1/jobs/{id}/logs", pageParams, listLogs),
		at(s, "GET /v1/jobs/{id}/items", pageParams, listItems),
		at(s, "GET /v1/jobs/{id}/explain", nil, explainJob),

		at(s, "POST /v1/jobs/{id}/cancel", nil, cancelJob),
		at(s, "POST /v1/jobs/{id}/retry", nil, retryJob),
		at(s, "POST /v1/jobs/{id}/run-now", nil, runJobNow),
		at(s, "POST /v1/jobs/{id}/reschedule", nil, rescheduleJob),
		at(s, "DELETE /v1/jobs/{id}", nil, deleteJob),

		at(s, "POST /v1/jobs:cancel", cancelParams, cancelJobs),
		at(s, "POST /v1/jobs:retry", bulkParams, retryJobs),
		at(s, "POST /v1/jobs:delete", bulkParams, deleteJobs),

		at(s, "GET /v1/queues", nil, listQueues),
		at(s, "POST /v1/queues/{queue}/pause", nil, pauseQueue(true)),
		at(s, "POST /v1/queues/{queue}/resume", nil, pauseQueue(false)),
		at(s, "GET /v1/tasks", nil, listTasks),
		at(s, "POST /v1/tasks/{task}/pause", nil, pauseTask(true)),
		at(s, "POST /v1/tasks/{task}/resume", nil, pauseTask(false)),
		at(s, "GET /v1/workers", nil, listWorkers),

		at(s, "GET /healthz", nil, health),
		at(s, "GET /readyz", nil, ready),
	}
	if s.config.Metrics != nil {
		found = append(found, route{"GET /metrics", nil, s.metrics()})
	}
	return found
}

// metrics admits requests to the handler of metrics.
func (s *server) metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.admit(r); err != nil {
			s.observed(w, r, "GET /metrics", func(*holding) (*answer, error) { return nil, err })
			return
		}
		s.config.Metrics.ServeHTTP(w, r)
	})
}

// unrouted answers what no route takes: 405 when the path has other methods, otherwise 404.
func (s *server) unrouted(w http.ResponseWriter, r *http.Request) {
	s.observed(w, r, "", func(*holding) (*answer, error) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := s.mux.Handler(other); pattern != "/" && pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if slices.Contains(allowed, http.MethodGet) {
			allowed = append(allowed, http.MethodHead)
		}
		if !clean(r.URL.Path) || len(allowed) == 0 || slices.Contains(allowed, r.Method) {
			return nil, &godwit.Error{Code: CodeNoRoute, Message: "there is no such call: " + quoteShort(r.Method+" "+r.URL.Path)}
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return nil, &godwit.Error{Code: CodeMethodNotAllowed, Message: quoteShort(r.URL.Path) + " has no " + quoteShort(r.Method)}
	})
}
