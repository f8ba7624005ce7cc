package async

import (
	"context"
	"sync/atomic"
	"time"
)

// taskContext is the context of one task. It makes the channel and the registration with its
// parent only when somebody asks for Done or cancels the task, so that a task that never looks pays for neither.
type taskContext struct {
	parent context.Context
	own    atomic.Pointer[ownContext] // nil until needed; taskOver once the task has returned.
}

// ownContext is the cancellable child of the task's parent, made at first need.
type ownContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// taskOver stands in for the own context of every task that returned: its context is cancelled, as that of a served request is.
var taskOver = func() *ownContext {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(nil)
	return &ownContext{Context: ctx, cancel: cancel}
}()

// taskKey finds the innermost task in a context.
type taskKey struct{}

var _ context.Context = (*taskContext)(nil)

// taskOf gives the task that ctx belongs to, or nil.
func taskOf(ctx context.Context) *taskContext {
	t, _ := ctx.Value(taskKey{}).(*taskContext)
	return t
}

func (c *taskContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *taskContext) Done() <-chan struct{} { return c.need().Done() }

func (c *taskContext) Err() error {
	if own := c.own.Load(); own != nil {
		return own.Err()
	}
	return c.parent.Err()
}

// Value gives the own context's answer where there is one, so that context.Cause and children of this context find it.
func (c *taskContext) Value(key any) any {
	if key == (taskKey{}) {
		return c
	}
	if own := c.own.Load(); own != nil && own != taskOver {
		return own.Value(key)
	}
	return c.parent.Value(key)
}

// need gives the own context, and makes it where there is none.
func (c *taskContext) need() *ownContext {
	if own := c.own.Load(); own != nil {
		return own
	}
	ctx, cancel := context.WithCancelCause(c.parent)
	own := &ownContext{Context: ctx, cancel: cancel}
	if c.own.CompareAndSwap(nil, own) {
		return own
	}
	cancel(nil)
	return c.own.Load()
}

// over ends the context when the task has returned, and lets go of its parent.
func (c *taskContext) over() {
	if own := c.own.Swap(taskOver); own != nil {
		own.cancel(nil)
	}
}
