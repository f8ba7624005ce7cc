package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// Concurrency says how many histories are made, and how large each is.
type Concurrency struct {
	// Histories is their number. Defaults to 200.
	Histories int
	// Seed decides what is drawn; how the calls interleave is up to the machine.
	Seed uint64
	// Workers is the number of goroutines. Defaults to 4.
	Workers int
	// Calls is the number of calls each makes. Defaults to 7.
	Calls int
}

// decideMax bounds the search for an order that explains one history. A history that is not decided by then is counted, and is no failure by
// itself.
const decideMax = 20 * time.Second

// Histories lets goroutines work on a few jobs of a store at once, and fails the test at the first history whose answers no
// order of the calls explains that agrees with the model and with which call was over before which began.
func Histories(t testing.TB, name string, cfg Config, c Concurrency) {
	t.Helper()
	if c.Histories == 0 {
		c.Histories = 200
	}
	if c.Workers == 0 {
		c.Workers = 4
	}
	if c.Calls == 0 {
		c.Calls = 7
	}
	clock := NewClock()
	store := cfg.Open(t, clock)
	ctx := context.WithoutCancel(t.Context())
	calls, undecided := 0, 0
	for n := range c.Histories {
		h := &history{TB: t, ctx: ctx, clock: clock, store: store, seed: c.Seed + uint64(n), overlooks: cfg.Overlooks}
		h.setUp()
		h.work(c)
		h.readAll()
		calls += len(h.ops)
		switch h.check() {
		case porcupine.Illegal:
			t.Fatalf("%s: seed %d: no order of these calls explains their answers:\n%s", name, h.seed, h)
		case porcupine.Unknown:
			undecided++
		case porcupine.Ok:
		}
		if n%20 == 0 {
			Check(t, store)
		}
		h.clear()
	}
	if err := store.Close(); err != nil {
		t.Errorf("close the store: %v", err)
	}
	if undecided*10 > c.Histories {
		t.Errorf("%s: %d of %d histories were not decided", name, undecided, c.Histories)
	}
	t.Logf("%s: seed %d, %d histories of %d goroutines, %d calls, all explained, %d not decided", name, c.Seed, c.Histories, c.Workers, calls, undecided)
}

// history is one of them, from a store without jobs to a store without jobs.
type history struct {
	testing.TB
	ctx   context.Context
	clock *Clock // stands still while the goroutines work
	store godwit.Store
	seed  uint64
	model *model.Store // as things stood when the goroutines began
	gen   *stream

	overlooks bool // as [Config] says

	tick atomic.Int64 // counts calls and returns
	mu   sync.Mutex
	ops  []porcupine.Operation // guarded by mu
}

// result is what a call gave.
type result struct {
	answer          any
	err             string
	began, returned int64
}

// setUp makes two sessions, of which one is late, and jobs of theirs.
func (h *history) setUp() {
	h.Helper()
	h.model = model.New(model.Config{Now: h.clock.Now})
	g := newStream(h.seed, h.model)
	g.order += h.seed << 20 // apart from the ids of other histories
	g.timeless, g.queues, g.tasks = true, []string{"queue"}, []string{"task"}
	h.gen = g
	play := func(c call) {
		h.Helper()
		want, wantErr := c.do(h.ctx, h.model)
		got, gotErr := c.do(h.ctx, h.store)
		if wantErr != nil || gotErr != nil {
			h.Fatalf("seed %d: %s: errors %v and %v", h.seed, &c, wantErr, gotErr)
		}
		if diff := difference(got, want); diff != "" {
			h.Fatalf("seed %d: %s:\n%s", h.seed, &c, diff)
		}
		g.learn(&c, want)
	}
	for _, lease := range []time.Duration{time.Hour, time.Second} {
		play(callOf("start_session", godwit.NewSession{
			ID: g.newID(), Lease: lease, Queues: g.queues, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 2}},
		}, godwit.Store.StartSession))
	}
	for range 3 {
		play(g.drawSubmit())
	}
	for _, session := range slices.Clone(g.sessions) {
		play(callOf("claim", godwit.ClaimRequest{Session: session, Queue: "queue", Limit: 2}, godwit.Store.Claim))
		play(g.drawSubmit())
	}
	play(g.drawPark())
	h.clock.Advance(5 * time.Second)
	play(callOf("advance", 100, godwit.Store.Advance))
}

// historyWeights is the mix of calls that goroutines make.
var historyWeights = []weighted{
	{18, (*stream).drawSubmit},
	{18, (*stream).drawClaim},
	{18, (*stream).drawSettle},
	{14, (*stream).drawCancel},
	{10, (*stream).drawPark},
	{6, (*stream).drawResume},
	{6, (*stream).drawHeartbeat},
	{8, (*stream).drawRetry},
	{5, (*stream).drawRescue},
	{3, (*stream).drawReschedule},
	{3, (*stream).drawDelete},
	{3, (*stream).drawAdvance},
	{2, (*stream).drawEnd},
	{2, (*stream).drawPause},
	{3, (*stream).drawReport},
	{10, (*stream).drawGlance},
}

// drawGlance reads what shows a change at once.
func (g *stream) drawGlance() call {
	if g.chance(50) {
		return callOf("outcomes", slices.Clone(g.ids[max(0, len(g.ids)-10):]), godwit.Store.Outcomes)
	}
	return callOf("list", godwit.ListFilter{}, godwit.Store.List)
}

// work lets the goroutines make their calls.
func (h *history) work(c Concurrency) {
	var begin, done sync.WaitGroup
	begin.Add(1)
	for worker := range c.Workers {
		g := h.gen.fork(worker)
		done.Go(func() {
			begin.Wait()
			for range c.Calls {
				next := g.drawFrom(historyWeights)
				g.learn(&next, h.record(worker, next).answer)
			}
		})
	}
	begin.Done()
	done.Wait()
}

// fork makes a stream of its own for a goroutine that knows what this one knows.
func (g *stream) fork(worker int) *stream {
	f := newStream(g.rng.Uint64(), g.model)
	f.order = g.order + uint64(worker+1)<<10
	f.ids, f.tokens, f.live = slices.Clone(g.ids), slices.Clone(g.tokens), slices.Clone(g.live)
	f.sessions, f.alive, f.starts, f.repeats = slices.Clone(g.sessions), slices.Clone(g.alive), slices.Clone(g.starts), slices.Clone(g.repeats)
	f.timeless, f.queues, f.tasks = g.timeless, g.queues, g.tasks
	return f
}

// record makes a call and keeps when it began and ended and what it gave.
func (h *history) record(client int, c call) result {
	began := h.tick.Add(1)
	answer, err := c.do(h.ctx, h.store)
	r := result{answer, errorCode(err), began, h.tick.Add(1)}
	op := porcupine.Operation{ClientId: client, Input: c, Output: r, Call: began, Return: r.returned}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
	return r
}

// readAll ends a history with reads of everything, so that what was lost is missed.
func (h *history) readAll() {
	h.Helper()
	list := h.record(0, callOf("list", godwit.ListFilter{Limit: godwit.PageMax}, godwit.Store.List))
	page, ok := list.answer.(godwit.ListAnswer)
	if !ok {
		h.Fatalf("seed %d: the list answers %v, %s", h.seed, list.answer, list.err)
	}
	for i := range page.Jobs {
		h.record(0, attemptsOf(page.Jobs[i].ID))
	}
	h.record(0, readOf("queues", godwit.Store.Queues))
	h.record(0, readOf("sessions", godwit.Store.Sessions))
}

// modelState is a state of the model within the search.
type modelState struct {
	store *model.Store
	since readySince
	text  func() string // its fingerprint
}

func newModelState(m *model.Store, since readySince) modelState {
	return modelState{m, since, sync.OnceValue(m.Fingerprint)}
}

func (h *history) check() porcupine.CheckResult {
	spec := porcupine.Model{
		Init: func() any { return newModelState(h.model, h.after(nil, h.model, result{})) },
		Step: func(state, input, output any) (bool, any) {
			s, isState := state.(modelState)
			c, isCall := input.(call)
			given, isResult := output.(result)
			if !isState || !isCall || !isResult {
				return false, state
			}
			next := s.store.Clone()
			want, err := h.perform(c, next, s.since, given)
			if errorCode(err) != given.err || difference(given.answer, want) != "" {
				return false, state
			}
			return true, newModelState(next, h.after(s.since, next, given))
		},
		Equal: func(a, b any) bool {
			x, xOK := a.(modelState)
			y, yOK := b.(modelState)
			return xOK && yOK && x.text() == y.text() && maps.Equal(x.since, y.since)
		},
	}
	return porcupine.CheckOperationsTimeout(spec, h.ops, decideMax)
}

// String lists the calls in the order in which they began.
func (h *history) String() string {
	ops := slices.SortedFunc(slices.Values(h.ops), func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, op := range ops {
		c, _ := op.Input.(call)
		r, _ := op.Output.(result)
		fmt.Fprintf(&b, "\t%d [%d, %d] %s\n\t\t-> %s%s\n", op.ClientId, op.Call, op.Return, &c, describeShort(r.answer), r.err)
	}
	return b.String()
}

// clear ends the sessions, the pauses and the jobs of the history.
func (h *history) clear() {
	h.Helper()
	must := func(_ any, err error) {
		h.Helper()
		if err != nil {
			h.Fatal(err)
		}
	}
	sessions, err := h.store.Sessions(h.ctx)
	must(nil, err)
	for i := range sessions {
		must(h.store.EndSession(h.ctx, sessions[i].ID))
	}
	for _, name := range []string{"queue", "task"} {
		must(nil, h.store.PauseQueue(h.ctx, name, false))
		must(nil, h.store.PauseTask(h.ctx, name, false))
	}
	for {
		jobs := allJobs(h.ctx, h.TB, h.store, godwit.PageMax)
		if len(jobs) == 0 {
			return
		}
		slices.SortFunc(jobs, func(a, b godwit.Job) int { return a.Depth - b.Depth }) // a parent pins its children
		var cancel []godwit.CancelRequest
		var ids []godwit.ID
		for i := range jobs {
			ids = append(ids, jobs[i].ID)
			if !jobs[i].State.Final() {
				cancel = append(cancel, godwit.CancelRequest{ID: jobs[i].ID})
			}
		}
		must(h.store.Cancel(h.ctx, cancel))
		must(h.store.Delete(h.ctx, ids))
	}
}
