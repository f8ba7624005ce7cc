// Package legible makes text that somebody else wrote fit to be shown: on a terminal it does nothing but appear.
package legible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hidden reports whether a character is not shown but acts: a control character, C1 among them, which terminals obey; one that turns the
// direction of the text after it, so that it reads as what it is not; a separator that ends a line without being a line feed.
func Hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// Escape writes hidden characters as JSON does, \u001b, so that JSON remains the same; line feeds and tabs stay. A byte that is no
// UTF-8 becomes \x9b.
func Escape(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, acts) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case acts(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func acts(r rune) bool { return r != '\n' && r != '\t' && Hidden(r) }

// Line gives text as one line: what is hidden becomes a space.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if Hidden(r) {
			return ' '
		}
		return r
	}, s)
}
