// Command godwit runs durable background work. `godwit --help` lists what it can do.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// stopped is the cause of a context that a signal cancelled.
type stopped struct{ signal os.Signal }

func (s stopped) Error() string { return "stopped by " + s.signal.String() }

// exitCode is 128 plus the signal's number, as shells count.
func (s stopped) exitCode() int {
	if n, ok := s.signal.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailed
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: tests call it with their own arguments and streams.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, release := withSignals(context.Background())
	defer release()
	root := newRoot()
	root.SetArgs(append([]string{}, args...)) // nil would be those of the process
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var stop stopped
	var told reported
	var lost outputError
	gone := errors.As(err, &lost) && lost.quiet()
	if !errors.As(err, &stop) && !errors.As(err, &told) && !gone {
		fmt.Fprintln(&outlet{w: stderr}, "godwit:", err)
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "Run '%s --help' for what there is.\n", cmd.CommandPath())
	}
	return exitCodeOf(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "godwit",
		Short:         "Durable background work: jobs that survive crashes, in an SQLite file or a PostgreSQL database",
		Long:          "Godwit runs durable background work: jobs that survive crashes.\n\n" + strings.TrimSpace(exitHelp()),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(&cobra.Group{ID: groupServe, Title: "Run jobs:"}, &cobra.Group{ID: groupClient, Title: "Look and act, through a server or a database:"})
	root.AddCommand(
		inGroup(groupServe, lasting(newServe())),
		inGroup(groupServe, lasting(newWorker())),
		inGroup(groupServe, lasting(newDemo())),
		inGroup(groupClient, newSubmit()),
		inGroup(groupClient, newJob()),
		inGroup(groupClient, newQueue()),
		inGroup(groupClient, newTask()),
		inGroup(groupClient, newSession()),
		inGroup(groupClient, newDoctor()),
		inGroup(groupClient, newBackup()),
		inGroup(groupClient, newMigrate()),
		inGroup(groupClient, newCopy()),
		newVersion(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	refuseOtherShells(root)
	root.Version = version()
	root.SetVersionTemplate(aboutProgram() + "\n")
	root.SetFlagErrorFunc(flagError)
	checkUsage(root)
	return root
}

// The groups under which the help lists the commands.
const (
	groupServe  = "serve"
	groupClient = "client"
)

func inGroup(id string, cmd *cobra.Command) *cobra.Command {
	cmd.GroupID = id
	return cmd
}

// withSignals gives a context that SIGINT, SIGTERM and SIGHUP cancel with the signal as its cause. A second signal ends the process at
// once, as if nobody listened. Under nohup a SIGHUP remains without effect.
func withSignals(parent context.Context) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(stopped{s})
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
