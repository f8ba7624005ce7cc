package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/godwit-go/godwit"
)

// Exit codes, as scripts rely on them.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitNotFound  = 3
	exitJobFailed = 4
)

// exitMeanings says what each exit code means, for the help and docs/cli.md.
var exitMeanings = []struct {
	code    int
	meaning string
}{
	{exitDone, "done"},
	{exitFailed, "failed, or refused"},
	{exitUsage, "wrong usage: a bad flag, argument, id or JSON; nothing was done"},
	{exitNotFound, "not found: a job that was never here or has been pruned, a task that no worker knows"},
	{exitJobFailed, "the job that was waited for failed or was cancelled"},
	{129, "stopped by SIGHUP, as by SIGTERM"},
	{130, "stopped by SIGINT"},
	{143, "stopped by SIGTERM, by those commands that do not stop in good order"},
}

// exitHelp lists the exit codes.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "  %-4d %s\n", e.code, e.meaning)
	}
	return b.String()
}

// usageError marks an error of the command line itself.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }
func (usageError) exitCode() int   { return exitUsage }

// reported is the end of a command that has said by itself what went wrong.
type reported struct{ code int }

func (reported) Error() string   { return "see above" }
func (r reported) exitCode() int { return r.code }

// failure is an error of a client command with its exit code.
type failure struct {
	err  error
	code int
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }
func (f failure) exitCode() int { return f.code }

// exitCodeOf gives the exit code of an error: its own, otherwise that of any failure.
func exitCodeOf(err error) int {
	var coded interface{ exitCode() int }
	if errors.As(err, &coded) {
		return coded.exitCode()
	}
	return exitFailed
}

// codeOf gives the exit code of what a server or a store answered to a client command.
func codeOf(err error) int {
	var job *godwit.JobError
	switch {
	case errors.As(err, &job):
		return exitJobFailed
	case errors.Is(err, godwit.ErrNotFound), errors.Is(err, godwit.ErrExpired), errors.Is(err, godwit.ErrUnknownTask):
		return exitNotFound
	case errors.Is(err, godwit.ErrInvalid), errors.Is(err, godwit.ErrTooLarge):
		return exitUsage
	}
	return exitCodeOf(err)
}
