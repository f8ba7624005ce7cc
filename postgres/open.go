package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// reservedConns is how many connections are kept for the leases.
const reservedConns = 2

// versionMin is the oldest server that is known to work.
const versionMin = 14

// timeInterval is how often the server's clock is read. Between two readings this machine's monotonic clock carries it on.
const timeInterval = 10 * time.Second

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
		clock: &clock{read: config.Now}, ended: make(chan struct{}),
		name: rand.Text(), channel: channelOf(config.Schema),
	}
	s.lanes.Store(newLaneCache())
	s.cursors = newCursors()
	s.overs, s.locked = newOverCursors(), newLockedQueues()
	s.pool, s.teller, s.listener = pooledLink{s}, newTeller(s), &listener{s: s}
	s.pooled.Store(config.Pooler)
	if s.conns, err = s.newPool(ctx, config.Conns, 0); err != nil {
		return nil, err
	}
	// Those for the leases are there before they are needed: a server that is full would not let them in.
	if s.reserved, err = s.newPool(ctx, reservedConns, reservedConns); err != nil {
		s.conns.Close()
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		s.conns.Close()
		s.reserved.Close()
		return nil, openError(err)
	}
	s.submits = newFastLane(s, s.submitPlain)
	s.settles = newFastLane(s, s.settleSucceeded)
	s.keyed = newUnitLane(s, (*unit).loadSubmissions, (*unit).submit)
	s.parks = newUnitLane(s, (*unit).loadParks, (*unit).park)
	s.resumes = newUnitLane(s, (*unit).loadTokens, (*unit).resume)
	s.outcomes = unitLane[godwit.ID, godwit.OutcomeAnswer]{newFastLane(s, s.outcomesTogether)}
	s.background, s.stop = context.WithCancel(context.Background())
	go s.teller.run(s.background)
	go s.keepTime(s.background)
	return s, nil
}

// prepare looks whether the server and the schema will do, and sets the clock.
func (s *Store) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.CallTimeout, time.Minute)) // a migration is no call
	defer cancel()
	conn, err := s.conns.Acquire(ctx)
	if errors.Is(err, errPooler) {
		conn, err = s.conns.Acquire(ctx) // it is known now
	}
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
	s.opened.Store(true)
	return s.look(ctx, link)
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

// look reads what the store keeps of a server: its lanes and its clock. Each new connection is looked at, since it may lead to another
// server than the last one did.
func (s *Store) look(ctx context.Context, l link) error {
	if err := s.recallLanes(ctx, l); err != nil {
		return err
	}
	return s.clock.measure(ctx, l)
}

// keepTime looks at the server now and then: its clock drifts, and behind a pooler another one may have taken its place. When the
// server is not there, time goes on by itself.
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
	// One that fails is made up for by the next.
	_ = s.attempt(ctx, s.reserved, func(work context.Context, conn *pgxpool.Conn) error {
		work, stop := until(ctx, work)
		defer stop()
		return s.look(work, pgxLink{conn, s.schema})
	})
}

// urlError names the field that has the URL.
func urlError(err error) error {
	var e *godwit.Error
	if errors.As(err, &e) {
		return invalid("URL", "%s", e.Message)
	}
	return err
}

// openError makes the error of a store that cannot be opened, with what can be done about it.
func openError(err error) error {
	var public *godwit.Error
	var answered *pgconn.PgError
	if errors.As(err, &public) || errors.Is(err, context.Canceled) {
		return err
	}
	err = tidy(err)
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return &godwit.Error{
			Code: godwit.CodeUnavailable, Field: "URL", Err: err,
			Message: "names a server that takes no writes (a standby, or set to default_transaction_read_only; name the primary, or all hosts)",
		}
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
