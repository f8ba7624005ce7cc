package config

import (
	"fmt"
	"strings"
)

// problemsMax is how many faults are told at a time.
const problemsMax = 50

// Problem is one fault.
type Problem struct {
	At      string // "godwit.yaml:3:9", "GODWIT_LEASE" or "--lease"
	Key     string // "lease"; empty when it is of none
	Message string // "must be ..."
}

func (p Problem) String() string {
	switch {
	case p.Key == "":
		return p.At + ": " + p.Message
	case strings.Contains(p.At, ":"): // a place, which does not say which key it is of
		return p.At + ": " + p.Key + " " + p.Message
	}
	return p.At + " " + p.Message
}

// Errors are all faults of a configuration, in the order of the sources.
type Errors []Problem

// Error gives the faults, one a line.
func (p Errors) Error() string {
	if len(p) == 1 {
		return p[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %d faults:", len(p))
	for i, problem := range p {
		if i == problemsMax {
			fmt.Fprintf(&b, "\n  and %d more", len(p)-i)
			break
		}
		b.WriteString("\n  " + problem.String())
	}
	return b.String()
}

// loader takes values into a configuration and keeps what is wrong with them.
type loader struct {
	keys     map[string]*key
	problems Errors
}

func (l *loader) refuse(at, key, format string, args ...any) {
	l.problems = append(l.problems, Problem{at, key, fmt.Sprintf(format, args...)})
}

// took notes where a value came from, or why it was refused.
func (l *loader) took(k *key, err error, at string) {
	if err != nil {
		l.refuse(at, nameOf(k, err), "%s", err.Error())
		return
	}
	k.origin = at
}

// nameOf gives the key that an error is about, with the entry when it is about one.
func nameOf(k *key, err error) string {
	if e, ok := err.(entryError); ok { //nolint:errorlint // set gives it bare
		return k.Path + "." + e.name
	}
	return k.Path
}

// text takes a whole value as a flag or an environment variable has it: items and entries are parted by commas.
func (l *loader) text(k *key, value, at string) {
	if k.shape == scalar {
		l.took(k, k.set("", value), at)
		return
	}
	k.reset()
	k.origin = at
	seen := map[string]bool{}
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		if k.shape == list {
			l.took(k, k.set("", item), at)
			continue
		}
		name, text, ok := strings.Cut(item, "=")
		switch {
		case !ok:
			l.refuse(at, k.Path, "must be name=value, parted by commas, got %s", short(item))
		case seen[name]:
			l.refuse(at, k.Path, "names %s twice", short(name))
		default:
			l.took(k, k.set(name, text), at)
		}
		seen[name] = true
	}
}
