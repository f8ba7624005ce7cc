package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/groupcommit"
)

// Store keeps jobs in one SQLite file. It is safe for use by many goroutines. Make one with [Open].
type Store struct {
	path  string
	lock  *fileLock
	files *standing
	clock *clock
	lanes *laneCache
	group *groupcommit.Group

	// Owned by the writer's goroutine.
	writer    *conn
	ctl       *control           // nil after a rollback: read it anew
	recent    recent             // as ctl
	holding   holding            // as ctl, but taken back by a rollback
	userSQL   bool               // the statements of an application are being prepared
	orphans   map[godwit.ID]bool // sessions of the process before, until a heartbeat
	damage    error              // found by the writer: nothing is written any more
	wroteBack bool               // the log of a file that was lost stands in the file
	events    [][]godwit.Event   // of the group under way, by call
	commits   []func()           // to be done once the group is committed

	watchers listeners[[]godwit.Event]
	foretold listeners[string] // queues
	readers  chan *conn        // idle ones; nil stands for one that is not open yet

	calls  sync.RWMutex // held for reading by every call, for writing by Close
	closed bool         // guarded by calls
}

var (
	_ godwit.Store      = (*Store)(nil)
	_ godwit.Watcher    = (*Store)(nil)
	_ godwit.Foreteller = (*Store)(nil)
)

// Now gives store time.
func (s *Store) Now() time.Time { return fromMicros(s.clock.now()) }

// Path gives the file that the store was opened with.
func (s *Store) Path() string { return s.path }

// Close waits for calls under way, writes the log back into the file and lets go of everything. Later calls answer
// [godwit.CodeClosed]. It is safe twice.
func (s *Store) Close() error {
	s.calls.Lock()
	defer s.calls.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.group.Close()
	_ = s.probe() // notes the time; where that fails, the next owner's clock may begin a little earlier
	err := cmp.Or(s.files.look(), s.damage)
	return errors.Join(err, s.closeConns(), s.lock.release())
}

func (s *Store) closeConns() error {
	var errs []error
	for range cap(s.readers) {
		if c := <-s.readers; c != nil {
			errs = append(errs, c.db.Close())
		}
	}
	errs = append(errs, s.writer.db.Close())
	return errors.Join(errs...)
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

// write runs one operation on the writer, together with others, and returns when it is on disk.
func write[T any](ctx context.Context, s *Store, op func(u *unit) (T, error)) (T, error) {
	return writeBy(ctx, s, s.group.Do, op)
}

// writeSoon is write for what keeps a lease: it does not wait behind what others write, however much that is.
func writeSoon[T any](ctx context.Context, s *Store, op func(u *unit) (T, error)) (T, error) {
	return writeBy(ctx, s, s.group.DoSoon, op)
}

func writeBy[T any](ctx context.Context, s *Store, do func(context.Context, func() error) error, op func(u *unit) (T, error)) (T, error) {
	var answer, nothing T
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	if err := s.enter(); err != nil {
		return nothing, err
	}
	defer s.leave()
	err := do(ctx, func() error {
		u := s.unit()
		var err error
		if answer, err = op(u); err != nil {
			return err
		}
		return u.finish()
	})
	if err != nil {
		return nothing, toError(err)
	}
	return answer, nil
}

// unit begins a unit of work. It belongs to the writer's goroutine.
func (s *Store) unit() *unit {
	u := &unit{
		source: source{c: s.writer, lanes: s.lanes.resolver(s.writer)},
		ctl:    s.ctl, store: s, now: s.clock.now(),
	}
	u.reset()
	return u
}

// reset forgets everything that has not been written.
func (u *unit) reset() {
	u.jobs, u.order = map[godwit.ID]*job{}, u.order[:0]
	u.known, u.unique = map[key]*knownKey{}, map[key]*uniqueKey{}
	u.children, u.cascades = map[childKey]*child{}, map[godwit.ID]*note{}
	u.attempts, u.lines, u.events, u.commits = nil, nil, nil, nil
}

// finish writes the unit and hands on what is to be told and done once it is committed.
func (u *unit) finish() error {
	if err := u.flush(); err != nil {
		return err
	}
	if len(u.events) > 0 {
		u.store.events = append(u.store.events, u.events)
	}
	u.store.commits = append(u.store.commits, u.commits...)
	u.foretell()
	return nil
}

// foretell tells of the queues that will have ready jobs.
func (u *unit) foretell() {
	if !u.store.foretold.any() {
		return
	}
	last := ""
	for i := range u.events {
		if e := &u.events[i]; e.State == godwit.StateReady && e.Queue != last {
			last = e.Queue
			u.store.foretold.tell(last)
		}
	}
}

// begin, commit, rollback, committed and probe are the transactions of the group.

func (s *Store) begin() error {
	if s.damage != nil {
		return s.damage
	}
	if lost := s.files.lost.Load(); lost != nil {
		s.writeBack()
		return lost
	}
	if err := s.writer.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if s.ctl == nil {
		if err := s.readControl(); err != nil {
			return err
		}
	}
	if s.holding.jobs == nil {
		var err error
		if s.holding, err = readHolding(s.writer); err != nil {
			return err
		}
	}
	return s.addJump()
}

// addJump adds a jump of the clock to the leases, which are spans of time and not points of it.
func (s *Store) addJump() error {
	jump := s.clock.jump()
	if jump == 0 {
		return nil
	}
	for _, sess := range s.ctl.sessions {
		sess.leaseUntil += jump
	}
	s.commits = append(s.commits, func() { s.clock.told(jump) })
	return s.writer.exec("UPDATE godwit_sessions SET lease_until = lease_until + ?", jump)
}

func (s *Store) readControl() error {
	ctl, err := readControl(s.writer, s.lanes)
	if err != nil {
		return fmt.Errorf("read lanes and sessions: %w", err)
	}
	s.ctl = ctl
	s.recent.forget()
	return nil
}

// commit ends the transaction and looks whether it went into the file that has the name: only then may it be acknowledged.
func (s *Store) commit() error {
	err := s.writer.exec("COMMIT")
	if err == nil {
		if err = s.files.look(); err != nil && s.files.lost.Load() != nil {
			s.writeBack()
		}
	}
	if err != nil {
		s.holding = holding{} // the file may have either: it is to be read anew
	}
	return err
}

func (s *Store) rollback() {
	s.ctl, s.events, s.commits = nil, nil, nil
	s.holding.back(0)
	if !s.writer.db.AutocommitEnabled() {
		_ = s.writer.exec("ROLLBACK") // what caused the rollback is told to the callers
	}
}

func (s *Store) committed() {
	s.holding.keep()
	for _, do := range s.commits {
		do()
	}
	clear(s.commits)
	s.commits = s.commits[:0]
	if len(s.events) > 0 {
		s.watchers.tell(slices.Concat(s.events...)) // of a commit at once, as Watch says
		s.events = nil
	}
}

// probe writes a row to see whether the disk takes it again.
func (s *Store) probe() error {
	err := s.begin()
	if err == nil {
		err = s.unit().noteTime()
	}
	if err == nil {
		err = s.commit()
	}
	if err != nil {
		s.rollback()
	}
	return err
}

// errRolledBack says that SQLite ended the transaction of a group by itself.
var errRolledBack = errors.New("the transaction was rolled back")

// failed reports whether an error is the file's, so that the next call would meet it too. Damage that the writer met ends all
// writing: what is not read rightly must not be built upon.
func (s *Store) failed(err error) bool {
	if isCorrupt(err) {
		s.damage = cmp.Or(s.damage, toError(err))
		return true
	}
	return diskFailed(err)
}

// diskFailed reports whether an error is the disk's.
func diskFailed(err error) bool {
	if errors.Is(err, errRolledBack) || errors.Is(err, errAstray) {
		return true
	}
	switch zs.ErrCode(err).ToPrimary() {
	case zs.ResultFull, zs.ResultIOErr, zs.ResultCantOpen, zs.ResultReadOnly, zs.ResultNoMem, zs.ResultBusy, zs.ResultPerm,
		zs.ResultProtocol:
		return true
	}
	return false
}

// ambiguous reports whether a failed commit may be found to have happened after a crash: the frames were written, and nobody
// knows which of them reached the disk.
func ambiguous(err error) bool {
	return errors.Is(err, errAstray) || zs.ErrCode(err).ToPrimary() == zs.ResultIOErr
}

// toError makes the public error of what went wrong with a call.
func toError(err error) error {
	var public *godwit.Error
	var panicked *groupcommit.PanicError
	switch {
	case errors.Is(err, groupcommit.ErrOutcomeUnknown) && errors.As(err, &public):
		return &godwit.Error{Code: godwit.CodeOutcomeUnknown, Message: "the call may be lost", Err: public}
	case errors.As(err, &public):
		return err
	case errors.As(err, &panicked):
		return fmt.Errorf("sqlite: %w\n%s", panicked, panicked.Stack)
	case errors.Is(err, groupcommit.ErrOutcomeUnknown):
		return &godwit.Error{
			Code: godwit.CodeOutcomeUnknown, Message: "the call was cut off while it was being committed (repeat it with the same ids)", Err: err,
		}
	case errors.Is(err, groupcommit.ErrClosed):
		return &godwit.Error{Code: godwit.CodeClosed, Message: "the store is closed"}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	switch zs.ErrCode(err).ToPrimary() {
	case zs.ResultCorrupt, zs.ResultNotADB:
		return corrupt(err)
	case zs.ResultFull:
		return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the disk is full (free some space; nothing was lost)", Err: err}
	case zs.ResultTooBig:
		return &godwit.Error{Code: godwit.CodeTooLarge, Message: "a value is larger than SQLite takes", Err: err}
	}
	return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the database file cannot be used now", Err: err}
}

func corrupt(err error) error {
	return &godwit.Error{
		Code: godwit.CodeCorrupt, Err: err,
		Message: "the database file is damaged (stop, keep a copy of the file with its -wal, and go back to a backup or use `sqlite3 FILE .recover`)",
	}
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
