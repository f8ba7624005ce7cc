package archtest

import "strings"

// fence is a fenced block of Markdown, by the indexes of its first and last
// line. A block that is never closed ends beyond the last line.
type fence struct{ open, close int }

func fences(lines []string) []fence {
	var found []fence
	for i := 0; i < len(lines); i++ {
		mark := fenceMark(lines[i])
		if mark == "" {
			continue
		}
		block := fence{open: i, close: i + 1}
		for block.close < len(lines) && !closes(lines[block.close], mark) {
			block.close++
		}
		found = append(found, block)
		i = block.close
	}
	return found
}

// fenceMark returns the run of ticks or tildes that a line begins with, if it is
// long enough for a fence.
func fenceMark(line string) string {
	line = strings.TrimLeft(line, " \t")
	for _, char := range []string{"`", "~"} {
		if rest := strings.TrimLeft(line, char); len(line)-len(rest) >= 3 {
			return line[:len(line)-len(rest)]
		}
	}
	return ""
}

func closes(line, mark string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, mark) && fenceMark(line) == line
}

// outsideFences returns the lines with those of fenced blocks made empty, so
// that line numbers stay.
func outsideFences(lines []string) []string {
	outside := append([]string(nil), lines...)
	for _, block := range fences(lines) {
		clear(outside[block.open:min(block.close+1, len(lines))])
	}
	return outside
}
