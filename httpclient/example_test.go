package httpclient_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/model"
)

// A task is submitted to a server and its promise awaited, as with the client of a store.
func Example() {
	if err := overHTTP(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: HELLO
}

func overHTTP(ctx context.Context) error {
	local, err := godwit.New(model.New(model.Config{}), godwit.Config{})
	if err != nil {
		return err
	}
	shout := godwit.NewTask[string, string]("shout", godwit.Policy{})
	godwit.Handle(local, shout, func(_ context.Context, s string) (string, error) { return strings.ToUpper(s), nil })
	if err := local.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = local.Stop(ctx) }()
	server := httptest.NewServer(httpapi.New(local, httpapi.Config{}))
	defer server.Close()

	c, err := httpclient.New(httpclient.Config{URL: server.URL})
	if err != nil {
		return err
	}
	p, err := shout.Submit(ctx, c, "hello", godwit.SubmitOptions{})
	if err != nil {
		return err
	}
	said, err := p.Await(ctx)
	fmt.Println(said)
	return err
}
