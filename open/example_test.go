package open_test

import (
	"context"
	"fmt"

	"github.com/godwit-go/godwit/open"
)

func ExampleStore() {
	ctx := context.Background()
	store, err := open.Store(ctx, "memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	queues, err := store.Queues(ctx)
	fmt.Println(len(queues), err)
	fmt.Println(store.Close())

	_, err = open.Store(ctx, "sqllite:app.db")
	fmt.Println(err)
	// Output:
	// 0 <nil>
	// <nil>
	// url has the scheme "sqllite", which is none of sqlite, postgres, memory (did you mean "sqlite:"?)
}
