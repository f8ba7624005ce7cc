package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godwit-go/godwit/internal/pgtest"
)

// TestManyMachinesOfTheReadme follows what the README says under "Many machines", with a database that is there and a shorter lease.
func TestManyMachinesOfTheReadme(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to follow it with")
	}
	db, dir := pgtest.Database(t), t.TempDir()
	lines := manyMachines(t)
	for _, taken := range []string{"createdb app\n", "export GODWIT_DB=postgres:///app "} {
		if !strings.Contains(lines, taken) {
			t.Fatalf("the README has no line %q:\n%s", taken, lines)
		}
		lines = strings.Replace(lines, taken, "", 1)
	}
	self, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "godwit"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bash, "-eu", "-o", "pipefail", "-c", "trap 'kill $(jobs -p); wait' EXIT\n"+lines+"\necho followed to the end")
	address := freeAddress(t)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GODWIT_TEST_AS_PROGRAM=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0",
		"GODWIT_DB="+db, "GODWIT_LEASE=2s", "GODWIT_LISTEN="+address, "GODWIT_SERVER=http://"+address)
	output, err := cmd.CombinedOutput()
	for _, want := range []string{"nothing lost", "ok       workers", "followed to the end", "godwit serves postgres://", "godwit works postgres://"} {
		if !strings.Contains(string(output), want) {
			t.Errorf("it did not print %q", want)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("the lines ended with %v and printed\n%s", err, output)
	}
}

// manyMachines are the lines of the README.
func manyMachines(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Many machines\n")
	_, lines, begun := strings.Cut(section, "```sh\n")
	lines, _, ended := strings.Cut(lines, "```\n")
	if !begun || !ended {
		t.Fatal(`the README has no lines under "Many machines"`)
	}
	return lines
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it was only to be given an address
	return l.Addr().String()
}
