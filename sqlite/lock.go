package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
)

// fileLock is the right to work with a database file. The operating system takes it back when the process ends, however it
// ends. The lock file stays: removing it would let two processes hold two files of one name.
type fileLock struct {
	file *os.File
}

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
	deadline := time.NewTimer(max(wait, 0))
	defer deadline.Stop()
	poll := time.NewTicker(lockPoll)
	defer poll.Stop()
	for {
		got, err := tryLock(f)
		if err == nil && got {
			break
		}
		if err == nil {
			select {
			case <-poll.C:
				continue
			case <-deadline.C:
				err = locked(path, name)
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		_ = f.Close() // nothing was written
		return nil, err
	}
	l := &fileLock{f}
	if err := l.sign(); err != nil {
		_ = l.release() // the first error is the one to tell
		return nil, unusable(path, err)
	}
	return l, nil
}

// sign writes into the lock file who holds it.
func (l *fileLock) sign() error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	text, err := json.Marshal(owner{os.Getpid(), host, time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(append(text, '\n'), 0)
	return err
}

func (l *fileLock) release() error {
	if err := l.file.Truncate(0); err != nil {
		_ = l.file.Close() // the first error is the one to tell
		return err
	}
	return l.file.Close()
}

// locked says who holds the file.
func locked(path, name string) error {
	who := "another process"
	var o owner
	if text, err := os.ReadFile(name); err == nil && json.Unmarshal(text, &o) == nil {
		who = fmt.Sprintf("process %d on %s, since %s,", o.PID, o.Host, o.Since.Format(time.RFC3339))
	}
	return &godwit.Error{
		Code: godwit.CodeLocked, Field: "Path",
		Message: fmt.Sprintf("%s holds %s (an SQLite file is worked by one process at a time: stop that one, or reach it over HTTP)", who, path),
	}
}

func unusable(path string, err error) error {
	hint := "check that its directory exists and may be written"
	if strings.Contains(path, "?") || strings.HasPrefix(path, "file:") {
		hint = "give a path, not a URI"
	}
	return &godwit.Error{
		Code: godwit.CodeUnavailable, Field: "Path", Err: err, Message: fmt.Sprintf("%s cannot be opened (%s)", path, hint),
	}
}
