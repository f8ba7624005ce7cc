package main

import (
	"fmt"
	"strings"
	"time"
)

// ago says a time as people do: "3m ago", "in 10m"; nothing for the zero time.
func (p *printer) ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := p.now.Sub(t)
	switch {
	case d < -time.Second:
		return "in " + span(-d)
	case d < time.Second:
		return "now"
	}
	return span(d) + " ago"
}

// span gives a length of time in its one or two largest units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 10*time.Second {
		d = d.Round(time.Second) // 23h59m59.9s is a day
	}
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return d.String()
	case d < time.Hour:
		return pair(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return pair(d, time.Hour, "h", time.Minute, "m")
	case d < 365*day:
		return pair(d, day, "d", time.Hour, "h")
	}
	return pair(d, 365*day, "y", day, "d")
}

// pair says a time in two units, the second only while the first is small.
func pair(d, unit time.Duration, name string, part time.Duration, partName string) string {
	n, rest := d/unit, d%unit/part
	if rest == 0 || n >= 10 {
		return fmt.Sprintf("%d%s", n, name)
	}
	return fmt.Sprintf("%d%s%d%s", n, name, rest, partName)
}

// stamp gives a moment in UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

const stampLayout = "2006-01-02 15:04:05.000"

// both gives a moment and how long ago it is.
func (p *printer) both(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339) + " (" + p.ago(t) + ")"
}

// count says how many there are of a thing.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// shellWord quotes what a shell would not take as one word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
