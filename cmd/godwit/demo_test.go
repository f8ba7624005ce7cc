package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
	cmd.Env = append(os.Environ(), "GODWIT_TEST_AS_PROGRAM=1", "GODWIT_DB=")
	return cmd
}

func TestDemoKilledTwiceFinishesWithoutRepeating(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		killHalfWay(t, dir)
	}
	out, err := program(t.Context(), t, dir, "demo", "--pace", "10ms").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := string(out)
	found := regexp.MustCompile(`Found an unfinished report: (\d+) of 96 months were done`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("the third start did not find the unfinished report:\n%s", text)
	}
	for _, want := range []string{
		"Resumed: " + found[1] + " of 96 were done before, 0 of those repeated.", "96 months in", "19 failed at first",
		"Seattle  │ 2015",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
	report, err := os.ReadFile(filepath.Join(dir, "godwit-demo.md"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(report, []byte("\n| ")); n != 10 { // heading, rule and eight years
		t.Errorf("the report has %d lines of a table, want 10:\n%s", n, report)
	}
}

// killHalfWay runs the demo and kills it with -9 when it has made some progress.
func killHalfWay(t *testing.T, dir string) {
	t.Helper()
	cmd := program(t.Context(), t, dir, "demo", "--pace", "100ms")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	progress := 0
	for lines := bufio.NewScanner(pipe); progress < 2 && lines.Scan(); {
		if strings.Contains(lines.Text(), "of 96 months, ") {
			progress++
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the demo ended before it could be killed")
	}
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
		{"report nowhere", []string{"demo", "--report", "no/such/folder/x.md"}, exitUsage, "--report must be in a folder that exists", ""},
		{"too many arguments", []string{"demo", "now"}, exitUsage, "now", ""},
		{"unknown database", []string{"demo", "--db", "oracle:x"}, exitFailed, "oracle", ""},
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
