package victim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash"
)

// Env is the variable of the environment that holds the [Orders], as JSON. Without it the program works as ever.
const Env = "GODWIT_CRASH_ORDERS"

// ExitFailed is how the program ends when it meets an error that it should not have met.
const ExitFailed = 70

// tailBytes of the log are read by a life to learn of those before.
const tailBytes = 256 << 10

// Orders tell one life of the program what to do.
type Orders struct {
	Log  string // the file that all processes write to
	Life int    // number of the process, from 1
	Seed uint64

	Point string // where to die; empty: nowhere
	Nth   int    // ... at the how many-th time

	Fault Fault // planted in the store

	Machines bool // others work on the database meanwhile, which may go away

	// Of a file of SQLite:

	File       string // its path
	Shadow     bool   // keep shadow files
	Lie        bool   // ... that are never brought up to date
	Checkpoint bool   // write the log back into the database all the time, not only when it has grown
}

// Victim is the program as the harness knows it.
type Victim struct {
	orders Orders
	log    *crash.Log
	points *points
	kinds  map[string]*Kind
	client *godwit.Client
	before []crash.Event // the end of the log as this life found it

	witness *witness

	mu  sync.Mutex
	rng *rand.Rand // guarded by mu
}

// FromEnvironment takes the orders and prepares what must be there before the database is opened; nil when there are none.
func FromEnvironment() *Victim {
	given := os.Getenv(Env)
	if given == "" {
		return nil
	}
	v := &Victim{kinds: map[string]*Kind{}}
	if err := json.Unmarshal([]byte(given), &v.orders); err != nil {
		v.fail(fmt.Errorf("read %s: %w", Env, err))
	}
	if err := v.prepare(); err != nil {
		v.fail(err)
	}
	return v
}

func (v *Victim) prepare() (err error) {
	o := v.orders
	v.rng = rand.New(rand.NewPCG(o.Seed, uint64(o.Life)))
	v.points = &points{name: o.Point, left: o.Nth}
	for _, k := range Kinds() {
		v.kinds[k.Name] = k
	}
	go v.outliveNobody()
	if v.log, err = crash.OpenLog(o.Log, o.Life, os.Stdout); err != nil {
		return err
	}
	if v.before, err = crash.ReadTail(o.Log, tailBytes); err != nil {
		return err
	}
	if o.File == "" {
		return nil
	}
	return installDisk(v.points.pass, o.Shadow, o.Lie)
}

// outliveNobody ends the program when the harness has ended, be it killed: it holds the other end of the input.
func (v *Victim) outliveNobody() {
	_, _ = io.Copy(io.Discard, os.Stdin) // however it ends
	v.fail(errors.New("the harness has ended"))
}

// fail ends the program with an error that it should not have met.
func (v *Victim) fail(err error) {
	fmt.Fprintln(os.Stderr, "victim:", err)
	os.Exit(ExitFailed)
}

// Store gives the store that the program is to work with.
func (v *Victim) Store(store godwit.Store) godwit.Store {
	watcher, watched := store.(godwit.Watcher)
	switch v.orders.Fault {
	case NoFault:
	case AmbiguousDone, UnfencedRescue:
		store = loose{store, v.orders.Fault}
	default:
		store = newFaulty(store, v.orders.Fault)
	}
	v.witness = &witness{
		Store: store, log: v.log, points: v.points, fail: v.fail, mayMeet: v.mayMeet, started: v.begin,
		tokens: tokensIn(v.before), stale: map[godwit.ID]godwit.Token{},
	}
	if watched {
		return watchedWitness{v.witness, watcher}
	}
	return v.witness
}

// Handle registers the handlers.
func (v *Victim) Handle(c *godwit.Client) {
	v.client = c
	for _, k := range v.kinds {
		godwit.Handle(c, k.task, func(ctx context.Context, a crash.Args) (crash.Result, error) { return v.handle(ctx, k, a) })
	}
}

// begin starts what goes on beside the jobs, when the worker has its session.
func (v *Victim) begin() {
	v.witness.write(crash.Event{Kind: crash.Restarted})
	go v.settleLate(v.before)
	if v.orders.Machines {
		go v.settleForOthers(context.Background())
	}
	if v.orders.Checkpoint {
		go v.checkpoint(context.Background())
	}
}

// tokensIn gives the newest token of each job.
func tokensIn(events []crash.Event) map[godwit.ID]godwit.Token {
	tokens := map[godwit.ID]godwit.Token{}
	for _, e := range events {
		if e.Kind == crash.Claimed {
			tokens[e.Job] = godwit.Token{Job: e.Job, Run: e.Run, Session: e.Session}
		}
	}
	return tokens
}

// handle does a job and tells of it. A run that was lost meanwhile sends its settle all the same, past the client, which would
// not.
func (v *Victim) handle(ctx context.Context, k *Kind, a crash.Args) (crash.Result, error) {
	info := godwit.Info(ctx)
	v.witness.write(crash.Event{Kind: crash.Started, Job: info.ID, Run: info.Run})
	v.points.pass("mid-job")
	if token, ok := v.witness.staleToken(info.ID); ok && v.draw(3) == 0 {
		v.lateSettle(token, crash.Result{Value: -1, Run: token.Run}) // an earlier run wakes up
	}
	v.emit(ctx, a, info)
	value, err := k.body(v, ctx, a)
	if err != nil {
		return crash.Result{}, err
	}
	r := crash.Result{Value: value, Run: info.Run}
	v.witness.write(crash.Event{Kind: crash.Effect, Job: info.ID, Run: info.Run, Value: value})
	v.points.pass("after-effect")
	if errors.Is(context.Cause(ctx), godwit.ErrLeaseLost) {
		if token, ok := v.witness.token(info.ID, info.Run); ok {
			v.lateSettle(token, r)
		}
	}
	return r, nil
}

// emit emits an item, in some jobs. It may well be refused: the run was lost.
func (v *Victim) emit(ctx context.Context, a crash.Args, info godwit.RunInfo) {
	if a.N%4 != 0 {
		return
	}
	if err := godwit.Emit(ctx, info.Run); err == nil {
		v.witness.write(crash.Event{Kind: crash.Emitted, Job: info.ID, Run: info.Run})
	}
}

// lateSettle settles a run that is probably over.
func (v *Victim) lateSettle(token godwit.Token, r crash.Result) {
	s := godwit.Settlement{Token: token, Outcome: godwit.OutcomeSucceed, Result: encoded(r)}
	if _, err := v.witness.settle(context.Background(), []godwit.Settlement{s}, true); err != nil && !v.mayMeet(err) {
		v.fail(err)
	}
}

// settleLate lets the settles arrive now that lives before did not come to send.
func (v *Victim) settleLate(before []crash.Event) {
	late := map[godwit.ID]crash.Event{}
	for _, e := range before {
		switch e.Kind {
		case crash.Effect:
			late[e.Job] = e
		case crash.Settled:
			delete(late, e.Job)
		}
	}
	tokens := tokensIn(before)
	for id, e := range late {
		if t := tokens[id]; t.Run == e.Run {
			v.lateSettle(t, crash.Result{Value: e.Value, Run: e.Run})
		}
	}
}

// checkpoint has a connection of its own, like a shell that looks into the file.
func (v *Victim) checkpoint(ctx context.Context) {
	conn, err := zs.OpenConn(v.orders.File, zs.OpenReadWrite)
	if err != nil {
		v.fail(err)
	}
	conn.SetBusyTimeout(time.Second)
	for {
		mode := []string{"PASSIVE", "PASSIVE", "RESTART"}[v.draw(3)]
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_checkpoint("+mode+")", nil); err != nil {
			v.fail(fmt.Errorf("checkpoint: %w", err))
		}
		pause(ctx, time.Duration(v.draw(int(30*time.Millisecond))))
	}
}

func (v *Victim) draw(n int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rng.IntN(n)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
