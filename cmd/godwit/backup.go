package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/sqlite"
)

func newBackup() *cobra.Command {
	f := &clientFlags{}
	var to string
	cmd := &cobra.Command{
		Use:   "backup --db sqlite:PATH --to FILE",
		Short: "Copy a database into a new file, and look whether the copy is sound",
		Long: `backup copies an SQLite database as it stands at one instant, into a file that is not there yet, and looks through the copy. The
file appears under its name only when it is complete, sound and on disk. A copy is opened like any database. A server may go on
working with the database meanwhile.

PostgreSQL is backed up with its own pg_dump.`,
		Example: "  godwit backup --db sqlite:godwit.db --to godwit-2030-01-31.db",
		Args:    noArgs,
	}
	cmd.Flags().StringVar(&f.db, "db", "", "the database `URL`, as sqlite:PATH")
	cmd.Flags().StringVar(&to, "to", "", "write the copy into this new `FILE`")
	cmd.Flags().StringVar(&f.server, "server", "", "")
	f.bindOutput(cmd)
	if err := cmd.Flags().MarkHidden("server"); err != nil { // it is known only to say what to do instead
		panic(fmt.Sprintf("godwit: hide --server: %v", err))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, err := f.checkBackup(to)
		if err != nil {
			return err
		}
		if err := backup(cmd.Context(), from, to); err != nil {
			var stop stopped
			if errors.As(context.Cause(cmd.Context()), &stop) {
				return stop
			}
			return err
		}
		return printBackup(newPrinter(cmd, f.output), to)
	}
	return cmd
}

// checkBackup gives the file to copy.
func (f *clientFlags) checkBackup(to string) (from string, err error) {
	switch {
	case f.server != "":
		return "", usagef("a backup is not made through a server: give --db on the server's machine, where the server may go on working")
	case f.db == "":
		return "", usagef("--db must name the database to copy, as sqlite:PATH")
	case to == "":
		return "", usagef("--to must name the file to write")
	}
	if err := oneOf("output", f.output, formatTable, formatJSON); err != nil {
		return "", err
	}
	from, isFile := doctor.SQLitePath(f.db)
	if !isFile {
		return "", usagef("--db must be sqlite:PATH, got %s (back up PostgreSQL with pg_dump)", quoteShort(f.db))
	}
	if _, err := os.Lstat(to); err == nil {
		return "", fmt.Errorf("%s is there already, and is left as it is: name a new file", to)
	}
	file, err := doctor.ReadSQLiteFile(from)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", from, err)
	}
	for _, found := range file.Findings() {
		if found.Severity == doctor.Error && found.Check == "file" {
			return "", fmt.Errorf("%s (%s)", found.Message, found.Mend)
		}
	}
	return from, nil
}

// backup writes the copy under another name, looks through it, and only then gives it its own.
func backup(ctx context.Context, from, to string) (err error) {
	partial := to + ".partial"
	// Whoever makes the file has the name to himself; SQLite writes into an empty one. Only its owner may read it: it holds what
	// the database holds.
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, from a backup that was cut off or that runs now: remove it, if none runs", partial)
	}
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, removeAll(partial, partial+".lock", partial+"-wal", partial+"-shm", partial+"-journal"))
	}()
	if err := errors.Join(file.Close(), copySQLite(ctx, from, partial)); err != nil {
		return err
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
	copied, err := sqlite.Open(ctx, sqlite.Config{Path: path, Moved: sqlite.MovedLook})
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

// syncDir waits until the names in a folder are on disk. Windows does so by itself, and refuses to be asked.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
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

func printBackup(p *printer, to string) error {
	info, err := os.Stat(to)
	if err != nil {
		return err
	}
	if p.json {
		return p.object(backupForm{to, info.Size()})
	}
	_, err = fmt.Fprintf(p.out, "%s: %d bytes, looked through and sound\n", to, info.Size())
	return err
}
