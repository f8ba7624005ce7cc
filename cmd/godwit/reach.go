package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/open"
)

// lockWait is how long a database that another process holds is waited for: another command is done in that time, a server not.
const lockWait = time.Second

// desk is what a client command works at: whom it asks, and where it prints.
type desk struct {
	godwit.Admin
	*printer

	flags *clientFlags
	where string       // the URL of the server, or that of the database
	alone bool         // the database is this process's alone: nobody runs jobs meanwhile
	store godwit.Store // nil when a server is asked
}

// work makes the RunE of a command that asks somebody: it checks the flags, reaches whom they name, lets do do its work within the
// time, and says what an error means.
func (f *clientFlags) work(do func(ctx context.Context, d *desk, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := f.check(); err != nil {
			return err
		}
		ctx, cancel := f.bounded(cmd.Context())
		defer cancel()
		d, err := f.reach(ctx, f.retryFor, newPrinter(cmd, f.output))
		if err != nil {
			return err
		}
		err = do(ctx, d, args)
		return d.end(ctx, d.out.failed(err))
	}
}

// bounded gives a context that ends after --timeout.
func (f *clientFlags) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("no answer within %s (give it longer with --timeout)", f.timeout))
}

// reach makes the client of the server or the database that the flags name.
func (f *clientFlags) reach(ctx context.Context, retryFor time.Duration, p *printer) (*desk, error) {
	d := &desk{flags: f, printer: p}
	if f.db != "" {
		return d, d.open(ctx, f.db)
	}
	where, named := f.url()
	d.where = where
	if retryFor == 0 {
		retryFor = -1
	}
	c, err := httpclient.New(httpclient.Config{URL: where, Token: f.tokenGiven(), RetryFor: retryFor})
	if err != nil {
		return nil, usageError{f.ofServer(named, err)}
	}
	d.Admin = c
	return d, nil
}

// ofServer rewords the error of making a client, whose settings its reader gave by a flag or a variable.
func (f *clientFlags) ofServer(named bool, err error) error {
	var e *godwit.Error
	if !errors.As(err, &e) {
		return err
	}
	name := e.Field
	switch {
	case e.Field == "URL" && f.server == "" && named:
		name = "GODWIT_SERVER"
	case e.Field == "URL":
		name = "--server"
	case e.Field == "Token" && f.token == "":
		name = "GODWIT_TOKEN"
	case e.Field == "Token":
		name = "--token"
	}
	return reworded{strings.Replace(err.Error(), e.Field+" ", name+" ", 1), err}
}

func (f *clientFlags) tokenGiven() string {
	if f.token != "" {
		return f.token
	}
	return fromEnv("GODWIT_TOKEN", "")
}

// open opens a database that is there already: a name that was mistyped must not make a new one.
func (d *desk) open(ctx context.Context, db string) error {
	d.where = redacted(db)
	if strings.HasPrefix(db, "memory:") {
		return usagef("--db %s keeps nothing: give a database that is kept, such as sqlite:godwit.db", db)
	}
	path, isFile := doctor.SQLitePath(db)
	if isFile && strings.Contains(path, "?") {
		return usagef("--db has parameters, and there are none for SQLite (write sqlite:PATH alone), got %s", quoteShort(db))
	}
	if isFile {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no database %s (godwit serve --db %s makes it)", path, shellWord(db))
		}
		d.alone = true
	}
	store, err := d.openWithin(ctx, db, isFile)
	if err != nil {
		return d.explain(ctx, explainLocked(ctx, path, isFile, ofDatabase("--db", err)))
	}
	c, err := godwit.New(store, godwit.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	d.Admin, d.store = c, store
	return nil
}

// openWithin opens a store; one that is a file is waited for only so long.
func (d *desk) openWithin(ctx context.Context, db string, isFile bool) (godwit.Store, error) {
	var with open.Config
	if isPostgres(db) {
		var err error
		if with.Postgres, err = postgresConfig(db, d.flags.schema); err != nil {
			return nil, err
		}
	}
	if isFile {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lockWait)
		defer cancel()
	}
	return open.StoreWith(ctx, db, with)
}

// explainLocked says who holds a file that could not be had in time.
func explainLocked(ctx context.Context, path string, isFile bool, err error) error {
	waited := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if !isFile || !waited && !errors.Is(err, godwit.ErrLocked) {
		return err
	}
	holder, _ := doctor.SQLiteHolder(path)
	return &godwit.Error{
		Code: godwit.CodeLocked, Message: fmt.Sprintf("%s holds %s (reach it with --server URL instead of --db, or stop it)", holder, path),
	}
}

// end closes what was opened and says what the error means.
func (d *desk) end(ctx context.Context, err error) error {
	if d.store != nil {
		err = errors.Join(err, d.store.Close())
	}
	return d.explain(ctx, err)
}

// explain gives an error its exit code and, where the reader can mend it, says how.
func (d *desk) explain(ctx context.Context, err error) error {
	var coded interface{ exitCode() int }
	var stop stopped
	switch {
	case err == nil:
		return nil
	case errors.As(context.Cause(ctx), &stop) && errors.Is(err, context.Canceled):
		return stop
	case errors.As(err, &coded):
		return err
	}
	return failure{d.worded(err), codeOf(err)}
}

// worded adds what the reader can do about an error.
func (d *desk) worded(err error) error {
	var dial *net.OpError
	var e *godwit.Error
	errors.As(err, &e)
	switch {
	case d.store != nil || d.flags.db != "":
		return err
	case errors.Is(err, godwit.ErrUnavailable) && errors.As(err, &dial) && dial.Op == "dial":
		_, named := d.flags.url()
		hint := "start one with godwit serve, or give --db"
		if !named {
			hint = "start one with godwit serve, name another with --server, or give --db"
		}
		return fmt.Errorf("no server answers at %s: %w (%s)", d.where, dial.Unwrap(), hint)
	case e != nil && (e.Code == "unauthorized" || strings.HasSuffix(e.Message, "401 Unauthorized")):
		return fmt.Errorf("%w (give the token of %s with --token or GODWIT_TOKEN)", err, d.where)
	}
	return err
}
