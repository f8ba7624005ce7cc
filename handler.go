package godwit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// HandlerFunc does a job, as [Middleware] sees it: arguments and result are out of sight, [Info] tells which job it is.
type HandlerFunc func(ctx context.Context) error

// Middleware wraps handlers: for tracing, locks, values in the context. The first of [Config].Middleware is the outermost. An
// error it returns counts as the handler's.
//
// next decodes the arguments, calls the handler and encodes its result; whatever goes wrong in it is an error, a panic too, and
// [VerdictOf] tells what that error means for the job. What next does not return from is runtime.Goexit: release in a defer
// what must be released. A middleware that returns nil for an error of next makes the run a success with the zero result.
type Middleware func(next HandlerFunc) HandlerFunc

// Handle makes fn the handler of a task in this client, before [Client.Start]. It panics when the client was started or the
// task, or one of its aliases, has a handler already, as that is an error of the program.
func Handle[A, R any](c *Client, t *Task[A, R], fn func(ctx context.Context, args A) (R, error)) {
	if fn == nil {
		panic("godwit: Handle(" + t.name + "): the handler is nil")
	}
	c.handle(&handler{
		task: t.name, policy: t.policy,
		call: func(ctx context.Context, args Payload, within []Middleware) (Payload, error) {
			if len(within) == 0 {
				return runOnce(ctx, args, fn)
			}
			return runWithin(ctx, args, fn, within)
		},
	})
}

// runWithin runs once within middleware.
func runWithin[A, R any](ctx context.Context, args Payload, fn func(context.Context, A) (R, error), within []Middleware) (Payload, error) {
	var result Payload
	next := HandlerFunc(func(ctx context.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = caught(p)
			}
		}()
		result, err = runOnce(ctx, args, fn)
		return err
	})
	for _, m := range slices.Backward(within) {
		next = m(next)
	}
	err := next(ctx)
	if err == nil && result.Encoding == "" { // a middleware forgave the error
		var out R
		return encodeResult(out)
	}
	return result, err
}

// runOnce decodes, calls and encodes.
func runOnce[A, R any](ctx context.Context, args Payload, fn func(context.Context, A) (R, error)) (Payload, error) {
	var in A
	if err := decode(args, &in); err != nil {
		return Payload{}, &undecodableError{err}
	}
	out, err := fn(ctx, in)
	if err != nil {
		return Payload{}, err
	}
	return encodeResult(out)
}

// handler is a registered handler.
type handler struct {
	task   string
	policy Policy
	call   func(ctx context.Context, args Payload, within []Middleware) (Payload, error)
}

// handlers are those of a client.
type handlers struct {
	mu     sync.Mutex
	byName map[string]*handler // guarded by mu; by task and alias
	closed bool                // guarded by mu: the client was started
}

func (c *Client) handle(h *handler) {
	c.handlers.mu.Lock()
	defer c.handlers.mu.Unlock()
	if c.handlers.closed {
		panic("godwit: Handle(" + h.task + "): the client was started before")
	}
	for _, name := range append([]string{h.task}, h.policy.Aliases...) {
		if c.handlers.byName[name] != nil {
			panic("godwit: Handle(" + h.task + "): there is a handler of " + name + " already")
		}
		c.handlers.byName[name] = h
	}
}

// find gives the handler of a task, by its name or an alias.
func (hs *handlers) find(task string) (*handler, bool) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h, ok := hs.byName[task]
	return h, ok
}

// names gives the names of the tasks that have handlers, aliases included, sorted.
func (hs *handlers) names() []string {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	names := make([]string, 0, len(hs.byName))
	for name := range hs.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// capabilities closes the registry and gives what a session announces.
func (hs *handlers) capabilities() []Capability {
	names := hs.names()
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.closed = true
	announced := make([]Capability, 0, len(names))
	for _, name := range names {
		p := hs.byName[name].policy
		announced = append(announced, Capability{Task: name, MinVersion: p.MinVersion, MaxVersion: p.Version})
	}
	return announced
}

func decode(p Payload, into any) error {
	if p.Encoding != EncodingJSON {
		return fmt.Errorf("unknown encoding %s", quoteShort(p.Encoding))
	}
	return json.Unmarshal(p.Data, into)
}

// encodeResult encodes what a handler returned. Its errors are permanent: the same result would come again.
func encodeResult(v any) (Payload, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Payload{}, &Error{Code: CodeUnencodable, Message: "the result does not encode as JSON", Err: err}
	}
	if len(data) > PayloadMax {
		return Payload{}, &Error{Code: CodeResultTooLarge, Message: fmt.Sprintf(
			"the result must be at most %d bytes encoded, got %d (store it elsewhere and return its address)", PayloadMax, len(data))}
	}
	return Payload{Encoding: EncodingJSON, Data: data}, nil
}

// undecodableError says that arguments do not decode: the handler was never called.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string { return "decode arguments: " + e.err.Error() }
func (e *undecodableError) Unwrap() error { return e.err }
