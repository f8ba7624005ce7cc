package compare

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// measured is the result of a way in which so many of four clients were answered, each after that time, and had the result then or
// later.
func measured(way Way, count int, response, done time.Duration) WayResult {
	times := func(d time.Duration) []time.Duration {
		return append(slices.Repeat([]time.Duration{d}, count), slices.Repeat([]time.Duration{never}, 4-count)...)
	}
	r := Round{
		Answered: count, TimedOut: 4 - count, Done: count, Answering: response, Wall: done, CPU: time.Millisecond,
		Responses: times(response), Completions: times(done),
	}
	if response == done {
		r.Direct = count
	}
	return sum(way, []Round{r}, Idle{For: time.Second})
}

func TestConclusionIsThatOfTheFigures(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		sync, job WayResult
		want      string
	}{
		"slow, and nobody left": {
			measured(Sync, 4, 2600*ms, 2600*ms), measured(Async, 4, 20*ms, 2700*ms),
			"a job where the caller can go on without the result, as no connection has to last 2.6 s;",
		},
		"some left":           {measured(Sync, 3, 1900*ms, 1900*ms), measured(Async, 4, 20*ms, 2700*ms), "use a job"},
		"prompt":              {measured(Sync, 4, 400*ms, 400*ms), measured(Async, 4, 10*ms, 420*ms), "answer synchronously, unless the work has to survive a crash. 99 %"},
		"jobs hardly sooner":  {measured(Sync, 4, 2*time.Second, 2*time.Second), measured(Async, 4, 1900*ms, 2*time.Second), "hardly sooner"},
		"jobs refused":        {measured(Sync, 4, 2*time.Second, 2*time.Second), measured(Async, 2, 20*ms, 2*time.Second), "Jobs left more clients without"},
		"neither is enough":   {measured(Sync, 1, 2*time.Second, 2*time.Second), measured(Async, 1, 20*ms, 2*time.Second), "neither way is enough"},
		"nobody was answered": {measured(Sync, 0, never, never), measured(Async, 0, never, never), "neither way is enough"},
	} {
		r := sample()
		r.Ways = []WayResult{c.sync, c.job}
		verdict := ""
		for _, line := range r.conclude() {
			if after, ok := strings.CutPrefix(line, "For this load: "); ok {
				verdict = after
			}
			if strings.Contains(line, "Inf") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if !strings.Contains(verdict, c.want) {
			t.Errorf("%s: concluded %q, want %q", name, verdict, c.want)
		}
	}
}

func TestLoadIsComparedWithThePatienceOfClients(t *testing.T) {
	t.Parallel()
	s := Setting{Requests: 200, Concurrency: 200, WorkMS: 200, Workers: 16, WaitMS: 1000}
	for timeout, want := range map[float64]string{
		5000: "the last client waits 2.6 s at least, and clients leave after 5 s.\nSo nobody has to leave without an answer. With --timeout 1.3s those",
		2000: "clients leave after 2 s.\nSo the synchronous way cannot answer all of them, by the choice of the setting: with --timeout 4s it could.",
	} {
		s.TimeoutMS = timeout
		if got := s.load(); !strings.Contains(got, want) || !strings.HasPrefix(got, "200 at once and 16 at a time make 13 turns of 200 ms: ") {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	few := Setting{Requests: 20, Concurrency: 200, WorkMS: 200, Workers: 16, WaitMS: 1000, TimeoutMS: 10_000}
	if got := few.load(); strings.Contains(got, "--timeout") || !strings.Contains(got, "20 at once and 16 at a time make 2 turns") {
		t.Errorf("got %q; no timeout above --wait shows anything else", got)
	}
}
