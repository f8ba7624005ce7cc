package main

import (
	"bufio"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestProgramsDieWithTheServer kills the server while it runs a program. The program holds a pipe open, which ends with it.
func TestProgramsDieWithTheServer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*served){
		"killed":        func(s *served) { s.signal(syscall.SIGKILL) },
		"second signal": func(s *served) { s.signal(syscall.SIGTERM); s.waitFor("godwit stops"); s.signal(syscall.SIGTERM) },
		"in good order": func(s *served) { s.signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			grace := "1h"
			if name == "in good order" {
				grace = "0s"
			}
			if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("tasks: {exec: {allow: [sh]}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := startServe(t, dir, "--config", "a.yaml", "--grace", grace)
			s.running("exec", `{"argv":["sh","-c","exec 3>`+pipe+`; echo there >&3; exec sleep 1000"]}`)
			f, err := os.Open(pipe) // when the program opens it
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close() //nolint:errcheck // only read
			lines := bufio.NewScanner(f)
			if !lines.Scan() {
				t.Fatal("the program said nothing")
			}
			end(s)
			if lines.Scan() {
				t.Errorf("the program said %q too", lines.Text())
			}
			for s.lines.Scan() { // so that it never waits for its reader
			}
			if err := s.Wait(); (err == nil) != (name == "in good order") {
				t.Errorf("serve ended with %v", err)
			}
		})
	}
}
