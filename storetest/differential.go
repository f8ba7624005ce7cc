package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/internal/states"
)

// Stream says how long a differential run is.
type Stream struct {
	// Ops is the number of calls. Defaults to 20,000.
	Ops int
	// Seed decides every call. Any number will do.
	Seed uint64
	// Snapshot is the number of calls between two comparisons of all that the stores hold. Defaults to 500.
	Snapshot int
	// Coverage makes the test fail unless every kind of call was done and every row of the table met.
	Coverage bool
	// Most is how many calls there are at most. With Coverage the stream goes on beyond Ops, aiming at the rows that were not
	// met, until there is none left. Defaults to Ops.
	Most int
}

// historyMax is how many steps are kept for a mismatch to be made small; shrinkMax how many steps may be replayed for that.
const (
	historyMax = 50_000
	shrinkMax  = 60_000
	jobsMax    = 250 // the stream drains a store that holds more
)

// Differential lets the model and a store carry out one stream of calls, drawn from a seed, and fails the test at the first
// difference of an answer, an event or the contents.
func Differential(t testing.TB, name string, cfg Config, s Stream) {
	t.Helper()
	if s.Ops == 0 {
		s.Ops = 20_000
	}
	if s.Snapshot == 0 {
		s.Snapshot = 500
	}
	d := newDuel(t, cfg)
	defer d.close()
	gen := newStream(s.Seed, d.model)
	d.witness = newWitness(t, d.model)
	gen.goal = func() *states.Row { return d.witness.goal(gen.rng.IntN(len(states.Table()))) }
	var history []step
	for n := 1; n <= s.Ops || s.Coverage && n <= s.Most && d.lacks(n); n++ {
		gen.aiming = n > s.Ops
		next := gen.draw()
		if cfg.Reopen != nil && n%1777 == 0 {
			next = step{reopen: true}
		}
		if len(history) < historyMax {
			history = append(history, next)
		}
		answer, diff := d.play(&next)
		if diff == "" && n%s.Snapshot == 0 {
			diff = d.contents()
			if jobs := allJobs(d.ctx, t, d.model, godwit.PageMax); len(jobs) > jobsMax {
				gen.drain(jobs)
			}
		}
		if diff != "" {
			t.Errorf("%s: seed %d, step %d (- is the model's, + is the store's): %s\n%s", name, s.Seed, n, &next, diff)
			if n == len(history) {
				shrink(t, cfg, history)
			}
			return
		}
		gen.learn(&next.call, answer)
	}
	Check(t, d.store)
	d.summary(name, s)
}

// duel is the model and another store between one clock.
type duel struct {
	testing.TB
	ctx     context.Context
	cfg     Config
	clock   *Clock
	model   *model.Store
	store   godwit.Store
	told    *eventLog // of the model
	heard   *eventLog // of the store; nil: it tells none
	witness *witness  // nil: nobody asks which rows are met

	ids   []godwit.ID // of jobs submitted lately
	calls map[string]int
	done  map[string]int // calls of the kind of which something was done
	codes map[godwit.Code]int
}

func newDuel(t testing.TB, cfg Config) *duel {
	t.Helper()
	d := &duel{
		TB: t, ctx: context.WithoutCancel(t.Context()), cfg: cfg, clock: NewClock(),
		calls: map[string]int{}, done: map[string]int{}, codes: map[godwit.Code]int{},
	}
	d.model = model.New(model.Config{Now: d.clock.Now})
	d.store = cfg.Open(t, d.clock)
	d.told, d.heard = watch(d.model), watch(d.store)
	return d
}

func (d *duel) close() {
	d.Helper()
	if d.heard != nil {
		d.heard.stop()
	}
	if err := d.store.Close(); err != nil {
		d.Errorf("close the store: %v", err)
	}
}

// play makes one step on both and gives the model's answer and how the store's differs.
func (d *duel) play(s *step) (answer any, diff string) {
	d.Helper()
	d.clock.Advance(s.move)
	if s.move != 0 || s.reopen {
		if diff := difference(d.store.Now(), d.model.Now()); diff != "" {
			return nil, "store time:\n" + diff
		}
	}
	if s.reopen {
		return nil, d.reopen()
	}
	want, wantErr := s.call.do(d.ctx, d.model)
	got, gotErr := s.call.do(d.ctx, d.store)
	if errorCode(gotErr) != errorCode(wantErr) {
		return nil, fmt.Sprintf("\t- error %v\n\t+ error %v\n", wantErr, gotErr)
	}
	if diff := difference(got, want); diff != "" {
		return nil, diff
	}
	events := d.told.take(d.TB, 0)
	if d.heard != nil {
		if diff := difference(byJob(d.heard.take(d.TB, len(events))), byJob(events)); diff != "" {
			return nil, "events:\n" + diff
		}
	}
	d.count(&s.call, want)
	if d.witness != nil {
		d.witness.observe(&s.call, want, events)
	}
	return want, ""
}

// byJob puts events in the order of their jobs, keeping the order of those of one job: one call may move its jobs in any order.
func byJob(events []godwit.Event) []godwit.Event {
	slices.SortStableFunc(events, func(a, b godwit.Event) int { return a.Job.Compare(b.Job) })
	return events
}

func (d *duel) reopen() string {
	if d.cfg.Reopen == nil {
		return ""
	}
	if d.heard != nil {
		d.heard.stop()
	}
	d.store = d.cfg.Reopen(d.TB, d.store, d.clock)
	d.heard = watch(d.store)
	d.model.Reopen()
	if d.witness != nil {
		d.witness.reopened()
	}
	return ""
}

func (d *duel) count(c *call, answer any) {
	d.calls[c.kind]++
	done := false
	for _, code := range codesOf(answer) {
		d.codes[code]++
		done = done || code == ""
	}
	if done {
		d.done[c.kind]++
	}
	if submitted, ok := c.req.([]godwit.NewJob); ok {
		for i := range submitted {
			d.ids = keep(d.ids, 300, submitted[i].ID)
		}
	}
}

// lacks reports whether something that a stream should meet has not been met. It looks now and then.
func (d *duel) lacks(n int) bool {
	const often = 50
	if n%often != 0 {
		return true
	}
	for _, kind := range kinds {
		if d.done[kind] == 0 {
			return true
		}
	}
	return len(d.witness.missed()) > 0
}

// contents compares everything that the two stores show.
func (d *duel) contents() string {
	d.Helper()
	jobs := allJobs(d.ctx, d.TB, d.model, godwit.PageMax)
	if diff := difference(allJobs(d.ctx, d.TB, d.store, 97), jobs); diff != "" {
		return "list:\n" + diff
	}
	reads := []call{
		readOf("queues", godwit.Store.Queues), readOf("tasks", godwit.Store.Tasks), readOf("sessions", godwit.Store.Sessions),
		callOf("get", d.ids, godwit.Store.Get), callOf("outcomes", d.ids, godwit.Store.Outcomes),
	}
	ids := make([]godwit.ID, 0, len(jobs))
	for i := range jobs {
		id := jobs[i].ID
		ids = append(ids, id)
		rows := rowsRequest{ID: id, Limit: godwit.PageMax}
		reads = append(reads, attemptsOf(id), rowsOf("logs", rows, godwit.Store.Logs), rowsOf("items", rows, godwit.Store.Items))
	}
	reads = append(reads, callOf("get", ids, godwit.Store.Get), callOf("outcomes", ids, godwit.Store.Outcomes))
	for i := range reads {
		want, wantErr := reads[i].do(d.ctx, d.model)
		got, gotErr := reads[i].do(d.ctx, d.store)
		if wantErr != nil || gotErr != nil {
			return fmt.Sprintf("%s: errors %v and %v\n", &reads[i], wantErr, gotErr)
		}
		if diff := difference(got, want); diff != "" {
			return "contents, " + reads[i].kind + ":\n" + diff
		}
	}
	if d.heard == nil {
		return ""
	}
	return difference(d.heard.takeAll(d.TB), []godwit.Event(nil))
}

// summary prints what the run did, and fails the test when something it should have met never came.
func (d *duel) summary(name string, s Stream) {
	d.Helper()
	var b strings.Builder
	total := 0
	for _, n := range d.calls {
		total += n
	}
	fmt.Fprintf(&b, "%s: seed %d, %d calls, no difference\n  calls (of which did something):", name, s.Seed, total)
	for _, kind := range kinds {
		fmt.Fprintf(&b, " %s %d (%d)", kind, d.calls[kind], d.done[kind])
		if s.Coverage && d.done[kind] == 0 {
			d.Errorf("%s: no %s did anything", name, kind)
		}
	}
	b.WriteString("\n  answers:")
	codes := slices.SortedFunc(maps.Keys(d.codes), func(x, y godwit.Code) int { return cmp.Compare(d.codes[y], d.codes[x]) })
	for _, code := range codes {
		fmt.Fprintf(&b, " %s %d", cmp.Or(string(code), "done"), d.codes[code])
	}
	missed := d.witness.missed()
	all := len(states.Table())
	fmt.Fprintf(&b, "\n  rows of the table met: %d of %d", all-len(missed), all)
	d.Log(b.String())
	if s.Coverage && len(missed) > 0 {
		d.Errorf("%s: rows never met: %s", name, strings.Join(missed, ", "))
	}
}

// shrink looks for a shorter stream that ends in a difference, and prints it.
func shrink(t testing.TB, cfg Config, history []step) {
	t.Helper()
	budget := shrinkMax
	fails := func(steps []step) (int, string) {
		budget -= len(steps)
		d := newDuel(t, cfg)
		defer d.close()
		for i := range steps {
			if _, diff := d.play(&steps[i]); diff != "" {
				return i + 1, diff
			}
		}
		if diff := d.contents(); diff != "" {
			return len(steps), diff
		}
		return 0, ""
	}
	n, diff := fails(history)
	if n == 0 {
		t.Log("the stream passes when it is replayed, so it cannot be made shorter")
		return
	}
	best, last := history[:n], diff
	for chunk := len(best) / 2; chunk > 0 && budget > 0; chunk /= 2 {
		for at := len(best) - 1 - chunk; at >= 0 && budget > 0; at -= chunk {
			if at+chunk > len(best)-1 {
				continue
			}
			trial := slices.Concat(best[:at], best[at+chunk:])
			if n, diff := fails(trial); n > 0 {
				best, last = trial[:n], diff
			}
		}
	}
	var b strings.Builder
	for i := range best {
		fmt.Fprintf(&b, "\t%d. %s\n", i+1, &best[i])
	}
	t.Logf("a stream of %d steps that differs:\n%s%s", len(best), b.String(), last)
}
