package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// opened is a store that the test closes itself.
func opened(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{TB: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "test.db"), time: time.Now()}
	b.open()
	return b
}

func TestAFileWithTwoNamesIsRefused(t *testing.T) {
	t.Parallel()
	b := opened(t)
	second := filepath.Join(filepath.Dir(b.path), "two.db")
	b.ok(os.Link(b.path, second))
	_, err := Open(b.ctx, Config{Path: second, LockWait: -1})
	if !errors.Is(err, godwit.ErrInvalid) || !strings.Contains(err.Error(), second+" has 2 names (hard links)") ||
		!strings.Contains(err.Error(), "remove all names but this one") {
		t.Errorf("a second owner by another name: %v", err)
	}
	if _, err := os.Stat(second + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lock was left beside the second name: %v", err)
	}
	b.submit(b.job("mail")) // the first owner goes on
	b.ok(b.store.Close())
	if _, err := Open(b.ctx, Config{Path: b.path}); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("the first name, while there are two: %v", err)
	}
	b.ok(os.Remove(second))
	b.open()
	b.ok(b.store.Check(b.ctx))
	b.ok(b.store.Close())
}

func TestASecondOwnerIsRefusedWhenTheLockFileWasDeleted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has locks of an open file beside those that SQLite uses")
	}
	b := opened(t)
	b.store.files.every = 0
	b.ok(os.Remove(b.path + ".lock"))
	if _, err := Open(b.ctx, Config{Path: b.path, LockWait: -1}); !errors.Is(err, godwit.ErrLocked) ||
		!strings.Contains(err.Error(), "its lock file was deleted") {
		t.Errorf("a second owner: %v", err)
	}
	if err := b.store.Close(); !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("close of the first owner: %v", err)
	}
}

// lose tells of each way in which a store can lose its file, and whether what was moved away has everything.
var lose = map[string]struct {
	do   func(path string) error
	says string
	file string // where everything is afterwards, behind the path; "none": nowhere
}{
	"deleted": {func(p string) error { return errors.Join(os.Remove(p), os.Remove(p+"-wal"), os.Remove(p+"-shm")) }, "was deleted", "none"},
	"moved":   {func(p string) error { return os.Rename(p, p+".old") }, "was deleted or moved away", ".old"},
	"replaced": {func(p string) error {
		return errors.Join(os.Rename(p, p+".old"), os.WriteFile(p, nil, 0o600))
	}, "was replaced by another file", ".old"},
	"log deleted":  {func(p string) error { return os.Remove(p + "-wal") }, "the log of ", ""},
	"log replaced": {func(p string) error { return errors.Join(os.Remove(p+"-wal"), os.WriteFile(p+"-wal", nil, 0o600)) }, "the log of ", ""},
	"lock deleted": {func(p string) error { return os.Remove(p + ".lock") }, "the lock file of ", ""},
	"lock replaced": {func(p string) error {
		return errors.Join(os.Remove(p+".lock"), os.WriteFile(p+".lock", nil, 0o600))
	}, "the lock file of ", ""},
}

func TestALostFileIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files that are open cannot be moved away")
	}
	for name, c := range lose {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			first := b.submit(b.jobs(3, "mail")...)
			b.get(first[0])
			b.store.files.every = 0
			b.ok(c.do(b.path))
			_, err := b.store.Submit(b.ctx, b.jobs(1, "mail"))
			if !errors.Is(err, godwit.ErrOutcomeUnknown) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), b.path) {
				t.Errorf("the submission that meets it: %v", err)
			}
			if _, err := b.store.Submit(b.ctx, b.jobs(1, "mail")); !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("a later submission: %v", err)
			}
			if _, err := b.store.Get(b.ctx, first); !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("a read: %v", err)
			}
			if err := b.store.Close(); !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("close: %v", err)
			}
			if c.file == "none" {
				return
			}
			b.path += c.file
			b.open()
			for _, id := range first {
				if a := b.get(id); a.Job.State != godwit.StateReady {
					t.Errorf("job %s in what was moved away: %+v", id, a)
				}
			}
			b.ok(b.store.Check(b.ctx))
			b.ok(b.store.Close())
		})
	}
}

func TestAReadNoticesALostFile(t *testing.T) {
	t.Parallel()
	b := opened(t)
	id := b.submit(b.job("mail"))[0]
	b.ok(os.Rename(b.path, b.path+".old"))
	b.ok(os.WriteFile(b.path, nil, 0o600))
	if _, err := b.store.Get(b.ctx, []godwit.ID{id}); !errors.Is(err, godwit.ErrUnavailable) { // its connection would be one to the new file
		t.Errorf("the first read of a store whose file was replaced: %v", err)
	}
	if _, err := b.store.Submit(b.ctx, b.jobs(1, "mail")); !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("a submission after it: %v", err)
	}
	if err := b.store.Close(); err == nil {
		t.Error("close answers that all is well")
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(b.path + suffix); err == nil && info.Size() != 0 {
			t.Errorf("%d bytes were written into the new %s", info.Size(), filepath.Base(b.path+suffix))
		}
	}
}

// BenchmarkStanding tells what a group of writes pays for looking after its files.
func BenchmarkStanding(b *testing.B) {
	t := setup(b)
	b.ReportAllocs()
	for b.Loop() {
		t.ok(t.store.files.look())
	}
}
