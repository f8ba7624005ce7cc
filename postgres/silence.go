package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// A server that hangs (its machine is frozen, its disk does not answer, the network swallows everything) ends no connection: whoever
// waits for its answer would wait until CallTimeout, longer than a lease lasts. So connections that have been idle are tried
// before use, calls that take long look whether the server still answers and still knows of them, and when it does not every
// connection to it is given up: the next ones look for the host that takes writes.
const (
	idleMax      = time.Second     // a connection that was idle for longer is tried before it is used
	pingTimeout  = time.Second     // for that
	patience     = 3 * time.Second // after which a call looks whether the server answers; the time between two looks doubles
	probeTimeout = 2 * time.Second // for that
)

// usedKey is under which a connection says when it was used last.
const usedKey = "godwit used"

// attempt gives do a connection, and a context that ends when the server does not answer, at the latest after CallTimeout.
func (s *Store) attempt(ctx context.Context, pool *pgxpool.Pool, do func(ctx context.Context, conn *pgxpool.Conn) error) error {
	conn, err := s.acquire(ctx, pool)
	if err != nil {
		return &unreachedError{err}
	}
	given := conn
	defer func() {
		if given != nil {
			release(given)
		}
	}()
	began := time.Now()
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.CallTimeout)
	defer cancel()
	watch := s.watched(work, conn.Conn(), cancel)
	err = do(work, conn)
	watch.stop()
	switch {
	case err == nil:
	case readOnly(err), work.Err() != nil:
		given = nil
		abandon(conn)
		s.lose(began)
		err = notCancelled(ctx, err)
	case ctx.Err() != nil && conn.Conn().IsClosed():
		given = nil
		abandon(conn) // its caller cut it off, which says little about the server
	}
	return err
}

// errSilent is why a call was cut off by its store.
var errSilent = errors.New("the server does not answer")

// notCancelled gives the error of a call that was cut off although its caller waits: it must not look like the caller's own doing.
func notCancelled(caller context.Context, err error) error {
	var unknown *unknownError
	if caller.Err() != nil || !errors.Is(err, context.Canceled) || errors.As(err, &unknown) {
		return err
	}
	silence := fmt.Errorf("%w: %s", errSilent, err) //nolint:errorlint // on purpose: it is not to be found in the chain
	if lost(err) {
		return &unreachedError{silence}
	}
	return silence
}

// until gives the context of a call that may be cut off at any time, since it changes nothing that could not be changed again: it
// ends with work, and with that of its caller.
func until(caller, work context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(work)
	stop := context.AfterFunc(caller, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// acquire takes a connection that works. Waiting for one is bounded as the call itself is.
func (s *Store) acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.CallTimeout)
	defer cancel()
	for {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		used, ok := conn.Conn().PgConn().CustomData()[usedKey].(time.Time)
		if !ok || began.Sub(used) <= idleMax || alive(ctx, conn) {
			return conn, nil
		}
		abandon(conn)
		if ctx.Err() == nil {
			s.lose(began)
		}
	}
}

func alive(ctx context.Context, conn *pgxpool.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// release gives a connection back.
func release(conn *pgxpool.Conn) {
	if raw := conn.Conn(); !raw.IsClosed() {
		raw.PgConn().CustomData()[usedKey] = time.Now()
	}
	conn.Release()
}

// abandon takes a connection out of its pool and closes it. The pool itself would keep the place of one that was cut off until the
// server has said farewell, for which pgx waits a quarter of a minute.
func abandon(conn *pgxpool.Conn) {
	raw := conn.Conn()
	conn.Hijack()
	ctx, cancel := context.WithTimeout(context.Background(), pingTimeout)
	defer cancel()
	_ = raw.Close(ctx) // it is given up in any case
}

// losses is when connections were last given up.
type losses struct {
	mu   sync.Mutex
	last time.Time // guarded by mu
}

// lose gives up all connections, since one that was in use at that time has failed. Those that are made afterwards stay, however late others
// notice the same failure.
func (s *Store) lose(at time.Time) {
	s.losses.mu.Lock()
	defer s.losses.mu.Unlock()
	if at.Before(s.losses.last) {
		return
	}
	s.losses.last = time.Now()
	s.conns.Reset()
	s.reserved.Reset()
	s.listener.cut()
}

// watch looks, while a call is under way, whether the server answers.
type watch struct {
	mu    sync.Mutex
	timer *time.Timer // guarded by mu; nil: the call is over
	pause time.Duration
}

// watched begins to watch a call on a connection, and calls cut when nobody will answer it.
func (s *Store) watched(ctx context.Context, conn *pgx.Conn, cut func()) *watch {
	w := &watch{pause: patience}
	call := callOf(conn, s.pooled.Load())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.pause, func() {
		if call.silent(ctx) || call.unknown(ctx) {
			cut()
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.timer != nil {
			w.pause *= 2
			w.timer.Reset(w.pause)
		}
	})
	return w
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
}

// sslRequest asks a server whether it speaks TLS, which it answers with one byte before it looks at anything else.
var sslRequest = []byte{0, 0, 0, 8, 4, 210, 22, 47}

// watchedCall is what the watch over a call has to know of its connection, which belongs to the call.
type watchedCall struct {
	peer   net.Addr
	config func() *pgx.ConnConfig // makes a copy, for which few calls last long enough
	pid    uint32                 // of the server's process that works for the call; 0: a pooler gave another one
}

func callOf(conn *pgx.Conn, pooled bool) watchedCall {
	c := watchedCall{peer: conn.PgConn().Conn().RemoteAddr(), config: conn.Config}
	if !pooled {
		c.pid = conn.PgConn().PID()
	}
	return c
}

// silent reports whether nothing answers at the address of the call, be it that nobody is there. It looks at the host of that very
// connection: that there is another one that answers is no comfort to the call.
func (c *watchedCall) silent(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, c.peer.Network(), c.peer.String())
	if err == nil {
		defer func() { _ = conn.Close() }() // it was asked what it was to be asked
		deadline, _ := ctx.Deadline()
		if err = conn.SetDeadline(deadline); err == nil {
			_, err = conn.Write(sslRequest)
		}
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
	}
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout() || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)
}

// unknown reports whether the server that takes writes now knows nothing of the call: its address was given to another server (a proxy
// or an address that moves), and the one that had the call hangs. Where that cannot be found out the call is left to itself.
func (c *watchedCall) unknown(ctx context.Context) bool {
	if c.pid == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, c.config())
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close(ctx) }() // it was asked what it was to be asked
	known := true
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $1)", int64(c.pid)).Scan(&known)
	return err == nil && !known
}

// pooledLink carries statements over whatever connection is free, each statement or batch in a transaction of its own. It is cut off
// when the context ends.
type pooledLink struct{ s *Store }

func (l pooledLink) run(ctx context.Context, list ...stmt) error {
	return l.s.attempt(ctx, l.s.conns, func(work context.Context, conn *pgxpool.Conn) error {
		work, stop := until(ctx, work)
		defer stop()
		return pgxLink{conn, l.s.schema}.run(work, list...)
	})
}

// errPooler says that a pooler was noticed on a connection that was made as if there were none.
var errPooler = &godwit.Error{Code: godwit.CodeUnavailable, Message: "a pooler answers in the server's stead (set Pooler, postgres.pooler: true)"}
