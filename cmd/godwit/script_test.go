package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite what the scripts and docs/cli.md expect")

// TestScripts plays the scripts of testdata/script against the real program: servers are processes of their own, which can be killed.
func TestScripts(t *testing.T) {
	t.Parallel()
	playScripts(t, filepath.Join("testdata", "script"), nil)
}

// playScripts plays the scripts of a folder, each with further variables in its environment.
func playScripts(t *testing.T, dir string, variables func(script string) map[string]string) {
	t.Helper()
	bin := t.TempDir()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "godwit")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("GODWIT_TEST_AS_PROGRAM", "1")
			if variables != nil {
				for name, value := range variables(filepath.Base(env.WorkDir)) {
					env.Setenv(name, value)
				}
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each of hundreds of processes would end a second later
			env.Values[playKey{}] = &play{started: map[string]*process{}}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": serveCommand, "kill9": kill9Command, "term": termCommand,
			"code": codeCommand, "until": untilCommand, "start": startCommand, "signal": signalCommand, "finish": finishCommand, "sees": seesCommand,
			"norm": normCommand, "setid": setidCommand, "fill": fillCommand,
		},
	})
}

// play is what a script has running.
type play struct {
	server  *exec.Cmd
	started map[string]*process
}

type playKey struct{}

func playOf(ts *testscript.TestScript) *play {
	p, ok := ts.Value(playKey{}).(*play)
	if !ok {
		ts.Fatalf("the script has no play")
	}
	return p
}

// program prepares the program with the script's environment, ended at the latest with the script.
func (p *play) program(ts *testscript.TestScript, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(context.Background())
	ts.Defer(cancel)
	cmd := exec.CommandContext(ctx, "godwit", args...)
	cmd.Path = strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0] + "/godwit"
	cmd.Err = nil
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "GODWIT_TEST_AS_PROGRAM", "GODWIT_SERVER", "GODWIT_TOKEN", "HOME", "GORACE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

// serveCommand starts a server, of sqlite:jobs.db unless it is told otherwise, at the address of the one before if there was one.
//
//	serve [FLAGS]
func serveCommand(ts *testscript.TestScript, _ bool, args []string) {
	p := playOf(ts)
	address := strings.TrimPrefix(ts.Getenv("GODWIT_SERVER"), "http://")
	if address == "" {
		address = "127.0.0.1:0"
	}
	if !slices.Contains(args, "--db") {
		args = append(args, "--db", "sqlite:jobs.db")
	}
	p.server = p.program(ts, append([]string{"serve", "--listen", address}, args...)...)
	var log bytes.Buffer
	p.server.Stderr = &log
	pipe, err := p.server.StdoutPipe()
	ts.Check(err)
	ts.Check(p.server.Start())
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if url := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); url != "" {
			ts.Setenv("GODWIT_SERVER", url)
			go io.Copy(io.Discard, pipe) //nolint:errcheck // so that the program never waits for its reader
			return
		}
	}
	_ = p.server.Wait() // so that the log is whole
	ts.Fatalf("serve ended without an address:\n%s", &log)
}

// kill9Command kills the server as a crash does.
func kill9Command(ts *testscript.TestScript, _ bool, _ []string) {
	p := playOf(ts)
	ts.Check(p.server.Process.Kill())
	if p.server.Wait() == nil {
		ts.Fatalf("the server ended by itself before it could be killed")
	}
}

// termCommand stops the server in good order.
func termCommand(ts *testscript.TestScript, _ bool, _ []string) {
	p := playOf(ts)
	ts.Check(p.server.Process.Signal(syscall.SIGTERM))
	ts.Check(p.server.Wait())
}

// codeCommand runs a command and checks its exit code.
//
//	code 2 godwit job list --state nonsense
func codeCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCode(err); strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s (%v)", got, args[0], err)
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// untilCommand runs a command until its output matches.
//
//	until running godwit job list
func untilCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern := regexp.MustCompile(args[0])
	if !eventually(func() bool {
		return ts.Exec(args[1], args[2:]...) == nil && pattern.MatchString(ts.ReadFile("stdout"))
	}) {
		ts.Fatalf("it never printed %s", args[0])
	}
}

// process is a client that runs beside the script.
type process struct {
	cmd         *exec.Cmd
	out, errOut buffer
}

// buffer takes what a process prints, and may be read meanwhile.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write takes a part.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// startCommand starts the program beside the script.
//
//	start NAME ARGUMENTS...
func startCommand(ts *testscript.TestScript, _ bool, args []string) {
	p := playOf(ts)
	s := &process{cmd: p.program(ts, args[1:]...)}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.errOut
	ts.Check(s.cmd.Start())
	p.started[args[0]] = s
}

// seesCommand waits until what was started has printed what matches on its error stream.
//
//	sees NAME PATTERN
func seesCommand(ts *testscript.TestScript, _ bool, args []string) {
	s, pattern := playOf(ts).started[args[0]], regexp.MustCompile(args[1])
	if !eventually(func() bool { return pattern.MatchString(s.errOut.String()) }) {
		ts.Fatalf("%s never printed %s:\n%s", args[0], args[1], &s.errOut)
	}
}

// eventually asks until the answer is yes, for a minute at most.
func eventually(yes func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if yes() {
			return true
		}
	}
	return false
}

// signalCommand sends SIGINT to what was started.
func signalCommand(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(playOf(ts).started[args[0]].cmd.Process.Signal(os.Interrupt))
}

// finishCommand waits for what was started and checks its exit code. Its output is then that of the script.
//
//	finish NAME CODE
func finishCommand(ts *testscript.TestScript, _ bool, args []string) {
	s := playOf(ts).started[args[0]]
	err := s.cmd.Wait()
	fmt.Fprint(ts.Stdout(), s.out.String())
	fmt.Fprint(ts.Stderr(), s.errOut.String())
	if got := exitCode(err); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%s: exit code %d, want %s (%v)\n%s%s", args[0], got, args[1], err, &s.out, &s.errOut)
	}
}

var (
	uuidPattern  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	replacements = []struct {
		pattern *regexp.Regexp
		with    string
	}{
		{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ][\d:.]+Z?`), "TIME"},
		{regexp.MustCompile(`\b(now|in \d[\d.dhmsµ]*|\d[\d.dhmsµ]* ago)\b`), "AGO"},
		{regexp.MustCompile(`\b\d+(\.\d+)?(µs|ms|s)\b`), "SPAN"},
		{regexp.MustCompile(`process \d+ on \S+?,`), "process PID on HOST,"},
		{regexp.MustCompile(`\d+ tasks`), "SOME tasks"},
		{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "URL"},
		{regexp.MustCompile(`\d+ (MiB|GiB|KiB)`), "SIZE"},
		{regexp.MustCompile(` +`), " "},
		{regexp.MustCompile(`(?m) $`), ""},
	}
)

// normCommand prints the last output anew, without what differs from run to run: ids become ID1, ID2 in their order.
//
//	norm stdout
func normCommand(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	names := map[string]string{}
	text = uuidPattern.ReplaceAllStringFunc(text, func(id string) string {
		if names[id] == "" {
			names[id] = "ID" + strconv.Itoa(len(names)+1)
		}
		return names[id]
	})
	for _, r := range replacements {
		text = r.pattern.ReplaceAllString(text, r.with)
	}
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "WORK")
	fmt.Fprint(ts.Stdout(), text)
}

// setidCommand keeps the first id of the last output in a variable.
//
//	setid JOB
func setidCommand(ts *testscript.TestScript, _ bool, args []string) {
	id := uuidPattern.FindString(ts.ReadFile("stdout"))
	if id == "" {
		ts.Fatalf("the output has no id")
	}
	ts.Setenv(args[0], id)
}

// fillCommand writes a file of n times the same.
//
//	fill FILE N TEXT
func fillCommand(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := strings.ReplaceAll(args[2], `\n`, "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, n)), 0o600))
}
