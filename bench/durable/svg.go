package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
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
	most := 0.0
	for _, c := range r.Contenders {
		if median, low, high, ok := s.spread(c.Name, m.key); ok {
			rows = append(rows, bar{c.Name, median, low, high})
			most = max(most, high)
		}
	}
	if len(rows) < 2 || most <= 0 {
		return "", false
	}
	slices.SortStableFunc(rows, func(a, b bar) int { return direction(m, b.median-a.median) })
	var b strings.Builder
	height := 40 + svgRow*len(rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">%s`, svgWidth, height, svgStyle)
	fmt.Fprintf(&b, `<text class="t" x="8" y="20">%s (%s)</text>`, html.EscapeString(about.title), html.EscapeString(m.label))
	scale := float64(svgWidth-svgName-svgValue) / most
	for i, row := range rows {
		y := 34 + svgRow*i
		class := "p"
		if strings.HasPrefix(row.name, "godwit") {
			class = "g"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, svgName-8, y+14, html.EscapeString(row.name))
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="16"/>`, class, svgName, y+2, row.median*scale)
		fmt.Fprintf(&b, `<path class="x" d="M%.1f %dH%.1f"/>`, svgName+row.low*scale, y+10, svgName+row.high*scale)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`, svgName+row.high*scale+6, y+14, number(row.median, m.decimal))
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

// overTime draws, of a run that has windows, the 99th percentile from submission to start, against the share of the run.
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
	fmt.Fprintf(&b, `<text class="t" x="8" y="20">%s: p99 from submission to start, ms (log)</text>`, html.EscapeString(about.title))
	yOf := func(ms float64) float64 { return top + height*(1-math.Log10(max(ms, 0.1)*10)/math.Log10(most*10)) }
	for tick := 0.1; tick <= most; tick *= 10 {
		fmt.Fprintf(&b, `<path class="l" d="M%d %.1fh%d"/><text x="%d" y="%.1f" text-anchor="end">%g</text>`, left, yOf(tick), width, left-6, yOf(tick)+4, tick)
	}
	drawn := 0
	for _, c := range r.Contenders {
		if len(s.Runs[c.Name]) == 0 || len(s.Runs[c.Name][0].Windows) == 0 || c.Like != "" {
			continue
		}
		windows := s.Runs[c.Name][0].Windows
		var points strings.Builder
		for i, w := range windows {
			fmt.Fprintf(&points, "%.1f,%.1f ", left+width*(float64(i)+0.5)/float64(len(windows)), yOf(w.P99))
		}
		colour := fmt.Sprintf("hsl(%d 65%% 50%%)", drawn*47%360)
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>`, colour, strings.TrimSpace(points.String()))
		fmt.Fprintf(&b, `<text x="%d" y="%d" style="fill:%s">%s</text>`, left+width+12, top+12+16*drawn, colour, html.EscapeString(c.Name))
		drawn++
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d">share of the run, from its beginning to its end</text></svg>`, left, top+height+24)
	return b.String() + "\n", true
}
