package postgres

import (
	"regexp"
	"time"
)

// Config says which database a store keeps its jobs in and how. Only URL has to be given.
type Config struct {
	// URL names the database: postgres://user@host:5432/database?sslmode=verify-full, with several hosts if need be
	// (host1:5432,host2:5432); the parameters are those of libpq. What it leaves out is taken from PGHOST, PGUSER, PGPASSWORD
	// and the like. Of several hosts the one that takes writes is used, also after a failover.
	URL string
	// Schema is where the tables are. Defaults to [SchemaDefault]. Lower case letters, digits and "_", at most 63 bytes.
	Schema string
	// Migrate says what Open does about the schema. Defaults to [MigrateUp].
	Migrate MigrateMode
	// Conns is how many connections work at the same time. Defaults to [ConnsDefault]. At most [ConnsMax]. Two more are kept for the
	// leases, so that they are renewed however much there is to do.
	Conns int
	// Pooler says that a pooler which hands out connections by the transaction (PgBouncer, for one) stands before the server: no
	// statement is prepared by name then, and nothing is set for longer than a transaction. A store does the same by itself when it
	// notices a pooler; what it cannot tell is whether notifications come through, so it tries.
	Pooler bool
	// ListenURL names the same database past a pooler, for the one connection on which the store listens to what other processes
	// change. Defaults to URL; with Pooler to none: the store does not listen then, and jobs of other processes are found by asking.
	ListenURL string
	// CallTimeout bounds how long a call waits for a connection, and once more how long it takes when it has one. A call whose server
	// does not answer at all is given up after a few seconds; this is for one that answers and gets nowhere. Defaults to
	// [CallTimeoutDefault].
	CallTimeout time.Duration
	// Now is the clock behind store time. Store time never goes back even if Now does. Defaults to the server's clock. It must be
	// the same for all stores on one schema.
	Now func() time.Time
}

// MigrateMode says what opening a store does about its schema.
type MigrateMode string

// What opening a store does about its schema.
const (
	// MigrateUp makes the schema, or brings it up to date. The role must be allowed to; several processes may do it at once.
	MigrateUp MigrateMode = "up"
	// MigrateNever changes nothing: a schema that is missing or too old is refused, and the role needs no right but to work with
	// rows. Migrate it by [Migrate] beforehand.
	MigrateNever MigrateMode = "never"
)

// Defaults and bounds of a [Config].
const (
	SchemaDefault      = "godwit"
	ConnsDefault       = 8
	ConnsMax           = 1000
	CallTimeoutDefault = 30 * time.Second
	CallTimeoutMin     = 100 * time.Millisecond
)

var schemaNames = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

func (c Config) withDefaults() (Config, error) {
	if c.Schema == "" {
		c.Schema = SchemaDefault
	}
	if c.Migrate == "" {
		c.Migrate = MigrateUp
	}
	if c.Conns == 0 {
		c.Conns = ConnsDefault
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = CallTimeoutDefault
	}
	switch {
	case c.URL == "":
		return c, invalid("URL", "must name a database, such as postgres://user@localhost:5432/app")
	case !schemaNames.MatchString(c.Schema) || len(c.Schema) > 2 && c.Schema[:3] == "pg_":
		return c, invalid("Schema", "must be a name of lower case letters, digits and _, of at most 63 bytes and without pg_ in front, got %.80q", c.Schema)
	case c.Migrate != MigrateUp && c.Migrate != MigrateNever:
		return c, invalid("Migrate", "must be %q or %q, got %.80q", MigrateUp, MigrateNever, string(c.Migrate))
	case c.Conns < 1 || c.Conns > ConnsMax:
		return c, invalid("Conns", "must be between 1 and %d, got %d (0 means %d)", ConnsMax, c.Conns, ConnsDefault)
	case c.CallTimeout < CallTimeoutMin:
		return c, invalid("CallTimeout", "must be at least %v, got %v (0 means %v)", CallTimeoutMin, c.CallTimeout, CallTimeoutDefault)
	}
	return c, nil
}
