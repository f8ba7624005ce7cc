package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godwit-go/godwit/internal/suggest"
)

// shape is the form that a key's value has in the file.
type shape string

const (
	scalar  shape = "a single value"
	list    shape = "a list"
	mapping shape = "a mapping"
)

// key is one key of the configuration, and how it reaches its field of a [Config].
type key struct {
	Path    string // "tasks.http.timeout_max"
	Type    string // for people
	Bounds  string // for people
	Meaning string // for people

	shape  shape
	origin string // where its value comes from; empty: it is the default
	reset  func() // empties a list or a mapping, before it is set anew
	// set takes a scalar, an item of a list, or an entry of a mapping, which alone has a name. Its error completes the sentence
	// that begins with the key: "must be ...".
	set  func(name, text string) error
	show func() []entry // the value, without secrets
}

// entry is a value as the file would have it: one for a scalar, one for each item or entry otherwise.
type entry struct{ name, text string }

// Env is the environment variable of the key.
func (k *key) Env() string { return "GODWIT_" + strings.ToUpper(strings.ReplaceAll(k.Path, ".", "_")) }

// shown gives the value in one line: the default, until a value was taken.
func (k *key) shown() string {
	var parts []string
	for _, e := range k.show() {
		if e.name != "" {
			e.text = e.name + "=" + e.text
		}
		parts = append(parts, e.text)
	}
	return strings.Join(parts, ", ")
}

// single makes a key with one value, which parse reads and format writes.
func single[T any](path, kind string, field *T, otherwise T, parse func(string) (T, error), format func(T) string, bounds, meaning string) *key {
	*field = otherwise
	return &key{
		Path: path, Type: kind, Bounds: bounds, Meaning: meaning, shape: scalar,
		set: func(_, text string) error {
			v, err := parse(text)
			if err == nil {
				*field = v
			}
			return err
		},
		show: func() []entry { return []entry{{text: format(*field)}} },
	}
}

// several makes a key with a list of values.
func several[T any](path, kind string, field *[]T, otherwise []T, limit int, parse func(string) (T, error), format func(T) string, meaning string) *key {
	*field = otherwise
	return &key{
		Path: path, Type: "list of " + kind, Bounds: fmt.Sprintf("at most %d", limit), Meaning: meaning, shape: list,
		reset: func() { *field = nil },
		set: func(_, text string) error {
			if len(*field) >= limit {
				return fmt.Errorf("must have at most %d items", limit)
			}
			v, err := parse(text)
			if err == nil {
				*field = append(*field, v)
			}
			return err
		},
		show: func() []entry {
			var entries []entry
			for _, v := range *field {
				entries = append(entries, entry{text: format(v)})
			}
			return entries
		},
	}
}

// named makes a key with a value for each name.
func named[T any](path, kind string, field *map[string]T, otherwise map[string]T, limit int, checkName func(string) error, parse func(string) (T, error), format func(T) string, bounds, meaning string) *key {
	*field = otherwise
	return &key{
		Path: path, Type: "mapping of name to " + kind, Bounds: bounds, Meaning: meaning, shape: mapping,
		reset: func() { *field = map[string]T{} },
		set: func(name, text string) error {
			if err := checkName(name); err != nil {
				return err
			}
			if len(*field) >= limit {
				return fmt.Errorf("must have at most %d entries", limit)
			}
			v, err := parse(text)
			if err != nil {
				return entryError{name, err}
			}
			(*field)[name] = v
			return nil
		},
		show: func() []entry {
			var entries []entry
			for _, name := range slices.Sorted(maps.Keys(*field)) {
				entries = append(entries, entry{name, format((*field)[name])})
			}
			return entries
		},
	}
}

// entryError is what is wrong with the value of an entry.
type entryError struct {
	name string
	err  error
}

func (e entryError) Error() string { return e.err.Error() }

func text(path string, field *string, otherwise string, check func(string) error, bounds, meaning string) *key {
	parse := func(s string) (string, error) {
		if err := plain(s); err != nil {
			return "", err
		}
		return s, check(s)
	}
	return single(path, "text", field, otherwise, parse, quoted, bounds, meaning)
}

// textMax bounds every text of a configuration, in bytes.
const textMax = 4096

// plain refuses what no text of a configuration has.
func plain(s string) error {
	switch {
	case len(s) > textMax:
		return fmt.Errorf("must be at most %d bytes, got %d", textMax, len(s))
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("must be one line without control characters")
	}
	return nil
}

func choice(path string, field *string, otherwise string, known []string, meaning string) *key {
	one := strings.Join(known, ", ")
	parse := func(s string) (string, error) {
		if !slices.Contains(known, s) {
			return "", fmt.Errorf("must be one of %s, got %s%s", one, short(s), suggest.DidYouMean(s, known))
		}
		return s, nil
	}
	return single(path, "text", field, otherwise, parse, func(s string) string { return s }, one, meaning)
}

func boolean(path string, field *bool, otherwise bool, meaning string) *key {
	parse := func(s string) (bool, error) {
		switch s {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, fmt.Errorf("must be true or false, got %s", short(s))
	}
	return single(path, "boolean", field, otherwise, parse, strconv.FormatBool, "true, false", meaning)
}

func integer(path string, field *int, otherwise, low, high int, meaning string) *key {
	return single(path, "integer", field, otherwise, wholeFrom(low, high), strconv.Itoa, fmt.Sprintf("%d to %d", low, high), meaning)
}

// wholeFrom reads whole numbers from low to high.
func wholeFrom(low, high int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, fmt.Errorf("must be a whole number from %d to %d, got %s", low, high, short(s))
		}
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("must be from %d to %d, got %s", low, high, cut(s))
		}
		return n, nil
	}
}

func fraction(path string, field *float64, otherwise float64, meaning string) *key {
	parse := func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= 0 && v <= 1) { // which NaN is not
			return 0, fmt.Errorf("must be a number from 0 to 1, got %s", short(s))
		}
		return v, nil
	}
	format := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return single(path, "number", field, otherwise, parse, format, "0 to 1", meaning)
}

func duration(path string, field *time.Duration, otherwise, low, high time.Duration, meaning string) *key {
	parse := func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		if err != nil {
			hint := ""
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				hint = fmt.Sprintf(" (did you mean %q?)", s+"s")
			}
			return 0, fmt.Errorf("must be a duration such as 500ms, 30s or 1h30m, from %s to %s, got %s%s", span(low), span(high), short(s), hint)
		}
		if d < low || d > high {
			return 0, fmt.Errorf("must be from %s to %s, got %s", span(low), span(high), cut(s))
		}
		return d, nil
	}
	return single(path, "duration", field, otherwise, parse, span, span(low)+" to "+span(high), meaning)
}

// span writes a duration without the zero parts at its end: 1h, not 1h0m0s.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func size(path string, field *int, otherwise, low, high int, meaning string) *key {
	parse := func(s string) (int, error) {
		n, err := parseBytes(s)
		if err != nil {
			return 0, err
		}
		if n < int64(low) || n > int64(high) {
			return 0, fmt.Errorf("must be from %s to %s, got %s", bytesText(low), bytesText(high), cut(s))
		}
		return int(n), nil
	}
	return single(path, "size", field, otherwise, parse, bytesText, bytesText(low)+" to "+bytesText(high), meaning)
}

// units of sizes, the largest first.
var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// parseBytes reads "64MiB" and plain numbers of bytes.
func parseBytes(s string) (int64, error) {
	digits := strings.TrimRight(s, "BKMGTPEZYbkmgtpezyi ")
	unit := strings.TrimSpace(s[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return 1<<63 - 1, nil // over every bound, which is what to say
		}
		return 0, fmt.Errorf("must be a size such as 512KiB or 64MiB, got %s", short(s))
	}
	for _, u := range units {
		if unit == u.name || unit == "" && u.bytes == 1 {
			if int64(n) > (1<<63-1)/u.bytes {
				return 1<<63 - 1, nil
			}
			return int64(n) * u.bytes, nil
		}
	}
	hint := ""
	if first := strings.ToUpper(unit[:1]); strings.ContainsAny(first, "KMG") {
		hint = fmt.Sprintf(" (did you mean %q?)", digits+first+"iB")
	}
	return 0, fmt.Errorf("must have one of the units B, KiB, MiB, GiB, got %s%s", short(s), hint)
}

// bytesText writes a size in the largest unit that divides it.
func bytesText(n int) string {
	for _, u := range units {
		if n != 0 && int64(n)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", int64(n)/u.bytes, u.name)
		}
	}
	return "0B"
}

// quoted writes a text so that YAML reads it back as it is.
func quoted(s string) string { return strconv.Quote(s) }

// short quotes a value for an error, and cut bounds it, so that a huge value does not make a huge message.
func short(s string) string { return strconv.Quote(cut(s)) }

func cut(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
