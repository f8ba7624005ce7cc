//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package sqlite

import (
	"os"
	"sync"

	zs "zombiezen.com/go/sqlite"
)

// guards keeps, for each lock file, the connection whose transaction is the lock.
var guards sync.Map

// tryLock takes the lock if nobody else has it. Where there is no flock, the lock is an exclusive transaction on an empty
// database beside the lock file, which SQLite knows how to lock on every system.
func tryLock(f *os.File) (bool, error) {
	c, err := zs.OpenConn(f.Name()+".db", zs.OpenReadWrite, zs.OpenCreate)
	if err != nil {
		return false, err
	}
	c.SetBusyTimeout(0)
	guard := &conn{db: c, multis: map[multiKey]*zs.Stmt{}}
	if err := guard.exec("BEGIN EXCLUSIVE"); err != nil {
		_ = c.Close() // it holds nothing
		if zs.ErrCode(err).ToPrimary() == zs.ResultBusy {
			return false, nil
		}
		return false, err
	}
	if old, ok := guards.Swap(f.Name(), c); ok {
		_ = old.(*zs.Conn).Close() // left by a lock that was let go
	}
	return true, nil
}
