package async

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Scope owns the goroutines that are started in it. It is made by [Run], which does not return before all of them have: nothing
// that a scope starts outlives the call. All its methods may be called by any goroutine.
type Scope struct {
	ctx    context.Context
	tasks  *ownedContext // the same, as the parent of tasks that have a future.
	cancel context.CancelCauseFunc
	slots  chan struct{} // holds one token for each running task; nil without a limit.
	hook   func(error)

	// live counts the body and the tasks that have not ended. It never rises again from 0: then the scope is over.
	live atomic.Int64
	idle chan struct{} // closed when live falls to 0.

	mu        sync.Mutex
	failures  failureList   // guarded by mu
	panicked  *PanicError   // the first one; guarded by mu
	stopped   bool          // Stop was called; guarded by mu
	cut       error         // a cancellation that nobody looked at; guarded by mu
	closed    bool          // the outcome is decided; guarded by mu
	resolvers *resolverLink // those that are pending; guarded by mu
}

// ScopeConfig says how a scope behaves. The zero value is ready for use, and what [Run] uses.
type ScopeConfig struct {
	// Limit is how many tasks may run at once. A Go beyond it waits until another task ends; do not start tasks of a limited
	// scope from its own tasks then, as they would wait for themselves: nest a scope, or use TryGo. Nor should a task of the scope
	// await what Then, Compose, Catch, Finally or Delay has made of it: their functions need a place too, which it may be
	// holding. The body of Run takes up no place and may do both. Defaults to no limit.
	Limit int

	// OnUnobserved is called with every error of a future that nobody looked at: at the end of Run, which returns when all of
	// them have been told. Where thousands of such errors pile up, the oldest are told earlier, several at once, and each while
	// a task that fails then waits for it. A panic of OnUnobserved is one of the scope; the other errors are told all the same,
	// also where OnUnobserved calls runtime.Goexit. Defaults to joining these errors to the one that Run returns.
	OnUnobserved func(err error)
}

// Run calls body with a new scope and returns when body and every task started in the scope have returned.
//
// The first error, of body or of a task of [Scope.Go], cancels the scope's context with that error as its cause. Run returns it;
// further errors that are not consequences of the cancellation are joined to it. A panic of a task cancels it too; when all
// have returned, Run panics with a [*PanicError] that holds the first panic's value and stack. A panic of body goes on as well when
// all have returned, and so does its Goexit; what Run cannot return then goes to OnUnobserved of [ScopeConfig].
//
// A ctx that has already ended makes Run return its error without calling body.
func Run(ctx context.Context, body func(ctx context.Context, s *Scope) error) error {
	return ScopeConfig{}.Run(ctx, body)
}

// Run is [Run] with a configuration. A bad one is an error that names the field; body is not called then.
func (cfg ScopeConfig) Run(ctx context.Context, body func(ctx context.Context, s *Scope) error) (err error) {
	mustFunc(body == nil, "Run")
	if err := within("ScopeConfig.Limit", 0, ConcurrencyMax, cfg.Limit); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return cancelErr(ctx)
	}
	s := newScope(ctx, cfg)
	returned := false
	defer func() {
		panicked := recover()
		if !returned {
			// The body panics or has called Goexit, and goes on doing so when the tasks have returned.
			s.cancel(errBodyGone)
		}
		s.leave()
		s.awaitIdle()
		err = s.end(panicked, !returned)
	}()
	if err := body(s.ctx, s); err != nil {
		s.fail(err)
	}
	returned = true
	return nil
}

// errBodyGone is the cause of the cancellation when the body of a scope does not return.
var errBodyGone = errors.New("async: the body of the scope panicked or called runtime.Goexit")

func newScope(ctx context.Context, cfg ScopeConfig) *Scope {
	s := &Scope{hook: cfg.OnUnobserved, idle: make(chan struct{})}
	inner, cancel := context.WithCancelCause(ctx)
	s.ctx, s.tasks, s.cancel = inner, &ownedContext{inner, taskOf(ctx)}, cancel
	if cfg.Limit > 0 {
		s.slots = make(chan struct{}, cfg.Limit)
	}
	s.live.Store(1)
	return s
}

// Go starts fn as a task. It waits for a free place where the scope has a limit. When the scope is cancelled before fn could
// start, fn is not called and Run returns the cancellation. Go panics when the scope has ended: nobody would wait for fn.
func (s *Scope) Go(fn func(ctx context.Context) error) {
	mustFunc(fn == nil, "Scope.Go")
	if !s.enter() {
		panic("async: Scope.Go after the scope has ended")
	}
	if err := s.acquire(s.ctx); err != nil {
		s.unstarted(err)
		s.leave()
		return
	}
	go s.run(fn)
}

// TryGo starts fn as a task if it can at once. It returns false when the limit is reached, and when the scope is cancelled or has
// ended.
func (s *Scope) TryGo(fn func(ctx context.Context) error) bool {
	mustFunc(fn == nil, "Scope.TryGo")
	if s.ctx.Err() != nil || !s.enter() {
		return false
	}
	if s.slots != nil {
		select {
		case s.slots <- struct{}{}:
		default:
			s.leave()
			return false
		}
	}
	go s.run(fn)
	return true
}

// Cancel cancels the scope's context with the cause, which Run returns unless there is an earlier error. A nil cause means
// [context.Canceled].
func (s *Scope) Cancel(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	s.fail(cause)
}

// Stop ends the scope early and successfully: the rest is cancelled with [ErrStopped], and the errors that come of that count for
// nothing. Errors of another kind count as ever.
func (s *Scope) Stop() {
	s.mu.Lock()
	if s.ctx.Err() == nil {
		s.stopped = true
	}
	s.mu.Unlock()
	s.cancel(ErrStopped)
}

// enter adds one to those the scope waits for. It returns false when the scope is over.
func (s *Scope) enter() bool {
	for {
		n := s.live.Load()
		if n == 0 {
			return false
		}
		if s.live.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *Scope) leave() {
	if s.live.Add(-1) == 0 {
		close(s.idle)
	}
}

// awaitIdle waits until everything in the scope has ended. Where the tasks wait for the one that runs the scope, this wait takes part
// in the knot, but one of theirs ends with ErrCycle.
func (s *Scope) awaitIdle() {
	select {
	case <-s.idle:
		return
	default:
	}
	v := newVigil(s.ctx)
	defer v.end()
	for {
		select {
		case <-s.idle:
			return
		case <-v.due:
			_ = v.check(func(w *wait) { w.scope = s.tasks })
		}
	}
}

// acquire waits for a place under the limit, or for the end of ctx.
func (s *Scope) acquire(ctx context.Context) error {
	if ctx.Err() != nil {
		return cancelErr(ctx)
	}
	if s.slots == nil {
		return nil
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return cancelErr(ctx)
	}
}

func (s *Scope) release() {
	if s.slots != nil {
		<-s.slots
	}
}

// run is the goroutine of a task without a result.
func (s *Scope) run(fn func(context.Context) error) {
	err := ErrGoexit
	defer func() {
		if r := recover(); r != nil {
			s.panics(newPanicError(r))
		} else if err != nil {
			s.fail(err)
		}
		s.release()
		s.leave()
	}()
	ctx, _ := s.tasks.part(s.ctx)
	err = fn(ctx)
}

// fail notes an error and cancels the rest. Consequences of an earlier cancellation are no news.
func (s *Scope) fail(err error) {
	s.mu.Lock()
	ended := s.ctx.Err() != nil
	if ended && matchesEnd(s.ctx, err) {
		s.cutShort(err)
	} else {
		s.failures.add(err)
	}
	s.mu.Unlock()
	s.cancel(err)
}

// unstarted notes that a task was not started because of a cancellation.
func (s *Scope) unstarted(err error) {
	s.mu.Lock()
	s.cutShort(err)
	s.mu.Unlock()
}

// cutShort remembers that a cancellation from outside kept work from being done. The caller holds mu.
func (s *Scope) cutShort(err error) {
	if s.cut == nil && !s.stopped {
		s.cut = withCause(err, context.Cause(s.ctx))
	}
}

func (s *Scope) panics(pe *PanicError) bool {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	if s.panicked == nil {
		s.panicked = pe
	} else if s.panicked != pe {
		s.failures.add(pe)
	}
	s.mu.Unlock()
	s.cancel(pe)
	return true
}

func (s *Scope) taskPanicked(pe *PanicError) bool { return s.panics(pe) }

func (s *Scope) callbackPanicked(pe *PanicError) bool { return s.panics(pe) }

func (s *Scope) taskFailed(f *core, cut bool) {
	err := f.unobservedErr()
	if err == nil {
		return
	}
	var overdue []*core
	s.mu.Lock()
	if !cut {
		overdue = s.failures.watch(f)
	} else if s.ctx.Err() != nil {
		s.cutShort(err)
	}
	s.mu.Unlock()
	s.report(unseen(overdue), s.hook)
}

// report gives unobserved errors to the hook, or joins them to the outcome.
func (s *Scope) report(errs []error, hook func(error)) {
	if hook != nil {
		tell(hook, errs, func(pe *PanicError) { s.panics(pe) })
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, err := range errs {
		s.failures.add(err)
	}
}

// end settles what is still pending and gives the scope's outcome. Everything that could fail has ended. body is what the body has
// panicked with, or nil, and gone says that it has not returned.
func (s *Scope) end(body any, gone bool) error {
	apart(s.expireResolvers)
	s.cancel(ErrScopeEnded)
	s.mu.Lock()
	watched := s.failures.watched
	s.failures.watched = nil
	hook := s.hook
	if s.panicked != nil || body != nil {
		hook = nil // A panic takes all failures with it.
	}
	s.mu.Unlock()
	s.report(unseen(watched), hook)
	if gone && hook != nil {
		if err := s.outcome(); err != nil {
			s.report([]error{err}, hook) // After Goexit nobody gets what Run returns.
		}
	}
	s.mu.Lock()
	s.closed = true
	panicked, failures := s.panicked, s.failures.join()
	s.mu.Unlock()
	panicAgain(body, panicked, failures)
	return s.outcome()
}

// outcome gives the failures or, where there are none, the cancellation that kept work from being done.
func (s *Scope) outcome() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failures.join(); err != nil {
		return err
	}
	return s.cut
}
