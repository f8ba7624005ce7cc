package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// outlivePipes makes a command go on when a reader of its output or of its log goes away: those lines are lost, and the jobs that it
// runs are not. Unlike the default, under which the first such line ends the process, a write then fails. The signal is taken and not
// ignored, since programs that tasks run would inherit that it is ignored.
func outlivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// lasting marks a command that runs jobs, and all below it, as one that outlives its readers.
func lasting(cmd *cobra.Command) *cobra.Command {
	cmd.PersistentPreRun = func(*cobra.Command, []string) { outlivePipes() }
	return cmd
}

// exitPipe is 128 plus SIGPIPE: as a command ends that the signal ends.
const exitPipe = 128 + int(syscall.SIGPIPE)

// outputError says that the output did not reach its reader.
type outputError struct{ err error }

func (e outputError) Error() string { return fmt.Sprintf("write the output: %v", e.err) }
func (e outputError) Unwrap() error { return e.err }

// quiet reports whether the reader left of its own accord, as head does: there is nothing to be said about that.
func (e outputError) quiet() bool { return errors.Is(e.err, syscall.EPIPE) }

func (e outputError) exitCode() int {
	if e.quiet() {
		return exitPipe
	}
	return exitFailed
}

// outlet is where a printer writes. It keeps its first error, so that no line needs to look for its own, and writes nothing after it.
type outlet struct {
	w        io.Writer
	coloured bool // what paint made goes through as it is
	err      error
}

// Write writes text so that it shows what it holds and does nothing else.
func (o *outlet) Write(text []byte) (int, error) {
	if o.err != nil {
		return 0, outputError{o.err}
	}
	if _, o.err = io.WriteString(o.w, plain(string(text), o.coloured)); o.err != nil {
		return 0, outputError{o.err}
	}
	return len(text), nil
}

// failed gives the error of a command, which has failed when its output was lost.
func (o *outlet) failed(err error) error {
	if o.err != nil && err == nil {
		return outputError{o.err}
	}
	return err
}
