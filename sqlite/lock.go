package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// fileLock is the right to work with a database file. The operating system takes it back when the process ends, however it
// ends. The lock file stays: removing it would let two processes hold two files of one name.
type fileLock struct {
	file *os.File // locked as a whole
	self *os.File // the database file, locked by what it is and not by its name; nil where that cannot be done
	path string
	mine bool // it is in openHere
}

// openHere has the paths of the files that this process works with. One of them must not be opened and closed beside SQLite, whose
// locks on it would go with the first handle that is closed (sqlite.org/howtocorrupt.html, section 2.2).
var openHere sync.Map

// owner is what the lock file says about who holds it, for people.
type owner struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

const lockPoll = 25 * time.Millisecond

// acquire takes the lock of a database file, waiting for at most wait.
func acquire(ctx context.Context, path string, wait time.Duration) (*fileLock, error) {
	name := path + ".lock"
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, max(wait, 0), errWaited)
	defer cancel()
	if err := await(ctx, func() (bool, error) { return tryLock(f) }); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, errWaited) {
			err = locked(path, name)
		}
		return nil, err
	}
	l := &fileLock{file: f, path: path}
	err = await(ctx, func() (bool, error) { return l.lockSelf() })
	if errors.Is(err, errWaited) {
		err = lockedElsewhere(path)
	} else if err == nil {
		err = l.sign()
	}
	if err != nil {
		_ = l.release() // the first error is the one to tell
		return nil, err
	}
	openHere.Store(path, nil)
	l.mine = true
	return l, nil
}

var errWaited = errors.New("waited long enough")

// await tries until it has got what it tries for; it tries once at least.
func await(ctx context.Context, try func() (bool, error)) error {
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		if got, err := try(); got || err != nil {
			return err
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sign writes into the lock file who holds it.
func (l *fileLock) sign() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	text, err := json.Marshal(owner{os.Getpid(), host, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return unusable(l.path, err)
	}
	if err = l.file.Truncate(0); err == nil {
		_, err = l.file.WriteAt(append(text, '\n'), 0)
	}
	if err != nil {
		return unusable(l.path, err)
	}
	return nil
}

// release lets the file go. SQLite must have closed it.
func (l *fileLock) release() error {
	if l.mine {
		openHere.Delete(l.path)
	}
	err := l.file.Truncate(0)
	if l.self != nil {
		err = errors.Join(err, l.self.Close())
	}
	return errors.Join(err, l.file.Close())
}

// locked says who holds the file.
func locked(path, name string) error {
	who := "another process"
	var o owner
	if text, err := os.ReadFile(name); err == nil && json.Unmarshal(text, &o) == nil {
		who = fmt.Sprintf("process %d on %s, since %s,", o.PID, o.Host, o.Since.Format(time.RFC3339))
	}
	return &godwit.Error{
		Code:    godwit.CodeLocked,
		Message: fmt.Sprintf("%s holds %s (an SQLite file is worked by one process at a time: stop that one, or reach it over HTTP)", who, path),
	}
}

// lockedElsewhere says that the file is held under another lock file.
func lockedElsewhere(path string) error {
	return &godwit.Error{
		Code: godwit.CodeLocked,
		Message: fmt.Sprintf("another process holds %s: under another name, or its lock file was deleted"+
			" (an SQLite file is worked by one process at a time: stop that one)", path),
	}
}

// checkLinks refuses a file that has several names: SQLite keeps a log beside each name, and each of them would be written back.
func checkLinks(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(path, err)
	}
	n := links(info)
	if n < 2 {
		return nil
	}
	return &godwit.Error{
		Code: godwit.CodeInvalid,
		Message: fmt.Sprintf("%s has %d names (hard links), and whoever knew it by another would damage it (remove all names but this one,"+
			" which `find / -xdev -samefile %s` lists, or put a copy in its place)", path, n, path),
	}
}

func unusable(path string, err error) error {
	hint := "check that its directory exists and may be written"
	if strings.Contains(path, "?") || strings.HasPrefix(path, "file:") {
		hint = "give a path, not a URI"
	}
	return &godwit.Error{
		Code: godwit.CodeUnavailable, Err: err, Message: fmt.Sprintf("%s cannot be opened (%s)", path, hint),
	}
}
