package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/godwit-go/godwit/internal/suggest"
)

// FileMax bounds a configuration file, in bytes.
const FileMax = 1 << 20

// file takes what a file in YAML says.
func (l *loader) file(name string) {
	data, err := readFile(name)
	if err != nil {
		l.refuse(name, "", "%s", err.Error())
		return
	}
	if line, column, what := notText(data); what != "" {
		l.refuse(fmt.Sprintf("%s:%d:%d", name, line, column), "", "%s (a configuration is YAML, in UTF-8)", what)
		return
	}
	if len(bytes.TrimSpace(data)) == 0 {
		l.refuse(name, "", "is empty (write at least one key, or give no file: the defaults do)")
		return
	}
	root, problem := parse(name, data)
	if problem != nil {
		l.problems = append(l.problems, *problem)
		return
	}
	if root == nil {
		return // comments alone
	}
	if root.Kind != yaml.MappingNode {
		l.refuse(at(name, root), "", "must be a mapping of keys to values, got %s", describe(root))
		return
	}
	w := &walker{loader: l, file: name}
	w.section("", root)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", bare(err))
	}
	defer f.Close() //nolint:errcheck // only read
	data, err := io.ReadAll(io.LimitReader(f, FileMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", bare(err))
	case len(data) > FileMax:
		return nil, fmt.Errorf("must be at most %s (is it a configuration?)", bytesText(FileMax))
	}
	return data, nil
}

// bare drops the path from an error of the operating system, which stands before it already.
func bare(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// notText says where data is no text and why; it says nothing when it is.
func notText(data []byte) (line, column int, what string) {
	line, column = 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			return line, column, "is not valid UTF-8"
		case r == '\n':
			line, column = line+1, 0
		case r < ' ' && r != '\t' && r != '\r' || r == 0x7f:
			return line, column, fmt.Sprintf("has the control character %#x", r)
		}
		column++
		data = data[n:]
	}
	return 0, 0, ""
}

// parse gives the one document of a file, nil when there are only comments.
func parse(name string, data []byte) (*yaml.Node, *Problem) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, &Problem{At: name, Message: err.Error()}
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntax(name, err)
	}
	if err := loader.Load(&second); err == nil {
		return nil, &Problem{At: at(name, &second), Message: "begins a second document, and a configuration is one (remove the line ---)"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntax(name, err)
	}
	return first.Content[0], nil
}

// syntax says where a file is no YAML.
func syntax(name string, err error) *Problem {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &Problem{At: name, Message: "is not YAML: " + err.Error()}
	}
	mark, message := load.Mark, load.Message
	if load.ContextMsg != "" {
		message = load.ContextMsg + ": " + message
	}
	if strings.HasSuffix(message, "found character that cannot start any token") {
		message += " (a tab, or one of @ ` % without quotes)"
	}
	place := name
	if mark.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", name, mark.Line, max(mark.Column, 1))
	}
	return &Problem{At: place, Message: "is not YAML: " + message}
}

// walker takes the values of a file's document.
type walker struct {
	*loader
	file string
}

// section takes a mapping whose keys are those of the configuration below prefix.
func (w *walker) section(prefix string, node *yaml.Node) {
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], node.Content[i+1]
		path := prefix + k.Value
		if !w.usable(k, path) || !w.first(seen, k, path) {
			continue
		}
		known, dotted := w.keys[path], strings.Contains(k.Value, ".")
		switch {
		case !w.usable(v, path):
		case dotted || known == nil && !w.isSection(path):
			w.unknown(prefix, k)
		case known != nil:
			w.value(known, v)
		case v.Kind == yaml.MappingNode:
			w.section(path+".", v)
		case !isNull(v): // a section whose keys are all comments is none
			w.refuse(w.at(v), path, "must be a mapping, got %s", describe(v))
		}
	}
}

func (w *walker) at(n *yaml.Node) string { return at(w.file, n) }

func at(file string, n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", file, n.Line, n.Column) }

// usable refuses what YAML has and a configuration does not.
func (w *walker) usable(n *yaml.Node, path string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Tag == "!!merge":
		w.refuse(w.at(n), "", "has an anchor, an alias or a merge key, which are not supported (write the value out)")
	case n.Style&yaml.TaggedStyle != 0:
		w.refuse(w.at(n), "", "has the tag %s, which is not supported (write the value alone)", short(n.Tag))
	default:
		return true
	}
	return false
}

// first refuses what is no key, and a key that is there already.
func (w *walker) first(seen map[string]int, k *yaml.Node, path string) bool {
	if k.Kind != yaml.ScalarNode {
		w.refuse(w.at(k), "", "must be a key, got %s", describe(k))
		return false
	}
	if line, ok := seen[k.Value]; ok {
		w.refuse(w.at(k), shortPath(path), "is given twice, first in line %d", line)
		return false
	}
	seen[k.Value] = k.Line
	return true
}

// shortPath bounds a key that people gave, for an error.
func shortPath(path string) string { return strings.Map(printable, cut(path)) }

func printable(r rune) rune {
	if r < ' ' {
		return '?'
	}
	return r
}

func (w *walker) isSection(path string) bool {
	for known := range w.keys {
		if strings.HasPrefix(known, path+".") {
			return true
		}
	}
	return false
}

// unknown refuses a key that there is not, and names one that was perhaps meant: beside it, or elsewhere under the same name.
func (w *walker) unknown(prefix string, k *yaml.Node) {
	var beside, elsewhere []string
	for known := range w.keys {
		if rest, ok := strings.CutPrefix(known, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			beside = append(beside, name)
		}
		if strings.HasSuffix(known, "."+k.Value) || known == k.Value {
			elsewhere = append(elsewhere, known)
		}
	}
	hint := suggest.DidYouMean(k.Value, sorted(beside))
	if strings.Contains(k.Value, ".") && (w.keys[k.Value] != nil || w.isSection(k.Value)) {
		hint = fmt.Sprintf(" (write each part as a key of its own, %s)", strings.ReplaceAll(k.Value, ".", ": "))
	} else if len(elsewhere) > 0 {
		hint = fmt.Sprintf(" (did you mean %q?)", sorted(elsewhere)[0])
	}
	w.refuse(w.at(k), shortPath(prefix+k.Value), "is no key%s", hint)
}

// value takes the value of a key.
func (w *walker) value(k *key, v *yaml.Node) {
	switch {
	case isNull(v) && k.shape != scalar:
		return // its items are all comments
	case isNull(v):
		w.refuse(w.at(v), k.Path, "has no value (remove the key for its default, %s)", k.shown())
	case k.shape == scalar && v.Kind == yaml.ScalarNode:
		w.took(k, k.set("", v.Value), w.at(v))
	case k.shape == list && v.Kind == yaml.SequenceNode:
		k.reset()
		k.origin = w.at(v)
		for _, item := range v.Content {
			if w.isScalar(item, k.Path) {
				w.took(k, k.set("", item.Value), w.at(item))
			}
		}
	case k.shape == mapping && v.Kind == yaml.MappingNode:
		w.entries(k, v)
	default:
		w.refuse(w.at(v), k.Path, "must be %s, got %s", k.shape, describe(v))
	}
}

// entries takes the entries of a mapping.
func (w *walker) entries(k *key, v *yaml.Node) {
	k.reset()
	k.origin = w.at(v)
	seen := map[string]int{}
	for i := 0; i+1 < len(v.Content); i += 2 {
		name, value := v.Content[i], v.Content[i+1]
		path := k.Path + "." + name.Value
		if w.usable(name, path) && w.first(seen, name, path) && w.isScalar(value, path) {
			place := w.at(value)
			err := k.set(name.Value, value.Value)
			if _, inValue := err.(entryError); err != nil && !inValue { //nolint:errorlint // set gives it bare
				place = w.at(name)
			}
			w.took(k, err, place)
			k.origin = w.at(v)
		}
	}
}

func (w *walker) isScalar(n *yaml.Node, path string) bool {
	switch {
	case !w.usable(n, path):
	case isNull(n):
		w.refuse(w.at(n), shortPath(path), "has no value")
	case n.Kind != yaml.ScalarNode:
		w.refuse(w.at(n), shortPath(path), "must be a single value, got %s", describe(n))
	default:
		return true
	}
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return string(mapping)
	case yaml.SequenceNode:
		return string(list)
	}
	return short(n.Value)
}
