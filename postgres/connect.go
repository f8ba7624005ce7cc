package postgres

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit/internal/storeurl"
)

// connectTimeout bounds how long one host is tried, unless the URL says otherwise (connect_timeout); hostTimeout does where there are
// several, of which the next may answer while this one hangs.
const (
	connectTimeout = 5 * time.Second
	hostTimeout    = 2 * time.Second
)

// keepAlive finds out that a machine is gone on a connection on which nothing is under way.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// poolConfig reads the URL.
func poolConfig(config Config) (*pgxpool.Config, error) {
	cfg, err := storeurl.Postgres(config.URL)
	if err != nil {
		return nil, urlError(err)
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "godwit"
	}
	// One host is looked at as well: a name may lead to another machine after a failover, and to a standby before it is promoted.
	if cfg.ConnConfig.ValidateConnect == nil {
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if !strings.Contains(config.URL, "connect_timeout=") {
		longest := connectTimeout
		for _, f := range cfg.ConnConfig.Fallbacks {
			if f.Host != cfg.ConnConfig.Host || f.Port != cfg.ConnConfig.Port {
				longest = hostTimeout
			}
		}
		cfg.ConnConfig.ConnectTimeout = min(longest, config.CallTimeout)
	}
	cfg.ConnConfig.DialFunc = (&net.Dialer{KeepAliveConfig: keepAlive, Control: boundUnanswered}).DialContext
	if config.Pooler {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return cfg, nil
}

// newPool makes a pool of which least connections are kept.
func (s *Store) newPool(ctx context.Context, conns, least int) (*pgxpool.Pool, error) {
	cfg, err := poolConfig(s.cfg)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns, cfg.MinConns = int32(conns), int32(least)
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		if s.pooled.Load() {
			c.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
		return nil
	}
	cfg.AfterConnect = s.greet
	cfg.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // acquire does
	return pgxpool.NewWithConfig(ctx, cfg)
}

// greet sets up a new connection: its commits wait for the disk, also when the server's own setting is changed later. A pooler is told
// by the number that it gives in place of that of the server's process; what is set behind one may reach somebody else's
// transactions, so there each transaction sets what it needs.
func (s *Store) greet(ctx context.Context, conn *pgx.Conn) error {
	conn.PgConn().CustomData()[usedKey] = time.Now()
	switch prepares := conn.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement; {
	case !s.pooled.Load():
		if err := s.greetServer(ctx, conn); err != nil {
			return err
		}
	case prepares:
		return errPooler // it was under way when another one noticed
	}
	if !s.opened.Load() {
		return nil
	}
	return s.look(ctx, pgxLink{conn, s.schema})
}

// greetServer is greet where no pooler is known of.
func (s *Store) greetServer(ctx context.Context, conn *pgx.Conn) error {
	var direct bool
	const sql = "SELECT CASE WHEN pg_backend_pid() = %d THEN set_config('synchronous_commit', %s, false) IS NOT NULL ELSE false END"
	// In one message: behind a pooler what is prepared on one of the server's connections is looked for on another.
	row := conn.QueryRow(ctx, fmt.Sprintf(sql, conn.PgConn().PID(), enoughSync), pgx.QueryExecModeSimpleProtocol)
	if err := row.Scan(&direct); err != nil && !mixedUp(err) {
		return err
	}
	if !direct {
		s.pooled.Store(true)
		return errPooler // the next one is made without prepared statements
	}
	return nil
}

// enoughSync is the synchronous_commit that keeps the promise of durability: at least the server's disk and those of its synchronous
// standbys.
const enoughSync = "CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END"

// durably is the statement by which a transaction behind a pooler waits for the disk when it commits.
const durably = "SELECT set_config('synchronous_commit', " + enoughSync + ", true)"

// stalledMax bounds how long a transaction of ours may do nothing. Between two of its statements lies no more than some computing; one
// that does nothing for so long has lost its process (stopped, or gone with its machine), while its locks keep others from that
// worker's jobs. It is a quarter of the default lease.
const stalledMax = 3 * time.Second

// begin gives what begins a transaction of several round trips.
func (s *Store) begin(level pgx.TxIsoLevel) string {
	sql := fmt.Sprintf("begin isolation level %s; set local idle_in_transaction_session_timeout = %d", level, stalledMax.Milliseconds())
	if s.pooled.Load() {
		sql += "; " + durably
	}
	return sql
}
