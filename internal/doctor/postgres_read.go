package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Postgres is what can be seen of a PostgreSQL server and of a schema in one of its databases.
type Postgres struct {
	Database string
	Role     string

	Schema     string
	There      bool
	Steps      int   // of migration that the program knows; this and the next two are set by the caller
	Lacking    int   // of them the schema
	StepsError error // they could not be read

	Version       int    // 150004
	VersionText   string // "15.4"
	InRecovery    bool
	ReadOnly      bool          // by default
	ReadOnlyBy    string        // where that is set, as pg_settings calls it: "configuration file", "database", "user"
	Pooler        bool          // something answers in the server's stead
	PoolerSaid    bool          // the program is told so; set by the caller
	Ahead         time.Duration // how far the newest lease was renewed ahead of the server's clock
	Skew          time.Duration
	SkewError     time.Duration // what the measurement may be off by
	Durability    map[string]string
	Autovacuum    bool
	SeesOthers    bool // the role sees what the sessions of others do
	Connections   int
	ConnectionsOf int
	FrozenAge     int64 // transactions since the oldest that is not frozen

	Holders []PostgresHolder
	Feeders []PostgresFeeder
	Keepers []PostgresKeeper
	Slots   []PostgresSlot
	Blocks  []PostgresBlock
	Tables  []PostgresTable
}

// PostgresHolder is what keeps an old snapshot, so that nothing that came to be deleted since is vacuumed.
type PostgresHolder struct {
	What string // "session 4711 (psql, idle in transaction)"
	Mend string
	Age  time.Duration
}

// PostgresFeeder is a standby that keeps a snapshot here for its own queries (hot_standby_feedback).
type PostgresFeeder struct {
	Name    string
	PID     int
	XminAge int64 // transactions
}

// PostgresKeeper is a session with a transaction open that has locked sessions of workers or jobs.
type PostgresKeeper struct {
	PID  int
	What string // "godwit, idle in transaction"
	For  time.Duration
}

// PostgresSlot is a replication slot.
type PostgresSlot struct {
	Name     string
	Active   bool
	Retained int64 // bytes of log that it keeps
	XminAge  int64 // transactions; 0: it keeps no snapshot
}

// PostgresBlock is a session that waits for a lock of another.
type PostgresBlock struct {
	Blocked, By int // processes of the server
	ByWhat      string
	For         time.Duration
}

// PostgresTable is a table of the schema.
type PostgresTable struct {
	Name           string
	Live, Dead     int64 // rows, as estimated
	AutovacuumOff  bool  // for this table
	Lacks          []string
	VacuumedBefore time.Duration // negative: never
}

// ConnectPostgres connects so that it also works through a pooler, and of several hosts to the one that takes writes.
func ConnectPostgres(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	for _, f := range cfg.Fallbacks {
		if (f.Host != cfg.Host || f.Port != cfg.Port) && cfg.ValidateConnect == nil {
			cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// ReadPostgres looks at a server and at a schema, and changes nothing.
func ReadPostgres(ctx context.Context, conn *pgx.Conn, schema string) (Postgres, error) {
	p := Postgres{Schema: schema}
	for _, part := range []struct {
		what string
		read func(context.Context, *pgx.Conn) error
	}{
		{"the server", p.readServer},
		{"the clock", p.readClock},
		{"the settings", p.readSettings},
		{"the tables", p.readTables},
		{"the sessions", p.readSessions},
		{"the prepared transactions", p.readPrepared},
		{"the replication slots", p.readSlots},
		{"the standbys", p.readFeeders},
		{"the leases", p.readAhead},
		{"the locks", p.readBlocks},
		{"who holds locks", p.readKeepers},
	} {
		if err := part.read(ctx, conn); err != nil {
			return p, fmt.Errorf("look at %s: %w", part.what, err)
		}
	}
	return p, nil
}

func (p *Postgres) readServer(ctx context.Context, conn *pgx.Conn) error {
	var backend uint32
	err := conn.QueryRow(ctx, `SELECT current_database(), current_user, current_setting('server_version_num')::integer, current_setting('server_version'),
			pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean, pg_backend_pid(), to_regnamespace(quote_ident($1)) IS NOT NULL,
			(SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()), pg_has_role('pg_read_all_stats', 'USAGE'),
			(SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only')`, p.Schema).
		Scan(&p.Database, &p.Role, &p.Version, &p.VersionText, &p.InRecovery, &p.ReadOnly, &backend, &p.There, &p.FrozenAge, &p.SeesOthers, &p.ReadOnlyBy)
	// A pooler gives clients keys of its own for cancels; a server gives the number of the process that serves them.
	p.Pooler = backend != conn.PgConn().PID()
	return err
}

// readClock takes the best of a few readings: the one that took the least time.
func (p *Postgres) readClock(ctx context.Context, conn *pgx.Conn) error {
	for i := range 3 {
		var at time.Time
		before := time.Now()
		if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&at); err != nil {
			return err
		}
		took := time.Since(before)
		if i == 0 || took/2 < p.SkewError {
			p.SkewError = took / 2
			p.Skew = at.Sub(before.Add(took / 2))
		}
	}
	return nil
}

func (p *Postgres) readSettings(ctx context.Context, conn *pgx.Conn) error {
	p.Durability = map[string]string{}
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value); err != nil {
			return err
		}
		p.Durability[name] = value
	}
	return conn.QueryRow(ctx, `SELECT current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean,
		current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')`).Scan(&p.Autovacuum, &p.ConnectionsOf, &p.Connections)
}

// readTables looks at each table of the schema: what is dead in it, and which rights the role lacks on it.
func (p *Postgres) readTables(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT c.relname, coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
			coalesce(c.reloptions::text ~ 'autovacuum_enabled=(false|off|no|0)', false),
			coalesce(extract(epoch FROM clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum)), -1)::float8,
			ARRAY(SELECT r FROM unnest(CASE c.relname WHEN 'migrations' THEN ARRAY['SELECT'] ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) r
				WHERE NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, r)))
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
		WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname`, p.Schema)
	if err != nil {
		return err
	}
	p.Tables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t PostgresTable, err error) {
		var vacuumed float64
		err = row.Scan(&t.Name, &t.Live, &t.Dead, &t.AutovacuumOff, &vacuumed, &t.Lacks)
		t.VacuumedBefore = seconds(vacuumed)
		return t, err
	})
	return err
}

func (p *Postgres) readSessions(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT pid, application_name, coalesce(state, ''), extract(epoch FROM clock_timestamp() - xact_start)::float8
		FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
		AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 100`)
	if err != nil {
		return err
	}
	holders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h PostgresHolder, err error) {
		var pid int
		var application, state string
		var age float64
		err = row.Scan(&pid, &application, &state, &age)
		h.What = fmt.Sprintf("session %d (%s) has a transaction open", pid, described(application, state))
		h.Mend = fmt.Sprintf("end it in its program, or SELECT pg_terminate_backend(%d); an idle_in_transaction_session_timeout does so by itself", pid)
		h.Age = seconds(age)
		return h, err
	})
	p.Holders = append(p.Holders, holders...)
	return err
}

func (p *Postgres) readPrepared(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT gid, quote_literal(gid), extract(epoch FROM clock_timestamp() - prepared)::float8
		FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared LIMIT 100`)
	if err != nil {
		return err
	}
	holders, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h PostgresHolder, err error) {
		var gid, literal string
		var age float64
		err = row.Scan(&gid, &literal, &age)
		h.What = fmt.Sprintf("the prepared transaction %s is neither committed nor rolled back", short(gid))
		h.Mend = "COMMIT PREPARED " + literal + " or ROLLBACK PREPARED " + literal
		h.Age = seconds(age)
		return h, err
	})
	p.Holders = append(p.Holders, holders...)
	return err
}

func (p *Postgres) readSlots(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT slot_name, active, coalesce(greatest(age(xmin), age(catalog_xmin)), 0)::bigint,
		coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
		FROM pg_replication_slots ORDER BY slot_name LIMIT 100`)
	if err != nil {
		return err
	}
	p.Slots, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s PostgresSlot, err error) {
		return s, row.Scan(&s.Name, &s.Active, &s.XminAge, &s.Retained)
	})
	return err
}

func (p *Postgres) readBlocks(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT w.pid, b.pid, b.application_name, coalesce(b.state, ''),
			coalesce(extract(epoch FROM clock_timestamp() - w.query_start), 0)::float8
		FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) by JOIN pg_stat_activity b ON b.pid = by
		WHERE w.datname = current_database() AND w.wait_event_type = 'Lock' ORDER BY w.query_start LIMIT 100`)
	if err != nil {
		return err
	}
	p.Blocks, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (b PostgresBlock, err error) {
		var application, state string
		var waited float64
		err = row.Scan(&b.Blocked, &b.By, &application, &state, &waited)
		b.ByWhat, b.For = described(application, state), seconds(waited)
		return b, err
	})
	return err
}

// readFeeders looks at standbys without a slot; with one it is the slot that keeps the snapshot.
func (p *Postgres) readFeeders(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT coalesce(application_name, ''), pid, age(backend_xmin)::bigint FROM pg_stat_replication
		WHERE backend_xmin IS NOT NULL ORDER BY pid LIMIT 100`)
	if err != nil {
		return err
	}
	p.Feeders, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f PostgresFeeder, err error) {
		return f, row.Scan(&f.Name, &f.PID, &f.XminAge)
	})
	return err
}

// readAhead compares the newest renewal of a lease with the server's clock: time goes on by itself when the clock is set back.
func (p *Postgres) readAhead(ctx context.Context, conn *pgx.Conn) error {
	table := pgx.Identifier{p.Schema, "sessions"}.Sanitize()
	var may bool
	// to_regclass fails where the schema may not be used, so that is asked first.
	if err := conn.QueryRow(ctx, "SELECT CASE WHEN coalesce(has_schema_privilege(to_regnamespace(quote_ident($2)), 'USAGE'), false)"+
		" THEN coalesce(has_table_privilege(to_regclass($1), 'SELECT'), false) ELSE false END",
		table, p.Schema).Scan(&may); err != nil || !may {
		return err
	}
	var ahead float64
	err := conn.QueryRow(ctx, "SELECT coalesce(max(lease_until - lease / 1000) / 1e6 - extract(epoch FROM clock_timestamp()), 0)::float8 FROM "+table).Scan(&ahead)
	p.Ahead = seconds(ahead)
	return err
}

// readKeepers looks for transactions that have locked sessions of workers or places of jobs, which rescue passes over: nobody is seen
// to wait for them.
func (p *Postgres) readKeepers(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.state, ''), extract(epoch FROM clock_timestamp() - a.xact_start)::float8
		FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
		AND EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE l.pid = a.pid AND l.granted AND l.mode IN ('RowShareLock', 'RowExclusiveLock') AND n.nspname = $1 AND c.relname IN ('sessions', 'places'))
		ORDER BY a.xact_start LIMIT 100`, p.Schema)
	if err != nil {
		return err
	}
	p.Keepers, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k PostgresKeeper, err error) {
		var application, state string
		var age float64
		err = row.Scan(&k.PID, &application, &state, &age)
		k.What, k.For = described(application, state), seconds(age)
		return k, err
	})
	return err
}

// described says what a session is.
func described(application, state string) string {
	if application == "" {
		application = "unnamed"
	}
	return short(application) + ", " + state
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
