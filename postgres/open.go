package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// versionMin is the oldest server that is known to work.
const versionMin = 14

// timeInterval is how often the server's clock is read. Between two readings this machine's monotonic clock carries it on.
const timeInterval = 10 * time.Second

// connectTimeout bounds how long one host is tried, unless the URL says otherwise (connect_timeout).
const connectTimeout = 5 * time.Second

// Open connects to a database and makes its schema, or brings it up to date, unless [Config.Migrate] says otherwise. Whatever happens to
// the server afterwards, the store connects again by itself; it is never to be opened anew.
func Open(ctx context.Context, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := listenConfig(config); err != nil {
		return nil, err
	}
	s := &Store{
		cfg: config, schema: schemaOf(config.Schema), claimsKey: claimsKey(config.Schema),
		clock: &clock{read: config.Now}, lanes: newLaneCache(), ended: make(chan struct{}),
		name: rand.Text(), channel: channelOf(config.Schema),
	}
	if s.conns, err = newPool(ctx, config, config.Conns); err != nil {
		return nil, err
	}
	if s.reserved, err = newPool(ctx, config, 2); err != nil {
		s.conns.Close()
		return nil, err
	}
	s.pool = pgxLink{s.conns, s.schema}
	if err := s.prepare(ctx); err != nil {
		s.conns.Close()
		s.reserved.Close()
		return nil, openError(err)
	}
	s.submits = newFastLane(s, s.submitPlain)
	s.settles = newFastLane(s, s.settleSucceeded)
	s.background, s.stop = context.WithCancel(context.Background())
	s.teller, s.listener = newTeller(s), &listener{s: s}
	go s.teller.run(s.background)
	go s.keepTime(s.background)
	return s, nil
}

// poolConfig reads the URL.
func poolConfig(config Config) (*pgxpool.Config, error) {
	if !strings.HasPrefix(config.URL, "postgres://") && !strings.HasPrefix(config.URL, "postgresql://") {
		return nil, invalid("URL", "must begin with postgres:// (such as postgres://user@localhost:5432/app)")
	}
	cfg, err := pgxpool.ParseConfig(config.URL)
	if err != nil {
		return nil, urlError(err)
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "godwit"
	}
	if len(cfg.ConnConfig.Fallbacks) > 0 && cfg.ConnConfig.ValidateConnect == nil {
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if !strings.Contains(config.URL, "connect_timeout=") {
		cfg.ConnConfig.ConnectTimeout = min(connectTimeout, config.CallTimeout)
	}
	if config.Pooler {
		cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return cfg, nil
}

func newPool(ctx context.Context, config Config, conns int) (*pgxpool.Pool, error) {
	cfg, err := poolConfig(config)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns, cfg.MinConns = int32(conns), 0
	cfg.AfterConnect = durable
	return pgxpool.NewWithConfig(ctx, cfg)
}

// durable makes commits wait for the disk where the server is set up not to.
func durable(ctx context.Context, conn *pgx.Conn) error {
	var setting string
	if err := conn.QueryRow(ctx, "SELECT current_setting('synchronous_commit')").Scan(&setting); err != nil {
		return err
	}
	if setting != "off" {
		return nil
	}
	_, err := conn.Exec(ctx, "SET synchronous_commit = on")
	return err
}

// prepare looks whether the server and the schema will do, and sets the clock.
func (s *Store) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.CallTimeout, time.Minute)) // a migration is no call
	defer cancel()
	conn, err := s.conns.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := checkServer(ctx, conn.Conn()); err != nil {
		return err
	}
	m := migrator{conn: conn.Conn(), name: s.cfg.Schema, schema: s.schema}
	if s.cfg.Migrate == MigrateUp {
		err = m.up(ctx)
	} else {
		err = m.current(ctx)
	}
	if err != nil {
		return err
	}
	link := pgxLink{conn, s.schema}
	if err := s.lanes.refresh(ctx, link); err != nil {
		return err
	}
	return s.clock.measure(ctx, link)
}

func checkServer(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding string
	err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_encoding')").
		Scan(&version, &encoding)
	switch {
	case err != nil:
		return err
	case version < versionMin:
		return invalid("URL", "names a server of version %d, and the oldest that will do is %d", version, versionMin)
	case encoding != "UTF8":
		return invalid("URL", "names a database with the encoding %s, and it must be UTF8", encoding)
	}
	return nil
}

// keepTime reads the server's clock now and then. When the server is not there, time goes on by itself.
func (s *Store) keepTime(ctx context.Context) {
	defer close(s.ended)
	ticker := time.NewTicker(timeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.readTime(ctx)
		}
	}
}

func (s *Store) readTime(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, timeInterval)
	defer cancel()
	conn, err := s.reserved.Acquire(ctx)
	if err != nil {
		return // the next reading tries again
	}
	defer conn.Release()
	_ = s.clock.measure(ctx, pgxLink{conn, s.schema}) // likewise
}

// urlError makes the error of a URL that is not understood. pgx's text shows the URL without its password; the value of a
// parameter may be one, so only what is wrong with it is told.
func urlError(err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "`: "); ok {
		text = after
	}
	text, _, _ = strings.Cut(text, " (")
	return invalid("URL", "must be a URL such as postgres://user@localhost:5432/app (%s)", text)
}

// openError makes the error of a store that cannot be opened, with what can be done about it.
func openError(err error) error {
	var public *godwit.Error
	var answered *pgconn.PgError
	if errors.As(err, &public) || errors.Is(err, context.Canceled) {
		return err
	}
	if !errors.As(err, &answered) {
		return &godwit.Error{
			Code: godwit.CodeUnavailable, Field: "URL", Err: err,
			Message: "names a server that cannot be reached (is it running, and are host and port right?)",
		}
	}
	refused := func(format string, args ...any) error {
		return &godwit.Error{Code: godwit.CodeInvalid, Field: "URL", Message: fmt.Sprintf(format, args...), Err: err}
	}
	switch answered.Code {
	case "28P01", "28000":
		return refused("names a user that the server does not let in (%s)", answered.Message)
	case "3D000":
		return refused("names a database that is not there (%s; create it with createdb)", answered.Message)
	case "42501":
		return refused("names a role that lacks a right (%s; let the owner run godwit migrate up, then open with Migrate: never)", answered.Message)
	}
	return toError(err)
}
