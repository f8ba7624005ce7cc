package httpapi

import (
	"context"
	"net/http"
	"sync"
)

// stops knows which of the servers that serve the handler shut down: http.Server ends a request's context only when its connection
// ends, so those who wait would hold up the shutdown.
type stops struct {
	mu    sync.Mutex
	known map[*http.Server]context.Context // guarded by mu; each ends when its server begins to shut down
}

// of gives a context that ends with the server that serves the request; one that never ends when that is not known.
func (s *stops) of(ctx context.Context) context.Context {
	server, ok := ctx.Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return context.Background()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.known[server]; ok {
		return known
	}
	stopping, stop := context.WithCancel(context.Background())
	server.RegisterOnShutdown(stop)
	if s.known == nil {
		s.known = map[*http.Server]context.Context{}
	}
	s.known[server] = stopping
	return stopping
}

// waiting gives a context to wait with: it ends after the preferred time, with the request, and when the server shuts down.
func (r *request) waiting() (context.Context, context.CancelFunc) {
	waiting, cancel := context.WithTimeout(r.Context(), r.prefer.wait)
	release := context.AfterFunc(r.s.stops.of(r.Context()), cancel)
	return waiting, func() {
		release()
		cancel()
	}
}
