package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
	"github.com/godwit-go/godwit/internal/wire"
)

func newSubmit() *cobra.Command {
	f := &submitFlags{}
	cmd := &cobra.Command{
		Use:   "submit TASK [ARGUMENTS]",
		Short: "Submit a job, and wait for its result if asked to",
		Long: `submit makes a job of the task. Its arguments are JSON, on the command line, in a file, or on the standard input when they are
given as -; without any they are null. The job is on disk when the command ends, and its id is printed.

With --wait the result is printed instead, and the exit code is 4 when the job failed or was cancelled. A server that restarts
meanwhile is waited for. A --timeout that is given bounds the wait too.

With --batch each line of the input is a job, with the fields that POST /v1/jobs takes: {"task":"echo","args":1,"delay":"10m"}.
Ten thousand lines at a time are submitted all or none.`,
		Example: `  godwit submit echo '{"hello":"world"}' --wait
  godwit submit report --args-file report.json --delay 1h --tag nightly
  godwit job wait $(godwit submit sleep '{"for":"5s"}')
  generate | godwit submit --batch`,
		ValidArgsFunction: f.completeTasks,
	}
	f.bind(cmd)
	f.bindOptions(cmd)
	f.completeQueueFlag(cmd)
	cmd.Args = func(cmd *cobra.Command, args []string) error { return f.checkArgs(cmd, args) }
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.batch != "" {
			return f.runBatch(cmd)
		}
		return f.runOne(cmd, args)
	}
	return cmd
}

func (f *submitFlags) checkArgs(cmd *cobra.Command, args []string) error {
	switch {
	case f.batch != "" && len(args) > 0:
		return fmt.Errorf("--batch takes no task: each line names its own (a file is given as --batch=FILE), got %s", quoteShort(args[0]))
	case f.batch != "":
		for _, name := range jobFlags {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--batch excludes --%s: each line says so for itself", name)
			}
		}
		return nil
	case len(args) == 0:
		return errors.New("submit needs the name of a task (godwit task list shows those that workers know)")
	case len(args) > 2:
		return fmt.Errorf("submit takes a task and its arguments as one word of JSON, got %d words (quote the JSON)", len(args))
	case len(args) == 2 && f.argsFile != "":
		return errors.New("--args-file excludes arguments on the command line: give the one or the other")
	}
	return nil
}

func (f *submitFlags) runOne(cmd *cobra.Command, args []string) error {
	data, err := f.arguments(cmd, args)
	if err != nil {
		return err
	}
	sub, err := f.submission(cmd, args[0], data)
	if err != nil {
		return err
	}
	return f.work(func(ctx context.Context, d *desk, _ []string) error {
		if f.wait.on && d.alone {
			return usagef("--wait with --db would wait for ever: nobody runs jobs of %s now (start godwit serve, and use --server)", d.where)
		}
		a, err := d.submit(ctx, sub)
		if err != nil {
			return err
		}
		if f.wait.on {
			return d.awaitOne(cmd.Context(), a.ID, f.longest())
		}
		return d.printSubmitted(a)
	})(cmd, nil)
}

// arguments reads the arguments of the job from where they are given.
func (f *submitFlags) arguments(cmd *cobra.Command, args []string) (json.RawMessage, error) {
	switch {
	case f.argsFile == batchStdin, len(args) == 2 && args[1] == batchStdin:
		return readArguments(cmd.InOrStdin(), "the standard input")
	case f.argsFile != "":
		file, err := os.Open(f.argsFile)
		if err != nil {
			return nil, usagef("--args-file cannot be read: %w", err)
		}
		defer file.Close() //nolint:errcheck // only read
		return readArguments(file, f.argsFile)
	case len(args) < 2:
		return json.RawMessage("null"), nil
	}
	return checkArguments([]byte(args[1]), "the arguments")
}

func readArguments(r io.Reader, from string) (json.RawMessage, error) {
	data, err := io.ReadAll(io.LimitReader(r, godwit.PayloadMax+1))
	if err != nil {
		return nil, usagef("%s cannot be read: %w", from, err)
	}
	return checkArguments(data, from)
}

// checkArguments refuses what is no JSON, and says where it goes wrong.
func checkArguments(data []byte, from string) (json.RawMessage, error) {
	data = bytes.TrimSpace(data)
	var syntax *json.SyntaxError
	var v json.RawMessage
	err := json.Unmarshal(data, &v)
	switch {
	case len(data) > godwit.PayloadMax:
		return nil, usagef("%s must be at most %d bytes (store the data elsewhere and pass its address)", from, godwit.PayloadMax)
	case len(data) == 0:
		return nil, usagef("%s must be JSON, got nothing (write null for a task without an argument)", from)
	case errors.As(err, &syntax):
		return nil, usagef("%s must be JSON: %w at byte %d of %s (quote it for the shell: '{\"a\": 1}')", from, err, syntax.Offset, quoteShort(string(data)))
	case err != nil:
		return nil, usagef("%s must be JSON: %w", from, err)
	}
	return data, nil
}

// submit submits one job. Nobody can tell whether a task is known in a database that nobody serves: such a job waits for a worker
// that knows it, and people are told so.
func (d *desk) submit(ctx context.Context, sub godwit.Submission) (godwit.SubmitAnswer, error) {
	if d.store != nil {
		d.warnUnknownTask(ctx, sub.Task)
	}
	answers, err := d.SubmitAll(ctx, []godwit.Submission{sub})
	if errors.Is(err, godwit.ErrOutcomeUnknown) {
		return godwit.SubmitAnswer{}, fmt.Errorf("%w (the job may have been submitted: look with godwit job get %s%s, or repeat it safely with --id %s)",
			err, sub.Options.ID, d.flags.again(), sub.Options.ID)
	}
	var e *godwit.Error
	if errors.As(err, &e) && e.Field != "" { // without the line, of which there is one
		err = e
	}
	if err != nil {
		return godwit.SubmitAnswer{}, clashAsFlag(asFlags(d.flags.flags, err))
	}
	return answers[0], nil
}

func (d *desk) warnUnknownTask(ctx context.Context, task string) {
	infos, err := d.Tasks(ctx)
	if err != nil {
		return // the submission will say it
	}
	var known []string
	for _, t := range infos {
		known = append(known, t.Name)
		if t.Name == task && t.Workers > 0 {
			return
		}
	}
	hint := suggest.DidYouMean(task, known)
	for _, k := range known {
		if k == task {
			hint = ""
		}
	}
	d.note("no worker knows task %q now%s: the job waits until one does", task, hint)
}

// printSubmitted prints the id, which is what the next command needs; the rest goes to people.
func (d *desk) printSubmitted(a godwit.SubmitAnswer) error {
	if d.json {
		return saySubmitted(d.object(wire.Submitted{ID: a.ID, Created: a.Created, Reopened: a.Reopened, State: a.State}), a.ID)
	}
	if !a.Created {
		d.note("nothing was submitted: this job was there already, and is %s", a.State)
	}
	_, err := fmt.Fprintln(d.out, a.ID)
	return saySubmitted(err, a.ID)
}

// saySubmitted adds to the error of an output that what it should have told was done.
func saySubmitted(err error, id godwit.ID) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w (the job was submitted: its id is %s)", err, id)
}
