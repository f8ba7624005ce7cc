package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// GrantsSQL gives the statements by which the owner of a schema lets a role work with it and do nothing else: submit, run and
// administer jobs. Opened with [MigrateNever] a store needs no other right.
func GrantsSQL(schema, role string) string {
	s, r := pgx.Identifier{schema}.Sanitize(), pgx.Identifier{role}.Sanitize()
	return fmt.Sprintf("GRANT USAGE ON SCHEMA %[1]s TO %[2]s;\n"+
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %[1]s TO %[2]s;\n"+
		"REVOKE INSERT, UPDATE, DELETE ON %[1]s.migrations FROM %[2]s;\n"+
		"ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %[2]s;\n", s, r)
}
