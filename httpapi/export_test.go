package httpapi

import "net/http"

const WriteFailureKept = writeFailureKept

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

// Params lists the query parameters that each route knows.
func Params(h http.Handler) map[string][]string {
	s, ok := h.(*server)
	if !ok {
		return nil
	}
	params := map[string][]string{}
	for _, r := range routes(s) {
		params[r.pattern] = r.params
	}
	return params
}

// Watched counts the jobs whose changes are waited for.
func Watched(h http.Handler) int {
	s, ok := h.(*server)
	if !ok {
		return -1
	}
	s.changes.mu.Lock()
	defer s.changes.mu.Unlock()
	return len(s.changes.waiting)
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

// AnswerBytes counts the bytes that are set aside for answers: those that are made, and those that are sent.
func AnswerBytes(h http.Handler) (making, sending int64) {
	s, ok := h.(*server)
	if !ok {
		return -1, -1
	}
	for _, l := range []lane{s.memory.making, s.memory.changes} {
		making += l.size
		free := int64(0)
		for l.TryAcquire(1 << 10) {
			free += 1 << 10
		}
		l.Release(free)
		making -= free
	}
	return making, s.memory.sending.Load()
}
