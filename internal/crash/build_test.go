//go:build unix

package crash_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// module is where the command is built.
const module = "../.."

// buildDir holds the command while the tests run.
var buildDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "godwit-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	buildDir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// binary builds the command with its crash points, once, under the race detector if the tests are.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(buildDir, "godwit")
	args := []string{"build", "-tags", "crashpoints", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	build := exec.CommandContext(context.Background(), "go", append(args, "./cmd/godwit")...)
	build.Dir = module
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, output)
	}
	return path, lookAtSources()
})

// lookAtSources reads the folders that the command is made of, so that `go test` knows that its verdict depends on them.
func lookAtSources() error {
	list := exec.CommandContext(context.Background(), "go", "list", "-deps", "-tags", "crashpoints", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", "./cmd/godwit")
	list.Dir = module
	output, err := list.Output()
	if err != nil {
		return fmt.Errorf("list the command's packages: %w", err)
	}
	for dir := range strings.Lines(string(output)) {
		if _, err := os.ReadDir(strings.TrimSpace(dir)); err != nil {
			return err
		}
	}
	return nil
}

// TestOrdinaryCommandHasNoCrashPoints wants the tag to be all that brings them.
func TestOrdinaryCommandHasNoCrashPoints(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]bool{"": false, "crashpoints": true} {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tags, "./cmd/godwit")
		list.Dir = module
		output, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		linked := strings.Split(string(output), "\n")
		if len(linked) < 100 {
			t.Errorf("tags %q: %d packages are linked, which cannot be", tags, len(linked))
		}
		for _, part := range []string{"internal/crash", "internal/crash/victim"} {
			found := false
			for _, path := range linked {
				found = found || strings.HasSuffix(path, part)
			}
			if found != want {
				t.Errorf("tags %q: %s is linked: %v, want %v", tags, part, found, want)
			}
		}
	}
}
