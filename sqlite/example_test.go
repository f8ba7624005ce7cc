package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

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

	var ids godwit.IDs
	ship := godwit.NewJob{
		ID: ids.New(), Task: "order.ship", Version: 1, Queue: "default", Args: godwit.Payload{Encoding: "json", Data: []byte(`{"order":7}`)},
		MaxAttempts: 3, MaxCrashes: 3, KeepSucceeded: time.Hour, KeepFailed: time.Hour,
	}
	err = store.Tx(ctx, func(tx *sqlite.Tx) error {
		if err := sqlitex.ExecuteScript(tx.Conn(), "CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (7);", nil); err != nil {
			return err
		}
		_, err := tx.Submit(ship)
		return err
	})
	jobs, _ := store.Get(ctx, []godwit.ID{ship.ID})
	fmt.Println(err, jobs[0].Job.Task, jobs[0].Job.State)
	fmt.Println(store.Backup(ctx, filepath.Join(dir, "copy.db")), store.Check(ctx))
	// Output:
	// <nil> order.ship ready
	// <nil> <nil>
}
