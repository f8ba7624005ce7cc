package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemoCompareMeasures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{
		"demo", "compare", "--requests", "20", "--work", "2ms", "--workers", "4", "--timeout", "1m", "--repeat", "1", "--idle", "100ms", "--dir", dir,
	}
	var stdout, stderr bytes.Buffer
	if code := run(append(args, "--svg", filepath.Join(dir, "plot.svg")), &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d\n%s%s", code, &stdout, &stderr)
	}
	for _, want := range []string{"20 of 20", "response p50", "idle CPU", "at most 4 at a time", "Checked: every request", "What it means:", "So nobody has to leave", "For this load: answer synchronously"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &stdout)
		}
	}
	if !strings.Contains(stderr.String(), "4 at a time, 1 round: about ") {
		t.Errorf("it told:\n%s", &stderr)
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "plot.svg")); err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) {
		t.Errorf("the plot is %.20q, %v", svg, err)
	}

	stdout.Reset()
	if code := run(append(args, "-o", "json"), &stdout, &stderr); code != exitDone {
		t.Fatalf("exit code %d\n%s", code, &stderr)
	}
	var got struct {
		Ways []struct {
			Way      string
			Answered struct{ Median float64 }
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got.Ways) != 3 || got.Ways[2].Answered.Median != 20 {
		t.Errorf("got %+v, %v from\n%s", got, err, &stdout)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "godwit-compare-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDemoCompareRefusesWhatIsOutOfBounds(t *testing.T) {
	t.Parallel()
	for want, args := range map[string]string{
		"--requests must be between 1 and 2000, got 0":     "--requests 0",
		"--concurrency must be between 1 and 2000, got 0":  "--concurrency 0",
		"--work must be between 0s and 1m, got -1s":        "--work -1s",
		"--workers must be between 1 and 1000, got 0":      "--workers 0",
		"--timeout must be between 10ms and 1m, got 1ms":   "--timeout 1ms",
		"less than --timeout (5s), got 5s":                 "--wait 5s",
		"must be whole seconds":                            "--wait 1500ms",
		"--repeat must be between 1 and 100, got 0":        "--repeat 0",
		"--idle must be between 100ms and 30s, got 1ms":    "--idle 1ms",
		"--output must be one of table, json, got \"csv\"": "--output csv",
		"--svg must be a file that can be written: open":   "--svg /no/such/folder/a.svg",
		"--svg must be a file that can be written":         "--svg .",
		"this would take 15h":                              "--work 1m --workers 2",
		"takes no arguments, got \"now\"":                  "now",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run(append([]string{"demo", "compare"}, strings.Fields(args)...), &stdout, &stderr)
			if code != exitUsage || !strings.Contains(stderr.String(), want) {
				t.Errorf("exit code %d, %q; want %d and %q in it", code, &stderr, exitUsage, want)
			}
		})
	}
}
