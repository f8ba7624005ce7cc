package godwit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// run is one run of a job under a handler of this process.
type run struct {
	w       *worker
	job     *Job
	token   Token
	handler *handler
	queue   *queue
	ctx     context.Context // the handler's
	cancel  context.CancelCauseFunc
	release context.CancelFunc // lets go of the deadline's timer
	ended   atomic.Bool
	stuck   atomic.Bool
	quiet   atomic.Bool // the handler returned
	watch   stopwatch   // the working time

	parking chan struct{} // holds one value; taken while the run parks or resumes
	blocked int           // guarded by parking: awaits that block
	slot    bool          // guarded by parking
	over    bool          // guarded by parking: the handler returned
	parked  atomic.Bool   // the store has the job as waiting; written under parking

	waking atomic.Bool // what an await waited for has settled

	mu       sync.Mutex
	ordinals map[string]int  // guarded by mu: unnamed children so far, by task
	children map[ID]struct{} // guarded by mu: submitted in this run

	said said // what the handler said and the store does not know yet
}

type runKey struct{}

// runFrom gives the run that ctx belongs to; nil when it belongs to none.
func runFrom(ctx context.Context) *run {
	r, _ := ctx.Value(runKey{}).(*run)
	return r
}

var errCancel = &Error{Code: CodeCancelled, Message: "the job was asked to stop"}

// end ends the handler's context. The first cause counts.
func (r *run) end(cause error) {
	r.cancel(cause)
	if r.ended.CompareAndSwap(false, true) {
		r.watchStuck()
	}
}

// adopt makes a submission a child of the run.
func (r *run) adopt(j *NewJob, name string) error {
	if err := context.Cause(r.ctx); err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	switch {
	case j.Idempotency.Key != "":
		return invalid("idempotency_key", "must not be given for a child: its name is its key")
	case j.Unique.Key != "" && j.Unique.OnClash == ClashExisting:
		return invalid("unique", "must refuse on a clash for a child, as another job would not be its parent's (use ClashRefuse)")
	}
	if name == "" {
		r.mu.Lock()
		if r.ordinals == nil {
			r.ordinals = map[string]int{}
		}
		r.ordinals[j.Task]++
		name = fmt.Sprintf("%s#%d", j.Task, r.ordinals[j.Task])
		r.mu.Unlock()
		if err := checkText("name", name, NameMax); err != nil {
			return err
		}
	}
	j.Parent, j.ChildName, j.Fingerprint = r.token, name, childFingerprint(j)
	return nil
}

// noteChildren remembers what the run submitted.
func (r *run) noteChildren(answers []SubmitAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children == nil {
		r.children = make(map[ID]struct{}, len(answers))
	}
	for _, a := range answers {
		r.children[a.ID] = struct{}{}
	}
}

func (r *run) isChild(id ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.children[id]
	return ok
}

// stopwatch ends a run after so much working time; it stands still while the run is parked.
type stopwatch struct {
	mu      sync.Mutex
	timer   *time.Timer   // guarded by mu: nil without a timeout or once over
	left    time.Duration // guarded by mu: when it was last started
	started time.Time     // guarded by mu
}

func (s *stopwatch) begin(d time.Duration, over func()) {
	if d <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.started = d, time.Now()
	s.timer = time.AfterFunc(d, over)
}

func (s *stopwatch) halt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil && s.timer.Stop() {
		s.left -= time.Since(s.started)
	}
}

func (s *stopwatch) goOn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil && s.left > 0 {
		s.started = time.Now()
		s.timer.Reset(s.left)
	}
}
