//go:build unix

package crash

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// task is a kind of job. Everything of a submission follows from N, so that one whose outcome is unknown can be repeated in another
// life of the program.
type task struct {
	name    string
	may     string
	policy  godwit.Policy
	options func(n int64) godwit.SubmitOptions // nil: none
	depth   int
	body    func(p *program, ctx context.Context, a Args) (int64, error)
	after   func(p *program, ctx context.Context, id godwit.ID) // what the submitter does next; nil: nothing

	task *godwit.Task[Args, Result]
}

var errNotYet = errors.New("not yet")

// tasks are all kinds. No job of them but the fragile ones fails because the program died.
func tasks() []*task {
	quick := godwit.Backoff{Base: 5 * time.Millisecond, Factor: 1}
	kinds := []*task{
		{name: "crash.plain", may: "succeeded", body: plain},
		{name: "crash.retried", may: "succeeded", body: retried, policy: godwit.Policy{MaxAttempts: 10, Backoff: quick}},
		{name: "crash.child", may: "succeeded", body: child, policy: godwit.Policy{MaxAttempts: 10, Backoff: quick}},
		{name: "crash.parent", may: "succeeded", body: parent, depth: 1},
		{name: "crash.grandparent", may: "succeeded", body: parent, depth: 2},
		{name: "crash.snoozed", may: "succeeded", body: snoozed},
		{name: "crash.slow", may: "succeeded", body: slow},
		{name: "crash.delayed", may: "succeeded", body: plain, options: func(n int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Delay: time.Duration(20+n%100) * time.Millisecond}
		}},
		{name: "crash.cancelled", may: "succeeded,cancelled", body: plain, after: cancelAtOnce, options: func(int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Delay: time.Minute}
		}},
		{name: "crash.asked", may: "succeeded,cancelled", body: asked, after: cancelSoon},
		{name: "crash.family", may: "succeeded,cancelled", body: parent, depth: 1, after: cancelSoon},
		{name: "crash.overdue", may: "failed", body: untilEnded, policy: godwit.Policy{Deadline: 80 * time.Millisecond}},
		{name: "crash.timeout", may: "failed", body: untilEnded, policy: godwit.Policy{Timeout: 20 * time.Millisecond, MaxAttempts: 2, Backoff: quick}},
		{name: "crash.panics", may: "failed", body: panics, policy: godwit.Policy{MaxAttempts: 2, Backoff: quick}},
		{name: "crash.mended", may: "succeeded,failed", body: mended, after: mend},
		{name: "crash.fragile", may: "succeeded,failed", body: slow, policy: godwit.Policy{MaxCrashes: 2}},
		{name: "crash.unique", may: "succeeded", body: plain, options: func(n int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{Unique: godwit.Unique{Key: fmt.Sprintf("unique-%d", n%7)}}
		}},
		{name: "crash.keyed", may: "succeeded", body: plain, options: func(n int64) godwit.SubmitOptions {
			return godwit.SubmitOptions{IdempotencyKey: fmt.Sprintf("key-%d", n)}
		}},
	}
	for _, k := range kinds {
		if k.policy.MaxCrashes == 0 {
			k.policy.MaxCrashes = godwit.MaxCrashesMax
		}
		k.task = godwit.NewTask[Args, Result](k.name, k.policy)
	}
	return kinds
}

// args gives the arguments of a job of the kind.
func (k *task) args(n int64) Args {
	switch k.name {
	case "crash.unique":
		n %= 7
	case "crash.overdue", "crash.timeout", "crash.panics":
		return Args{N: n, May: k.may}
	}
	return Args{N: n, Want: valueOf(n, k.depth), May: k.may, Depth: k.depth}
}

// submission gives the submission of a job of the kind under an id, which may be zero.
func (k *task) submission(n int64, id godwit.ID) godwit.Submission {
	var o godwit.SubmitOptions
	if k.options != nil {
		o = k.options(n)
	}
	o.ID = id
	return k.task.Job(k.args(n), o)
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

func plain(_ *program, ctx context.Context, a Args) (int64, error) {
	pause(ctx, time.Duration(a.N%5)*time.Millisecond)
	return valueOf(a.N, 0), nil
}

// slow does not listen to its context: it works on when its run was lost.
func slow(_ *program, _ context.Context, a Args) (int64, error) {
	pause(context.Background(), time.Duration(20+a.N%150)*time.Millisecond)
	return valueOf(a.N, 0), nil
}

func retried(_ *program, ctx context.Context, a Args) (int64, error) {
	if godwit.Info(ctx).Attempt < 3 {
		return 0, errNotYet
	}
	return valueOf(a.N, 0), nil
}

func child(p *program, ctx context.Context, a Args) (int64, error) {
	if a.N%2 == 0 && godwit.Info(ctx).Attempt < 2 {
		return 0, errNotYet
	}
	return plain(p, ctx, a)
}

func snoozed(_ *program, ctx context.Context, a Args) (int64, error) {
	if godwit.Info(ctx).Run == 1 {
		return 0, godwit.Snooze(15 * time.Millisecond)
	}
	return valueOf(a.N, 0), nil
}

func asked(_ *program, ctx context.Context, a Args) (int64, error) {
	pause(ctx, 150*time.Millisecond)
	if ctx.Err() != nil && a.N%2 == 0 {
		return 0, context.Cause(ctx)
	}
	return valueOf(a.N, 0), nil // half of them succeed all the same
}

func untilEnded(_ *program, ctx context.Context, _ Args) (int64, error) {
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

func panics(_ *program, _ context.Context, a Args) (int64, error) {
	panic(fmt.Sprint("as it must: ", a.N))
}

func mended(_ *program, _ context.Context, a Args) (int64, error) {
	if !a.Mend {
		return 0, godwit.Permanent(errNotYet)
	}
	return valueOf(a.N, 0), nil
}

// parent fans out and awaits all of it.
func parent(p *program, ctx context.Context, a Args) (sum int64, err error) {
	kind := p.kinds["crash.child"]
	if a.Depth > 1 {
		kind = p.kinds["crash.parent"]
	}
	promises := make([]*godwit.Promise[Result], 0, childrenEach)
	for i := range int64(childrenEach) {
		args := kind.args(10*a.N + i)
		args.May = "succeeded,cancelled" // with the parent
		promise, err := kind.task.Submit(ctx, p.client, args, godwit.SubmitOptions{Name: fmt.Sprintf("part %d", i)})
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

func cancelAtOnce(p *program, ctx context.Context, id godwit.ID) { p.cancel(ctx, id) }

func cancelSoon(p *program, ctx context.Context, id godwit.ID) {
	pause(ctx, p.within(30*time.Millisecond))
	p.cancel(ctx, id)
}

// mend retries a failed job by hand, with arguments under which it succeeds.
func mend(p *program, ctx context.Context, id godwit.ID) {
	outcomes, err := p.client.AwaitOutcomes(ctx, []godwit.ID{id})
	if err != nil || outcomes[0].State != godwit.StateFailed {
		return
	}
	job, err := p.client.Get(ctx, id)
	if err != nil {
		p.fail(err)
		return
	}
	a, err := argsOf(string(job.Args.Data))
	if err != nil {
		p.fail(err)
		return
	}
	a.Mend = true
	if err := p.client.Retry(ctx, id, godwit.RetryOptions{Args: a}); err != nil && !errors.Is(err, godwit.ErrWrongState) {
		p.fail(err)
	}
}
