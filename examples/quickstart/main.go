// Command quickstart is the program of the README: it submits one durable job, runs it and prints its result.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/open"
)

// region:quickstart

var Greet = godwit.NewTask[string, string]("greet", godwit.Policy{MaxAttempts: 5, Timeout: time.Minute})

func run(ctx context.Context, url string) error {
	store, err := open.Store(ctx, url) // sqlite:app.db is a file beside the program; there is no server
	if err != nil {
		return err
	}
	defer store.Close()
	c, err := godwit.New(store, godwit.Config{})
	if err != nil {
		return err
	}
	godwit.Handle(c, Greet, func(_ context.Context, name string) (string, error) { return "Hello, " + name, nil })
	if err := c.Start(ctx); err != nil {
		return err
	}
	defer c.Stop(context.WithoutCancel(ctx))
	p, err := Greet.Submit(ctx, c, "godwit", godwit.SubmitOptions{}) // on disk when it returns
	if err != nil {
		return err
	}
	greeting, err := p.Await(ctx) // or in another process, after a restart: godwit.PromiseOf[string](c, p.ID())
	fmt.Println(greeting)
	return err
}

// endregion

func main() {
	if err := run(context.Background(), "sqlite:app.db"); err != nil {
		log.Fatal(err)
	}
}
