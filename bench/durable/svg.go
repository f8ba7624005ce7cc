package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/godwit-go/godwit/bench/drive"
)

// The plots take the colours of the page they stand in: dark text on light, light on dark.
const (
	svgStyle = `<style>text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:14px}.g{fill:#1f6feb}.p{fill:#8c959f}.l{stroke:#8c959f;fill:none}` +
		`.x{stroke:#24292f;stroke-width:1.2}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.x{stroke:#e6edf3}}</style>`
	svgWidth, svgName, svgValue, svgRow = 760, 190, 150, 24
)

// bars draws the first figure of a scenario: a bar for each contender with its median, and a line from the lowest to the highest.
func (r *report) bars(s scenarioReport) (svg string, ok bool) {
	about, known := scenarioNamed(s.Name)
	if !known {
		return "", false
	}
	m := about.metrics[0]
	type bar struct {
		name              string
		median, low, high float64
	}
	var rows []bar
	most, least := 0.0, math.Inf(1)
	for _, c := range r.Contenders {
		if median, low, high, ok := s.spread(c.Name, m.key); ok {
			rows = append(rows, bar{c.Name, median, low, high})
			most, least = max(most, high), min(least, low)
		}
	}
	if len(rows) < 2 || most <= 0 {
		return "", false
	}
	slices.SortStableFunc(rows, func(a, b bar) int { return direction(m, b.median-a.median) })
	var b strings.Builder
	height := 40 + svgRow*len(rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">%s`, svgWidth, height, svgStyle)
	label, room := m.label, float64(svgWidth-svgName-svgValue)
	lengthOf := func(value float64) float64 { return room * value / most }
	if m.less && least > 0 && most/least > 100 { // a second beside a millisecond: the small ones are what is looked for
		label += ", log"
		lengthOf = func(value float64) float64 { return room * math.Log(2*value/least) / math.Log(2*most/least) }
	}
	fmt.Fprintf(&b, `<text class="t" x="8" y="20">%s (%s)</text>`, html.EscapeString(about.title), html.EscapeString(label))
	for i, row := range rows {
		y := 34 + svgRow*i
		class := "p"
		if strings.HasPrefix(row.name, "godwit") {
			class = "g"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, svgName-8, y+14, html.EscapeString(row.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="16"/>`, class, svgName, y+2, lengthOf(row.median))
		fmt.Fprintf(&b, `<path class="x" d="M%.1f %dH%.1f"/>`, svgName+lengthOf(row.low), y+10, svgName+lengthOf(row.high))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, svgName+lengthOf(row.high)+6, y+14, number(row.median, m.decimal))
	}
	b.WriteString("</svg>\n")
	return b.String(), true
}

func direction(m metric, difference float64) int {
	sign := int(math.Copysign(1, difference))
	switch {
	case difference == 0:
		return 0
	case m.less:
		return -sign
	}
	return sign
}

// overTime draws, of the first run that has windows, the median (thin) and the 99th percentile from submission to start, against the share of
// the run. Where no job started there is a gap.
func (r *report) overTime(s scenarioReport) (svg string, ok bool) {
	const left, top, width, height = 60, 40, 520, 220
	about, known := scenarioNamed(s.Name)
	if !known || !about.big {
		return "", false
	}
	most := 0.0
	for _, runs := range s.Runs {
		for _, w := range runs[0].Windows {
			most = max(most, w.P99)
		}
	}
	if most <= 0 {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">%s`, svgWidth, top+height+40, svgStyle)
	fmt.Fprintf(&b, `<text class="t" x="8" y="20">%s: p50 (thin) and p99 from submission to start, ms (log)</text>`, html.EscapeString(about.title))
	yOf := func(ms float64) float64 {
		return top + height*(1-math.Log10(max(ms, 0.1)*10)/math.Log10(max(most, 1)*10))
	}
	for tick := 0.1; tick <= most; tick *= 10 {
		fmt.Fprintf(&b, `<path class="l" d="M%d %.1fh%d"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, left, yOf(tick), width, left-6, yOf(tick)+4, tick)
	}
	xOf := func(i, n int) float64 { return left + width*(float64(i)+0.5)/float64(n) }
	drawn := 0
	for _, c := range r.Contenders {
		if len(s.Runs[c.Name]) == 0 || len(s.Runs[c.Name][0].Windows) == 0 || c.Like != "" {
			continue
		}
		windows := s.Runs[c.Name][0].Windows
		colour := fmt.Sprintf("hsl(%d 65%% 50%%)", drawn*47%360)
		line := func(width float64, of func(drive.Window) float64) {
			var path strings.Builder
			for i, w := range windows {
				step := "L"
				if i == 0 || windows[i-1].Rate == 0 {
					step = "M"
				}
				if w.Rate > 0 {
					fmt.Fprintf(&path, "%s%.1f %.1fh1", step, xOf(i, len(windows)), yOf(of(w))) // h1: one alone is seen too
				}
			}
			fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="%g" d="%s"/>`, colour, width, path.String())
		}
		line(0.8, func(w drive.Window) float64 { return w.P50 })
		line(2, func(w drive.Window) float64 { return w.P99 })
		fmt.Fprintf(&b, `<text x="%d" y="%d" style="fill:%s">%s</text>`, left+width+12, top+12+16*drawn, colour, html.EscapeString(c.Name))
		drawn++
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">share of the run, from its beginning to its end</text></svg>`, left, top+height+24)
	return b.String() + "\n", true
}
