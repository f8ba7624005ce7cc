package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/sqlite"
)

func newBackup() *cobra.Command {
	f := &clientFlags{output: formatTable}
	var to string
	cmd := &cobra.Command{
		Use:   "backup --db sqlite:PATH --to FILE",
		Short: "Copy a database into a new file, and look whether the copy is sound",
		Long: `backup copies an SQLite database as it stands at one instant, into a file that is not there yet, and looks through the copy. The
file appears under its name only when it is complete, sound and on disk. A copy is opened like any database.

While a server works with the database it is the server's alone: stop it first, or let its program call Store.Backup, which copies
while it works. PostgreSQL is backed up with its own pg_dump.`,
		Example: "  godwit backup --db sqlite:godwit.db --to godwit-2030-01-31.db",
		Args:    cobra.NoArgs,
	}
	f.bind(cmd)
	cmd.Flags().Lookup("timeout").DefValue = "0s"
	f.timeout = 0
	cmd.Flags().StringVar(&to, "to", "", "write the copy into this new `FILE`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.checkBackup(to); err != nil {
			return err
		}
		return f.work(func(ctx context.Context, d *desk, _ []string) error {
			store, ok := d.store.(*sqlite.Store)
			if !ok {
				return usagef("backup copies SQLite databases only (back up PostgreSQL with pg_dump)")
			}
			if err := backup(ctx, store, to); err != nil {
				return err
			}
			return d.printBackup(to)
		})(cmd, args)
	}
	return cmd
}

func (f *clientFlags) checkBackup(to string) error {
	switch {
	case f.db == "" && (f.server != "" || f.token != ""):
		return usagef("a backup is not made through a server: give --db, while the server is stopped")
	case f.db == "":
		return usagef("--db must name the database to copy, as sqlite:PATH")
	case to == "":
		return usagef("--to must name the file to write")
	}
	if _, isFile := doctor.SQLitePath(f.db); !isFile {
		return usagef("--db must be sqlite:PATH, got %s (back up PostgreSQL with pg_dump)", quoteShort(f.db))
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already, and is left as it is: name a new file", to)
	}
	return nil
}

// backup writes the copy under another name, looks through it, and only then gives it its own.
func backup(ctx context.Context, store *sqlite.Store, to string) (err error) {
	partial := to + ".partial"
	defer func() { err = errors.Join(err, removeAll(partial, partial+".lock", partial+"-wal", partial+"-shm")) }()
	if err := store.Backup(ctx, partial); err != nil {
		return fmt.Errorf("copy to %s: %w", partial, err)
	}
	if err := verify(ctx, partial); err != nil {
		return fmt.Errorf("look through the copy: %w", err)
	}
	if err := os.Link(partial, to); err != nil { // a name that has come to be taken is refused
		return fmt.Errorf("name the copy: %w", err)
	}
	return syncDir(filepath.Dir(to))
}

// verify opens a copy as a program would, and looks through it.
func verify(ctx context.Context, path string) error {
	copied, err := sqlite.Open(ctx, sqlite.Config{Path: path})
	if err != nil {
		return err
	}
	return errors.Join(copied.Check(ctx), copied.Close())
}

func removeAll(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// syncDir waits until the names in a folder are on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type backupForm struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

func (d *desk) printBackup(to string) error {
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	if d.json {
		return d.object(backupForm{to, info.Size()})
	}
	_, err = fmt.Fprintf(d.out, "%s: %d bytes, looked through and sound\n", to, info.Size())
	return err
}
