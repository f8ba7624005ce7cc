package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// setOpenFileLock sets a lock that belongs to the open file and not to the process (F_OFD_SETLK, fcntl(2)).
const setOpenFileLock = 37

// lockedByte is far behind the bytes that SQLite locks, so that the locks do not meet.
const lockedByte = 1 << 62

// lockSelf takes the lock of the database file itself, whatever name it was opened by, if nobody else has it.
func (l *fileLock) lockSelf() (bool, error) {
	if l.self == nil {
		f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return false, unusable(l.path, err)
		}
		l.self = f
	}
	for {
		err := syscall.FcntlFlock(l.self.Fd(), setOpenFileLock, &syscall.Flock_t{Type: syscall.F_WRLCK, Start: lockedByte, Len: 1})
		switch {
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return true, nil // also on a file system that has no such locks: the lock file alone must do there
		}
	}
}
