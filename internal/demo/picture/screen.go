package main

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The picture, in pixels and in time.
const (
	cellWidth = 8.2
	rowHeight = 18
	margin    = 18
	topMargin = 44
	hold      = 6 * time.Second // the end is shown before it begins anew
)

// cell is a character on the screen.
type cell struct {
	char rune
	bold bool
}

// version is a row as it was from a time on.
type version struct {
	at    time.Duration
	cells []cell
}

// screen knows as much of a terminal as the demo uses, and refuses the rest: a picture must not differ from what was shown.
type screen struct {
	rows [][]version
	y, x int    // the cursor
	row  []cell // the cursor's
	bold bool
	rest []byte // of a character or sequence whose end has not come
}

// write shows what arrived at a time.
func (s *screen) write(chunk []byte, at time.Duration) error {
	text := append(s.rest, chunk...)
	for len(text) > 0 {
		n := 1
		switch {
		case text[0] == '\r':
			s.x = 0
		case text[0] == '\n':
			s.move(1, at)
		case text[0] == 0x1b:
			if n = bytes.IndexAny(text, "mKA") + 1; n > 0 {
				if err := s.control(string(text[1:n]), at); err != nil {
					return err
				}
			}
		case text[0] < ' ':
			return fmt.Errorf("the terminal got the control character %#x", text[0])
		case !utf8.FullRune(text):
			n = 0
		default:
			char, size := utf8.DecodeRune(text)
			s.put(char)
			n = size
		}
		if n == 0 {
			break
		}
		text = text[n:]
	}
	s.rest = bytes.Clone(text)
	s.keep(at)
	return nil
}

func (s *screen) control(sequence string, at time.Duration) error {
	switch sequence {
	case "[K":
		s.row = s.row[:min(s.x, len(s.row))]
	case "[1A":
		s.move(-1, at)
	case "[1m":
		s.bold = true
	case "[0m":
		s.bold = false
	default:
		return fmt.Errorf("the terminal got the control sequence %q", sequence)
	}
	return nil
}

func (s *screen) put(char rune) {
	for len(s.row) <= s.x {
		s.row = append(s.row, cell{' ', false})
	}
	s.row[s.x] = cell{char, s.bold}
	s.x++
}

// move goes to the row below or above.
func (s *screen) move(by int, at time.Duration) {
	s.keep(at)
	s.y = max(s.y+by, 0)
	if by > 0 {
		s.x = 0
	}
	s.row = nil
	if s.y < len(s.rows) && len(s.rows[s.y]) > 0 {
		versions := s.rows[s.y]
		s.row = append(s.row, versions[len(versions)-1].cells...)
	}
}

// keep notes the cursor's row if it has changed.
func (s *screen) keep(at time.Duration) {
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, nil)
	}
	versions := s.rows[s.y]
	if n := len(versions); n > 0 && slices.Equal(versions[n-1].cells, s.row) || n == 0 && len(s.row) == 0 {
		return
	}
	s.rows[s.y] = append(versions, version{at, slices.Clone(s.row)})
}

func runes(cells []cell) []rune {
	var out []rune
	for _, c := range cells {
		out = append(out, c.char)
	}
	return out
}

// svg draws the screen: every version of every row, shown for its time; without animation, the last ones.
func (s *screen) svg() []byte {
	columns, end := 0, time.Duration(0)
	for _, row := range s.rows {
		for _, v := range row {
			columns, end = max(columns, len(v.cells)), max(end, v.at)
		}
	}
	total := end + hold
	var body, frames strings.Builder
	frame := 0
	for y, row := range s.rows {
		for i, v := range row {
			from, to := 100*v.at.Seconds()/total.Seconds(), 100.0
			class := ""
			if i+1 < len(row) {
				to = 100 * row[i+1].at.Seconds() / total.Seconds()
				class = "past "
			}
			if to-from < 0.01 {
				continue // nobody could see it
			}
			frame++
			fmt.Fprintf(&frames, "@keyframes f%d{0%%{visibility:hidden}%.2f%%{visibility:visible}", frame, from)
			if class != "" {
				fmt.Fprintf(&frames, "%.2f%%{visibility:hidden}", to)
			}
			fmt.Fprintf(&frames, "}.f%d{animation-name:f%d}\n", frame, frame)
			fmt.Fprintf(&body, `<g class="%sf%d">%s</g>`+"\n", class, frame, spans(v.cells, topMargin+y*rowHeight))
		}
	}
	width, height := 2*margin+int(cellWidth*float64(columns)), topMargin+len(s.rows)*rowHeight+margin-rowHeight/2
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">
<title>godwit demo, killed with kill -9 and started again: recorded by internal/demo/picture</title>
<style>
rect{fill:#0d1117;stroke:#30363d}text{font-size:13.6px;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9;white-space:pre}
.b{fill:#7ee787;font-weight:600}.past{visibility:hidden}
@media (prefers-reduced-motion:no-preference){g{animation:%.2fs step-end infinite}
%s}
</style>
<rect x=".5" y=".5" width="%d" height="%d" rx="8"/>
<circle cx="20" cy="17" r="5" fill="#ff5f57"/><circle cx="37" cy="17" r="5" fill="#febc2e"/><circle cx="54" cy="17" r="5" fill="#28c840"/>
`, width, height, total.Seconds(), frames.String(), width-1, height-1)
	b.WriteString(body.String())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// spans draws a row: a text for each run of equal weight, as wide as its cells whatever the font.
func spans(cells []cell, y int) string {
	var b strings.Builder
	for from := 0; from < len(cells); {
		to := from
		for to < len(cells) && cells[to].bold == cells[from].bold {
			to++
		}
		text := string(runes(cells[from:to]))
		trimmed := strings.TrimLeft(text, " ")
		start := from + len(text) - len(trimmed)
		if trimmed = strings.TrimRight(trimmed, " "); trimmed != "" {
			class := ""
			if cells[from].bold {
				class = ` class="b"`
			}
			fmt.Fprintf(&b, `<text%s xml:space="preserve" x="%.1f" y="%d" textLength="%.1f">%s</text>`, class,
				margin+cellWidth*float64(start), y, cellWidth*float64(utf8.RuneCountInString(trimmed)), html.EscapeString(trimmed))
		}
		from = to
	}
	return b.String()
}
