package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

// harness makes measurements.
type harness struct {
	options options
	work    string // a folder on the disk that is measured
	made    int    // measurements so far: each has a folder of its own
	broken  map[string]error
}

// build compiles the children. That peers cannot be had is no reason to stop.
func (h *harness) build(ctx context.Context) error {
	h.broken = map[string]error{}
	for program, dir := range map[string]string{"godwit": ".", "bare": ".", "peers": "peers"} {
		if program == "peers" && (!h.options.peers || h.options.compare) {
			continue
		}
		build := exec.CommandContext(ctx, "go", "build", "-o", h.program(program), packageOf(program))
		build.Dir = dir
		if output, err := build.CombinedOutput(); err != nil {
			h.broken[program] = fmt.Errorf("build: %w: %s", err, lastLine(output))
		}
	}
	return errors.Join(h.broken["godwit"], h.broken["bare"])
}

func packageOf(program string) string {
	if program == "peers" {
		return "."
	}
	return "./" + program
}

func (h *harness) program(name string) string { return filepath.Join(h.work, "bin-"+name) }

// command is the child's command line.
func (h *harness) command(c contender, spec drive.Spec) ([]string, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	if c.Program == "node" {
		dir, err := filepath.Abs("node")
		arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
		node := filepath.Join(dir, "node_modules", "node-linux-"+cmp.Or(arch, runtime.GOARCH), "bin", "node")
		return []string{node, filepath.Join(dir, "main.mjs"), string(text)}, err
	}
	return []string{h.program(c.Program), string(text)}, h.broken[c.Program]
}

// probe runs every contender on next to nothing and leaves out those that do not work here.
func (h *harness) probe(ctx context.Context, contenders []contender, r *report) (working []contender) {
	tiny := scenario{name: "probe", spec: drive.Spec{Scenario: "bulk", Jobs: 20, Batch: 10}, timeout: time.Minute}
	for _, c := range contenders {
		if _, err := h.run(ctx, c, tiny); err != nil {
			fmt.Fprintf(os.Stderr, "durable: without %s: %v\n", c.Name, err)
			r.Absent = append(r.Absent, absence{c.Name, err.Error()})
			continue
		}
		working = append(working, c)
		r.Contenders = append(r.Contenders, c)
	}
	return working
}

// run makes one measurement: a folder, a server where one is needed, a child.
func (h *harness) run(ctx context.Context, c contender, s scenario) (drive.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return h.inPlace(ctx, c, s, func(spec drive.Spec) (drive.Outcome, error) {
		argv, err := h.command(c, spec)
		if err != nil {
			return drive.Outcome{}, err
		}
		return child(ctx, argv)
	})
}

// inPlace gives what do needs, and takes it away afterwards.
func (h *harness) inPlace(ctx context.Context, c contender, s scenario, do func(drive.Spec) (drive.Outcome, error)) (out drive.Outcome, err error) {
	h.made++
	spec := s.spec
	spec.Contender, spec.Dir = c.Name, filepath.Join(h.work, fmt.Sprintf("run%d", h.made))
	spec.TimeoutSeconds = 0.95 * s.timeout.Seconds() // so that it still has time to say what is missing
	if c.Hoards {
		spec.KeepSeconds = 0 // nobody is to wait for what does not come
	}
	if err := os.Mkdir(spec.Dir, 0o755); err != nil {
		return out, err
	}
	syscall.Sync() // the syncs of this one are not to write what the one before left
	defer func() { err = errors.Join(err, os.RemoveAll(spec.Dir)) }()
	if h.options.profile != "" && c.Program != "node" {
		spec.Profile = filepath.Join(h.options.profile, fmt.Sprintf("%s-%s-%d.pprof", c.Name, s.name, h.made))
	}
	if c.Server != "" {
		server, err := h.serve(ctx, c.Server, spec.Dir)
		if err != nil {
			return out, fmt.Errorf("start %s: %w", c.Server, err)
		}
		defer server.stop()
		spec.URL, spec.Server = server.url, server.pid
		if s.held {
			release, err := holdSnapshot(ctx, server.url)
			if err != nil {
				return out, fmt.Errorf("hold a snapshot: %w", err)
			}
			defer func() {
				if lost := release(); lost != nil && err == nil {
					err = fmt.Errorf("hold a snapshot: %w", lost)
				}
			}()
		}
	}
	return do(spec)
}

// child runs a child to its end. It dies with the runner.
func child(ctx context.Context, argv []string) (drive.Outcome, error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &limited{w: &problems, left: 1 << 16}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil {
		return drive.Outcome{}, fmt.Errorf("%w: %s", err, lastLine(problems.Bytes()))
	}
	var outcome drive.Outcome
	if err := json.Unmarshal(out.Bytes(), &outcome); err != nil {
		return outcome, fmt.Errorf("read the outcome: %w: %s", err, lastLine(out.Bytes()))
	}
	return outcome, nil
}

// limited drops what is beyond its bound: a child may log without end.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	part := p[:min(len(p), l.left)]
	l.left -= len(part)
	if _, err := l.w.Write(part); err != nil {
		return 0, err
	}
	return len(p), nil
}

func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return "it printed nothing"
	}
	return lines[len(lines)-1]
}
