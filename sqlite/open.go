package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/groupcommit"
)

// Open opens a file, or makes it, and takes it for this process. It waits for another process that works with it, for at most
// LockWait, and then answers [godwit.CodeLocked] with who that is. A file that is damaged or not one of Godwit's is left as it
// is and answered with [godwit.CodeCorrupt]. The leases of sessions that were left behind end now, so that the next rescue
// moves their jobs.
func Open(ctx context.Context, config Config) (*Store, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	path, err := realPath(config.Path)
	if err != nil {
		return nil, unusable(config.Path, err)
	}
	keepScratch()
	if err := checkFile(path); err != nil { // before a lock file appears beside what is not ours
		return nil, err
	}
	lock, err := acquire(ctx, path, config.LockWait)
	if err != nil {
		return nil, err
	}
	if err := checkLinks(path); err != nil { // it may have come since
		_ = lock.release() // the first error is the one to tell
		return nil, err
	}
	s := &Store{
		path: path, lock: lock, clock: &clock{read: config.Now}, lanes: &laneCache{byID: map[int64]*lane{}},
		readers: make(chan *conn, config.Readers),
	}
	for range config.Readers {
		s.readers <- nil
	}
	if err := s.start(config); err != nil {
		_ = lock.release() // the first error is the one to tell
		return nil, err
	}
	return s, nil
}

// realPath gives the one name of a file, so that two names of it share a lock.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		return filepath.Join(dir, filepath.Base(path)), err
	}
	return real, err
}

// start opens the writer, brings the file up to date and starts the group commit.
func (s *Store) start(config Config) error {
	c, err := connect(s.path, zs.OpenReadWrite|zs.OpenCreate)
	if err != nil {
		return toError(err)
	}
	s.writer = c
	if err := s.prepare(config); err != nil {
		_ = c.db.Close() // the first error is the one to tell
		return toError(err)
	}
	s.group = groupcommit.New(groupcommit.Config{
		Begin: s.begin, Commit: s.commit, Rollback: s.rollback, Committed: s.committed,
		Disk: s.failed, Ambiguous: ambiguous, Probe: s.probe,
	})
	return nil
}

func (s *Store) prepare(config Config) error {
	if err := s.migrate(); err != nil {
		return err
	}
	if config.QuickCheck {
		if err := pragmaCheck(s.writer, "PRAGMA quick_check(1)"); err != nil {
			return err
		}
	}
	if err := s.writer.db.SetAuthorizer(zs.AuthorizeFunc(s.authorize)); err != nil {
		return err
	}
	floor, err := newestTime(s.writer)
	if err != nil {
		return err
	}
	s.clock.begin(floor)
	if err := s.checkMoved(config.Moved); err != nil {
		return err
	}
	if err := s.takeOver(); err != nil {
		return err
	}
	s.files, err = stand(s.path)
	return err
}

// takeOver ends the leases that were left behind and forgets lanes that nothing is in.
func (s *Store) takeOver() error {
	if err := s.writer.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	now := s.clock.now()
	err := s.writer.exec("UPDATE godwit_sessions SET lease_until = ? WHERE lease_until > ?", now, now)
	if err == nil {
		err = s.writer.exec("DELETE FROM godwit_lanes WHERE scheduled + ready + running + waiting + finished = 0")
	}
	if err == nil {
		err = s.readControl()
	}
	if err == nil {
		err = s.writer.exec("COMMIT")
	}
	if err != nil {
		s.rollback()
		return err
	}
	s.orphans = make(map[godwit.ID]bool, len(s.ctl.sessions))
	for id := range s.ctl.sessions {
		s.orphans[id] = true
	}
	return nil
}

// newestTime gives the newest store time that the file knows.
func newestTime(c *conn) (int64, error) {
	var newest int64
	for _, sql := range []string{
		"SELECT value FROM godwit_meta WHERE name = 'store_time'",
		"SELECT created_at FROM godwit_jobs ORDER BY id DESC LIMIT 1",
		"SELECT finished_at FROM godwit_finished ORDER BY id DESC LIMIT 1",
	} {
		err := c.query(sql, func(s *row) error {
			newest = max(newest, columnMicros(s, 0))
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return newest, nil
}

// connect opens one connection and sets it up. synchronous=FULL makes every commit wait for the disk.
func connect(path string, flags zs.OpenFlags) (*conn, error) {
	db, err := zs.OpenConn(path, flags)
	if err != nil {
		return nil, err
	}
	db.SetBusyTimeout(5 * time.Second) // for a shell that looks into the file; the lock keeps other owners away
	c := &conn{db: db, multis: map[multiKey]*zs.Stmt{}}
	for _, pragma := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA cache_size = -65536", "PRAGMA temp_store = MEMORY",
		"PRAGMA wal_autocheckpoint = 4000", "PRAGMA journal_size_limit = 67108864",
	} {
		if err := c.exec(pragma); err != nil {
			_ = db.Close() // the first error is the one to tell
			return nil, err
		}
	}
	return c, nil
}

// checkFile refuses what must not be opened.
func checkFile(path string) error {
	if err := checkLinks(path); err != nil {
		return err
	}
	if _, here := openHere.Load(path); here {
		return nil // it was looked at
	}
	return checkHeader(path)
}

// checkHeader refuses a file that SQLite would not know, before SQLite writes beside it.
func checkHeader(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(path, err)
	}
	head := make([]byte, headerBytes)
	n, err := io.ReadFull(f, head)
	if closed := f.Close(); closed != nil {
		return unusable(path, closed)
	}
	head = head[:n]
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil // empty: to be made
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return unusable(path, err)
	case !bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return foreign(path, "is no SQLite database")
	case n < headerBytes || binary.BigEndian.Uint32(head[headerAppID:]) == applicationID:
		return nil
	}
	return checkContent(path)
}

// The header of an SQLite file, by sqlite.org/fileformat2.html.
const (
	headerBytes = 100
	headerAppID = 68
)

// checkContent looks into a database that does not look like ours from the outside: it may be empty, or what makes it ours may not
// have been written back yet.
func checkContent(path string) (err error) {
	db, err := zs.OpenConn(path, zs.OpenReadOnly)
	if err != nil {
		return toError(err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c := &conn{db: db, multis: map[multiKey]*zs.Stmt{}}
	app, err := number(c, "PRAGMA application_id")
	if err != nil {
		return toError(err)
	}
	tables, err := number(c, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return toError(err)
	}
	if app != applicationID && (app != 0 || tables != 0) {
		return foreign(path, "is the database of another program")
	}
	return nil
}

func foreign(path, what string) error {
	return &godwit.Error{
		Code:    godwit.CodeCorrupt,
		Message: fmt.Sprintf("%s %s; it was left as it is (give Godwit a file of its own: tables of yours may be added to it afterwards)", path, what),
	}
}
