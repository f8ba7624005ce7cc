//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheLineOfTheCrontab submits what the guide for those who come from crontab has cron submit: a firing that is repeated is one job.
func TestTheLineOfTheCrontab(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "from-crontab.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^ +15 3 \* \* \* +(godwit submit .*)$`).FindSubmatch(guide)
	if m == nil {
		t.Fatal("the guide has no line that submits")
	}
	line := strings.NewReplacer(`\%`, "%", "/usr/local/bin/backup", "/bin/sh", `"--full"`, `"-c","exit 0"`).Replace(string(m[1])) // as cron does
	if !strings.Contains(line, "--retry-for 1h") {
		t.Errorf("it gives up at once: %s", line)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("tasks: {exec: {allow: [/bin/sh]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "godwit"))
	}
	if err != nil {
		t.Fatal(err)
	}
	s := startServe(t, dir, "--config", "a.yaml")
	ids := map[string]bool{}
	for range 2 {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Env = append(os.Environ(), "GODWIT_TEST_AS_PROGRAM=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "GODWIT_SERVER="+s.url)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		ids[strings.TrimSpace(string(out))] = true
	}
	if len(ids) != 1 {
		t.Errorf("one firing made the jobs %v", ids)
	}
}
