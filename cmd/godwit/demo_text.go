package main

import (
	"fmt"
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/mattn/go-isatty"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/demo"
	"github.com/godwit-go/godwit/internal/legible"
)

// teller prints what the demo has to say.
type teller struct {
	out  io.Writer
	bold func(string) string
}

func newTeller(out io.Writer) *teller {
	bold := func(s string) string { return s }
	if isTerminal(out) && os.Getenv("NO_COLOR") == "" {
		bold = func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
	}
	return &teller{out, bold}
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func (t *teller) waitsForDatabase(url string) {
	fmt.Fprintf(t.out, "Another process works with %s: waiting for it to let go.\n", url)
}

func (t *teller) takesFreePort(why error) {
	fmt.Fprintf(t.out, "Taking a free port: %v.\n\n", why)
}

// found says what was there at the start, and what becomes of it.
func (t *teller) found(p demo.Progress, f demoFlags) {
	if p.Unfinished() {
		fmt.Fprintf(t.out, "%s %d of %d months are done. Going on.\n", t.bold("Found an unfinished report:"), len(p.Finished), demo.Months)
		if p.Args.Pace != f.pace {
			fmt.Fprintf(t.out, "It keeps what it was started with: --pace %s.\n", p.Args.Pace)
		}
		fmt.Fprintln(t.out)
		return
	}
	if !p.Report.IsZero() {
		fmt.Fprintf(t.out, "The last report (%s, %s) stays in the database: nothing to resume. This is a new one.\n",
			p.At.Local().Format("2 January, 15:04:05"), p.State)
	}
	fmt.Fprint(t.out, "One job fans out a child for each month of the weather in Seattle and New York,\n"+
		"retries those that fail, awaits all 96 and writes a report.\n\n")
}

func (t *teller) start(db, url string, id godwit.ID) {
	fmt.Fprintf(t.out, "  jobs    in %s\n  API     on %s\n", db, url)
	fmt.Fprintf(t.out, "  ask     curl -s %s/v1/jobs/%s/explain\n", url, id)
	fmt.Fprintf(t.out, "  try     %s   then start it again: it goes on where it stood\n\n", t.bold(fmt.Sprintf("kill -9 %d", os.Getpid())))
}

// failed says that an attempt at the report itself failed, which no bar shows.
func (t *teller) failed(p demo.Progress) {
	fmt.Fprintf(t.out, "The report failed (attempt %d) and is tried again: %s\n", p.Attempt, legible.Line(p.Failure.Message))
}

// report shows the result as a table, and the sum.
func (t *teller) report(r demo.Report, sum string) {
	w := table.NewWriter()
	w.SetOutputMirror(t.out)
	w.SetStyle(table.StyleRounded)
	w.Style().Format.Header = text.FormatDefault
	w.SetColumnConfigs([]table.ColumnConfig{
		{Number: 3, Align: text.AlignRight},
		{Number: 4, Align: text.AlignRight},
		{Number: 5, Align: text.AlignRight},
		{Number: 6, Align: text.AlignRight},
	})
	w.AppendHeader(row(demo.ColumnsShort))
	for _, y := range r.Years {
		w.AppendRow(row(y.CellsShort()))
	}
	w.Render()
	fmt.Fprintf(t.out, "%s\nThe report is in %s.\n", t.bold(sum), r.Path)
}

func row(cells []string) table.Row {
	r := make(table.Row, len(cells))
	for i, c := range cells {
		r[i] = c
	}
	return r
}

// tryIt gives three things to do with the API, as they are to be typed.
func (t *teller) tryIt(url string, report godwit.ID) {
	fmt.Fprintf(t.out, "\n%s Ctrl-C ends it. In another terminal:\n", t.bold("Still serving."))
	for _, c := range tryCommands(url, report) {
		fmt.Fprintf(t.out, "\n  # %s\n  %s\n", c.about, c.line)
	}
}

// tryCommand is a line for a shell, and what it shows.
type tryCommand struct{ about, line string }

func tryCommands(url string, report godwit.ID) []tryCommand {
	return []tryCommand{
		{"submit a job and wait for its result", fmt.Sprintf(`curl -s -H 'Prefer: wait=5' -d '{"hello":"world"}' %s/v1/tasks/echo`, url)},
		{
			"one that fails twice and is retried: both attempts are in the answer, in about 3 s",
			fmt.Sprintf(`curl -s -H 'Prefer: wait=20' -d '{"times":2}' %s/v1/tasks/fail`, url),
		},
		{"the children of the report, the newest two", fmt.Sprintf(`curl -s '%s/v1/jobs/%s/children?limit=2'`, url, report)},
	}
}

func (t *teller) stopped(hint string) {
	fmt.Fprintf(t.out, "\nStopped in good order. %s\n", hint)
}

// killedAt says what --kill-at does, right before it.
func (t *teller) killedAt(months int) {
	fmt.Fprintf(t.out, "\n%d months are done: kill -9 %d, by --kill-at. Start it again.\n", months, os.Getpid())
}
