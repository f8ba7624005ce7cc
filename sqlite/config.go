package sqlite

import (
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// Config says which file a store keeps and how. Only Path has to be given.
type Config struct {
	// Path is the database file, made when it is not there; its directory must exist. Beside it lie PATH-wal and PATH-shm,
	// which belong to SQLite, and PATH.lock, which says who works with the file. ":memory:" is refused: the in-memory store is
	// the one of package godwittest.
	Path string
	// Now is the clock behind store time. Store time never goes back even if Now does. Defaults to the machine's clock, which
	// goes on at the pace of its monotonic clock when it is set back.
	Now func() time.Time
	// LockWait is how long Open waits for another process to let go of the file. Defaults to [LockWaitDefault]; negative: not
	// at all. At most [LockWaitMax].
	LockWait time.Duration
	// Readers is how many reads may run at the same time. Defaults to [ReadersDefault]. At most [ReadersMax].
	Readers int
	// QuickCheck lets Open look through the whole file for damage, which takes about a second for each gigabyte.
	QuickCheck bool
	// Moved says what Open does about a file whose jobs were copied to another store. Defaults to [MovedRefuse].
	Moved MovedMode
}

// MovedMode says what opening a file does that is marked as moved: its jobs are in another store, and would run twice.
type MovedMode string

// What opening a file does that is marked as moved.
const (
	// MovedRefuse answers [godwit.CodeWrongState] with where the jobs are.
	MovedRefuse MovedMode = "refuse"
	// MovedTakeBack removes the mark: the file is worked with again, and its jobs run here. Whoever says so has seen to it that they do
	// not run there. A later copy is another one.
	MovedTakeBack MovedMode = "take_back"
	// MovedLook leaves the mark. It is for those who start no client: a copy, a backup, a look.
	MovedLook MovedMode = "look"
)

// Defaults and bounds of a [Config].
const (
	LockWaitDefault = 10 * time.Second
	LockWaitMax     = time.Hour
	ReadersDefault  = 4
	ReadersMax      = 64
)

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Path == "":
		return c, invalid("Path", "must name a file")
	case c.Path == ":memory:":
		return c, invalid("Path", "must name a file, got %q (open \"memory:\" for a store that is not kept)", c.Path)
	case c.LockWait > LockWaitMax:
		return c, invalid("LockWait", "must be at most %v, got %v", LockWaitMax, c.LockWait)
	case c.Readers < 0 || c.Readers > ReadersMax:
		return c, invalid("Readers", "must be between 1 and %d, got %d (0 means %d)", ReadersMax, c.Readers, ReadersDefault)
	}
	switch c.Moved {
	case "":
		c.Moved = MovedRefuse
	case MovedRefuse, MovedTakeBack, MovedLook:
	default:
		return c, invalid("Moved", "must be %q, %q or %q, got %.80q", MovedRefuse, MovedTakeBack, MovedLook, string(c.Moved))
	}
	if c.LockWait == 0 {
		c.LockWait = LockWaitDefault
	}
	if c.Readers == 0 {
		c.Readers = ReadersDefault
	}
	return c, nil
}

func invalid(field, format string, args ...any) error {
	return &godwit.Error{Code: godwit.CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}
