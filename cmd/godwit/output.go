package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/legible"
)

// printer prints what a command found: tables for people, JSON for programs. What is neither goes to the error stream.
type printer struct {
	in       io.Reader
	out, err *outlet
	json     bool
	width    int // of the terminal; 0: there is none, and nothing is cut
	colour   bool
	now      time.Time
}

func newPrinter(cmd *cobra.Command, format string) *printer {
	p := &printer{
		in: cmd.InOrStdin(), out: &outlet{w: cmd.OutOrStdout()}, err: &outlet{w: cmd.ErrOrStderr()}, json: format == formatJSON, now: time.Now(),
	}
	if f, ok := p.out.w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		p.colour = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		p.out.coloured, p.err.coloured = p.colour, p.colour
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			p.width = width
		}
	}
	return p
}

// note tells people something beside the data.
func (p *printer) note(format string, args ...any) { fmt.Fprintf(p.err, format+"\n", args...) }

// object prints one thing as JSON over several lines.
func (p *printer) object(v any) error { return p.encode(v, "  ") }

// line prints one thing of many as a line of JSON.
func (p *printer) line(v any) error { return p.encode(v, "") }

func (p *printer) encode(v any, indent string) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(v)
}

// column is a column of a grid.
type column struct {
	head     string
	right    bool // numbers
	flexible int  // cut down to so many characters when the terminal is too narrow; 0: not at all
	drop     int  // left out when the terminal is too narrow all the same, 1 first, and when it is empty; 0: never
}

const columnGap = 2

// grid prints rows under their headings, fitted to the terminal. Columns that are empty in every row are left out.
func (p *printer) grid(columns []column, rows [][]string) {
	rows = p.oneLine(rows)
	shown := p.fit(columns, rows)
	t := table.NewWriter()
	t.SetOutputMirror(p.out)
	t.SetStyle(table.StyleDefault)
	style := t.Style()
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", columnGap)
	style.Format.Header = text.FormatDefault
	t.SuppressTrailingSpaces()
	var head table.Row
	var configs []table.ColumnConfig
	for n, s := range shown {
		head = append(head, p.paint(text.Bold, columns[s.index].head))
		config := table.ColumnConfig{Number: n + 1}
		if columns[s.index].right {
			config.Align, config.AlignHeader = text.AlignRight, text.AlignRight
		}
		configs = append(configs, config)
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(head)
	for _, row := range rows {
		var cells table.Row
		for _, s := range shown {
			cells = append(cells, cut(row[s.index], s.width))
		}
		t.AppendRow(cells)
	}
	t.Render()
}

// shownColumn is a column that is printed, at most so wide.
type shownColumn struct{ index, natural, width int }

// fit chooses the columns that are shown and cuts the flexible ones until the row fits the terminal.
func (p *printer) fit(columns []column, rows [][]string) []shownColumn {
	var shown []shownColumn
	for i, c := range columns {
		width, filled := text.StringWidthWithoutEscSequences(c.head), len(rows) == 0
		for _, row := range rows {
			width = max(width, text.StringWidthWithoutEscSequences(row[i]))
			filled = filled || row[i] != ""
		}
		if filled || c.drop == 0 {
			shown = append(shown, shownColumn{i, width, width})
		}
	}
	if p.width == 0 {
		return shown
	}
	for over := p.over(shown); over > 0; over = p.over(shown) {
		if !cutOne(columns, shown, over) {
			first := firstToDrop(columns, shown)
			if first < 0 {
				return shown
			}
			shown = append(shown[:first], shown[first+1:]...)
			for n := range shown { // what was cut may have room now
				shown[n].width = shown[n].natural
			}
		}
	}
	return shown
}

// over is by how much the columns are wider than the terminal.
func (p *printer) over(shown []shownColumn) int {
	sum := -columnGap
	for _, s := range shown {
		sum += s.width + columnGap
	}
	return sum - p.width
}

// cutOne makes the widest flexible column narrower; false when none can give.
func cutOne(columns []column, shown []shownColumn, over int) bool {
	widest := -1
	for n, s := range shown {
		least := columns[s.index].flexible
		if least > 0 && s.width > least && (widest < 0 || s.width > shown[widest].width) {
			widest = n
		}
	}
	if widest < 0 {
		return false
	}
	shown[widest].width = max(shown[widest].width-over, columns[shown[widest].index].flexible)
	return true
}

func firstToDrop(columns []column, shown []shownColumn) int {
	first := -1
	for n, s := range shown {
		if drop := columns[s.index].drop; drop > 0 && (first < 0 || drop < columns[shown[first].index].drop) {
			first = n
		}
	}
	return first
}

// oneLine joins the lines of each cell: a row is one line.
func (p *printer) oneLine(rows [][]string) [][]string {
	flat := make([][]string, 0, len(rows))
	for _, row := range rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			cells = append(cells, p.legible(strings.Join(strings.Fields(cell), " ")))
		}
		flat = append(flat, cells)
	}
	return flat
}

// cut shortens a cell and shows that it was longer.
func cut(cell string, width int) string {
	if text.StringWidthWithoutEscSequences(cell) <= width {
		return cell
	}
	return text.Snip(cell, width, "…")
}

// fitted cuts a line at the edge of the terminal.
func (p *printer) fitted(line string) string {
	line = p.legible(line)
	if p.width == 0 {
		return line
	}
	return text.Snip(line, p.width, "…")
}

// painted is what paint puts around a text.
var painted = regexp.MustCompile("\x1b\\[(0|1|2|3[0-7])m")

// plain gives text so that it shows what it holds and does nothing else: what others wrote, a job's error among it, could otherwise
// write over the lines above it, or set the title of the terminal. With colours, those that paint makes stay as they are.
func plain(s string, coloured bool) string {
	if !coloured {
		return legible.Escape(s)
	}
	var b strings.Builder
	for s != "" {
		at := painted.FindStringIndex(s)
		if at == nil {
			at = []int{len(s), len(s)}
		}
		b.WriteString(legible.Escape(s[:at[0]]) + s[at[0]:at[1]])
		s = s[at[1]:]
	}
	return b.String()
}

// legible makes text legible before its width counts.
func (p *printer) legible(s string) string { return plain(s, p.colour) }

func (p *printer) paint(c text.Color, s string) string {
	if !p.colour || s == "" {
		return s
	}
	return c.EscapeSeq() + s + text.Reset.EscapeSeq()
}

// state paints the state of a job.
func (p *printer) state(s godwit.State) string {
	switch s {
	case godwit.StateSucceeded:
		return p.paint(text.FgGreen, string(s))
	case godwit.StateFailed:
		return p.paint(text.FgRed, string(s))
	case godwit.StateRunning:
		return p.paint(text.FgCyan, string(s))
	case godwit.StateCancelled:
		return p.paint(text.FgYellow, string(s))
	}
	return string(s)
}

func (p *printer) warning(s string) string { return p.paint(text.FgYellow, s) }
func (p *printer) alarm(s string) string   { return p.paint(text.FgRed, s) }
