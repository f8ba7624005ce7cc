package godwit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// runs are the runs of a worker, from their claim until the store has taken their settle.
type runs struct {
	mu      sync.Mutex
	all     map[Token]*run // guarded by mu
	newest  map[ID]*run    // guarded by mu: by job
	changed chan struct{}  // guarded by mu: closed when a run left or parked; nil while nobody waits for that
}

func newRuns() *runs {
	return &runs{all: map[Token]*run{}, newest: map[ID]*run{}}
}

func (rs *runs) add(r *run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all[r.token] = r
	rs.newest[r.token.Job] = r
}

func (rs *runs) remove(r *run) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.all[r.token] == r {
		delete(rs.all, r.token)
	}
	if rs.newest[r.token.Job] == r {
		delete(rs.newest, r.token.Job)
	}
	rs.tellLocked()
}

func (rs *runs) tellLocked() {
	if rs.changed != nil {
		close(rs.changed)
		rs.changed = nil
	}
}

// moved wakes whoever waits for a change.
func (rs *runs) moved() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.tellLocked()
}

// tell takes an event about a job that may run here.
func (rs *runs) tell(e *Event) {
	rs.mu.Lock()
	r := rs.newest[e.Job]
	rs.mu.Unlock()
	if r == nil || r.quiet.Load() || e.Run != r.token.Run {
		return
	}
	var cause error = errCancel
	if e.Reason != "" {
		cause = &Error{Code: CodeCancelled, Message: errCancel.Message, Err: errors.New(e.Reason)}
	}
	if e.Kind == EventFailed { // while it was parked: by its deadline, or the run is over for another reason
		cause = ErrLeaseLost
		if e.Code == CodeDeadlineExceeded {
			cause = errDeadline
		}
	}
	r.end(cause)
}

func (rs *runs) list() []*run {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	list := make([]*run, 0, len(rs.all))
	for _, r := range rs.all {
		list = append(list, r)
	}
	return list
}

func (rs *runs) has(t Token) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.all[t] != nil
}

func (rs *runs) tokens() []Token {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	tokens := make([]Token, 0, len(rs.all))
	for t := range rs.all {
		tokens = append(tokens, t)
	}
	return tokens
}

// endOf ends the run of a token, if it is still at it.
func (rs *runs) endOf(t Token, cause error) {
	rs.mu.Lock()
	r := rs.all[t]
	rs.mu.Unlock()
	if r != nil && !r.quiet.Load() {
		r.end(cause)
	}
}

// lose ends the runs of a session that is over.
func (rs *runs) lose(session ID) {
	for _, r := range rs.list() {
		if r.token.Session == session {
			r.end(ErrLeaseLost)
		}
	}
}

func (rs *runs) end(cause error) {
	for _, r := range rs.list() {
		r.end(cause)
	}
}

func (rs *runs) endParked() {
	for _, r := range rs.list() {
		if r.parked.Load() {
			r.end(ErrStopping)
		}
	}
}

// idle reports whether no handler is at work and no settle is under way.
func (rs *runs) idle() bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.all) == 0
}

// waitUntil waits until the condition holds, at most for d and until ctx ends, and reports whether it does.
func (rs *runs) waitUntil(ctx context.Context, d time.Duration, holds func(*runs) bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		rs.mu.Lock()
		if rs.changed == nil {
			rs.changed = make(chan struct{})
		}
		changed := rs.changed
		rs.mu.Unlock()
		if holds(rs) {
			return true
		}
		select {
		case <-changed:
		case <-timer.C:
			return holds(rs)
		case <-ctx.Done():
			return holds(rs)
		}
	}
}

// left names the handlers that did not return, by task, at most ten.
func (rs *runs) left() []string {
	var names []string
	for _, r := range rs.list() {
		if !r.quiet.Load() {
			names = append(names, fmt.Sprintf("%s (job %s)", r.job.Task, r.job.ID))
		}
	}
	slices.Sort(names)
	if more := len(names) - 10; more > 0 {
		names = append(names[:10], fmt.Sprintf("and %d more", more))
	}
	return names
}

func (rs *runs) stats() Stats {
	var s Stats
	for _, r := range rs.list() {
		switch {
		case r.quiet.Load():
			continue
		case r.parked.Load():
			s.Waiting++
		default:
			s.Running++
		}
		if r.stuck.Load() {
			s.Stuck++
		}
	}
	return s
}
