package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// served is a running `godwit serve`.
type served struct {
	*exec.Cmd
	t   *testing.T
	url string
}

func startServe(t *testing.T, dir string) *served {
	t.Helper()
	cmd := program(t.Context(), t, dir, "serve", "--listen", "127.0.0.1:0", "--db", "sqlite:jobs.db")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if url := regexp.MustCompile(`http://\S+`).FindString(lines.Text()); url != "" {
			go io.Copy(io.Discard, pipe) //nolint:errcheck // so that the program never waits for its reader
			return &served{cmd, t, url}
		}
	}
	t.Fatal("serve ended without an address")
	return nil
}

// call makes a request and gives the status and the JSON answered.
func (s *served) call(method, path, prefer, body string) (int, map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Prefer", prefer)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	var got map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, got
}

func TestServeKeepsWhatItAcknowledgedOverAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServe(t, dir)
	if status, job := s.call("POST", "/v1/tasks/echo", "wait=30", `{"a":1}`); status != 200 || job["state"] != "succeeded" {
		t.Fatalf("echo answered %d %v", status, job)
	}
	status, later := s.call("POST", "/v1/tasks/echo?delay=1h", "respond-async", `{"b":2}`)
	if status != http.StatusAccepted || later["state"] != "scheduled" {
		t.Fatalf("a delayed echo answered %d %v", status, later)
	}
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil {
		t.Fatal("serve ended before it could be killed")
	}

	s = startServe(t, dir)
	id, ok := later["id"].(string)
	if !ok {
		t.Fatalf("no id in %v", later)
	}
	if status, job := s.call("GET", "/v1/jobs/"+id, "", ""); status != 200 || job["state"] != "scheduled" {
		t.Errorf("after the kill the delayed job answered %d %v", status, job)
	}
	if status, job := s.call("POST", "/v1/tasks/nonsense", "", `{}`); status != 404 || job["code"] != "unknown_task" {
		t.Errorf("an unknown task answered %d %v", status, job)
	}
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("serve answered SIGTERM with %v, want exit code 0", err)
	}
}
