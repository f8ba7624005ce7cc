package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// request is what a call is given besides its input.
type request struct {
	*http.Request
	w      http.ResponseWriter
	s      *server
	params *params
	prefer preference
	held   int64    // bytes of the body that count against the server's bound
	answer *holding // what the answer holds
}

// answer is what a call answers with.
type answer struct {
	status int         // defaults to 200
	header http.Header // defaults to none
	body   any         // encoded as JSON; nil: none
	raw    []byte      // a body in JSON already; goes before body
}

// none is the input of calls without a body. One that says something all the same was meant for another call, or for parameters.
type none struct{}

// raw is an input that is taken as it comes, in JSON, at most an argument's size.
type raw json.RawMessage

// stream is an input that the call reads by itself, line by line.
type stream struct{ *lineReader }

// call does one call of the API.
type call[In any] func(context.Context, *request, In) (*answer, error)

// serve makes the handler of one call: it refuses unknown parameters, reads the body into In within its bound, has do done, and
// writes its answer or the problem. In is none, raw, stream or a struct that the JSON body is decoded into; an empty body is
// the zero struct.
func serve[In any](s *server, route string, known []string, do call[In]) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		s.observed(w, hr, route, func(h *holding) (*answer, error) {
			if err := s.admit(hr); err != nil {
				return nil, err
			}
			p, err := newParams(hr.URL.RawQuery, known)
			if err != nil {
				return nil, err
			}
			r := &request{Request: hr, w: w, s: s, params: p, prefer: parsePrefer(hr.Header, s.config.WaitMax), answer: h}
			defer r.letGo()
			var in In
			if err := r.read(&in); err != nil {
				return nil, err
			}
			ctx, cancel := acting(hr.Context())
			defer cancel()
			return do(ctx, r, in)
		})
	})
}

// acting gives a context to do a call with that has been read: it is carried out although its sender may have gone, or closed its side
// of the connection, which is the same to net/http. What waits goes by the request's own context.
func acting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
}

// observed does a call, writes what came of it, and tells the observer. A panic is a 500.
func (s *server) observed(w http.ResponseWriter, hr *http.Request, route string, do func(*holding) (*answer, error)) {
	start := time.Now()
	o := Observation{Route: route}
	h := &holding{m: s.memory, changes: changing(hr.Method)}
	defer h.letGo()
	body, a, err := s.done(hr, route, h, do)
	s.writes.tell(route, err, s.client.Now())
	if err != nil {
		p := s.explain(route, err)
		o.Status, o.Code = p.Status, p.Code
		writeProblem(w, p)
	} else {
		o.Status = a.status
		write(w, a, body)
	}
	if s.config.Observe != nil {
		o.Duration = time.Since(start)
		s.config.Observe(o)
	}
}

// done does a call and encodes its answer, for which there is room in h. Nothing else of what was read is held any more.
func (s *server) done(hr *http.Request, route string, h *holding, do func(*holding) (*answer, error)) ([]byte, *answer, error) {
	defer h.made()
	a, err := s.guarded(route, func() (*answer, error) { return do(h) })
	if errors.Is(err, errNoRoom) {
		return nil, nil, noRoom(hr.Method)
	}
	if err != nil {
		return nil, nil, err
	}
	body := a.raw
	if body == nil && a.body != nil {
		if body, err = wire.Encode(a.body); err != nil {
			return nil, nil, fmt.Errorf("encode the answer: %w", err)
		}
	}
	if !h.send(int64(cap(body)), hr.Method == http.MethodGet) {
		return nil, nil, noRoom(hr.Method)
	}
	a.raw, a.body = nil, nil
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return body, a, nil
}

func (s *server) guarded(route string, do func() (*answer, error)) (a *answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.config.Logger.Error("httpapi: panic", "route", route, "panic", v, "stack", string(debug.Stack()))
			a, err = nil, &godwit.Error{Code: CodeInternal, Message: "internal error (the server has logged it)"}
		}
	}()
	return do()
}

// explain makes a problem of an error, and logs what the problem does not show.
func (s *server) explain(route string, err error) *wire.Problem {
	var failed *problemError
	if errors.As(err, &failed) {
		return failed.Problem
	}
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		level, notReady := slog.LevelError, (*notReadyError)(nil)
		if errors.As(err, &notReady) || errors.Is(err, errNoRoom) { // of which there would be one for each
			level = slog.LevelDebug
		}
		s.config.Logger.Log(context.Background(), level, "httpapi: answer", "route", route, "status", p.Status, "err", err)
	}
	return p
}

// problemError is a problem that a call made by itself.
type problemError struct{ *wire.Problem }

func (e *problemError) Error() string { return e.Detail }

// write writes an answer.
func write(w http.ResponseWriter, a *answer, body []byte) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if body != nil {
		w.Header().Set("Content-Type", contentTypeJSON)
	}
	send(w, a.status, body)
}

// send writes an answer, which its reader must take within a time: a connection that is not read holds a goroutine and the body. The
// length is set and all is flushed, so that the deadline need not outlast the answer: the next one on the connection may be another
// handler's.
func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	c := http.NewResponseController(w)
	bounded := c.SetWriteDeadline(time.Now().Add(writeTimeout+time.Duration(len(body)>>20)*writeTimeoutPerMiB)) == nil
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err := w.Write(body) // a reader that has gone needs no answer
	if bounded && err == nil && c.Flush() == nil {
		_ = c.SetWriteDeadline(time.Time{}) // which could be set before
	}
}

func writeProblem(w http.ResponseWriter, p *wire.Problem) {
	body, err := wire.Encode(p)
	if err != nil {
		body = []byte(`{"title":"Internal Server Error","status":500,"detail":"internal error","code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", contentTypeProblem)
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	send(w, p.Status, body)
}

// read reads the body into in.
func (r *request) read(in any) error {
	switch in := in.(type) {
	case *none:
		data, err := r.readAll(emptyBytesMax)
		if data = bytes.TrimSpace(data); err == nil && len(data) > 0 && string(data) != "{}" {
			err = invalid("body", "must be empty: this call takes none, got %s", quoteShort(string(data)))
		}
		return err
	case *stream:
		var err error
		in.lineReader, err = r.lines(BatchRequestBytesMax)
		return err
	case *raw:
		data, err := r.readAll(godwit.PayloadMax)
		*in = data
		return err
	}
	data, err := r.readAll(RequestBytesMax)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return err
	}
	return decodeStrict(data, in)
}

// readAll reads a body into memory whose size counts, not only what has come: room for more of it is memory too.
func (r *request) readAll(bound int64) ([]byte, error) {
	if err := r.refuseLong(bound); err != nil {
		return nil, err
	}
	body := http.MaxBytesReader(r.w, r.Body, bound)
	most := bound + 1 // a byte for the end to be seen
	if r.ContentLength >= 0 {
		most = r.ContentLength + 1
	}
	var data []byte
	for {
		if len(data) == cap(data) {
			if int64(len(data)) == most {
				most = bound + 1
			}
			size := min(max(2*int64(cap(data)), bodyBytesMin), most)
			if err := r.hold(size); err != nil {
				return nil, err
			}
			more := make([]byte, len(data), size)
			copy(more, data)
			_ = r.hold(-int64(cap(data))) // giving back is never refused
			data = more
		}
		n, err := body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, bodyError(err)
		}
	}
}

// refuseLong refuses a body that says that it is over the bound before it is sent, when its sender waits for that (Expect: 100-continue).
func (r *request) refuseLong(bound int64) error {
	if r.ContentLength > bound {
		return bodyError(&http.MaxBytesError{Limit: bound})
	}
	return nil
}

// hold counts bytes that the request holds in memory, and refuses those that are too many.
func (r *request) hold(n int64) error {
	r.held += n
	if r.s.bodyBytes.Add(n) > r.s.config.BodyBytesMax && n > 0 {
		return &godwit.Error{Code: CodeTooBusy, Message: "too many requests with large bodies are under way (try again)"}
	}
	return nil
}

// letGo gives back what the body held. It is safe twice.
func (r *request) letGo() {
	r.s.bodyBytes.Add(-r.held)
	r.held = 0
}

// bodyError says what an error of reading a body means to its sender.
func bodyError(err error) error {
	var tooLong *http.MaxBytesError
	var own *godwit.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLong):
		return tooLarge("body", "must be at most %d bytes (store the data elsewhere and pass its address)", tooLong.Limit)
	case errors.As(err, &own):
		return err
	}
	return malformed("body", "was cut off, or cannot be read")
}
