package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// real is a `godwit serve` on a database of its own.
type real struct {
	*exec.Cmd
	address string
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "godwit")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/godwit").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// start starts the program; it is killed with the test, unless it has ended.
func start(t *testing.T, program string, flags ...string) *real {
	t.Helper()
	flags = append([]string{"serve", "--listen", "127.0.0.1:0", "--db", "sqlite:" + filepath.Join(t.TempDir(), "jobs.db")}, flags...)
	cmd := exec.CommandContext(t.Context(), program, flags...)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // it may just have ended
			_ = cmd.Wait()         // which says that it was killed
		}
		if t.Failed() || strings.Contains(complaints.String(), "panic") {
			t.Errorf("the program complained:\n%.5000s", complaints.String())
		}
	})
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if m := regexp.MustCompile(`http://(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, pipe) //nolint:errcheck // so that the program never waits for its reader
			return &real{cmd, m[1]}
		}
	}
	t.Fatal("serve ended without an address")
	return nil
}

// TestTheProgram does to `godwit serve` what strangers do, in good faith and not.
func TestTheProgram(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and runs the program")
	}
	program := build(t)
	t.Run("answers the examples as the document says", func(t *testing.T) {
		t.Parallel()
		start(t, program).playDocument(t)
	})
	t.Run("answers the scripts as the handler does", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"jobs", "parts", "problems"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				start(t, program, "--queues", "default=8,mail=8").playScript(t, "testdata/"+name+".http")
			})
		}
	})
	t.Run("withstands bad connections", func(t *testing.T) {
		t.Parallel()
		start(t, program).badConnections(t)
	})
	t.Run("serves two thousand connections at once", func(t *testing.T) {
		t.Parallel()
		start(t, program).crowd(t)
	})
	t.Run("bounds the memory of answers that nobody reads", func(t *testing.T) {
		t.Parallel()
		start(t, program, "--grace", "0s").greedy(t)
	})
	t.Run("answers who waits when it stops", func(t *testing.T) {
		t.Parallel()
		start(t, program, "--grace", "0s").stopUnderWaiters(t)
	})
}

// playDocument has a shell run the examples of docs/http.md in their order.
func (r *real) playDocument(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	headers := filepath.Join(t.TempDir(), "headers")
	location := regexp.MustCompile(`(?m)^Location: /v1/jobs/(\S+)`)
	id, played := "", examplesIn(t, document(t))
	for _, e := range played {
		script := `curl() { command curl -o /dev/null -D "$HEADERS" -w '%{http_code}' "$@"; }; ` + strings.ReplaceAll(e.command, "localhost:8080", r.address)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = append(os.Environ(), "HEADERS="+headers, "ID="+id)
		status, err := cmd.CombinedOutput()
		if err != nil || string(status) != e.status {
			t.Errorf("%s\nanswered %s, %v; the document says %s", e.command, status, err, e.status)
		}
		answered, err := os.ReadFile(headers)
		if err != nil {
			t.Fatal(err)
		}
		if m := location.FindSubmatch(answered); m != nil {
			id = strings.TrimSpace(string(m[1]))
		}
	}
	if len(played) < 30 {
		t.Errorf("the document has only %d examples", len(played))
	}
}

// memory gives the most that the program had in memory, in MiB; 0 where that is not told.
func (r *real) memory() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Process.Pid))
	if err != nil {
		return 0
	}
	var kib int
	if m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); m != nil {
		_, _ = fmt.Sscan(string(m[1]), &kib) // digits
	}
	return kib >> 10
}

// files counts the files that the program has open; -1 where that is not told.
func (r *real) files() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.Process.Pid))
	if err != nil {
		return -1
	}
	return len(entries)
}

// stop ends the program in good order.
func (r *real) stop(t *testing.T) {
	t.Helper()
	if err := r.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil {
		t.Errorf("serve answered SIGTERM with %v, want exit code 0", err)
	}
}

// post makes a call with a body.
func (r *real) post(t *testing.T, path, body, prefer string) (int, string, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.address+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	q.Header.Set("Prefer", prefer)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(a.Body)
	if closed := a.Body.Close(); err == nil {
		err = closed
	}
	return a.StatusCode, string(text), err
}
