package storetest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/internal/states"
)

// stream draws calls from a seed. It learns from the answers of the model, so that it names jobs, runs and sessions that
// exist, or that existed a moment ago.
type stream struct {
	rng   *rand.Rand
	model *model.Store
	order uint64 // of the newest id

	ids      []godwit.ID         // of jobs submitted lately
	tokens   []godwit.Token      // of runs claimed lately
	live     []godwit.Token      // of runs that have not been settled, as far as the stream knows
	sessions []godwit.ID         // started lately, ended or not
	alive    []godwit.ID         // started lately and not ended
	starts   []godwit.NewSession // of those alive
	repeats  []godwit.NewJob     // submitted lately
	settles  []godwit.Settlement // made lately
	next     []step              // to be made before anything else is drawn

	goal     func() *states.Row // a row that has not been met, nil when there is none
	timeless bool               // the clock stands still
	aiming   bool               // at those rows before all else
	queues   []string
	tasks    []string
}

func newStream(seed uint64, m *model.Store) *stream {
	return &stream{
		rng: rand.New(rand.NewPCG(seed, 0x60d317)), model: m, order: 1 << 20, goal: func() *states.Row { return nil },
		queues: streamQueues, tasks: streamTasks,
	}
}

var (
	streamQueues = []string{"alpha", "beta", "gamma"}
	streamTasks  = []string{"build", "mail", "report", "scan"}
	streamKeys   = []string{"k1", "k2", "k3", "k4"}
	streamNames  = []string{"first", "second", "third"}
	streamTags   = []string{"red", "green", "blue"}
)

// chance is true n times in a hundred.
func (g *stream) chance(n int) bool { return g.rng.IntN(100) < n }

func pick[T any](g *stream, list []T) (x T) {
	if len(list) > 0 {
		x = list[g.rng.IntN(len(list))]
	}
	return x
}

// keep adds to a list of which only the newest count.
func keep[T any](list []T, limit int, x ...T) []T {
	list = append(list, x...)
	return list[max(0, len(list)-limit):]
}

func (g *stream) newID() godwit.ID {
	g.order += 1 + g.rng.Uint64N(3)
	order := g.order
	if g.chance(10) {
		order -= g.rng.Uint64N(200) // made elsewhere and earlier, submitted late
	}
	return testID(order, g.rng.Uint64())
}

func (g *stream) micros(limit time.Duration) time.Duration {
	return time.Duration(g.rng.Int64N(int64(limit)))
}

// move is by how much the clock goes on before a call.
func (g *stream) move() time.Duration {
	switch n := g.rng.IntN(10_000); {
	case g.timeless || n < 5500:
		return 0
	case n < 8500:
		return g.micros(50 * time.Millisecond)
	case n < 9700:
		return g.micros(2 * time.Second)
	case n < 9900:
		return g.micros(15 * time.Second)
	case n < 9975:
		return g.micros(3 * time.Minute)
	case n < 9985:
		return -g.micros(5 * time.Second)
	case n < 9998:
		return g.micros(20 * time.Minute)
	}
	return g.micros(40 * 24 * time.Hour)
}

// weighted says how often something is drawn.
type weighted struct {
	weight int
	draw   func(*stream) call
}

// weights say how often each kind is drawn.
var weights = []weighted{
	{170, (*stream).drawSubmit},
	{150, (*stream).drawClaim},
	{110, (*stream).drawSettle},
	{75, (*stream).drawPark},
	{15, (*stream).drawResume},
	{25, (*stream).drawReport},
	{45, (*stream).drawCancel},
	{45, (*stream).drawRetry},
	{30, (*stream).drawReschedule},
	{22, (*stream).drawDelete},
	{35, (*stream).drawStart},
	{60, (*stream).drawHeartbeat},
	{8, (*stream).drawEnd},
	{25, (*stream).drawRescue},
	{45, (*stream).drawAdvance},
	{25, (*stream).drawPrune},
	{10, (*stream).drawPause},
	{60, (*stream).drawRead},
	{220, (*stream).drawAimed},
	{10, (*stream).drawOrphans},
	{80, (*stream).drawGoal},
}

// draw gives the next step.
func (g *stream) draw() step {
	if len(g.next) > 0 {
		s := g.next[0]
		g.next = g.next[1:]
		return s
	}
	if g.aiming && g.chance(40) {
		return step{move: g.move(), call: g.drawGoal()}
	}
	return step{move: g.move(), call: g.drawFrom(weights)}
}

func (g *stream) drawFrom(weights []weighted) call {
	total := 0
	for i := range weights {
		total += weights[i].weight
	}
	n := g.rng.IntN(total)
	for i := range weights {
		if n -= weights[i].weight; n < 0 {
			return weights[i].draw(g)
		}
	}
	panic("storetest: a draw beyond the weights")
}

// learn takes note of what the model answered.
func (g *stream) learn(c *call, answer any) {
	switch a := answer.(type) {
	case []godwit.SubmitAnswer:
		for _, x := range a {
			if x.Code == "" {
				g.ids = keep(g.ids, 60, x.ID)
			}
		}
	case godwit.ClaimAnswer:
		if q, ok := c.req.(godwit.ClaimRequest); ok {
			for i := range a.Jobs {
				t := godwit.Token{Job: a.Jobs[i].ID, Run: a.Jobs[i].Run, Session: q.Session}
				g.tokens = keep(g.tokens, 40, t)
				g.live = keep(g.live, 40, t)
			}
		}
	case []godwit.SettleAnswer:
		if q, ok := c.req.([]godwit.Settlement); ok {
			for i := range q {
				if a[i].Code != godwit.CodeLimitReached {
					g.live = slices.DeleteFunc(g.live, func(t godwit.Token) bool { return t == q[i].Token })
				}
			}
		}
	case godwit.SessionAnswer:
		if q, ok := c.req.(godwit.NewSession); ok && a.Code == "" {
			g.sessions = keep(g.sessions, 6, q.ID)
			if !slices.Contains(g.alive, q.ID) {
				g.alive, g.starts = keep(g.alive, 6, q.ID), keep(g.starts, 6, q)
			}
		}
		if id, ok := c.req.(godwit.ID); ok {
			g.ended(id)
		}
	case godwit.RescueAnswer:
		g.ended(a.Sessions...)
	}
}

// ended forgets what ended sessions were doing, most of the time.
func (g *stream) ended(sessions ...godwit.ID) {
	gone := func(id godwit.ID) bool { return slices.Contains(sessions, id) }
	g.alive = slices.DeleteFunc(g.alive, gone)
	g.starts = slices.DeleteFunc(g.starts, func(n godwit.NewSession) bool { return gone(n.ID) })
	if !g.chance(10) {
		g.live = slices.DeleteFunc(g.live, func(t godwit.Token) bool { return gone(t.Session) })
	}
}

// drain lets the store become small again: it cancels what has not finished and lets the rest grow old.
func (g *stream) drain(jobs []godwit.Job) {
	var cancel []godwit.CancelRequest
	for i := range jobs {
		if !jobs[i].State.Final() && g.chance(70) {
			cancel = append(cancel, godwit.CancelRequest{ID: jobs[i].ID})
		}
	}
	rescue := callOf("rescue", 100, godwit.Store.Rescue)
	advance := callOf("advance", 1000, godwit.Store.Advance)
	prune := callOf("prune", 10_000, godwit.Store.Prune)
	g.next = append(g.next,
		step{call: callOf("cancel", cancel, godwit.Store.Cancel)},
		step{move: 90 * time.Second, call: rescue}, step{call: advance}, step{call: advance},
		step{move: 15 * time.Minute, call: prune}, step{call: prune},
		step{move: 70 * time.Minute, call: prune}, step{call: prune},
	)
}
