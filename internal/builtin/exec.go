package builtin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
)

// Bounds of a program's arguments.
const (
	argsMax       = 256       // arguments, the program's name included
	argMax        = 64 << 10  // bytes of one
	variablesMax  = 64        // variables that a job sets
	variableMax   = 16 << 10  // bytes of one's value
	outputTextMax = 400 << 10 // bytes of each output in JSON, so that a result stays below godwit.PayloadMax
	stderrMax     = 2 << 10   // bytes of the standard error in an error: its end
	exitCodesMax  = 256
)

// Exec runs a program.
var Exec = godwit.NewTask[ExecArgs, ExecResult]("exec", godwit.Policy{})

// ExecArgs are the arguments of exec.
type ExecArgs struct {
	Argv          []string          `json:"argv"` // the program, as the configuration names it, and its arguments
	Stdin         string            `json:"stdin,omitempty"`
	StdinEncoding string            `json:"stdin_encoding,omitempty"` // "base64" when stdin holds bytes
	Env           map[string]string `json:"env,omitempty"`            // of the variables that the configuration allows
	OKExitCodes   []int             `json:"ok_exit_codes,omitempty"`  // that are a success. Defaults to 0 alone
}

// UnmarshalJSON refuses fields that there are not.
func (a *ExecArgs) UnmarshalJSON(data []byte) error {
	type plain ExecArgs
	return decodeStrict(data, (*plain)(a), "argv", "stdin", "stdin_encoding", "env", "ok_exit_codes")
}

// ExecResult is the result of exec.
type ExecResult struct {
	ExitCode       int    `json:"exit_code"`
	Stdout         string `json:"stdout"`
	Stderr         string `json:"stderr"`
	StdoutEncoding string `json:"stdout_encoding,omitempty"` // "base64" when it is no text
	StderrEncoding string `json:"stderr_encoding,omitempty"`
	StdoutCut      int64  `json:"stdout_cut,omitempty"` // bytes that are not here, from its beginning
	StderrCut      int64  `json:"stderr_cut,omitempty"`
}

// HandleExec registers the handler of exec with a client.
func HandleExec(c *godwit.Client, conf ExecConfig) {
	godwit.Handle(c, Exec, (&runner{conf}).run)
}

// runner does the jobs of exec.
type runner struct{ conf ExecConfig }

// run does a job.
func (r *runner) run(ctx context.Context, args ExecArgs) (ExecResult, error) {
	cmd, stdin, err := r.command(ctx, args)
	if err != nil {
		return ExecResult{}, godwit.Permanent(err)
	}
	place, err := r.place(stdin)
	if err != nil {
		return ExecResult{}, err
	}
	defer place.leave(ctx)
	cmd.Dir = place.dir
	if place.own && !slices.ContainsFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "TMPDIR=") }) {
		cmd.Env = append(cmd.Env, "TMPDIR="+place.dir)
	}
	if place.stdin != nil {
		cmd.Stdin = place.stdin
	}
	outputs, state, err := r.do(ctx, cmd)
	if err != nil {
		return ExecResult{}, fmt.Errorf("%s: %w", quoteShort(args.Argv[0]), err)
	}
	if !args.succeeded(state) {
		return ExecResult{}, fmt.Errorf("%s: %s%s", quoteShort(args.Argv[0]), state, excerpt(outputs.stderr.last(stderrMax)))
	}
	return outputs.result(state.ExitCode()), nil
}

// do runs a command to its end, and that of all it started.
func (r *runner) do(ctx context.Context, cmd *exec.Cmd) (*outputs, *os.ProcessState, error) {
	out, err := newOutputs(r.conf.OutputBytesMax, r.lines(ctx))
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout, cmd.Stderr = out.stdout.write, out.stderr.write
	p, err := startGroup(cmd)
	out.began()
	if err == nil {
		err = p.wait(ctx, r.conf.KillGrace)
	}
	out.ended()
	if err != nil {
		return nil, nil, err
	}
	return out, cmd.ProcessState, nil
}

// lines gives what takes the lines of the standard error.
func (r *runner) lines(ctx context.Context) *lineLog {
	if !r.conf.LogStderr {
		return nil
	}
	return &lineLog{log: godwit.Logger(ctx)}
}

func (a *ExecArgs) succeeded(state *os.ProcessState) bool {
	if len(a.OKExitCodes) == 0 {
		return state.ExitCode() == 0
	}
	return state.Exited() && slices.Contains(a.OKExitCodes, state.ExitCode())
}

// command makes the command that the arguments describe, and what it is to read. What is wrong with them is an error that trying
// again does not mend.
func (r *runner) command(ctx context.Context, args ExecArgs) (cmd *exec.Cmd, stdin []byte, err error) {
	if err := args.check(); err != nil {
		return nil, nil, err
	}
	program, err := r.program(args.Argv[0])
	if err != nil {
		return nil, nil, err
	}
	env, err := r.environment(ctx, args.Env)
	if err != nil {
		return nil, nil, err
	}
	stdin = []byte(args.Stdin)
	if args.StdinEncoding == encodingBase64 {
		if stdin, err = base64.StdEncoding.DecodeString(args.Stdin); err != nil {
			return nil, nil, errors.New("stdin must be base64, as stdin_encoding says")
		}
	}
	return &exec.Cmd{Path: program.Path, Args: args.Argv, Env: env}, stdin, nil
}

func (a *ExecArgs) check() error {
	switch {
	case len(a.Argv) == 0:
		return errors.New("argv must name a program")
	case len(a.Argv) > argsMax:
		return fmt.Errorf("argv must have at most %d items, got %d", argsMax, len(a.Argv))
	case a.StdinEncoding != "" && a.StdinEncoding != encodingBase64:
		return fmt.Errorf("stdin_encoding must be %q or not given, got %s", encodingBase64, quoteShort(a.StdinEncoding))
	case len(a.OKExitCodes) > exitCodesMax:
		return fmt.Errorf("ok_exit_codes must have at most %d items, got %d", exitCodesMax, len(a.OKExitCodes))
	}
	for i, arg := range a.Argv {
		if len(arg) > argMax || strings.ContainsRune(arg, 0) {
			return fmt.Errorf("argv[%d] must be at most %d bytes without a zero (give more by stdin), got %d", i, argMax, len(arg))
		}
	}
	for _, code := range a.OKExitCodes {
		if code < 0 || code > 255 {
			return fmt.Errorf("ok_exit_codes must be from 0 to 255, got %d", code)
		}
	}
	return nil
}

// program finds an allowed program by its name in the configuration, or by the whole path that it stands for. Nothing is looked
// up or cleaned: another spelling is another program.
func (r *runner) program(name string) (Program, error) {
	var known []string
	for _, p := range r.conf.Allow {
		if name == p.Name || name == p.Path {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return Program{}, fmt.Errorf("argv[0] must be a program that the server's configuration names in tasks.exec.allow, got %s%s",
		quoteShort(name), suggest.DidYouMean(name, known))
}

// environment gives the variables of a program, of which only the last ones are the job's.
func (r *runner) environment(ctx context.Context, wanted map[string]string) ([]string, error) {
	job := godwit.Info(ctx)
	vars := map[string]string{}
	for _, name := range r.conf.PassEnv {
		if v, ok := os.LookupEnv(name); ok {
			vars[name] = v
		}
	}
	maps.Copy(vars, r.conf.Env)
	if !job.ID.IsZero() {
		vars["GODWIT_JOB_ID"] = job.ID.String()
		vars["GODWIT_RUN"] = fmt.Sprint(job.Run)
		vars["GODWIT_ATTEMPT"] = fmt.Sprint(job.Attempt)
	}
	if v := traceOf(ctx, job.Headers)["traceparent"]; v != "" && !strings.ContainsRune(v, 0) {
		vars["TRACEPARENT"] = v
	}
	if len(wanted) > variablesMax {
		return nil, fmt.Errorf("env must have at most %d variables, got %d", variablesMax, len(wanted))
	}
	for name, v := range wanted {
		if !r.allowsVariable(name) {
			return nil, fmt.Errorf("env must hold variables that the server's configuration names in tasks.exec.allow_env, got %s", quoteShort(name))
		}
		if len(v) > variableMax || strings.ContainsRune(v, 0) {
			return nil, fmt.Errorf("env must have values of at most %d bytes without a zero, and %s has %d", variableMax, quoteShort(name), len(v))
		}
		vars[name] = v
	}
	list := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		list = append(list, name+"="+vars[name])
	}
	return list, nil
}

// allowsVariable reports whether a job may set a variable. There are too many that change what a program does (LD_PRELOAD,
// PYTHONPATH, GIT_SSH_COMMAND ...) for a list of those that are refused, so those that are allowed are listed.
func (r *runner) allowsVariable(name string) bool {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return false
	}
	return slices.ContainsFunc(r.conf.AllowEnv, func(pattern string) bool {
		if begin, ok := strings.CutSuffix(pattern, "*"); ok {
			return strings.HasPrefix(name, begin)
		}
		return name == pattern
	})
}
