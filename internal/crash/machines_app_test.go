//go:build unix

package crash_test

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/postgres"
)

const (
	orderPause   = 20 * time.Millisecond
	orderTimeout = 3 * time.Second // of one try
	ordersMax    = 8               // that are waited for
)

// application is a program that has tables of its own beside the jobs, and makes a job in the transaction that writes a row.
type application struct {
	m     *machines
	pool  *pgxpool.Pool
	store *postgres.Store
	open  chan struct{} // holds a value for each order whose job is waited for

	mu     sync.Mutex
	orders map[godwit.ID]bool // guarded by mu: begun; true when they were taken back on purpose
}

// errTakenBack is why an order was rolled back.
var errTakenBack = errors.New("the customer has changed his mind")

// newApplication makes the tables and begins to take orders.
func newApplication(m *machines) *application {
	t := m.c.t
	t.Helper()
	a := &application{m: m, open: make(chan struct{}, ordersMax), orders: map[godwit.ID]bool{}}
	var err error
	a.pool, err = pgxpool.New(t.Context(), m.c.url+"&target_session_attrs=read-write&connect_timeout=2")
	m.must(err)
	t.Cleanup(a.pool.Close)
	_, err = a.pool.Exec(t.Context(), "CREATE TABLE app.orders (id uuid PRIMARY KEY)")
	m.must(err)
	a.store, err = postgres.Open(t.Context(), postgres.Config{URL: m.c.url, Conns: 2})
	m.must(err)
	t.Cleanup(func() { _ = a.store.Close() }) // what it has made is looked at elsewhere
	d := m.driver
	d.work.Go(func() {
		for {
			select {
			case <-d.stop:
				return
			case <-m.ctx.Done():
				return
			case <-time.After(orderPause):
			}
			a.order(m.ctx)
		}
	})
	return a
}

// order writes a row and its job, or neither. It waits while too many are under way: a machine that is slow is to get no slower.
func (a *application) order(ctx context.Context) {
	d := a.m.driver
	id, back := godwit.NewID(), d.c.draw(4) == 0
	job := d.kinds["crash.plain"].Submission(int64(d.c.draw(1000)), id)
	a.mu.Lock()
	a.orders[id] = back
	a.mu.Unlock()
	select {
	case a.open <- struct{}{}:
	case <-ctx.Done():
		return
	}
	if !a.insist(ctx, job, back) {
		<-a.open
	}
}

// insist makes an order until it knows whether it is made, and reports whether its job is waited for.
func (a *application) insist(ctx context.Context, job godwit.Submission, back bool) bool {
	d, id := a.m.driver, job.Options.ID
	e := crash.Event{Asked: id, Task: job.Task, Args: string(job.Args.Data)}
	for {
		if !back { // of one that is taken back nobody is to hear
			e.Kind = crash.Submitting
			d.c.write(e)
		}
		answer, err := a.try(ctx, job, back)
		switch {
		case errors.Is(err, errTakenBack), ctx.Err() != nil:
			return false
		case err == nil:
			e.Kind, e.Job, e.Created, e.State, e.Code = crash.Submitted, answer.ID, answer.Created, answer.State, answer.Code
			d.c.write(e)
			d.work.Go(func() {
				d.observe(ctx, id)
				<-a.open
			})
			return true
		case back:
			return false // it did not come to be committed
		}
		d.c.write(crash.Event{Kind: crash.Cut, Asked: id})
		pause(ctx, orderPause)
	}
}

func (a *application) try(ctx context.Context, job godwit.Submission, back bool) (answer godwit.SubmitAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	err = pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO app.orders VALUES ($1) ON CONFLICT DO NOTHING", [16]byte(job.Options.ID)); err != nil {
			return err
		}
		answers, err := a.store.SubmitTx(ctx, tx, job)
		if err != nil {
			return err
		}
		answer = answers[0]
		if back {
			return errTakenBack
		}
		return nil
	})
	return answer, err
}

// check wants a row for every job of the application, and a job for every row.
func (a *application) check(finals []crash.Final) {
	t := a.m.c.t
	t.Helper()
	jobs := map[godwit.ID]bool{}
	for _, f := range finals {
		jobs[f.Job.ID] = true
	}
	ids, err := ask[[][16]byte](a.m, "SELECT array_agg(id) FROM app.orders")
	a.m.must(err)
	rows := map[godwit.ID]bool{}
	for _, id := range ids {
		rows[id] = true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	kept := 0
	for id, back := range a.orders {
		switch {
		case rows[id] != jobs[id]:
			t.Errorf("order %s: its row is there: %v; its job: %v", id, rows[id], jobs[id])
		case rows[id] && back:
			t.Errorf("order %s was rolled back, and is there", id)
		case rows[id]:
			kept++
		}
	}
	t.Logf("%d orders with a job in the application's own transaction, %d of them kept", len(a.orders), kept)
}
