//go:build unix

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

// orders tell the program what to do. The harness passes them in the environment.
type orders struct {
	Dir    string
	Life   int
	Seed   uint64
	Point  string // where to die; empty: nowhere
	Nth    int    // ... at the how many-th time
	Shadow bool   // keep shadow files
	Lie    bool   // ... that are never brought up to date
	Drain  bool   // submit nothing, work off what is there, and end

	Checkpoint bool // write the log back into the database all the time, not only when it has grown
}

const (
	ordersEnv = "GODWIT_CRASH_ORDERS"
	lease     = godwit.LeaseMin
	tailBytes = 256 << 10 // of the log, from which a life learns of the one before
	openMax   = 40        // jobs that the submitters wait for
)

func databaseIn(dir string) string { return filepath.Join(dir, "crash.db") }
func logIn(dir string) string      { return filepath.Join(dir, "crash.log") }

// TestMain lets the test binary be the program that is killed.
func TestMain(m *testing.M) {
	flag.Parse()
	if given := os.Getenv(ordersEnv); given != "" {
		var o orders
		err := json.Unmarshal([]byte(given), &o)
		if err == nil {
			err = runProgram(o)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// program is one life.
type program struct {
	orders
	client *godwit.Client
	store  *witness
	kinds  map[string]*task
	names  []string
	open   chan struct{} // holds a value for each job that is waited for
	failed chan error

	mu  sync.Mutex
	rng *rand.Rand // guarded by mu
}

// runProgram lives until it is killed, or until the file is drained.
func runProgram(o orders) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log, err := OpenLog(logIn(o.Dir), o.Life, os.Stdout)
	if err != nil {
		return err
	}
	before, err := tail(logIn(o.Dir))
	if err != nil {
		return err
	}
	points := &points{name: o.Point, left: o.Nth}
	if err := installDisk(points.pass, o.Shadow, o.Lie); err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: databaseIn(o.Dir), LockWait: 10 * time.Second})
	if err != nil {
		return err
	}
	p := &program{
		orders: o, kinds: map[string]*task{}, open: make(chan struct{}, openMax), failed: make(chan error, 1),
		rng: rand.New(rand.NewPCG(o.Seed, uint64(o.Life))),
	}
	p.store = &witness{
		Store: store, log: log, points: points, fail: p.fail, tokens: tokensIn(before), stale: map[godwit.ID]godwit.Token{},
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	if o.Drain {
		p.goOnFrom(ctx, before)
		return p.drain(ctx)
	}
	go p.goOnFrom(ctx, before)
	for range 3 {
		go p.submit(ctx)
	}
	if o.Checkpoint {
		go p.checkpoint(ctx)
	}
	return <-p.failed
}

// start makes and starts the client.
func (p *program) start(ctx context.Context) (err error) {
	p.client, err = godwit.New(p.store, godwit.Config{
		Lease: lease, PollInterval: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Queues:    map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: 16}},
		StopGrace: time.Second, HardGrace: time.Second,
	})
	if err != nil {
		return err
	}
	for _, k := range tasks() {
		p.kinds[k.name] = k
		if k.name != "crash.child" {
			p.names = append(p.names, k.name)
		}
		godwit.Handle(p.client, k.task, func(ctx context.Context, a Args) (Result, error) { return p.handle(ctx, k, a) })
	}
	p.store.write(Event{Kind: Restarted})
	return p.client.Start(ctx)
}

// fail ends the program with an error that it should not have met. After the first they are not told.
func (p *program) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
}

// tokensIn gives the newest token of each job.
func tokensIn(events []Event) map[godwit.ID]godwit.Token {
	tokens := map[godwit.ID]godwit.Token{}
	for _, e := range events {
		if e.Kind == Claimed {
			tokens[e.Job] = godwit.Token{Job: e.Job, Run: e.Run, Session: e.Session}
		}
	}
	return tokens
}

// handle does a job and tells of it. A run that was lost meanwhile sends its settle all the same, past the client, which would
// not.
func (p *program) handle(ctx context.Context, k *task, a Args) (Result, error) {
	info := godwit.Info(ctx)
	p.store.write(Event{Kind: Started, Job: info.ID, Run: info.Run})
	p.store.points.pass("mid-job")
	if token, ok := p.store.staleToken(info.ID); ok && p.draw(3) == 0 {
		p.lateSettle(token, Result{Value: -1, Run: token.Run}) // an earlier run wakes up
	}
	value, err := k.body(p, ctx, a)
	if err != nil {
		return Result{}, err
	}
	r := Result{Value: value, Run: info.Run}
	p.store.write(Event{Kind: Effect, Job: info.ID, Run: info.Run, Value: value})
	p.store.points.pass("after-effect")
	if errors.Is(context.Cause(ctx), godwit.ErrLeaseLost) {
		if token, ok := p.store.token(info.ID, info.Run); ok {
			p.lateSettle(token, r)
		}
	}
	return r, nil
}

// lateSettle settles a run that is probably over.
func (p *program) lateSettle(token godwit.Token, r Result) {
	s := godwit.Settlement{Token: token, Outcome: godwit.OutcomeSucceed, Result: encoded(r)}
	if _, err := p.store.settle(context.Background(), []godwit.Settlement{s}, true); err != nil && !errors.Is(err, godwit.ErrClosed) {
		p.fail(err)
	}
}

// within draws a duration.
func (p *program) within(d time.Duration) time.Duration { return time.Duration(p.draw(int(d))) }

func (p *program) draw(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rng.IntN(n)
}

// submit submits without end.
func (p *program) submit(ctx context.Context) {
	for ctx.Err() == nil {
		k := p.kinds[p.names[p.draw(len(p.names))]]
		n := int64(p.draw(1000))
		if k.name == "crash.keyed" {
			n = int64(p.draw(10 * p.Life)) // of this life or of one before
		}
		jobs := []godwit.Submission{k.submission(n, godwit.NewID())}
		for range p.draw(2) * p.draw(5) * p.draw(2) { // now and then a batch
			jobs = append(jobs, p.kinds["crash.plain"].submission(int64(p.draw(1000)), godwit.NewID()))
		}
		answers, ok := p.send(ctx, jobs)
		if ok && len(answers) > 0 && p.draw(5) == 0 {
			_, ok = p.send(ctx, jobs) // as if the answer had been lost
		}
		if !ok {
			return
		}
		for _, a := range answers {
			p.open <- struct{}{}
			go func() {
				p.observe(ctx, a.ID)
				<-p.open
			}()
		}
		if k.after != nil && len(answers) > 0 {
			go k.after(p, ctx, answers[0].ID)
		}
	}
}

// send submits. A deadline that passed before the store came to the call is refused, as documented: there are no answers then.
func (p *program) send(ctx context.Context, jobs []godwit.Submission) ([]godwit.SubmitAnswer, bool) {
	answers, err := p.client.SubmitAll(ctx, jobs)
	var refused *godwit.Error
	if errors.As(err, &refused) && refused.Field == "deadline" {
		return nil, true
	}
	if err != nil {
		p.fail(err)
	}
	return answers, err == nil
}

// checkpoint has a connection of its own, like a shell that looks into the file.
func (p *program) checkpoint(ctx context.Context) {
	conn, err := zs.OpenConn(databaseIn(p.Dir), zs.OpenReadWrite)
	if err != nil {
		p.fail(err)
		return
	}
	conn.SetBusyTimeout(time.Second)
	for ctx.Err() == nil {
		mode := []string{"PASSIVE", "PASSIVE", "RESTART"}[p.draw(3)]
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint("+mode+")", nil); err != nil {
			p.fail(fmt.Errorf("checkpoint: %w", err))
		}
		pause(ctx, p.within(30*time.Millisecond))
	}
}

// observe tells what the promise of a job told.
func (p *program) observe(ctx context.Context, id godwit.ID) {
	outcomes, err := p.client.AwaitOutcomes(ctx, []godwit.ID{id})
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, godwit.ErrClosed) {
			p.fail(err)
		}
		return
	}
	o := outcomes[0]
	e := Event{Kind: Observed, Job: id, State: o.State, Code: o.Code, Result: string(o.Result.Data)}
	if o.Failure != nil {
		e.Code = o.Failure.Code
	}
	p.store.write(e)
}

func (p *program) cancel(ctx context.Context, id godwit.ID) {
	if err := p.client.Cancel(ctx, id, "the harness"); err != nil && !errors.Is(err, godwit.ErrWrongState) && !errors.Is(err, godwit.ErrClosed) {
		p.fail(err)
	}
}

// tail reads the end of the log.
func tail(path string) ([]Event, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return ReadLog(path, info.Size()-tailBytes)
}

// goOnFrom repeats the submissions whose outcome the life before did not learn, awaits again what it awaited, and lets
// the settles that it did not send arrive now.
func (p *program) goOnFrom(ctx context.Context, before []Event) {
	unknown, late := map[godwit.ID]Event{}, map[godwit.ID]Event{}
	seen := map[godwit.ID]bool{}
	for _, e := range before {
		switch e.Kind {
		case Submitting:
			unknown[e.Asked] = e
		case Submitted:
			delete(unknown, e.Asked)
			seen[e.Job] = true
		case Effect:
			late[e.Job] = e
		case Settled:
			delete(late, e.Job)
		}
	}
	for id := range seen {
		go p.observe(ctx, id)
	}
	for id, e := range unknown {
		if k := p.kinds[e.Task]; k != nil && e.Parent.IsZero() {
			a, err := argsOf(e.Args)
			if err != nil {
				p.fail(err)
				return
			}
			if _, ok := p.send(ctx, []godwit.Submission{k.submission(a.N, id)}); !ok {
				return
			}
		}
	}
	tokens := tokensIn(before)
	for id, e := range late {
		if t := tokens[id]; t.Run == e.Run {
			p.lateSettle(t, Result{Value: e.Value, Run: e.Run})
		}
	}
}

func argsOf(text string) (a Args, err error) {
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return a, fmt.Errorf("arguments %q: %w", text, err)
	}
	return a, nil
}

// drain works off everything, without waiting for times to come, and ends in good order.
func (p *program) drain(ctx context.Context) error {
	for {
		left := 0
		for _, state := range []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting} {
			page, err := p.client.List(ctx, godwit.ListFilter{State: state, Limit: godwit.PageMax})
			if err != nil {
				return err
			}
			left += len(page.Jobs)
			if state != godwit.StateScheduled {
				continue
			}
			for _, job := range page.Jobs {
				if err := p.client.RunNow(ctx, job.ID); err != nil && !errors.Is(err, godwit.ErrWrongState) {
					return err
				}
			}
		}
		if left == 0 {
			return errors.Join(p.client.Stop(ctx), p.store.Close(), p.store.log.Close())
		}
		select {
		case err := <-p.failed:
			return err
		default:
			pause(ctx, 20*time.Millisecond)
		}
	}
}

// finals reads every job of a drained database.
func finals(t *testing.T, path string) []Final {
	t.Helper()
	ctx := t.Context()
	store, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // only read
	if err := store.Check(ctx); err != nil {
		t.Error(err)
	}
	var all []Final
	for filter := (godwit.ListFilter{Limit: godwit.PageMax}); ; {
		page, err := store.List(ctx, filter)
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]godwit.ID, 0, len(page.Jobs))
		for _, job := range page.Jobs {
			ids = append(ids, job.ID)
		}
		jobs, err := store.Get(ctx, ids)
		if err != nil {
			t.Fatal(err)
		}
		for i, job := range jobs {
			attempts, code, err := store.Attempts(ctx, ids[i])
			if err != nil || code != "" || job.Code != "" {
				t.Fatal(ids[i], job.Code, code, err)
			}
			all = append(all, Final{Job: job.Job, Attempts: attempts})
		}
		if filter.Before = page.Next; page.Next.IsZero() {
			slices.Reverse(all)
			return all
		}
	}
}
