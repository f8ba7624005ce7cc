package async

import (
	"context"
	"sync/atomic"
)

// Resolver settles a future from outside: from a callback of another library, from the goroutine that reads replies off a
// connection. All its methods may be called by any goroutine.
type Resolver[T any] struct {
	future  *Future[T] // apart from the resolver, so that to keep it does not keep the scope.
	scope   *Scope
	link    resolverLink
	watcher watcher     // takes the link out when the future settles, whoever settles it.
	settled atomic.Bool // the future is settled and its outcome not reported.
}

// resolverLink places a pending resolver in its scope's list. Its fields are guarded by the scope's mu.
type resolverLink struct {
	prev, next *resolverLink
	listed     bool
	resolver   interface{ expire() }
}

// NewResolver makes a resolver whose future belongs to s. Run does not wait for it, but nobody can be left waiting either: what
// is still pending when everything else in the scope has ended fails with [ErrScopeEnded], as does a resolver made after that.
func NewResolver[T any](s *Scope) *Resolver[T] {
	r := &Resolver[T]{future: &Future[T]{}, scope: s}
	r.future.owner = s
	r.link.resolver = r
	r.watcher.listener = r
	r.future.watch(&r.watcher)
	if !s.list(&r.link) {
		var zero T
		r.future.settle(zero, ErrScopeEnded)
	}
	return r
}

// Future gives the future that r settles: always the same one.
func (r *Resolver[T]) Future() *Future[T] { return r.future }

// Resolve makes the future succeed with v. It returns false, and changes nothing, when the future is settled: only the first of
// Resolve, Reject, Settle and Cancel counts.
func (r *Resolver[T]) Resolve(v T) bool { return r.Settle(v, nil) }

// Reject makes the future fail with err, as Resolve makes it succeed. A nil err is answered with a panic.
func (r *Resolver[T]) Reject(err error) bool {
	if err == nil {
		panic("async: Reject was given a nil error")
	}
	var zero T
	return r.Settle(zero, err)
}

// Settle is Resolve or Reject, by whether err is nil: it takes what a Go function returns.
func (r *Resolver[T]) Settle(v T, err error) bool {
	if err != nil {
		var zero T
		v = zero
	}
	if !r.scope.enter() {
		return false // The scope's end settles it, or has done so.
	}
	defer r.scope.leave()
	defer r.report()
	return r.future.settle(v, err)
}

// told is called when the future has settled.
func (r *Resolver[T]) told(int) {
	r.settled.Store(true)
	r.scope.unlist(&r.link)
}

// report tells the scope of a failure, once, also where a callback has ended the goroutine.
func (r *Resolver[T]) report() {
	if r.settled.Swap(false) && r.future.err != nil {
		r.scope.taskFailed(&r.future.core, matchesEnd(r.scope.ctx, r.future.err))
	}
}

// expire settles the future at the end of the scope. That nobody awaited it is no failure worth a report.
func (r *Resolver[T]) expire() {
	var zero T
	r.future.settle(zero, ErrScopeEnded)
}

// Context gives the scope's context: work that will settle r should end with it.
func (r *Resolver[T]) Context() context.Context { return r.scope.ctx }

// list adds a pending resolver. It returns false when the scope is over.
func (s *Scope) list(link *resolverLink) bool {
	if !s.enter() {
		return false
	}
	defer s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	link.next = s.resolvers
	if link.next != nil {
		link.next.prev = link
	}
	s.resolvers = link
	link.listed = true
	return true
}

// unlist takes a resolver out, unless it is out already.
func (s *Scope) unlist(link *resolverLink) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !link.listed {
		return
	}
	link.listed = false
	if link.next != nil {
		link.next.prev = link.prev
	}
	if link.prev != nil {
		link.prev.next = link.next
	} else {
		s.resolvers = link.next
	}
	link.prev, link.next = nil, nil
}

func (s *Scope) expireResolvers() {
	for {
		s.mu.Lock()
		link := s.resolvers
		s.mu.Unlock()
		if link == nil {
			return
		}
		link.resolver.expire()
		s.unlist(link) // Somebody else may have settled it and not come to this yet.
	}
}
