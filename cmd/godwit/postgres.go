package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/postgres"
)

// bindSchema gives a command the flag that says in which schema of a PostgreSQL database the jobs are.
func bindSchema(cmd *cobra.Command, schema *string) {
	cmd.Flags().StringVar(schema, "schema", "", "`NAME` of the schema in a PostgreSQL --db (env "+config.Variable("postgres.schema")+"; otherwise "+postgres.SchemaDefault+")")
}

// isPostgres reports whether a database URL names PostgreSQL.
func isPostgres(db string) bool {
	return strings.HasPrefix(db, "postgres://") || strings.HasPrefix(db, "postgresql://")
}

// postgresConfig is how a command that is no server works with a PostgreSQL database: as the environment and its flags say. It makes no schema:
// a name that was mistyped must not make one.
func postgresConfig(db, schema string) (postgres.Config, error) {
	sources := config.Sources{Env: func(name string) (string, bool) {
		if strings.HasPrefix(name, "GODWIT_POSTGRES_") {
			return os.LookupEnv(name)
		}
		return "", false
	}}
	if schema != "" {
		sources.Flags = []config.Flag{{Name: "--schema", Key: "postgres.schema", Value: schema}}
	}
	c, err := config.Load(sources)
	if err != nil {
		return postgres.Config{}, usageError{err}
	}
	p := storeConfig(c).Postgres
	p.URL, p.Migrate = db, postgres.MigrateNever
	return p, nil
}
