package compare

import (
	"fmt"
	"html"
	"math"
	"strings"
	"time"
)

// The plot, in pixels.
const (
	svgWidth  = 820
	svgHeight = 450
	svgLeft   = 60
	svgRight  = 790
	svgTop    = 76
	svgBottom = 350
	svgPoints = 200 // of a curve at most
)

// svgStyle has a background of its own, so that the plot is legible on any page.
const svgStyle = `<style>
  text { font-size: 13px; font-family: system-ui, "Segoe UI", Helvetica, Arial, "DejaVu Sans", sans-serif; fill: #24292f }
  .back { fill: #ffffff; stroke: #d0d7de } .grid { stroke: #d0d7de; stroke-width: 1 } .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 12px; fill: #57606a } .left { stroke: #57606a; stroke-dasharray: 2 3 }
  .curve { fill: none; stroke-width: 2.5; stroke-linejoin: round } .done { stroke-dasharray: 7 4; stroke-width: 1.8 }
  .w0 { stroke: #d55e00 } .w1 { stroke: #0072b2 } .w2 { stroke: #009e73 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .back { fill: #0d1117; stroke: #30363d } .grid { stroke: #30363d } .small { fill: #9da7b3 }
    .left { stroke: #9da7b3 } .w0 { stroke: #ff8c42 } .w1 { stroke: #58a6ff } .w2 { stroke: #3fb97f }
  }
</style>
`

// axis maps times to a logarithmic scale of whole decades.
type axis struct{ from, to float64 } // powers of ten of milliseconds

// newAxis spans every time that was.
func newAxis(ways []WayResult) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, w := range ways {
		for _, times := range []Milliseconds{w.Responses, w.Completions} {
			for _, d := range times {
				if d != never {
					ms := math.Log10(max(milliseconds(d), 0.01))
					low, high = min(low, ms), max(high, ms)
				}
			}
		}
	}
	if low > high {
		return axis{0, 1} // nothing was answered
	}
	return axis{math.Floor(low), max(math.Ceil(high), math.Floor(low)+1)}
}

func (a axis) x(ms float64) float64 {
	at := (math.Log10(max(ms, 0.01)) - a.from) / (a.to - a.from)
	return svgLeft + at*(svgRight-svgLeft)
}

func svgY(share float64) float64 { return svgBottom - share*(svgBottom-svgTop) }

// SVG draws which share of the requests was answered, and done, after which time.
func (r Result) SVG() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`+"\n", svgWidth, svgHeight)
	s := r.Setting
	title := fmt.Sprintf("%d requests at once, each with %s of work, %d at a time", s.Requests, duration(s.WorkMS), s.Workers)
	if s.Concurrency < s.Requests {
		title = fmt.Sprintf("%d requests by %d clients, each with %s of work, %d at a time", s.Requests, s.Concurrency, duration(s.WorkMS), s.Workers)
	}
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString(title), svgStyle)
	fmt.Fprintf(&b, `<rect class="back" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", svgWidth-1, svgHeight-1)
	write(&b, 20, 30, "title", title)
	write(&b, 20, 52, "small", "share of the requests that were answered (solid) and whose work was done (dashed) after so long")
	a := newAxis(r.Ways)
	a.grid(&b)
	if x := a.x(s.TimeoutMS); x < svgRight {
		fmt.Fprintf(&b, `<path class="left" d="M%.1f %dV%d"/>`+"\n", x, svgTop, svgBottom)
		anchor, at := "start", x+6
		if x > svgRight-150 {
			anchor, at = "end", x-6
		}
		fmt.Fprintf(&b, `<text class="small" x="%.1f" y="%d" text-anchor="%s">clients leave after %s</text>`+"\n", at, svgBottom-8, anchor, duration(s.TimeoutMS))
	}
	for i, w := range r.Ways {
		if w.Way != Sync {
			fmt.Fprintf(&b, `<path class="curve done w%d" d="%s"/>`+"\n", i, a.curve(w.Completions))
		}
		fmt.Fprintf(&b, `<path class="curve w%d" d="%s"/>`+"\n", i, a.curve(w.Responses))
		x := 20 + i*255
		fmt.Fprintf(&b, `<path class="curve w%d" d="M%d 402h24"/>`+"\n", i, x)
		write(&b, x+32, 406, "", r.title(w.Way))
		write(&b, x+32, 424, "small", r.legend(w))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// legend sums a way up in a line.
func (r Result) legend(w WayResult) string {
	if missing := float64(r.Setting.Requests) - w.Answered.Median; missing > 0 {
		return fmt.Sprintf("p50 %s; %.0f of %d not answered", w.ResponseP50.middle(), missing, r.Setting.Requests)
	}
	return fmt.Sprintf("answered p50 %s, done p50 %s", w.ResponseP50.middle(), w.DoneP50.middle())
}

// middle writes the median alone.
func (s Spread) middle() string { return Spread{s.Median, s.Median, s.Median}.time("never") }

func write(b *strings.Builder, x, y int, class, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}

func (a axis) grid(b *strings.Builder) {
	for share := 0.0; share <= 1; share += 0.25 {
		fmt.Fprintf(b, `<path class="grid" d="M%d %.1fH%d"/>`, svgLeft, svgY(share), svgRight)
		fmt.Fprintf(b, `<text class="small" x="%d" y="%.1f" text-anchor="end">%.0f %%</text>`+"\n", svgLeft-8, svgY(share)+4, 100*share)
	}
	for power := a.from; power <= a.to; power++ {
		ms := math.Pow(10, power)
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %dV%d"/>`, a.x(ms), svgTop, svgBottom)
		fmt.Fprintf(b, `<text class="small" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", a.x(ms), svgBottom+20, duration(ms))
	}
}

// curve is the path of the share that had happened by each time.
func (a axis) curve(sorted []time.Duration) string {
	var b strings.Builder
	n := len(sorted)
	fmt.Fprintf(&b, "M%d %d", svgLeft, svgBottom)
	for k := range min(n, svgPoints) {
		i := (k+1)*n/min(n, svgPoints) - 1
		if sorted[i] == never {
			// The curve stays where it is.
			break
		}
		fmt.Fprintf(&b, "H%.1fV%.1f", a.x(milliseconds(sorted[i])), svgY(float64(i+1)/float64(n)))
	}
	fmt.Fprintf(&b, "H%d", svgRight)
	return b.String()
}
