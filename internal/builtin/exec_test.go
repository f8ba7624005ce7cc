//go:build unix

package builtin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/godwittest"
)

// execConfig allows the shell.
func execConfig(t *testing.T) ExecConfig {
	t.Helper()
	return ExecConfig{
		Allow: []Program{resolved(t, "sh")}, OutputBytesMax: 1000, KillGrace: time.Minute, AllowEnv: []string{"CITY", "APP_*"},
		Env: map[string]string{"FIXED": "1"}, PassEnv: []string{"PATH"},
	}
}

func resolved(t *testing.T, name string) Program {
	t.Helper()
	p, err := ResolveProgram(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// script does a job of the shell, outside of a job.
func script(t *testing.T, conf ExecConfig, text string) (ExecResult, error) {
	t.Helper()
	return (&runner{conf}).run(t.Context(), ExecArgs{Argv: []string{"sh", "-c", text}})
}

func TestExecGivesWhatAProgramSays(t *testing.T) {
	t.Parallel()
	r := &runner{execConfig(t)}
	got, err := r.run(t.Context(), ExecArgs{
		Argv: []string{"sh", "-c", `cat; echo "$0 $1 $CITY $FIXED" >&2; pwd`, "a b", "*"}, Stdin: "in\n", Env: map[string]string{"CITY": "Ulm"},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got.Stdout, "\n")
	if got.ExitCode != 0 || lines[0] != "in" || got.Stderr != "a b * Ulm 1\n" || got.StdoutCut != 0 {
		t.Errorf("the result is %+v", got)
	}
	if dir := lines[1]; !strings.Contains(dir, "godwit-exec-") {
		t.Errorf("it ran in %q", dir)
	} else if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its directory is still there: %v", err)
	}
}

func TestExecNonZeroExitCodeIsAFailureUnlessItIsNamed(t *testing.T) {
	t.Parallel()
	_, err := script(t, execConfig(t), "echo out; echo because >&2; exit 3")
	if err == nil || isPermanent(err) || err.Error() != `"sh": exit status 3: because` {
		t.Errorf("exit code 3 gave %v", err)
	}
	_, err = script(t, execConfig(t), "kill -9 $$")
	if err == nil || isPermanent(err) || err.Error() != `"sh": signal: killed` {
		t.Errorf("a signal gave %v", err)
	}
	r := &runner{execConfig(t)}
	got, err := r.run(t.Context(), ExecArgs{Argv: []string{"sh", "-c", "exit 3"}, OKExitCodes: []int{0, 3}})
	if err != nil || got.ExitCode != 3 {
		t.Errorf("exit code 3, which is fine, gave %+v, %v", got, err)
	}
	if _, err := r.run(t.Context(), ExecArgs{Argv: []string{"sh", "-c", "exit 0"}, OKExitCodes: []int{3}}); err == nil {
		t.Error("exit code 0, which is not among those that are fine, succeeded")
	}
}

func TestExecKeepsTheEndOfLongOutput(t *testing.T) {
	t.Parallel()
	got, err := script(t, execConfig(t), `i=0; while [ $i -lt 5000 ]; do echo "line $i é"; i=$((i+1)); done; printf '\377\0' >&2`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(got.Stdout, "\nline 4999 é\n") || len(got.Stdout) > 1000 || len(got.Stdout) < 990 || got.StdoutCut < 50_000 {
		t.Errorf("%d bytes are cut, and kept are %q", got.StdoutCut, got.Stdout)
	}
	if got.Stderr != "/wA=" || got.StderrEncoding != "base64" {
		t.Errorf("binary output is %q, encoded %q", got.Stderr, got.StderrEncoding)
	}
}

func TestExecRefuses(t *testing.T) {
	t.Parallel()
	conf := execConfig(t)
	for text, want := range map[string]string{
		`{"argv":[]}`:                 "argv must name a program",
		`{"argv":"sh"}`:               "argv must be a list, got string",
		`{"args":["sh"]}`:             `"args" is no field (did you mean "argv"?)`,
		`{"argv":["shh"]}`:            `argv[0] must be a program that the server's configuration names in tasks.exec.allow, got "shh" (did you mean "sh"?)`,
		`{"argv":["./sh"]}`:           `got "./sh"`,
		`{"argv":["SH"]}`:             `got "SH"`,
		`{"argv":["sh "]}`:            `got "sh "`,
		`{"argv":["/bin/../bin/sh"]}`: `got "/bin/../bin/sh"`,
		`{"argv":[""]}`:               `got ""`,
		`{"argv":["sh","a\u0000b"]}`:  "argv[1] must be at most 65536 bytes without a zero",
		`{"argv":["sh"` + strings.Repeat(`,"a"`, 300) + `]}`:    "argv must have at most 256 items, got 301",
		`{"argv":["sh"],"env":{"LD_PRELOAD":"x"}}`:              `env must hold variables that the server's configuration names in tasks.exec.allow_env, got "LD_PRELOAD"`,
		`{"argv":["sh"],"env":{"PATH":"x"}}`:                    `got "PATH"`,
		`{"argv":["sh"],"env":{"CITY=x\nPATH":"x"}}`:            `got "CITY=x\nPATH"`,
		`{"argv":["sh"],"env":{"APP_A=b":"x"}}`:                 `got "APP_A=b"`,
		`{"argv":["sh"],"env":{"APP":"x"}}`:                     `got "APP"`,
		`{"argv":["sh"],"env":{"APP_A":"a\u0000b"}}`:            `env must have values of at most 16384 bytes without a zero, and "APP_A" has 3`,
		`{"argv":["sh"],"ok_exit_codes":[256]}`:                 "ok_exit_codes must be from 0 to 255, got 256",
		`{"argv":["sh"],"stdin":"*","stdin_encoding":"base64"}`: "stdin must be base64, as stdin_encoding says",
		`{"argv":["sh"],"stdin_encoding":"hex"}`:                `stdin_encoding must be "base64" or not given, got "hex"`,
	} {
		var a ExecArgs
		err := json.Unmarshal([]byte(text), &a)
		if err == nil {
			if _, err = (&runner{conf}).run(t.Context(), a); !isPermanent(err) {
				t.Errorf("%.80s gave %v, want a permanent error", text, err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.80s gave %v, want %s", text, err, want)
		}
	}
}

// TestExecProgramIsTheOneThatWasThereAtTheStart changes PATH and links afterwards.
func TestExecProgramIsTheOneThatWasThereAtTheStart(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for dir, says := range map[string]string{first: "first", second: "second"} {
		if err := os.WriteFile(filepath.Join(dir, "tool-1"), []byte("#!/bin/sh\necho "+says+" $0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("tool-1", filepath.Join(dir, "tool")); err != nil {
			t.Fatal(err)
		}
	}
	conf := execConfig(t)
	conf.Allow = nil
	t.Setenv("PATH", first)
	t.Setenv("HUSH", "a secret of the server")
	for _, name := range []string{"tool", filepath.Join(second, "tool")} {
		conf.Allow = append(conf.Allow, resolved(t, name))
	}
	t.Setenv("PATH", second)
	link := filepath.Join(second, "tool")
	if err := errors.Join(os.Remove(link), os.Symlink("/bin/false", link)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"tool": "first ", link: "second "} {
		got, err := (&runner{conf}).run(t.Context(), ExecArgs{Argv: []string{name}})
		if err != nil || !strings.HasPrefix(got.Stdout, want) {
			t.Errorf("%s said %q, %v; want %s", name, got.Stdout, err, want)
		}
	}
	conf.Allow = []Program{resolved(t, "/usr/bin/env")}
	got, err := (&runner{conf}).run(t.Context(), ExecArgs{Argv: []string{"/usr/bin/env"}, Env: map[string]string{"APP_X": "1"}})
	var names []string
	for line := range strings.Lines(got.Stdout) {
		name, _, _ := strings.Cut(line, "=")
		names = append(names, name)
	}
	if want := []string{"APP_X", "FIXED", "PATH", "TMPDIR"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("the variables are %q, %v; want %q", names, err, want)
	}
}

func TestProgramsThatAnybodyCouldReplaceAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tool := filepath.Join(dir, "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		mode os.FileMode
		want string
	}{
		{tool, 0o777, "every user of this machine may write to"},
		{tool, 0o644, "is no program that can be run"},
		{tool, 0o755, ""},
		{dir, 0o777, "lies in a directory that every user of this machine may write to"},
	} {
		if err := os.Chmod(c.path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := ResolveProgram(tool)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s with %v gave %v, want %q", c.path, c.mode, err, c.want)
		}
	}
}

// witness is a named pipe which every process of a test holds open: it ends when the last one is dead.
type witness struct {
	path  string
	t     *testing.T
	lines *bufio.Scanner
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{path: filepath.Join(t.TempDir(), "pipe"), t: t}
	if err := syscall.Mkfifo(w.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// sees waits for a line, with which a process says that it is there.
func (w *witness) sees() {
	w.t.Helper()
	if w.lines == nil {
		f, err := os.Open(w.path) // when somebody opens the other end
		if err != nil {
			w.t.Error(err)
			return
		}
		w.t.Cleanup(func() { _ = f.Close() }) // only read
		w.lines = bufio.NewScanner(f)
	}
	if !w.lines.Scan() {
		w.t.Error("the program ended before it said anything")
	}
}

// seesTheEnd waits until all are dead.
func (w *witness) seesTheEnd() {
	w.t.Helper()
	for w.lines.Scan() {
		w.t.Logf("also: %s", w.lines.Text())
	}
}

func TestExecEndOfTheRunEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	child := `sh -c '%s echo there >&3; while :; do sleep 1000; done' & %s wait; wait`
	for name, c := range map[string]struct {
		grace         time.Duration
		child, parent string
	}{
		"all end when asked":      {time.Minute, "", ""},
		"the child does not hear": {time.Minute, `trap "" TERM;`, ""},
		"neither hears":           {50 * time.Millisecond, `trap "" TERM;`, `trap "" TERM;`},
		"the parent says it did":  {time.Minute, "", `trap "exit 0" TERM;`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWitness(t)
			conf := execConfig(t)
			conf.KillGrace = c.grace
			ctx, cancel := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			go func() {
				text := c.parent + "exec 3>" + w.path + "; " + fmt.Sprintf(child, c.child, c.parent)
				_, err := (&runner{conf}).run(ctx, ExecArgs{Argv: []string{"sh", "-c", text}})
				ended <- err
			}()
			w.sees()
			cancel(godwit.ErrStopping)
			if err := <-ended; !errors.Is(err, godwit.ErrStopping) {
				t.Errorf("it gave %v, want the cause", err)
			}
			w.seesTheEnd()
		})
	}
}

func TestExecWhatAProgramLeavesBehindIsKilled(t *testing.T) {
	t.Parallel()
	w, said := newWitness(t), newWitness(t)
	ended := make(chan error, 1)
	go func() {
		got, err := script(t, execConfig(t), "exec 3>"+w.path+"; sh -c 'echo there >&3; echo >"+said.path+"; sleep 1000' & read x <"+said.path+"; echo done")
		if err == nil && got.Stdout != "done\n" {
			err = fmt.Errorf("it said %q", got.Stdout)
		}
		ended <- err
	}()
	w.sees()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	w.seesTheEnd()
}

// TestExecIsNotHeldByWhatLeftItsGroup has a process take a session of its own, and the pipes with it.
func TestExecIsNotHeldByWhatLeftItsGroup(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("there is no setsid here")
	}
	w, said, release := newWitness(t), newWitness(t), newWitness(t)
	ended := make(chan error, 1)
	go func() {
		_, err := script(t, execConfig(t), "exec 3>"+w.path+"; setsid sh -c 'echo there >&3; echo >"+said.path+"; read x <"+release.path+"' & read x <"+said.path)
		ended <- err
	}()
	w.sees()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	f, err := os.OpenFile(release.path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	w.seesTheEnd()
}

func TestExecInAJob(t *testing.T) {
	t.Parallel()
	conf := execConfig(t)
	conf.LogStderr = true
	h := godwittest.New(t, godwit.Config{})
	HandleExec(h.Client, conf)
	p, err := Exec.Submit(t.Context(), h, ExecArgs{Argv: []string{"sh", "-c", `echo one >&2; echo >&2; printf two >&2; echo $GODWIT_JOB_ID $GODWIT_RUN $GODWIT_ATTEMPT $TRACEPARENT`}},
		godwit.SubmitOptions{Headers: map[string]string{"traceparent": "00-a"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := godwittest.Await(t, h, p)
	if err != nil || got.Stdout != p.ID().String()+" 1 1 00-a\n" {
		t.Errorf("it said %q, %v", got.Stdout, err)
	}
	logged, err := h.Logs(t.Context(), p.ID(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range logged {
		lines = append(lines, l.Message)
	}
	if want := []string{"one", "two"}; !slices.Equal(lines, want) {
		t.Errorf("the log lines are %q, want %q", lines, want)
	}
}

func TestLargestOutputFits(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{"markup": "<", "zeros": "\x00", "binary": "\xff", "letters": "x", "quotes": `"`} {
		o := &outputs{stdout: output{tail: tail{limit: 256 << 10}}, stderr: output{tail: tail{limit: 256 << 10}}}
		for _, each := range []*output{&o.stdout, &o.stderr} {
			fmt.Fprint(&each.tail, strings.Repeat(unit, 300<<10))
		}
		data, err := json.Marshal(o.result(0))
		if err != nil || len(data) > godwit.PayloadMax {
			t.Errorf("%s make a result of %d bytes, %v", name, len(data), err)
		}
	}
}

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	l := &lineLog{log: slog.New(slog.NewTextHandler(&log, nil))}
	for i := range linesMax + 500 {
		fmt.Fprintf(l, "line %d\r\n", i)
	}
	l.end()
	if n := strings.Count(log.String(), "\n"); n != linesMax+1 || !strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), `\r`) {
		t.Errorf("%d lines were logged, want %d", n, linesMax+1)
	}
	log.Reset()
	l = &lineLog{log: l.log}
	for range 100 {
		fmt.Fprint(l, strings.Repeat("x", 1000))
	}
	fmt.Fprint(l, "\n\nend")
	l.end()
	if n := log.Len(); n < lineMax || n > lineMax+200 || !strings.Contains(log.String(), "msg=end") {
		t.Errorf("a line of 100,000 bytes made a log of %d", n)
	}
}
