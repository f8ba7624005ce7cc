// Command orders is the program of the guides in docs/guides: the things that people who come from another job library look for first.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

// region:task

// Receipt is what the task takes.
type Receipt struct {
	Order int    `json:"order"`
	Email string `json:"email"`
}

// SendReceipt is the task: the name is what is stored, the policy is how its jobs are treated.
var SendReceipt = godwit.NewTask[Receipt, string]("receipt.send", godwit.Policy{
	Queue: "mail", MaxAttempts: 10, Timeout: 30 * time.Second,
	Backoff: godwit.Backoff{Base: time.Second, Max: time.Hour},
})

// endregion

// Mailer sends letters.
type Mailer struct{ sent int }

var (
	errBusy      = errors.New("the mail server is busy")
	errNoAddress = errors.New("there is no such address")
)

// region:handler

// Send is the handler: a method, so that it has what it needs without a context full of values.
func (m *Mailer) Send(ctx context.Context, r Receipt) (string, error) {
	godwit.Logger(ctx).Info("sending", "order", r.Order) // kept with the job, too
	switch err := m.deliver(ctx, r); {
	case errors.Is(err, errNoAddress):
		return "", godwit.Permanent(err) // fails at once: trying again does not mend it
	case errors.Is(err, errBusy):
		return "", godwit.RetryAfter(time.Minute, err) // in place of the back-off
	case err != nil:
		return "", err // retried after the back-off
	}
	return fmt.Sprintf("receipt of order %d", r.Order), nil // kept, and awaited by whoever holds the promise
}

// endregion

func (m *Mailer) deliver(ctx context.Context, r Receipt) error {
	if r.Email == "" {
		return errNoAddress
	}
	m.sent++
	return ctx.Err()
}

// region:worker

// newClient makes a client that works two queues. A process that only submits leaves out Handle and Start.
func newClient(ctx context.Context, store godwit.Store, m *Mailer) (*godwit.Client, error) {
	c, err := godwit.New(store, godwit.Config{Queues: map[string]godwit.QueueConfig{
		godwit.QueueDefault: {Concurrency: 8},
		"mail":              {Concurrency: 2},
	}})
	if err != nil {
		return nil, err
	}
	godwit.Handle(c, SendReceipt, m.Send)
	return c, c.Start(ctx)
}

// endregion

// region:submit

func submit(ctx context.Context, c *godwit.Client) error {
	later, err := SendReceipt.Submit(ctx, c, Receipt{7, "ann@example.org"}, godwit.SubmitOptions{
		Delay:          10 * time.Millisecond,                   // or RunAt
		Priority:       new(5),                                  // higher first
		IdempotencyKey: "order-7",                               // a repeated request answers with the same job
		Unique:         godwit.Unique{Key: "order-7"},           // one unfinished job with this key at a time
		Tags:           []string{"customer:42"}, MaxAttempts: 3, // in place of the policy's
		Deadline: time.Hour, Headers: map[string]string{"k": "v"}, // given to the handler
	})
	if err != nil {
		return err // nothing was made; or errors.Is(err, godwit.ErrOutcomeUnknown), and it may be repeated
	}
	text, err := later.Await(ctx) // by any number of goroutines, in any process: godwit.PromiseOf[string](c, later.ID())
	if err != nil {
		return err // of the job: errors.As(err, &jobError) tells its code and message
	}
	fmt.Println(text)
	return nil
}

// endregion

// region:transaction

// order inserts an order and the job that sends its receipt: both are there, or neither.
func order(ctx context.Context, store *sqlite.Store, r Receipt) error {
	return store.Tx(ctx, func(tx *sqlite.Tx) error {
		insert := &sqlitex.ExecOptions{Args: []any{r.Order, r.Email}}
		if err := sqlitex.Execute(tx.Conn(), "INSERT INTO orders (number, email) VALUES (?, ?)", insert); err != nil {
			return err
		}
		_, err := tx.Submit(SendReceipt.Job(r, godwit.SubmitOptions{}))
		return err
	})
}

// endregion

// region:admin

func operate(ctx context.Context, c *godwit.Client) error {
	failed, err := c.List(ctx, godwit.ListFilter{State: godwit.StateFailed, Task: SendReceipt.Name(), Limit: 100})
	if err != nil {
		return err
	}
	for _, job := range failed.Jobs {
		why, err := c.Attempts(ctx, job.ID) // each run that did not succeed, with its error
		if err != nil {
			return err
		}
		fmt.Println(job.ID, job.Failure.Message, len(why))
		if err := c.Retry(ctx, job.ID, godwit.RetryOptions{}); err != nil { // with other arguments if need be
			return err
		}
	}
	if err := c.PauseQueue(ctx, "mail"); err != nil { // one write, however many jobs wait
		return err
	}
	return c.ResumeQueue(ctx, "mail")
}

// endregion

func run(ctx context.Context, dir string) (err error) {
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "orders.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	err = store.Tx(ctx, func(tx *sqlite.Tx) error {
		return sqlitex.ExecuteScript(tx.Conn(), "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, email TEXT)", nil)
	})
	if err != nil {
		return err
	}
	m := &Mailer{}
	c, err := newClient(ctx, store, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop(context.WithoutCancel(ctx))) }()
	if err := submit(ctx, c); err != nil {
		return err
	}
	if err := order(ctx, store, Receipt{8, "bob@example.org"}); err != nil {
		return err
	}
	if err := c.Drain(ctx); err != nil {
		return err
	}
	fmt.Println(m.sent, "letters sent")
	return operate(ctx, c)
}

func main() {
	dir, err := os.MkdirTemp("", "orders")
	if err == nil {
		err = run(context.Background(), dir)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		log.Fatal(err)
	}
}
