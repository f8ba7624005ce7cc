package drive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"time"
)

// Spec is one measurement, as the runner orders it from a child.
type Spec struct {
	Contender string `json:"contender"`
	Scenario  string `json:"scenario"`
	// Jobs is how many jobs are submitted; with Seconds, at most so many.
	Jobs int `json:"jobs"`
	// Seconds bounds how long jobs are submitted; 0: until there are Jobs.
	Seconds float64 `json:"seconds"`
	// Batch is how many jobs one call submits where the contender takes many.
	Batch int `json:"batch"`
	// Callers is how many goroutines submit at the same time.
	Callers int `json:"callers"`
	// Backlog is how many jobs may be unfinished before the submitters wait.
	Backlog int `json:"backlog"`
	// KeepSeconds is how long finished jobs are to be kept; 0: so long that none is removed during the run.
	KeepSeconds float64 `json:"keep_seconds"`
	// TimeoutSeconds is after how long the child gives up and says what is missing; 0: never.
	TimeoutSeconds float64 `json:"timeout_seconds,omitempty"`
	// Dir is an empty folder on the disk that is measured.
	Dir string `json:"dir"`
	// Profile is the file for a CPU profile of the child; empty: none is made.
	Profile string `json:"profile"`
	// URL is that of the contender's server, and Server its process.
	URL    string `json:"url"`
	Server int    `json:"server"`
}

// Keep is how long finished jobs are to be kept.
func (s Spec) Keep() time.Duration {
	if s.KeepSeconds == 0 {
		return 24 * time.Hour
	}
	return time.Duration(s.KeepSeconds * float64(time.Second))
}

// Outcome is what a child found.
type Outcome struct {
	// Values are the figures of the scenario, by name; the name ends with the unit.
	Values map[string]float64 `json:"values"`
	// Windows tell how the run went over time.
	Windows []Window `json:"windows,omitempty"`
	// Jobs were submitted, each of which ran; Repeated ran more than once.
	Jobs     int `json:"jobs"`
	Repeated int `json:"repeated"`
	// Results is how many kept results were read and found right.
	Results int `json:"results"`
}

// Window is a slice of a run.
type Window struct {
	Second float64 `json:"second"` // its end, from the beginning of the run
	Rate   float64 `json:"rate"`   // jobs started in a second
	P50    float64 `json:"p50_ms"` // from the call that submits to the start of the handler
	P99    float64 `json:"p99_ms"`

	ClaimP50 float64 `json:"claim_p50_ms,omitempty"` // of the claims that began in it, where the contender tells them
	ClaimP99 float64 `json:"claim_p99_ms,omitempty"`
}

// Main is the whole of a child that knows the contenders.
func Main(contenders map[string]func() Contender) {
	if err := run(contenders); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(contenders map[string]func() Contender) error {
	var spec Spec
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s SPEC (the runner in bench/durable calls it)", os.Args[0])
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &spec); err != nil {
		return fmt.Errorf("read the spec: %w", err)
	}
	newContender, ok := contenders[spec.Contender]
	if !ok {
		return fmt.Errorf("there is no contender %q in this program", spec.Contender)
	}
	stop, err := profile(spec.Profile)
	if err != nil {
		return fmt.Errorf("begin the profile: %w", err)
	}
	outcome, err := measure(spec, newContender())
	err = errors.Join(err, stop())
	if err != nil {
		return fmt.Errorf("%s, %s: %w", spec.Contender, spec.Scenario, err)
	}
	return json.NewEncoder(os.Stdout).Encode(outcome)
}

// profile begins a CPU profile, unless the file has no name; stop ends it.
func profile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
