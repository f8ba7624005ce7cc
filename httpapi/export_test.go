package httpapi

import "net/http"

// Patterns lists the routes of a handler.
func Patterns(h http.Handler) []string {
	s, ok := h.(*server)
	if !ok {
		return nil
	}
	var patterns []string
	for _, r := range routes(s) {
		patterns = append(patterns, r.pattern)
	}
	return patterns
}

// Waiters counts the requests that wait.
func Waiters(h http.Handler) int {
	s, ok := h.(*server)
	if !ok {
		return -1
	}
	return len(s.waiters)
}

// BodyBytes counts the bytes of bodies in memory.
func BodyBytes(h http.Handler) int64 {
	s, ok := h.(*server)
	if !ok {
		return -1
	}
	return s.bodyBytes.Load()
}
