package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestServeOutlivesTheReadersOfItsOutputAndItsLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := &served{Cmd: program(t.Context(), t, dir, "serve", "--listen", "127.0.0.1:0", "--db", "sqlite:jobs.db", "--grace", "0s"), t: t}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 1<<10)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	_, s.url, _ = strings.Cut(strings.TrimSpace(string(line[:n])), " on ")
	for _, reader := range []io.Closer{out, log} {
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if status, job := s.call("POST", "/v1/tasks/fail?max_attempts=1", "wait=30", `{"times":1}`); status != 200 || job["state"] != "failed" {
		t.Errorf("a job that is logged: %d %v", status, job)
	}
	_, job := s.call("POST", "/v1/tasks/sleep", "", `{"for":"1h"}`)
	id, _ := job["id"].(string)
	for known := job; known["state"] != "running"; {
		_, known = s.call("GET", "/v1/jobs/"+id, "", "")
	}
	s.signal(syscall.SIGTERM)
	if err := s.Wait(); err != nil {
		t.Fatalf("the stop: %v", err)
	}
	again := startServe(t, dir, "--queues", "other=1")
	if _, job = again.call("GET", "/v1/jobs/"+id, "", ""); job["crashes"] != 0.0 || job["releases"] != 1.0 {
		t.Errorf("the running job was not given back: %v", job)
	}
	again.signal(syscall.SIGTERM)
	again.ends()
}

func TestClientsEndQuietlyWhenTheirReaderHasGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServe(t, dir)
	_, job := s.call("POST", "/v1/tasks/echo", "wait=30", `{"a":1}`)
	id, _ := job["id"].(string)
	for _, args := range [][]string{{"job", "list"}, {"job", "show", id}, {"job", "list", "-o", "json"}} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		cmd := program(t.Context(), t, dir, append(args, "--server", s.url)...)
		cmd.Stdout, cmd.Stderr = writer, &said
		err = cmd.Run()
		var ended *exec.ExitError
		if !errors.As(err, &ended) || said.Len() > 0 {
			t.Fatalf("%s: %v, said %q", args, err, &said)
		}
		if status, ok := ended.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGPIPE {
			t.Errorf("%s: %v, want an end by SIGPIPE", args, err)
		}
		if err := writer.Close(); err != nil {
			t.Error(err)
		}
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}

func TestWhatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("there is no /dev/full")
	}
	dir := t.TempDir()
	s := startServe(t, dir)
	_, job := s.call("POST", "/v1/tasks/echo", "wait=30", `{"a":1}`)
	id, _ := job["id"].(string)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close() //nolint:errcheck // nothing can be written to it
	for want, args := range map[string][]string{
		"godwit: write the output: write /dev/stdout: no space left on device\n": {"job", "list"},
		"no space left on device\n": {"job", "show", id},
		"no space left on device (the job was submitted: its id is 01900000-0000-7000-8000-000000000001)\n": {"submit", "echo", "1", "--id", "01900000-0000-7000-8000-000000000001"},
		"no space left on device (all jobs up to line 1 were submitted)\n":                                  {"submit", "--batch"},
	} {
		var said bytes.Buffer
		cmd := program(t.Context(), t, dir, append(args, "--server", s.url)...)
		cmd.Stdin = strings.NewReader(`{"task":"echo","args":1}`)
		cmd.Stdout, cmd.Stderr = full, &said
		if err := cmd.Run(); exitCode(err) != exitFailed || !strings.HasSuffix(said.String(), want) {
			t.Errorf("%s: %v, said %q", args, err, &said)
		}
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}
