package archtest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// A snippet in Markdown is a Go block that names the region it shows:
//
//	<!-- snippet: example_test.go#hello -->
//	```go
//	...
//	```
//
// and the region stands in a file that is compiled:
//
//	// region:hello
//	...
//	// endregion
var (
	snippetMark = regexp.MustCompile(`^<!-- snippet: ([^#\s]+)#(\S+) -->$`)
	regionMark  = regexp.MustCompile(`^\s*// region:(\S+)$`)
	regionEnd   = regexp.MustCompile(`^\s*// endregion\b`)
)

// Snippets returns the Go blocks in Markdown that are not a region of a
// compiled file, or no longer equal to it, and the tables that differ from the
// file that they name. A decision record shows the code of its day, and is free.
func Snippets(t *Tree) []Violation {
	var found []Violation
	for _, f := range t.markdown() {
		if under(f.path, "docs/adr") {
			continue
		}
		rendered, refused := t.render(f)
		found = append(found, refused...)
		if len(refused) == 0 && !slices.Equal(rendered, f.lines) {
			found = append(found, Violation{f.path, firstDifference(rendered, f.lines), "differs from what it is a copy of (make snippets copies it)"})
		}
	}
	return found
}

// RenderedSnippets returns, by path, the Markdown files whose Go blocks or
// tables differ from what they are copied from, as they should be.
func RenderedSnippets(t *Tree) map[string]string {
	changed := make(map[string]string)
	for _, f := range t.markdown() {
		if rendered, _ := t.render(f); !under(f.path, "docs/adr") && !slices.Equal(rendered, f.lines) {
			changed[f.path] = strings.Join(rendered, "\n") + "\n"
		}
	}
	return changed
}

// render returns the lines of a Markdown file with all that is copied as it
// should be.
func (t *Tree) render(f *file) ([]string, []Violation) {
	snippets, refused := t.renderSnippets(f)
	rendered, more := t.renderTables(&file{path: f.path, lines: snippets})
	return rendered, append(refused, more...)
}

// renderSnippets returns the lines of a Markdown file with each Go block taken
// from its region. A block whose region cannot be had stays as it is.
func (t *Tree) renderSnippets(f *file) (rendered []string, refused []Violation) {
	copied := 0
	for _, block := range fences(f.lines) {
		opening := strings.TrimSpace(f.lines[block.open])
		if language := strings.TrimPrefix(opening, fenceMark(opening)); strings.TrimSpace(language) != "go" {
			continue
		}
		region, err := t.regionAbove(f, block.open)
		if err != nil {
			refused = append(refused, Violation{f.path, block.open + 1, err.Error()})
			continue
		}
		rendered = append(rendered, f.lines[copied:block.open+1]...)
		rendered = append(rendered, region...)
		copied = block.close
	}
	return append(rendered, f.lines[copied:]...), refused
}

// regionAbove returns the region named on the line above a block.
func (t *Tree) regionAbove(f *file, block int) ([]string, error) {
	var match []string
	if block > 0 {
		match = snippetMark.FindStringSubmatch(f.lines[block-1])
	}
	if match == nil {
		return nil, errors.New("block without a region: put <!-- snippet: path/to/file.go#region --> on the line above")
	}
	source, ok := t.file(path.Clean(match[1]))
	if !ok || source.ast == nil {
		return nil, fmt.Errorf("%s is no Go file that is compiled (paths begin at the top of the repository)", match[1])
	}
	return regionOf(source, match[2])
}

func regionOf(source *file, name string) ([]string, error) {
	start, end := -1, -1
	for i, line := range source.lines {
		mark := regionMark.FindStringSubmatch(line)
		switch {
		case strings.HasPrefix(line, "//go:build ignore"):
			return nil, fmt.Errorf("%s is not compiled (//go:build ignore)", source.path)
		case mark != nil && mark[1] == name && start >= 0:
			return nil, fmt.Errorf("%s has two regions %q", source.path, name)
		case mark != nil && mark[1] == name:
			start = i + 1
		case mark != nil && start >= 0 && end < 0:
			return nil, fmt.Errorf("%s: region %q begins within region %q", source.path, mark[1], name)
		case regionEnd.MatchString(line) && start >= 0 && end < 0:
			end = i
		}
	}
	if start < 0 || end < 0 {
		return nil, fmt.Errorf("%s has no whole region %q (// region:%s ... // endregion)", source.path, name, name)
	}
	lines := source.lines[start:end]
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return dedent(lines), nil
}

// dedent takes away the tabs that all lines begin with.
func dedent(lines []string) []string {
	common := -1
	for _, line := range lines {
		if tabs := len(line) - len(strings.TrimLeft(line, "\t")); line != "" && (common < 0 || tabs < common) {
			common = tabs
		}
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		if line != "" {
			out[i] = line[common:]
		}
	}
	return out
}

func firstDifference(a, b []string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i + 1
		}
	}
	return n + 1
}
