// Package suggest finds the known name that a mistyped one probably meant.
package suggest

import (
	"fmt"
	"unicode/utf8"
)

// nameMax is the longest name for which it is worth looking.
const nameMax = 128

// DidYouMean gives a hint to be put behind a message, ` (did you mean "queue"?)`, when one of the known names is near; otherwise
// nothing. The first of the nearest counts.
func DidYouMean(name string, known []string) string {
	if len(name) > nameMax {
		return ""
	}
	best, distance := "", utf8.RuneCountInString(name)/3+2
	for _, k := range known {
		if d := Distance(name, k, distance); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// Distance counts the letters to insert, remove, replace, or swap with their neighbour, to make one name of the other (optimal
// string alignment). It answers bound when the lengths alone differ by as much or more.
func Distance(from, to string, bound int) int {
	a, b := []rune(from), []rune(to)
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
