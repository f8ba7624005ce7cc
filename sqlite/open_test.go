package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
)

func TestMigrationsArriveAtTheSchema(t *testing.T) {
	t.Parallel()
	scripts, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	got, want := schemaOf(t, scripts...), schemaOf(t, string(text))
	for name, sql := range want {
		if got[name] != sql {
			t.Errorf("%s: the migrations arrive at\n%s\nand schema.sql says\n%s", name, got[name], sql)
		}
		if !strings.HasPrefix(name, "godwit_") && !strings.HasPrefix(name, "sqlite_autoindex_godwit_") {
			t.Errorf("%s does not begin with godwit_", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the migrations make %d things, schema.sql %d", len(got), len(want))
	}
}

var (
	comments = regexp.MustCompile(`--[^\n]*`)
	spaces   = regexp.MustCompile(`\s*([(),])\s*|\s+`)
)

// schemaOf gives what scripts make, by name, without comments and white space.
func schemaOf(t *testing.T, scripts ...string) map[string]string {
	t.Helper()
	db, err := zs.OpenConn(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, script := range scripts {
		if err := sqlitex.ExecuteScript(db, script, nil); err != nil {
			t.Fatal(err)
		}
	}
	made := map[string]string{}
	c := &conn{db: db, multis: map[multiKey]*zs.Stmt{}}
	err = c.query("SELECT name, sql FROM sqlite_schema", func(s *row) error {
		made[s.ColumnText(0)] = strings.TrimSpace(spaces.ReplaceAllString(comments.ReplaceAllString(s.ColumnText(1), ""), " $1 "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name string, scripts ...string) string {
		path := filepath.Join(dir, name)
		db, err := zs.OpenConn(path, zs.OpenReadWrite, zs.OpenCreate)
		if err != nil {
			t.Fatal(err)
		}
		for _, script := range scripts {
			if err := sqlitex.ExecuteTransient(db, script, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cases := map[string]struct {
		config Config
		code   godwit.Code
		text   string
	}{
		"no path":            {Config{}, godwit.CodeInvalid, "must name a file"},
		"memory":             {Config{Path: ":memory:"}, godwit.CodeInvalid, "memory:"},
		"too many readers":   {Config{Path: "x", Readers: 65}, godwit.CodeInvalid, "between 1 and 64, got 65"},
		"too long a wait":    {Config{Path: "x", LockWait: 2 * time.Hour}, godwit.CodeInvalid, "at most 1h0m0s"},
		"no directory":       {Config{Path: filepath.Join(dir, "no", "x.db")}, godwit.CodeUnavailable, "directory exists"},
		"a text":             {Config{Path: file("text", "Dear diary, today I was no database at all.")}, godwit.CodeCorrupt, "no SQLite database"},
		"a short text":       {Config{Path: file("short", "hi")}, godwit.CodeCorrupt, "no SQLite database"},
		"another's tables":   {Config{Path: database("a", "CREATE TABLE t (x)")}, godwit.CodeCorrupt, "another program"},
		"another's id":       {Config{Path: database("b", "PRAGMA application_id = 7", "CREATE TABLE t (x)")}, godwit.CodeCorrupt, "another program"},
		"a newer schema":     {Config{Path: database("c", "PRAGMA application_id = 1197766516", "PRAGMA user_version = 99")}, godwit.CodeCorrupt, "use the newer program"},
		"a cut-off database": {Config{Path: file("cut", "SQLite format 3\x00abc")}, godwit.CodeCorrupt, ""},
	}
	foreign := map[string]string{}
	for _, name := range []string{"text", "short", "a", "b"} {
		foreign[name] = readFile(t, filepath.Join(dir, name))
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), c.config)
			if s != nil || !errors.Is(err, &godwit.Error{Code: c.code}) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %s with %q", err, c.code, c.text)
			}
		})
	}
	for name, before := range foreign {
		if readFile(t, filepath.Join(dir, name)) != before {
			t.Errorf("the foreign file %s was changed", name)
		}
		if _, err := os.Stat(filepath.Join(dir, name+".lock")); err == nil {
			t.Errorf("a lock appeared beside the foreign file %s", name)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestOpenTakesAnEmptyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestQuickCheckFindsDamage(t *testing.T) {
	t.Parallel()
	b := &bundle{TB: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "test.db"), time: time.Now()}
	b.open()
	b.submit(b.jobs(2000, "mail")...)
	b.ok(b.store.Close())
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	b.ok(err)
	info, err := f.Stat()
	b.ok(err)
	junk := make([]byte, 4096)
	binary.BigEndian.PutUint64(junk, 0xdeadbeefdeadbeef)
	for at := int64(40 * 4096); at < info.Size(); at += 4096 {
		_, err = f.WriteAt(junk, at)
		b.ok(err)
	}
	b.ok(f.Close())
	if _, err := Open(b.ctx, Config{Path: b.path, QuickCheck: true}); !errors.Is(err, godwit.ErrCorrupt) || !strings.Contains(err.Error(), "backup") {
		t.Errorf("a damaged file: %v", err)
	}
	s, err := Open(b.ctx, Config{Path: b.path})
	if err != nil {
		return // found without looking
	}
	if err := s.Check(b.ctx); !errors.Is(err, godwit.ErrCorrupt) {
		t.Errorf("check of a damaged file: %v", err)
	}
	_ = s.Close() // it may find the damage too
}

func TestSecondOwnerIsToldWhoHoldsTheFile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := filepath.Join(filepath.Dir(b.path), "link.db")
	b.ok(os.Symlink(b.path, link))
	for _, path := range []string{b.path, link} {
		_, err := Open(b.ctx, Config{Path: path, LockWait: -1})
		if !errors.Is(err, godwit.ErrLocked) || !strings.Contains(err.Error(), "process") || !strings.Contains(err.Error(), "since") {
			t.Errorf("a second owner of %s: %v", filepath.Base(path), err)
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := Open(ctx, Config{Path: b.path}); !errors.Is(err, context.Canceled) {
		t.Errorf("a second owner that gives up: %v", err)
	}
}

func TestSecondOwnerWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	b := &bundle{TB: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "test.db"), time: time.Now()}
	b.open()
	first := b.store
	opened := make(chan error)
	go func() {
		s, err := Open(b.ctx, Config{Path: b.path, LockWait: time.Minute})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	b.ok(first.Close())
	b.ok(<-opened)
}

func TestLockIsWrittenForPeople(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if text := readFile(t, b.path+".lock"); !strings.Contains(text, `"pid":`) || !strings.Contains(text, `"host":`) {
		t.Errorf("the lock file says %q", text)
	}
}

func TestLeasesOfADeadOwnerEndAtOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(b.job("mail"))[0]
	session := b.session("mail")
	b.claim(session, 1)
	b.reopen()
	a, err := b.store.Rescue(b.ctx, 10)
	b.ok(err)
	if len(a.Sessions) != 1 || a.Sessions[0] != session || a.Retried != 1 {
		t.Errorf("rescue after a restart: %+v", a)
	}
	if j := b.get(id).Job; j.State != godwit.StateReady || j.Crashes != 1 || j.Attempt != 0 {
		t.Errorf("the job after it: %+v", j)
	}
}

func TestClosedStoreSaysSo(t *testing.T) {
	t.Parallel()
	b := &bundle{TB: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "test.db"), time: time.Now()}
	b.open()
	b.ok(b.store.Close())
	b.ok(b.store.Close())
	if _, err := b.store.Submit(b.ctx, b.jobs(1, "mail")); !errors.Is(err, godwit.ErrClosed) {
		t.Errorf("submit: %v", err)
	}
	if _, err := b.store.Queues(b.ctx); !errors.Is(err, godwit.ErrClosed) {
		t.Errorf("queues: %v", err)
	}
}

func TestStoreTimeDoesNotGoBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.store.Now()
	b.session("mail") // notes the time
	b.pass(-time.Hour)
	if got := b.store.Now(); got.Before(first) {
		t.Errorf("%v after %v", got, first)
	}
	b.reopen()
	if got := b.store.Now(); got.Before(first) {
		t.Errorf("%v after %v over a restart", got, first)
	}
	b.pass(3 * time.Hour)
	if got := b.store.Now(); got.Sub(first) != 2*time.Hour {
		t.Errorf("the clock went on by %v", got.Sub(first))
	}
}

func TestMachineClockGoesOnWhenItIsAheadOfTheWall(t *testing.T) {
	t.Parallel()
	c := &clock{}
	ahead := time.Now().Add(time.Hour).UnixMicro()
	c.begin(ahead)
	first := c.now()
	if first < ahead {
		t.Errorf("it began %d microseconds too early", ahead-first)
	}
	for c.now() == first { // the pace of the monotonic clock, not frozen until the wall clock has caught up
	}
	if c.now() > ahead+int64(time.Minute/time.Microsecond) {
		t.Error("it jumped")
	}
}

func TestAJumpOfTheClockEndsNoLease(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, err := Open(ctx, Config{Path: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	id := godwit.NewID()
	if _, err := s.StartSession(ctx, godwit.NewSession{ID: id, Lease: time.Minute, Queues: []string{"default"}}); err != nil {
		t.Fatal(err)
	}
	before := s.Now()
	s.clock.mu.Lock()
	s.clock.anchor -= time.Hour.Microseconds() // as if the wall clock had been set an hour ahead
	s.clock.mu.Unlock()
	rescued, err := s.Rescue(ctx, 10)
	if err != nil || len(rescued.Sessions) != 0 {
		t.Errorf("rescue ended %v, %v; want none", rescued.Sessions, err)
	}
	infos, err := s.Sessions(ctx)
	if err != nil || len(infos) != 1 || infos[0].LeaseUntil.Before(before.Add(time.Hour)) {
		t.Errorf("sessions %+v, %v; want one whose lease was moved by the jump", infos, err)
	}
	claim, err := s.Claim(ctx, godwit.ClaimRequest{Session: id, Queue: "default", Limit: 1})
	if err != nil || claim.Code != "" {
		t.Errorf("claim answered %q, %v; want the lease to be good", claim.Code, err)
	}
}

func TestStoreTimeStandsOverAReopen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pass(time.Second)
	at := b.store.Now()
	b.pass(-time.Second)
	b.reopen()
	if got := b.store.Now(); got.Before(at) {
		t.Errorf("store time fell from %v to %v over a reopen", at, got)
	}
}

// The record of a crash says how it is known: the file was opened anew, or the lease ran out.
func TestARescueSaysHowTheWorkerEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after func(b *bundle, session godwit.ID)
		want  func(godwit.ID) *godwit.Failure
	}{
		"the file was opened anew": {func(b *bundle, _ godwit.ID) { b.reopen() }, godwit.OrphanedFailure},
		"and the lease was over":   {func(b *bundle, _ godwit.ID) { b.pass(time.Hour); b.reopen() }, godwit.OrphanedFailure},
		"and once more":            {func(b *bundle, _ godwit.ID) { b.reopen(); b.reopen() }, godwit.OrphanedFailure},
		"the lease ran out":        {func(b *bundle, _ godwit.ID) { b.pass(time.Hour) }, godwit.CrashedFailure},
		"it ran out after a heartbeat": {func(b *bundle, session godwit.ID) {
			b.reopen()
			_, err := b.store.Heartbeat(b.ctx, godwit.HeartbeatRequest{Session: session})
			b.ok(err)
			b.pass(time.Hour)
		}, godwit.CrashedFailure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			session := b.session("echo")
			id := b.submit(b.job("echo"))[0]
			b.claim(session, 1)
			c.after(b, session)
			rescued, err := b.store.Rescue(b.ctx, 10)
			b.ok(err)
			attempts, _, err := b.store.Attempts(b.ctx, id)
			b.ok(err)
			if rescued.Retried != 1 || len(attempts) != 1 || *attempts[0].Failure != *c.want(session) {
				t.Errorf("rescued %+v, recorded %+v", rescued, attempts)
			}
		})
	}
}
