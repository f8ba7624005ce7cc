// Command picture records the demo in a real terminal, kills it with -9, starts it again, and writes what was on the screen as an
// animated SVG. Where nothing moves (a printer, a reader who prefers it so) it shows the end.
//
//	go run ./internal/demo/picture > docs/assets/demo.svg
//
// It needs script(1) and a POSIX shell.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

const patience = time.Minute

func main() {
	s, err := record(context.Background())
	if err == nil {
		_, err = os.Stdout.Write(s.svg())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// record types into a shell on a terminal, and gives the screen with all that was on it.
func record(ctx context.Context) (s *screen, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "godwit-picture-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "godwit"), "./cmd/godwit").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the demo: %w\n%s", err, out)
	}
	shell := exec.CommandContext(ctx, "script", "-q", "-c", "sh -i", "/dev/null")
	shell.Dir = dir
	shell.Env = append(os.Environ(), "ENV=", "PATH="+dir+":"+os.Getenv("PATH"), "GODWIT_DB=", "GODWIT_LISTEN=", "NO_COLOR=")
	keys, err := shell.StdinPipe()
	if err != nil {
		return nil, err
	}
	shown, err := shell.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := shell.Start(); err != nil {
		return nil, err
	}
	r := &recorder{keys: keys, shown: shown, screen: &screen{}}
	err = errors.Join(r.demo(), keys.Close())
	_, _ = io.Copy(io.Discard, shown) // what the shell says at its end is not shown
	return r.screen, errors.Join(err, shell.Wait())
}

// recorder types, and feeds what a terminal shows to a screen.
type recorder struct {
	keys   io.Writer
	shown  io.Reader
	screen *screen
	began  time.Time
	seen   []byte // since the last match
}

// demo is what is typed, and when.
func (r *recorder) demo() error {
	if _, err := r.enter("PS1='$ '\n", `[^']\$ $`); err != nil { // some shells do not take it from their environment
		return err
	}
	r.screen, r.began = &screen{}, time.Now()
	if err := r.screen.write([]byte("$ "), 0); err != nil { // the prompt that is there
		return err
	}
	found, err := r.enter("godwit demo\n", `(?s)kill -9 ([0-9]+).*4[0-9] of 96 months`)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		return err
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err == nil {
		_, err = r.enter("", `Killed[^$]*\$ $`)
	}
	if err == nil {
		_, err = r.enter("godwit demo --once\n", `(?s)Resumed [0-9]+ of 96: 0 of the [0-9]+ recorded as done were repeated.*The report is in .*\$ $`)
	}
	return err
}

// enter types a text, and reads until what is shown matches.
func (r *recorder) enter(text, pattern string) (found []string, err error) {
	if _, err := io.WriteString(r.keys, text); err != nil {
		return nil, err
	}
	re, chunk := regexp.MustCompile(pattern), make([]byte, 4096)
	for r.seen = nil; found == nil; found = re.FindStringSubmatch(string(bytes.ReplaceAll(r.seen, []byte("\r\n"), []byte("\n")))) {
		n, err := r.shown.Read(chunk)
		if err != nil {
			return nil, fmt.Errorf("the terminal never showed %q: %w\n%s", pattern, err, r.seen)
		}
		r.seen = append(r.seen, chunk[:n]...)
		if err := r.screen.write(chunk[:n], time.Since(r.began)); err != nil {
			return nil, err
		}
	}
	return found, nil
}
