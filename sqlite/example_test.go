package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

// An order and the job that ships it are there together or not at all.
func ExampleStore_Tx() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "godwit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "app.db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()

	type order struct{ Number int }
	ship := godwit.NewTask[order, string]("order.ship", godwit.Policy{MaxAttempts: 3})
	id := godwit.NewID()
	err = store.Tx(ctx, func(tx *sqlite.Tx) error {
		if err := sqlitex.ExecuteScript(tx.Conn(), "CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (7);", nil); err != nil {
			return err
		}
		_, err := tx.Submit(ship.Job(order{7}, godwit.SubmitOptions{ID: id}))
		return err
	})
	jobs, _ := store.Get(ctx, []godwit.ID{id})
	fmt.Println(err, jobs[0].Job.Task, jobs[0].Job.State)
	fmt.Println(store.Backup(ctx, filepath.Join(dir, "copy.db")), store.Check(ctx))
	// Output:
	// <nil> order.ship ready
	// <nil> <nil>
}
