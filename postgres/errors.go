package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godwit-go/godwit"
)

// toError makes the public error of what went wrong with a call. Texts of pgx and of the server name hosts and users, never
// passwords.
func toError(err error) error {
	var public *godwit.Error
	var unknown *unknownError
	switch {
	case errors.As(err, &public):
		return err
	case errors.As(err, &unknown):
		return &godwit.Error{
			Code: godwit.CodeOutcomeUnknown, Message: "the connection was lost during the commit (repeat the call with the same ids)", Err: unknown.err,
		}
	case errors.Is(err, context.Canceled):
		return err
	}
	err = tidy(err)
	switch state := sqlState(err); {
	case state == "25006", errors.Is(err, pgconn.ErrReadOnlyConnection):
		return &godwit.Error{
			Code: godwit.CodeUnavailable, Err: err,
			Message: "the server takes no writes now (it is a standby, or set to default_transaction_read_only)",
		}
	case mixedUp(err):
		return &godwit.Error{
			Code: godwit.CodeUnavailable, Err: err,
			Message: "a pooler mixes up prepared statements (set Config.Pooler, postgres.pooler: true)",
		}
	case state == "42P01", state == "3F000", state == "42703":
		return &godwit.Error{
			Code: godwit.CodeUnavailable, Err: err,
			Message: "the schema is not there, or is older than this program (run godwit migrate up, or open with Config.Migrate)",
		}
	case state == "42501":
		return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the database role lacks a right (see the grants in package postgres)", Err: err}
	case state == "22021", state == "22P05":
		return &godwit.Error{Code: godwit.CodeInvalid, Message: "a name or key holds a character that PostgreSQL cannot keep (NUL, or no UTF-8)", Err: err}
	case state == "53100":
		return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the server's disk is full (free some space; nothing was lost)", Err: err}
	case len(state) == 5 && state[:2] == "XX":
		return &godwit.Error{Code: godwit.CodeCorrupt, Message: "the server found its data damaged (go back to a backup)", Err: err}
	}
	return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the database cannot be used now", Err: err}
}

// connectError is the error of a connection that could not be made, told in one line.
type connectError struct {
	text string
	err  error
}

func (e *connectError) Error() string { return e.text }
func (e *connectError) Unwrap() error { return e.err }

// tidy tells in one line what went wrong with a connection, each thing once. That a server has no TLS is left out where it was tried
// without it as well, as sslmode=prefer does: it is not what went wrong.
func tidy(err error) error {
	var failed *pgconn.ConnectError
	if !errors.As(err, &failed) {
		return err
	}
	all := strings.Split(failed.Unwrap().Error(), "\n")
	told := slices.DeleteFunc(slices.Clone(all), func(line string) bool { return strings.Contains(line, "server refused TLS connection") })
	if len(told) == 0 {
		told = all
	}
	return &connectError{
		fmt.Sprintf("failed to connect to `user=%s database=%s`: %s", failed.Config.User, failed.Config.Database, strings.Join(slices.Compact(told), "; ")), err,
	}
}

// mixedUp reports whether a prepared statement is not there, or is there already: a pooler has handed out another connection.
func mixedUp(err error) bool {
	state := sqlState(err)
	return state == "42P05" || state == "26000"
}

func invalid(field, format string, args ...any) error {
	return &godwit.Error{Code: godwit.CodeInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}
