package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/open"
)

func config(t *testing.T) Config {
	t.Helper()
	return Config{
		Requests: 24, Concurrency: 12, Work: time.Millisecond, Workers: 4, Timeout: time.Minute, Wait: time.Second,
		Repeat: 2, Idle: time.Millisecond, Dir: t.TempDir(),
		Open: func(ctx context.Context, path string) (godwit.Store, error) { return open.Store(ctx, "sqlite:"+path) },
		API: func(c *godwit.Client) http.Handler {
			return httpapi.New(c, httpapi.Config{Logger: slog.New(slog.DiscardHandler)})
		},
		Tell: func(Way, int, int) {},
	}
}

func TestRunCountsEveryRequestOfEveryWay(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	var told []Way
	cfg.Tell = func(way Way, _, _ int) { told = append(told, way) }
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat(Ways, cfg.Repeat+1); !slices.Equal(told, want) {
		t.Errorf("measured %v, want %v: in turns", told, want)
	}
	for _, w := range r.Ways {
		all := Spread{24, 24, 24}
		if w.Answered != all || w.Done != all || w.TimedOut != (Spread{}) || w.Refused != (Spread{}) || w.Lost != (Spread{}) {
			t.Errorf("%s: %+v", w.Way, w)
		}
		if direct := (map[Way]float64{Sync: 24, Async: 0, Wait: 24}[w.Way]); w.Direct.Median != direct {
			t.Errorf("%s: %v answers had the result, want %v", w.Way, w.Direct, direct)
		}
		if len(w.Responses) != 48 || len(w.Completions) != 48 || !slices.IsSorted(w.Responses) || w.Responses[47] == never {
			t.Errorf("%s: responses %v, completions %v", w.Way, w.Responses, w.Completions)
		}
		if w.DoneP50.Min < 1 || w.Wall.Min < 6 {
			t.Errorf("%s: done p50 %v, wall %v: faster than the work itself", w.Way, w.DoneP50, w.Wall)
		}
		if w.Way == Sync && w.IdleGoroutines < 24 { // a request each, at least
			t.Errorf("%d goroutines while 24 requests wait", w.IdleGoroutines)
		}
	}
	if left, err := filepath.Glob(filepath.Join(cfg.Dir, "*.db")); err != nil || len(left) != 6 { // two durable ways, three rounds
		t.Errorf("databases %v, %v; want six", left, err)
	}
}

func TestClientsThatLeaveAreCountedAndNotServed(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Work, cfg.Timeout, cfg.Workers = time.Hour, 50*time.Millisecond, 1
	r, err := runRound(t.Context(), &cfg, Sync, "x")
	if err != nil {
		t.Fatal(err)
	}
	if r.TimedOut != 24 || r.Answered != 0 || r.Done != 0 || r.Responses[0] != never || r.Completions[0] != never {
		t.Errorf("got %+v", r)
	}
}

func TestRefusedRequestsSayWhy(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.API = func(*godwit.Client) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no more", http.StatusTooManyRequests) })
	}
	r, err := runRound(t.Context(), &cfg, Async, "x")
	if err != nil || r.Refused != 24 || r.Answered != 0 || r.Refusal != "429 no more\n" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestWhatCameOutWrongFailsTheRun(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	honest := cfg.API
	cfg.API = func(c *godwit.Client) http.Handler {
		next := honest(c)
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				r.Body = io.NopCloser(strings.NewReader("7")) // planted: every request is taken for the seventh
			}
			next.ServeHTTP(rw, r)
		})
	}
	for _, way := range []Way{Async, Wait} {
		if _, err := runRound(t.Context(), &cfg, way, string(way)); err == nil || !strings.Contains(err.Error(), "got the result") {
			t.Errorf("%s: wrong results made the error %v", way, err)
		}
	}
	w := newWork(0, nil, 2)
	w.begun[0].Store(1)
	w.done[0].Store(1)
	s := &service{work: w}
	for name, c := range map[string]struct {
		begun, done int32
		outcome     outcome
		wants       string
	}{
		"answered, done twice":   {2, 2, answered, "want once"},
		"answered, never done":   {1, 0, answered, "want once"},
		"timed out, begun twice": {2, 0, timedOut, "begun 2 times"},
		"timed out, never begun": {0, 0, timedOut, ""},
		"answered, done once":    {1, 1, answered, ""},
	} {
		w.begun[1].Store(c.begun)
		w.done[1].Store(c.done)
		err := verify(t.Context(), s, []visit{{outcome: answered}, {outcome: c.outcome}})
		if (err == nil) != (c.wants == "") || err != nil && !strings.Contains(err.Error(), c.wants) {
			t.Errorf("%s: %v, want %q", name, err, c.wants)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Work = time.Hour
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cfg.Tell = func(way Way, _, _ int) { cancel(enough) }
	if _, err := Run(ctx, cfg); !errors.Is(err, enough) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// sample is a result made of known rounds.
func sample() Result {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	rounds := []Round{
		{
			Answered: 3, TimedOut: 1, Done: 3, Lost: 1, Answering: time.Second, Wall: time.Second, CPU: ms(8),
			Responses: []time.Duration{ms(100), ms(200), ms(300), never}, Completions: []time.Duration{ms(100), ms(200), ms(300), never},
		},
		{
			Answered: 4, Done: 4, Answering: 2 * time.Second, Wall: 2 * time.Second, CPU: ms(4),
			Responses: []time.Duration{ms(110), ms(210), ms(310), ms(1500)}, Completions: []time.Duration{ms(110), ms(210), ms(310), ms(1500)},
		},
		{
			Answered: 4, Done: 4, Answering: 4 * time.Second, Wall: 4 * time.Second, CPU: ms(16),
			Responses: []time.Duration{ms(120), ms(220), ms(320), ms(1600)}, Completions: []time.Duration{ms(120), ms(220), ms(320), ms(1600)},
		},
	}
	idle := Idle{Waiting: 4, For: time.Second, CPU: ms(5), Goroutines: 12, Bytes: 3_400_000}
	return Result{
		Setting: Setting{Requests: 4, Concurrency: 4, WorkMS: 100, Workers: 1, TimeoutMS: 2000, WaitMS: 1000, Repeat: 3, Store: "a store"},
		Ways:    []WayResult{sum(Sync, rounds, idle), sum(Async, rounds[1:2], idle)},
	}
}

func TestFiguresAreThoseOfTheRounds(t *testing.T) {
	t.Parallel()
	w := sample().Ways[0]
	inf := math.Inf(1)
	for name, c := range map[string]struct{ got, want Spread }{
		"answered":    {w.Answered, Spread{4, 3, 4}},
		"timed out":   {w.TimedOut, Spread{0, 0, 1}},
		"lost":        {w.Lost, Spread{0, 0, 1}},
		"p50":         {w.ResponseP50, Spread{210, 200, 220}},
		"p99":         {w.ResponseP99, Spread{1600, 1500, inf}},
		"max":         {w.ResponseMax, Spread{1600, 1500, inf}},
		"wall":        {w.Wall, Spread{2000, 1000, 4000}},
		"responses/s": {w.ResponsesASecond, Spread{2, 1, 3}},
		"CPU":         {w.CPUARequest, Spread{2, 1, 4}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, c.got, c.want)
		}
	}
	if w.IdleCPUPercent != 0.5 || len(w.Responses) != 12 || w.Responses[11] != never {
		t.Errorf("idle %v %%, responses %v", w.IdleCPUPercent, w.Responses)
	}
}

func TestTableHasTheFigures(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sample().Print(&out)
	for _, want := range []string{
		"│ answered                   │     4 (3–4) of 4 │", "210 ms (200–220)", "1.6 s (from 1.5)", "0.50 %", "+12", "+3.4 MB", "2 ms (1–4)",
		"    ≤ 200 ms  █████▌ 25 %", "   no answer  █▊ 8.33 %", "clients leave after 2 s", "Checked: every request",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
}

func TestTimesHaveThreeDigitsAndNoExponent(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]Spread{
		"421 ms (67.3–1523)":  {Median: 421.4, Min: 67.34, Max: 1523},
		"1.52 s (0.0673–421)": {Median: 1523, Min: 67.34, Max: 421_400},
		"1000 ms":             {Median: 999.6, Min: 999.6, Max: 999.6},
		"0 ms":                {},
	} {
		if got := s.time(""); got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	}
}

func TestJSONHasNullForWhatNeverWas(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Setting struct {
			Requests int     `json:"requests"`
			WorkMS   float64 `json:"work_ms"`
		}
		Ways []struct {
			Way         string
			ResponseP99 struct{ Median, Min, Max *float64 } `json:"response_p99_ms"`
			ResponsesMS []*float64                          `json:"responses_ms"`
			IdleCPU     float64                             `json:"idle_cpu_percent"`
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	w := got.Ways[0]
	if got.Setting.Requests != 4 || got.Setting.WorkMS != 100 || w.Way != "synchronous" || *w.ResponseP99.Median != 1600 || w.ResponseP99.Max != nil ||
		len(w.ResponsesMS) != 12 || *w.ResponsesMS[0] != 100 || w.ResponsesMS[11] != nil || w.IdleCPU != 0.5 {
		t.Errorf("got %s", raw)
	}
}

func TestSVGIsWellFormedAndHasTheCurves(t *testing.T) {
	t.Parallel()
	svg := sample().SVG()
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
	}
	text := string(svg)
	// The synchronous way was answered in 11 of 12 cases: its curve ends below the top.
	if top := svgY(1); strings.Count(text, `class="curve w`) != 4 || strings.Count(text, "curve done w1") != 1 || top != svgTop {
		t.Errorf("not the curves of two ways:\n%s", svg)
	}
	if first, _, _ := strings.Cut(text[strings.Index(text, `class="curve w0"`):], "\n"); strings.Contains(first, "V76.0") {
		t.Errorf("the curve of what was not all answered reaches the top: %s", first)
	}
	none := Result{Setting: Setting{Requests: 1, Concurrency: 1, Workers: 1}, Ways: []WayResult{sum(Sync, []Round{{
		Responses: []time.Duration{never}, Completions: []time.Duration{never}, Answering: 1, Wall: 1,
	}}, Idle{For: 1})}}
	if svg := string(none.SVG()); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("nothing answered gives\n%s", svg)
	}
	none.Print(io.Discard) // and a table
}
