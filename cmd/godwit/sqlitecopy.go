package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// copyBusyTimeout is how long a copy waits for who holds the file's locks for a moment.
const copyBusyTimeout = 10 * time.Second

// copySQLite copies a database into a new file as it stands at one instant. It only reads, as any SQLite shell may while somebody
// works with the database, and so needs no right to it and disturbs nobody. The copy is on disk when it returns.
func copySQLite(ctx context.Context, from, to string) (err error) {
	c, err := zs.OpenConn(from, zs.OpenReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetBusyTimeout(copyBusyTimeout)
	c.SetInterrupt(ctx.Done())
	if err := sqlitex.ExecuteTransient(c, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{to}}); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return syncFile(to)
}

// syncFile waits until what a file holds is on disk.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
