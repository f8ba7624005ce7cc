package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/postgres"
)

// What a handler does in its own transaction, and that it is done, count together or not at all.
func ExampleStore_SettleTx() {
	type transfer struct{ From, To, Cents int }
	transfers := godwit.NewTask[transfer, int]("transfer", godwit.Policy{})

	setUp := func(client *godwit.Client, store *postgres.Store, pool *pgxpool.Pool) {
		// region:settletx
		godwit.Handle(client, transfers, func(ctx context.Context, t transfer) (int, error) {
			result, err := json.Marshal(t.Cents)
			if err != nil {
				return 0, err
			}
			return t.Cents, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				const move = "UPDATE accounts SET cents = cents + CASE id WHEN $1 THEN -$3::bigint ELSE $3 END WHERE id IN ($1, $2)"
				if _, err := tx.Exec(ctx, move, t.From, t.To, t.Cents); err != nil {
					return err
				}
				// When the run was lost meanwhile this is an error, and the transaction is rolled back: the money moves once.
				_, err := store.SettleTx(ctx, tx, godwit.Settlement{
					Token: godwit.Info(ctx).Token, Outcome: godwit.OutcomeSucceed,
					Result: godwit.Payload{Encoding: godwit.EncodingJSON, Data: result},
				})
				return err
			})
		})
		// endregion
	}
	_ = setUp
}

// The owner of the database lets a role work with jobs and do nothing else.
func ExampleGrantsSQL() {
	fmt.Print(postgres.GrantsSQL("godwit", "app"))
	// Output:
	// GRANT USAGE ON SCHEMA "godwit" TO "app";
	// GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "godwit" TO "app";
	// REVOKE INSERT, UPDATE, DELETE ON "godwit".migrations FROM "app";
	// ALTER DEFAULT PRIVILEGES IN SCHEMA "godwit" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "app";
}

// A URL that is not understood is refused with what is wrong with it.
func ExampleOpen() {
	_, err := postgres.Open(context.Background(), postgres.Config{URL: "postgres://app:secret@db:five/app"})
	fmt.Println(err)
	// Output:
	// URL must be a URL such as postgres://user@localhost:5432/app (invalid port)
}
