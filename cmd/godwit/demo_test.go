package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/demo"
)

// TestMain lets the test binary be the real program, so that it can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("GODWIT_TEST_AS_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// program starts the binary in a folder.
func program(ctx context.Context, t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GODWIT_TEST_AS_PROGRAM=1", "GODWIT_DB=", "GODWIT_LISTEN=127.0.0.1:0")
	return cmd
}

// shown is a running demo, read a line at a time.
type shown struct {
	*exec.Cmd
	t     *testing.T
	lines *bufio.Scanner
	text  strings.Builder
}

func startDemo(t *testing.T, dir string, args ...string) *shown {
	t.Helper()
	cmd := program(t.Context(), t, dir, append([]string{"demo"}, args...)...)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &shown{Cmd: cmd, t: t, lines: bufio.NewScanner(pipe)}
}

// until reads up to a line that matches, and gives its submatches.
func (s *shown) until(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for s.lines.Scan() {
		s.text.WriteString(s.lines.Text() + "\n")
		if found := re.FindStringSubmatch(s.lines.Text()); found != nil {
			return found
		}
	}
	s.t.Fatalf("the demo never said %q:\n%s", pattern, s.text.String())
	return nil
}

// signalled sends a signal, reads to the end and gives the exit code.
func (s *shown) signalled(signal os.Signal) int {
	s.t.Helper()
	if err := s.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	for s.lines.Scan() {
		s.text.WriteString(s.lines.Text() + "\n")
	}
	var exit *exec.ExitError
	if err := s.Wait(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return s.ProcessState.ExitCode()
}

func TestDemoKilledTwiceFinishesWithoutRepeating(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	byHand := startDemo(t, dir, "--pace", "100ms")
	byHand.until(`^ +\d+ of 96 months, `)
	byHand.until(`^ +\d+ of 96 months, `)
	if code := byHand.signalled(syscall.SIGKILL); code != -1 {
		t.Fatalf("the demo ended with %d before it could be killed:\n%s", code, byHand.text.String())
	}
	itself := startDemo(t, dir, "--pace", "100ms", "--kill-at", "60") // the pace of the first start stands
	at := itself.until("^([0-9]+) months are done: kill -9 " + fmt.Sprint(itself.Process.Pid) + ", by --kill-at")[1]
	if n, err := strconv.Atoi(at); err != nil || n < 60 {
		t.Errorf("--kill-at 60 killed at %s", at)
	}
	if err := itself.Wait(); itself.ProcessState.ExitCode() != -1 {
		t.Fatalf("the demo ended by itself: %v\n%s", err, itself.text.String())
	}

	out, err := program(t.Context(), t, dir, "demo", "--once", "--pace", "10ms").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	found := regexp.MustCompile(`Found an unfinished report: (\d+) of 96 months are done`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("the third start did not find the unfinished report:\n%s", text)
	}
	for _, want := range []string{
		"It keeps what it was started with: --pace 100ms.",
		"Resumed " + found[1] + " of 96: 0 of the " + found[1] + " recorded as done were repeated.",
		"Counted outside the database, in godwit-demo.md.ledger.",
		"; 19 failed at first and were retried", " were cut off by a kill and ran again from their start", "Seattle  │ 2015",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if n := len([]rune(line)); n > 100 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	report, err := os.ReadFile(filepath.Join(dir, "godwit-demo.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(report, []byte("\n| ")); n != 10 { // heading, rule and eight years
		t.Errorf("the report has %d lines of a table, want 10:\n%s", n, report)
	}

	out, err = program(t.Context(), t, dir, "demo", "--once", "--pace", "0").CombinedOutput()
	if text := string(out); err != nil || !strings.Contains(text, "succeeded) stays in the database: nothing to resume. This is a new one.") ||
		!strings.Contains(text, "96 months in ") || strings.Contains(text, "Resumed") {
		t.Errorf("a start after the end: %v\n%s", err, out)
	}
}

func TestDemoServesWhileItRunsAndAfterwards(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close() //nolint:errcheck // nothing is accepted
	s := startDemo(t, t.TempDir(), "--pace", "20ms", "--listen", taken.Addr().String())
	s.until(`^Taking a free port: .*` + regexp.QuoteMeta(taken.Addr().String()))
	explain := typed(t, s.until(`^  ask +(curl .*/explain)$`)[1])
	var why struct {
		ID      string
		State   string
		Reasons []struct{ Kind, Message string }
	}
	if err := json.Unmarshal(explain, &why); err != nil || len(why.Reasons) == 0 {
		t.Errorf("explain answered %s, %v", explain, err)
	}

	s.until(`^Still serving\.`)
	var job struct {
		State    string
		Result   json.RawMessage
		Attempts []struct{ Outcome string }
	}
	answer := typed(t, s.until(`^  (curl .*/v1/tasks/echo)$`)[1])
	if err := json.Unmarshal(answer, &job); err != nil || job.State != "succeeded" || string(job.Result) != `{"hello":"world"}` {
		t.Errorf("echo answered %s, %v", answer, err)
	}
	answer = typed(t, s.until(`^  (curl .*/v1/tasks/fail)$`)[1])
	if err := json.Unmarshal(answer, &job); err != nil || job.State != "succeeded" || len(job.Attempts) != 2 || job.Attempts[0].Outcome != "retry" {
		t.Errorf("fail answered %s, %v", answer, err)
	}
	answer = typed(t, s.until(`^  (curl .*/children\?limit=2')$`)[1])
	var children struct {
		Jobs []struct{ Task, State string }
	}
	if err := json.Unmarshal(answer, &children); err != nil || len(children.Jobs) != 2 ||
		children.Jobs[0].Task != "weather.month" || children.Jobs[1].State != "succeeded" {
		t.Errorf("children answered %s, %v", answer, err)
	}

	if code := s.signalled(os.Interrupt); code != 0 || !strings.Contains(s.text.String(), "Stopped in good order.") {
		t.Errorf("Ctrl-C after the report ended with %d:\n%s", code, s.text.String())
	}
}

func TestDemoStoppedBeforeTheReportTellsBySignal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		s := startDemo(t, dir, "--pace", "1m") // the months that run are given back
		s.until(`^ +0 of 96 months, `)
		if code := s.signalled(signal); code != want || !strings.Contains(s.text.String(), "Start it again: it goes on.") {
			t.Errorf("%s ended the demo with %d, want %d:\n%s", signal, code, want, s.text.String())
		}
	}
}

func TestDemoListensWhereTheServerDoes(t *testing.T) {
	t.Parallel()
	s := startDemo(t, t.TempDir(), "--pace", "0", "--once", "--listen", "LOCALHOST:0")
	s.until(`^ +API +on http://`)
	s.until(`^The report is in `)
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
}

func TestDemoWithoutItsLedgerClaimsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startDemo(t, dir, "--pace", "20ms", "--kill-at", "30")
	s.until(`, by --kill-at`)
	if err := s.Wait(); s.ProcessState.ExitCode() != -1 {
		t.Fatalf("the demo ended by itself: %v\n%s", err, s.text.String())
	}
	if err := os.Remove(filepath.Join(dir, "godwit-demo.md.ledger")); err != nil {
		t.Fatal(err)
	}
	out, err := program(t.Context(), t, dir, "demo", "--once").CombinedOutput()
	want := regexp.MustCompile(`Resumed (\d+) of 96\. What was repeated cannot be counted:\ngodwit-demo\.md\.ledger lacks (\d+) of the 96 months that are done\.`)
	found := want.FindStringSubmatch(string(out))
	if err != nil || found == nil || found[1] != found[2] {
		t.Errorf("%v, %q in\n%s", err, found, out)
	}
}

// A report that is begun may be written somewhere else by the next start.
func TestDemoGoesOnWithAnotherReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startDemo(t, dir, "--pace", "20ms", "--report", "one.md", "--kill-at", "30")
	s.until(`, by --kill-at`)
	if err := s.Wait(); s.ProcessState.ExitCode() != -1 {
		t.Fatalf("the demo ended by itself: %v\n%s", err, s.text.String())
	}
	if err := os.Mkdir(filepath.Join(dir, "one.md"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := program(t.Context(), t, dir, "demo", "--once", "--pace", "20ms", "--report", "two.md").CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "recorded as done were repeated.") || strings.Contains(text, "It keeps what") ||
		!strings.Contains(text, "Counted outside the database, in one.md.ledger.") || !strings.Contains(text, "The report is in two.md.") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "two.md")); err != nil {
		t.Error(err)
	}
}

// A bar that is full does not say why there is no report: what failed is told once, above it.
func TestTheBarTellsWhatFailed(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{false, true} {
		var out strings.Builder
		b := &bar{out: &out, live: live, tenth: -1}
		p := demo.Progress{Report: godwit.NewID(), State: godwit.StateRunning, Total: 1, Attempt: 1}
		b.draw(p)
		p.State, p.Failure = godwit.StateScheduled, &godwit.Failure{Code: godwit.CodeFailed, Message: "no space left"}
		b.draw(p)
		b.draw(p)
		p.State, p.Attempt = godwit.StateRunning, 2
		b.draw(p)
		p.State = godwit.StateScheduled
		b.draw(p)
		p.Attempt, p.Failure = 3, &godwit.Failure{Code: godwit.CodeCrashed, Message: "killed"}
		b.draw(p)
		told := regexp.MustCompile(`The report failed \(attempt (\d)\) and is tried again: no space left`).FindAllStringSubmatch(out.String(), -1)
		if len(told) != 2 || told[0][1] != "1" || told[1][1] != "2" || strings.Contains(out.String(), "killed") {
			t.Errorf("live %v: told %v in\n%q", live, told, out.String())
		}
	}
}

// typed types a line into a shell, if there is one with curl; otherwise it makes the request that the line describes.
func typed(t *testing.T, line string) []byte {
	t.Helper()
	_, noCurl := exec.LookPath("curl")
	if sh, err := exec.LookPath("sh"); err == nil && noCurl == nil {
		out, err := exec.CommandContext(t.Context(), sh, "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return out
	}
	method, body := http.MethodGet, ""
	if found := regexp.MustCompile(`-d '([^']*)'`).FindStringSubmatch(line); found != nil {
		method, body = http.MethodPost, found[1]
	}
	r, err := http.NewRequestWithContext(t.Context(), method, regexp.MustCompile(`http://[^\s']+`).FindString(line), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`-H '([^:]*): ([^']*)'`).FindStringSubmatch(line); found != nil {
		r.Header.Set(found[1], found[2])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stderr string
		stdout string
	}{
		{"version", []string{"version"}, exitDone, "", "godwit "},
		{"help", []string{"--help"}, exitDone, "", "demo"},
		{"no command", nil, exitDone, "", "demo"},
		{"unknown command", []string{"demmo"}, exitUsage, "demmo", ""},
		{"unknown flag", []string{"demo", "--pase", "1s"}, exitUsage, "--pase", ""},
		{"negative pace", []string{"demo", "--pace", "-1s"}, exitUsage, "--pace must be between 0s and 1m", ""},
		{"no workers", []string{"demo", "--workers", "0"}, exitUsage, "--workers must be between 1 and 1000", ""},
		{"killed too late", []string{"demo", "--kill-at", "97"}, exitUsage, "--kill-at must be between 0 and 96", ""},
		{"listening nowhere", []string{"demo", "--listen", "8080"}, exitUsage, "--listen must be HOST:PORT", ""},
		{"listening to all", []string{"demo", "--listen", "0.0.0.0:8080"}, exitUsage, "--listen must be a loopback address", ""},
		{"listening to a port there is not", []string{"demo", "--listen", "127.0.0.1:99999"}, exitUsage, "--listen must have a port from 0 to 65535", ""},
		{"report nowhere", []string{"demo", "--report", "no/such/folder/x.md"}, exitUsage, "--report must be in a folder that exists", ""},
		{"report that is a folder", []string{"demo", "--report", "."}, exitUsage, "--report must name a file that can be written, beside its ledger: write .: is there, and is no regular file", ""},
		{"too many arguments", []string{"demo", "now"}, exitUsage, "now", ""},
		{"unknown database", []string{"demo", "--db", "oracle:x"}, exitUsage, `--db has the scheme "oracle"`, ""},
		{"database that is no URL", []string{"demo", "--db", "foo"}, exitUsage, `--db must be a URL such as sqlite:app.db, got "foo"`, ""},
		{"PostgreSQL that is no URL", []string{"demo", "--db", "postgres://:x"}, exitUsage, "--db must be a URL such as postgres://", ""},
		{"server that is no URL", []string{"job", "list", "--server", "foo"}, exitUsage, `godwit: --server must be a URL such as http://127.0.0.1:8080, got "foo"`, ""},
		{"token of two lines", []string{"job", "list", "--token", "a\nb"}, exitUsage, "godwit: --token must be one line", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(c.args, &stdout, &stderr); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(stderr.String(), c.stderr) || !strings.Contains(stdout.String(), c.stdout) {
				t.Errorf("stdout %q, stderr %q; want %q and %q in them", &stdout, &stderr, c.stdout, c.stderr)
			}
		})
	}
}
