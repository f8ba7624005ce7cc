package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Print writes the table, the distribution, the setting and what follows from the figures.
func (r Result) Print(out io.Writer) {
	r.printTable(out)
	fmt.Fprintln(out)
	r.printPlot(out)
	s := r.Setting
	rounds := "One round"
	if s.Repeat > 1 {
		rounds = fmt.Sprintf("Medians of %d rounds in turns (lowest–highest)", s.Repeat)
	}
	fmt.Fprintf(out, "\n%d requests by %d clients at a time; each needs work of %s (a wait, as for a slow service), at most %d at a time in every\n"+
		"way; clients leave after %s. Real HTTP over loopback, clients and service in one process. Jobs are in %s,\n"+
		"fsync %.2g ms. %s; idle for %s. %d cores, %s, %s.\n",
		s.Requests, min(s.Concurrency, s.Requests), duration(s.WorkMS), s.Workers, duration(s.TimeoutMS),
		s.Store, s.FsyncMS, rounds, duration(s.IdleMS), s.Cores, s.Go, s.Platform)
	fmt.Fprintf(out, "Checked: every request that was answered had its work done once, and every result came out right.\n")
	fmt.Fprintln(out, "\nWhat it means:")
	for _, line := range r.conclude() {
		fmt.Fprintln(out, "- "+strings.ReplaceAll(line, "\n", "\n  "))
	}
}

func (r Result) printTable(out io.Writer) {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleRounded)
	t.Style().Format.Header = text.FormatDefault
	head := table.Row{""}
	columns := []table.ColumnConfig{}
	for i, w := range r.Ways {
		head = append(head, r.title(w.Way))
		columns = append(columns, table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.AppendHeader(head)
	t.SetColumnConfigs(columns)
	row := func(label string, cell func(WayResult) string) {
		cells := table.Row{label}
		for _, w := range r.Ways {
			cells = append(cells, cell(w))
		}
		t.AppendRow(cells)
	}
	s := r.Setting
	of := func(n Spread) string { return n.count() + fmt.Sprintf(" of %d", s.Requests) }
	none := "> " + duration(s.TimeoutMS)
	row("answered", func(w WayResult) string { return of(w.Answered) })
	row("  with the result in it", func(w WayResult) string { return w.Direct.count() })
	row("client left after "+duration(s.TimeoutMS), func(w WayResult) string { return w.TimedOut.count() })
	row("refused", func(w WayResult) string { return w.Refused.count() })
	row("response p50", func(w WayResult) string { return w.ResponseP50.time(none) })
	row("         p99", func(w WayResult) string { return w.ResponseP99.time(none) })
	row("         max", func(w WayResult) string { return w.ResponseMax.time(none) })
	row("responses a second", func(w WayResult) string { return w.ResponsesASecond.rate() })
	t.AppendSeparator()
	row("work done, result received", func(w WayResult) string { return of(w.Done) })
	row("work begun in vain", func(w WayResult) string { return w.Lost.count() })
	row("until done p50", func(w WayResult) string { return w.DoneP50.time("never") })
	row("           p99", func(w WayResult) string { return w.DoneP99.time("never") })
	row("work a second", func(w WayResult) string { return w.WorkASecond.rate() })
	row("all over after", func(w WayResult) string { return w.Wall.time("never") })
	row("CPU time a request", func(w WayResult) string { return w.CPUARequest.time("") })
	t.AppendSeparator()
	row(fmt.Sprintf("%d waiting: idle CPU", s.Requests), func(w WayResult) string { return fmt.Sprintf("%.2f %%", w.IdleCPUPercent) })
	row("  goroutines", func(w WayResult) string { return fmt.Sprintf("%+d", w.IdleGoroutines) })
	row("  memory", func(w WayResult) string { return fmt.Sprintf("%+.1f MB", float64(w.IdleBytes)/1e6) })
	t.Render()
	for _, w := range r.Ways {
		if w.Refusal != "" {
			fmt.Fprintf(out, "%s: the first refusal was %s\n", r.title(w.Way), w.Refusal)
		}
	}
}

// title names a way for people.
func (r Result) title(w Way) string {
	switch w {
	case Async:
		return "job: 202 at once"
	case Wait:
		return "job: waits " + duration(r.Setting.WaitMS)
	}
	return "synchronous"
}

// duration writes milliseconds as people do, to three digits.
func duration(ms float64) string {
	value, unit := scaled(ms, ms)
	return value + " " + unit
}

// scaled writes milliseconds in the unit that suits a guide.
func scaled(ms, guide float64) (value, unit string) {
	if guide >= 1000 {
		return threeDigits(ms / 1000), "s"
	}
	return threeDigits(ms), "ms"
}

// threeDigits writes a number to three digits, and all those before the point.
func threeDigits(x float64) string {
	if x >= 100 {
		return strconv.FormatFloat(math.Round(x), 'f', -1, 64)
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64) // which was just written
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// time writes the median of a time and its spread; otherwise stands for what did not happen.
func (s Spread) time(otherwise string) string {
	if math.IsInf(s.Median, 0) {
		return otherwise
	}
	value, unit := scaled(s.Median, s.Median)
	if s.Min == s.Max {
		return value + " " + unit
	}
	low, _ := scaled(s.Min, s.Median)
	if math.IsInf(s.Max, 0) {
		return fmt.Sprintf("%s %s (from %s)", value, unit, low)
	}
	high, _ := scaled(s.Max, s.Median)
	return fmt.Sprintf("%s %s (%s–%s)", value, unit, low, high)
}

func (s Spread) count() string {
	if s.Min == s.Max {
		return fmt.Sprintf("%.0f", s.Median)
	}
	return fmt.Sprintf("%.0f (%.0f–%.0f)", s.Median, s.Min, s.Max)
}

func (s Spread) rate() string {
	digits := 0
	if s.Median < 100 {
		digits = 1
	}
	if s.Min == s.Max {
		return fmt.Sprintf("%.*f", digits, s.Median)
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

// Estimate says how long all rounds take if the machine is fast.
func (c Config) Estimate() time.Duration {
	each := c.Work * time.Duration((c.Requests+c.Workers-1)/c.Workers)
	return time.Duration(len(Ways)) * (time.Duration(c.Repeat)*each + c.Idle + idleSettle)
}
