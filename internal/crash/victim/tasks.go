package victim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash"
)

// Kind is a kind of job. Everything of a submission follows from its number, so that one whose outcome is unknown can be repeated.
type Kind struct {
	Name  string
	After After // what the submitter does next

	may     string
	policy  godwit.Policy
	options func(n int64) godwit.SubmitOptions // nil: none
	depth   int
	body    func(v *Victim, ctx context.Context, a crash.Args) (int64, error)

	task *godwit.Task[crash.Args, crash.Result]
}

// After is what the submitter of a job does when it was acknowledged.
type After int

// What a submitter does.
const (
	Nothing    After = iota
	CancelNow        // cancel it at once
	CancelSoon       // cancel it after a few milliseconds
	Mend             // if it fails, retry it by hand, with arguments under which it succeeds
	Move             // reschedule it, to a time that is not far
	Delete           // delete it when it has ended
	Watch            // look until it is gone: its time is short
)

// What is paused now and then.
const (
	PausedTask  = "crash.paused"
	PausedQueue = "side"
)

// keepBrief is for how long the brief jobs are kept.
const keepBrief = 300 * time.Millisecond

var errNotYet = errors.New("not yet")

// Kinds are all of them. No job of them but the fragile ones fails because the program died.
func Kinds() []*Kind {
	quick := godwit.Backoff{Base: 5 * time.Millisecond, Factor: 1}
	kinds := []*Kind{
		{Name: "crash.plain", may: "succeeded", body: plain},
		{Name: "crash.retried", may: "succeeded", body: retried, policy: godwit.Policy{MaxAttempts: 10, Backoff: quick}},
		{Name: "crash.child", may: "succeeded", body: child, policy: godwit.Policy{MaxAttempts: 10, Backoff: quick}},
		{Name: "crash.parent", may: "succeeded", body: parent, depth: 1},
		{Name: "crash.grandparent", may: "succeeded", body: parent, depth: 2},
		{Name: "crash.snoozed", may: "succeeded", body: snoozed},
		{Name: "crash.slow", may: "succeeded", body: slow},
		{Name: "crash.delayed", may: "succeeded", body: plain, options: func(n int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Delay: time.Duration(20+n%100) * time.Millisecond}
		}},
		{Name: "crash.cancelled", may: "succeeded,cancelled", body: plain, After: CancelNow, options: func(int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Delay: time.Minute}
		}},
		{Name: "crash.asked", may: "succeeded,cancelled", body: asked, After: CancelSoon},
		{Name: "crash.family", may: "succeeded,cancelled", body: parent, depth: 1, After: CancelSoon},
		{Name: "crash.overdue", may: "failed", body: untilEnded, policy: godwit.Policy{Deadline: 80 * time.Millisecond}},
		{Name: "crash.timeout", may: "failed", body: untilEnded, policy: godwit.Policy{Timeout: 20 * time.Millisecond, MaxAttempts: 2, Backoff: quick}},
		{Name: "crash.panics", may: "failed", body: panics, policy: godwit.Policy{MaxAttempts: 2, Backoff: quick}},
		{Name: "crash.mended", may: "succeeded,failed", body: mended, After: Mend},
		{Name: "crash.fragile", may: "succeeded,failed", body: slow, policy: godwit.Policy{MaxCrashes: 2}},
		{Name: PausedTask, may: "succeeded", body: plain},
		{Name: "crash.side", may: "succeeded", body: plain, policy: godwit.Policy{Queue: PausedQueue}},
		{Name: "crash.moved", may: "succeeded", body: plain, After: Move, options: func(int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Delay: time.Minute}
		}},
		{Name: "crash.deleted", may: "succeeded", body: plain, After: Delete},
		{Name: "crash.brief", may: "succeeded", body: plain, After: Watch, policy: godwit.Policy{KeepSucceeded: keepBrief}},
		{Name: "crash.pinning", may: "succeeded", body: pinning, policy: godwit.Policy{MaxAttempts: 10, Backoff: quick}},
		{Name: "crash.unique", may: "succeeded", body: plain, options: func(n int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Unique: godwit.Unique{Key: fmt.Sprintf("unique-%d", n%7)}}
		}},
		{Name: "crash.keyed", may: "succeeded", body: plain, options: func(n int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{IdempotencyKey: fmt.Sprintf("key-%d", n)}
		}},
	}
	for _, k := range kinds {
		if k.policy.MaxCrashes == 0 {
			k.policy.MaxCrashes = godwit.MaxCrashesMax
		}
		k.task = godwit.NewTask[crash.Args, crash.Result](k.Name, k.policy)
	}
	return kinds
}

// Args gives the arguments of a job of the kind.
func (k *Kind) Args(n int64) crash.Args {
	switch k.Name {
	case "crash.unique":
		n %= 7
	case "crash.overdue", "crash.timeout", "crash.panics":
		return crash.Args{N: n, May: k.may}
	case "crash.pinning":
		return crash.Args{N: n, Want: valueOf(10*n, 0), May: k.may}
	}
	return crash.Args{N: n, Want: valueOf(n, k.depth), May: k.may, Depth: k.depth, Keep: k.policy.KeepSucceeded}
}

// Submission gives the submission of a job of the kind under an id, which may be zero.
func (k *Kind) Submission(n int64, id godwit.ID) godwit.Submission {
	var o godwit.SubmitOptions
	if k.options != nil {
		o = k.options(n)
	}
	o.ID = id
	return k.task.Job(k.Args(n), o)
}

const childrenEach = 3

// valueOf is what a job of n must come to: three times n, or the sum of its children's.
func valueOf(n int64, depth int) (sum int64) {
	if depth == 0 {
		return 3 * n
	}
	for i := range int64(childrenEach) {
		sum += valueOf(10*n+i, depth-1)
	}
	return sum
}

func plain(_ *Victim, ctx context.Context, a crash.Args) (int64, error) {
	pause(ctx, time.Duration(a.N%5)*time.Millisecond)
	return valueOf(a.N, 0), nil
}

// slow does not listen to its context: it works on when its run was lost.
func slow(_ *Victim, _ context.Context, a crash.Args) (int64, error) {
	pause(context.Background(), time.Duration(20+a.N%150)*time.Millisecond)
	return valueOf(a.N, 0), nil
}

func retried(_ *Victim, ctx context.Context, a crash.Args) (int64, error) {
	if godwit.Info(ctx).Attempt < 3 {
		return 0, errNotYet
	}
	return valueOf(a.N, 0), nil
}

func child(v *Victim, ctx context.Context, a crash.Args) (int64, error) {
	if a.N%2 == 0 && godwit.Info(ctx).Attempt < 2 {
		return 0, errNotYet
	}
	return plain(v, ctx, a)
}

func snoozed(_ *Victim, ctx context.Context, a crash.Args) (int64, error) {
	if godwit.Info(ctx).Run == 1 {
		return 0, godwit.Snooze(15 * time.Millisecond)
	}
	return valueOf(a.N, 0), nil
}

func asked(_ *Victim, ctx context.Context, a crash.Args) (int64, error) {
	pause(ctx, 150*time.Millisecond)
	if ctx.Err() != nil && a.N%2 == 0 {
		return 0, context.Cause(ctx)
	}
	return valueOf(a.N, 0), nil // half of them succeed all the same
}

func untilEnded(_ *Victim, ctx context.Context, _ crash.Args) (int64, error) {
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

func panics(_ *Victim, _ context.Context, a crash.Args) (int64, error) {
	panic(fmt.Sprint("as it must: ", a.N))
}

func mended(_ *Victim, _ context.Context, a crash.Args) (int64, error) {
	if !a.Mend {
		return 0, godwit.Permanent(errNotYet)
	}
	return valueOf(a.N, 0), nil
}

// parent fans out and awaits all of it.
func parent(v *Victim, ctx context.Context, a crash.Args) (sum int64, err error) {
	kind := v.kinds["crash.child"]
	if a.Depth > 1 {
		kind = v.kinds["crash.parent"]
	}
	promises := make([]*godwit.Promise[crash.Result], 0, childrenEach)
	for i := range int64(childrenEach) {
		args := kind.Args(10*a.N + i)
		args.May = "succeeded,cancelled" // with the parent
		promise, err := kind.task.Submit(ctx, v.client, args, godwit.SubmitOptions{Name: fmt.Sprintf("part %d", i)})
		if err != nil {
			return 0, err
		}
		promises = append(promises, promise)
	}
	results, err := godwit.AwaitAll(ctx, promises...)
	for _, r := range results {
		sum += r.Value
	}
	return sum, err
}

// pinning awaits a child that is kept for a short time, and needs its result again when that is long over.
func pinning(v *Victim, ctx context.Context, a crash.Args) (int64, error) {
	kind := v.kinds["crash.brief"]
	promise, err := kind.task.Submit(ctx, v.client, kind.Args(10*a.N), godwit.SubmitOptions{Name: "brief"})
	if err != nil {
		return 0, err
	}
	r, err := promise.Await(ctx)
	if err != nil {
		return 0, err
	}
	if godwit.Info(ctx).Attempt == 1 {
		pause(ctx, 2*keepBrief)
		return 0, errNotYet
	}
	return r.Value, nil
}
