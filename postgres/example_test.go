package postgres_test

import (
	"context"
	"fmt"

	"github.com/godwit-go/godwit/postgres"
)

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
