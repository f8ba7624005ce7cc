package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

const plotWidth = 22 // of the longest bar of a way

// binTops are the upper ends of the rows of the plot.
var binTops = []time.Duration{
	1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 20 * time.Second, 50 * time.Second, never,
}

// bins counts times by the row they fall into; what never came is in the last.
func bins(times []time.Duration) []int {
	counts := make([]int, len(binTops))
	for _, d := range times {
		i, _ := slices.BinarySearch(binTops, d) // found or not: a time at the top of a row belongs to it
		counts[i]++
	}
	return counts
}

// printPlot draws how the response times are distributed, a column for each way.
func (r Result) printPlot(out io.Writer) {
	all := make([][]int, 0, len(r.Ways))
	first, last, unanswered := len(binTops), 0, false
	for _, w := range r.Ways {
		counts := bins(w.Responses)
		all = append(all, counts)
		for i, n := range counts {
			switch {
			case n > 0 && binTops[i] == never:
				unanswered = true
			case n > 0:
				first, last = min(first, i), max(last, i)
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-12s", "response in")
	for _, w := range r.Ways {
		fmt.Fprintf(&b, "  %-*s", plotWidth+7, r.title(w.Way))
	}
	for i := range binTops {
		if shown := i >= first && i <= last || unanswered && binTops[i] == never; !shown {
			continue
		}
		label := "no answer"
		if binTops[i] != never {
			label = "≤ " + duration(milliseconds(binTops[i]))
		}
		fmt.Fprintf(&b, "\n%12s", label)
		for j, w := range r.Ways {
			fmt.Fprintf(&b, "  %s", bar(all[j][i], len(w.Responses)))
		}
	}
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
}

// bar draws a share, with its percentage.
func bar(n, of int) string {
	const eighths = " ▏▎▍▌▋▊▉"
	if n == 0 {
		return fmt.Sprintf("%-*s", plotWidth+7, "·")
	}
	parts := max(8*plotWidth*n/of, 1)
	drawn := strings.Repeat("█", parts/8)
	if rest := parts % 8; rest > 0 {
		drawn += string([]rune(eighths)[rest])
	}
	return fmt.Sprintf("%-*s", plotWidth+7, fmt.Sprintf("%s %.3g %%", drawn, 100*float64(n)/float64(of)))
}
