package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/godwit-go/godwit"
)

// Store keeps jobs in one schema of a PostgreSQL database, together with as many other processes as there are. It is safe for use
// by many goroutines. Make one with [Open].
type Store struct {
	cfg       Config
	schema    schema
	claimsKey int64
	clock     *clock
	lanes     atomic.Pointer[laneCache]
	naming    singleflight.Group // of lanes being made
	cursors   *cursors
	joiners   joiners
	overs     *overCursors
	locked    *lockedQueues

	pool     pooledLink    // over conns
	conns    *pgxpool.Pool // for everything but the leases
	reserved *pgxpool.Pool // for the leases, so that a pool that is used up does not end them

	losses losses
	pooled atomic.Bool // a pooler is said, or was noticed, to stand before the server
	opened atomic.Bool // the schema is there

	submits *fastLane[godwit.NewJob]
	settles *fastLane[godwit.Settlement]
	awaited atomic.Bool // the last settles could not be merged: somebody waits for some of them, probably
	keyed   unitLane[godwit.NewJob, godwit.SubmitAnswer]
	parks   unitLane[godwit.ParkRequest, godwit.SettleAnswer]
	resumes unitLane[godwit.Token, godwit.SettleAnswer]

	outcomes unitLane[godwit.ID, godwit.OutcomeAnswer]

	watchers watchers

	name     string // of this store among those that notify each other
	channel  string
	teller   *teller
	listener *listener

	calls  sync.RWMutex // held for reading by every call, for writing by Close
	closed bool         // guarded by calls
	stop   context.CancelFunc

	background context.Context // ended by stop: what the store's own goroutines live under
	ended      chan struct{}   // closed when the goroutine that keeps the time has ended
}

var (
	_ godwit.Store   = (*Store)(nil)
	_ godwit.Watcher = (*Store)(nil)
	_ godwit.Hinter  = (*Store)(nil)
	_ godwit.Joiner  = (*Store)(nil)
)

// Now gives store time.
func (s *Store) Now() time.Time { return fromMicros(s.clock.now()) }

// Close waits for calls under way and lets go of the connections. Later calls answer [godwit.CodeClosed]. It is safe twice.
func (s *Store) Close() error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.submits.group.Close()
	s.settles.group.Close()
	s.keyed.group.Close()
	s.parks.group.Close()
	s.resumes.group.Close()
	s.outcomes.group.Close()
	s.stop()
	<-s.ended
	<-s.teller.over
	s.listener.wait()
	s.conns.Close()
	s.reserved.Close()
	return nil
}

// enter begins a call; leave ends it.
func (s *Store) enter() error {
	s.calls.RLock()
	if s.closed {
		s.calls.RUnlock()
		return &godwit.Error{Code: godwit.CodeClosed, Message: "the store is closed"}
	}
	return nil
}

func (s *Store) leave() { s.calls.RUnlock() }

// write runs one operation in a transaction and returns when that is committed.
func write[T any](ctx context.Context, s *Store, op func(u *unit) (T, error)) (T, error) {
	return writeOn(ctx, s, s.conns, pgx.ReadCommitted, op)
}

// writeSnapshot is write for an operation that reads at several times what must be of one instant. What others change meanwhile
// lets it begin anew.
func writeSnapshot[T any](ctx context.Context, s *Store, op func(u *unit) (T, error)) (T, error) {
	return writeOn(ctx, s, s.conns, pgx.RepeatableRead, op)
}

// writeReserved is write on the connections that are kept for the leases.
func writeReserved[T any](ctx context.Context, s *Store, op func(u *unit) (T, error)) (T, error) {
	return writeOn(ctx, s, s.reserved, pgx.ReadCommitted, op)
}

func writeOn[T any](ctx context.Context, s *Store, pool *pgxpool.Pool, level pgx.TxIsoLevel, op func(u *unit) (T, error)) (T, error) {
	var answer, nothing T
	var done *unit
	alone := false
	err := s.call(ctx, pool, func(ctx context.Context, conn *pgxpool.Conn) error {
		var err error
		answer, done, err = transact(ctx, s, conn, s.begin(level), alone, op)
		alone = alone || errors.Is(err, errAlone)
		return err
	})
	if err != nil {
		return nothing, err
	}
	done.committed()
	s.tell(done.events, false)
	return answer, nil
}

// tell tells the events of a commit, here and, unless they were told, to other processes.
func (s *Store) tell(events []godwit.Event, told bool) {
	s.watchers.tell(events)
	if !told {
		s.teller.tell(events)
	}
}

// call runs one call on a connection, and makes a public error of what goes wrong.
func (s *Store) call(ctx context.Context, pool *pgxpool.Pool, do func(ctx context.Context, conn *pgxpool.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := s.persist(ctx, pool, do); err != nil {
		return toError(err)
	}
	return nil
}

// checkLimit refuses a call that may do nothing.
func checkLimit(limit int) error {
	if limit < 1 {
		return &godwit.Error{Code: godwit.CodeInvalid, Field: "limit", Message: fmt.Sprintf("must be at least 1, got %d", limit)}
	}
	return nil
}

func checkBatch(n int) error {
	if n <= godwit.BatchMax {
		return nil
	}
	return &godwit.Error{
		Code: godwit.CodeTooLarge, Field: "batch",
		Message: fmt.Sprintf("must hold at most %d items, got %d (send several batches)", godwit.BatchMax, n),
	}
}

// watchers is who is told of changes.
type watchers struct {
	count atomic.Int64

	mu   sync.Mutex // held while they are told, so that a watcher that was stopped is not told any more
	list []*watcher // guarded by mu
}

type watcher struct{ fn func([]godwit.Event) }

// Watch calls fn with the events of each commit of this Store, after the commit. fn must not block and must not call the Store.
func (s *Store) Watch(fn func(events []godwit.Event)) (stop func()) {
	w := &watcher{fn}
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	s.watchers.list = append(s.watchers.list, w)
	s.watchers.count.Add(1)
	return func() {
		s.watchers.mu.Lock()
		defer s.watchers.mu.Unlock()
		if i := slices.Index(s.watchers.list, w); i >= 0 {
			s.watchers.list = slices.Delete(s.watchers.list, i, i+1)
			s.watchers.count.Add(-1)
		}
	}
}

func (w *watchers) tell(events []godwit.Event) {
	if len(events) == 0 || w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.list {
		one.fn(events)
	}
}
