package archtest

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// A table in Markdown that a program made names the file that it is copied
// from, whose lines stand below:
//
//	<!-- copied: bench/results/durable-2026-11-28-table.md -->
//	| ... |
var tableMark = regexp.MustCompile(`^<!-- copied: (\S+) -->$`)

// renderTables returns the lines of a Markdown file with each table taken from
// its file. A table whose file cannot be had stays as it is.
func (t *Tree) renderTables(f *file) (rendered []string, refused []Violation) {
	copied := 0
	for i, line := range f.lines {
		match := tableMark.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		source, ok := t.file(path.Clean(match[1]))
		if !ok {
			refused = append(refused, Violation{f.path, i + 1, match[1] + " is not there (paths begin at the top of the repository)"})
			continue
		}
		if !isTable(source.lines) {
			refused = append(refused, Violation{f.path, i + 1, fmt.Sprintf("%s is more, or less, than a table", match[1])})
			continue
		}
		rendered = append(rendered, f.lines[copied:i+1]...)
		rendered = append(rendered, source.lines...)
		for copied = i + 1; copied < len(f.lines) && strings.HasPrefix(f.lines[copied], "|"); copied++ {
		}
	}
	return append(rendered, f.lines[copied:]...), refused
}

// isTable reports whether lines are those of one table with a head and a row.
func isTable(lines []string) bool {
	for _, line := range lines {
		if !strings.HasPrefix(line, "|") {
			return false
		}
	}
	return len(lines) >= 3
}
