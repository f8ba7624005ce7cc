package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godwit-go/godwit/bench/drive"
)

// report is all that was found, as the JSON keeps it.
type report struct {
	Made    time.Time `json:"made"`
	Command string    `json:"command"` // the flags
	Rounds  int       `json:"rounds"`
	Scale   float64   `json:"scale"`
	Took    string    `json:"took"`
	// Interrupted says that scenarios are missing which the command asks for.
	Interrupted bool              `json:"interrupted,omitempty"`
	Machine     machine           `json:"machine"`
	LoadAtEnd   float64           `json:"load_at_end"`
	Versions    map[string]string `json:"versions"`
	Contenders  []contender       `json:"contenders"`
	Absent      []absence         `json:"absent,omitempty"`
	Scenarios   []scenarioReport  `json:"scenarios"`
	Synced      []synced          `json:"synced,omitempty"`
}

// absence is a contender that was left out.
type absence struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// synced says before how many answers a file was synced.
type synced struct {
	Name        string `json:"name"`
	Submissions int    `json:"submissions"`
	Synced      int    `json:"synced"`
	Why         string `json:"why,omitempty"`
}

type scenarioReport struct {
	Name     string              `json:"name"`
	Title    string              `json:"title,omitempty"` // as it was then, and the note too
	Note     string              `json:"note,omitempty"`
	Spec     drive.Spec          `json:"spec"`
	Runs     map[string][]result `json:"runs"` // by contender
	Failures []failure           `json:"failures,omitempty"`
}

// result is one measurement.
type result struct {
	drive.Outcome
	Load float64 `json:"load"` // when it ended; what was measured is part of it
}

type failure struct {
	Name  string `json:"name"`
	Round int    `json:"round"`
	Why   string `json:"why"`
}

// finish notes what is known at the end.
func (r *report) finish(ctx context.Context, h *harness) {
	r.Took, r.LoadAtEnd = time.Since(r.Made).Round(time.Second).String(), loadNow()
	r.Versions = h.versions(ctx, r.Contenders)
}

// ours is an error when Godwit does not work here, failed a measurement or did not sync: peers may, and the report tells.
func (r *report) ours() error {
	var problems []error
	for _, a := range r.Absent {
		if strings.HasPrefix(a.Name, "godwit") {
			problems = append(problems, fmt.Errorf("%s does not work here (-only chooses others): %s", a.Name, a.Why))
		}
	}
	for _, s := range r.Scenarios {
		for _, f := range s.Failures {
			if strings.HasPrefix(f.Name, "godwit") {
				problems = append(problems, fmt.Errorf("%s failed %s in round %d: %s", f.Name, s.Name, f.Round, f.Why))
			}
		}
	}
	for _, s := range r.Synced {
		if strings.HasPrefix(s.Name, "godwit") && s.Why == "" && s.Synced < s.Submissions {
			problems = append(problems, fmt.Errorf("%s synced before %d of %d answers", s.Name, s.Synced, s.Submissions))
		}
	}
	return errors.Join(problems...)
}

func readReport(path string) (*report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, err
	}
	for i := range r.Contenders { // what the JSON does not keep
		for _, c := range contenders {
			if c.Name == r.Contenders[i].Name {
				r.Contenders[i].Apart = c.Apart
			}
		}
	}
	return r, nil
}

// writeNew writes the report beside those that the folder has, under its date: a second one of a day has a number too.
func (r *report) writeNew(dir string) error {
	day := "durable-" + r.Made.Format(time.DateOnly)
	base := day
	for n := 2; ; n++ {
		if _, err := os.Stat(filepath.Join(dir, base+".json")); err != nil {
			return r.write(dir, base)
		}
		base = fmt.Sprintf("%s-%d", day, n)
	}
}

// write writes the JSON, the report and its plots into a folder.
func (r *report) write(dir, base string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	manual, err := manualFrom(dir)
	if err != nil {
		return err
	}
	files := map[string]string{base + ".json": string(text) + "\n", base + ".md": r.markdown(base, manual)}
	var plots []string
	for _, s := range r.Scenarios {
		if svg, ok := r.bars(s); ok {
			name := base + "-" + s.Name + ".svg"
			files[name] = svg
			if about, _ := scenarioNamed(s.Name); !about.big {
				plots = append(plots, name)
			}
		}
		if svg, ok := r.overTime(s); ok {
			files[base+"-"+s.Name+"-over-time.svg"] = svg
		}
	}
	if len(plots) > 0 {
		files[base+"-table.md"] = r.table(base, plots)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o644); err != nil {
			return err
		}
		fmt.Println(filepath.Join(dir, name))
	}
	return nil
}

// manualFrom gives the way from a folder to the page that explains reports. The runner stands in bench/.
func manualFrom(dir string) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(filepath.Join("..", "docs", "benchmarks.md"))
	if err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}

// spread gives the median, the lowest and the highest of a figure over the rounds.
func (s scenarioReport) spread(name, key string) (median, low, high float64, ok bool) {
	var values []float64
	for _, run := range s.Runs[name] {
		if value, ok := run.Values[key]; ok {
			values = append(values, value)
		}
	}
	if len(values) == 0 {
		return 0, 0, 0, false
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1], true
}

// control gives by what share a contender and its A/A control differ in a figure.
func (r *report) control(s scenarioReport, key string) map[string]float64 {
	shares := map[string]float64{}
	for _, c := range r.Contenders {
		a, _, _, known := s.spread(c.Like, key)
		b, _, _, again := s.spread(c.Name, key)
		if known && again && min(a, b) > 0 {
			shares[c.Like] = max(a, b)/min(a, b) - 1
		}
	}
	return shares
}

// widest gives by what share a contender and its A/A control differed most in a figure within one round.
func (r *report) widest(s scenarioReport, name, key string) (share float64) {
	for _, c := range r.Contenders {
		if c.Like != name {
			continue
		}
		for i := range min(len(s.Runs[name]), len(s.Runs[c.Name])) {
			if a, b := s.Runs[name][i].Values[key], s.Runs[c.Name][i].Values[key]; min(a, b) > 0 {
				share = max(share, max(a, b)/min(a, b)-1)
			}
		}
	}
	return share
}

// cell is a figure of a table: the median, and in parentheses the lowest and the highest.
func cell(s scenarioReport, name string, m metric) string {
	median, low, high, ok := s.spread(name, m.key)
	switch {
	case !ok:
		return ""
	case len(s.Runs[name]) == 1:
		return number(median, m.decimal)
	}
	return fmt.Sprintf("%s (%s to %s)", number(median, m.decimal), number(low, m.decimal), number(high, m.decimal))
}

// number writes a figure with commas between thousands.
func number(value float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, value)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}
