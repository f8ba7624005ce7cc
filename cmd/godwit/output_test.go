package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

var gridColumns = []column{
	{head: "ID"}, {head: "TASK", flexible: 8}, {head: "N", right: true, drop: 1}, {head: "NOTE", flexible: 8, drop: 2}, {head: "NEVER", drop: 3},
}

var gridRows = [][]string{
	{"id-1", "image.resize", "1", "a note that\nis long enough to be cut", ""},
	{"id-2", "mail", "200", "", ""},
}

func TestGridFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		width int
		want  string
	}{
		{0, "ID    TASK            N  NOTE\nid-1  image.resize    1  a note that is long enough to be cut\nid-2  mail          200\n"},
		{50, "ID    TASK            N  NOTE\nid-1  image.resize    1  a note that is long enou…\nid-2  mail          200\n"},
		{30, "ID    TASK         N  NOTE\nid-1  image.re…    1  a note …\nid-2  mail       200\n"},
		{25, "ID    TASK       NOTE\nid-1  image.re…  a note …\nid-2  mail\n"},
		{20, "ID    TASK\nid-1  image.resize\nid-2  mail\n"},
	} {
		var out bytes.Buffer
		(&printer{out: &outlet{w: &out}, width: c.width}).grid(gridColumns, gridRows)
		if out.String() != c.want {
			t.Errorf("width %d: got\n%s\nwant\n%s", c.width, &out, c.want)
		}
	}
}

func TestGridPaintsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		p := &printer{out: &outlet{w: &out, coloured: colour}, colour: colour, width: 80}
		p.grid([]column{{head: "STATE"}}, [][]string{{p.state(godwit.StateFailed)}})
		if painted := strings.Contains(out.String(), "\x1b["); painted != colour {
			t.Errorf("colour %t: got %q", colour, &out)
		}
	}
}

func TestTimesAreSaidAsPeopleDo(t *testing.T) {
	t.Parallel()
	p := &printer{now: time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)}
	for d, want := range map[time.Duration]string{
		0: "now", -2 * time.Second: "2s ago", 3 * time.Second: "in 3s", -90 * time.Second: "1m30s ago", -25 * time.Minute: "25m ago", -3 * time.Hour: "3h ago",
		-75 * time.Minute: "1h15m ago", 50 * time.Hour: "in 2d2h", -40 * 24 * time.Hour: "40d ago", -400 * 24 * time.Hour: "1y35d ago",
	} {
		if got := p.ago(p.now.Add(d)); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	if got := p.ago(time.Time{}); got != "" {
		t.Errorf("no time: got %q", got)
	}
	for d, want := range map[time.Duration]string{
		1500 * time.Nanosecond: "2µs", 2345 * time.Microsecond: "2ms", 1234 * time.Millisecond: "1.23s", 12345 * time.Millisecond: "12s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"sqlite:/var/a.db": "sqlite:/var/a.db", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'",
	} {
		if got := shellWord(given); got != want {
			t.Errorf("%q: got %s, want %s", given, got, want)
		}
	}
}

func TestTimelineTellsEveryRun(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2030, 1, 31, 12, 0, s, 0, time.UTC) }
	job := &godwit.Job{
		State: godwit.StateCancelled, Run: 3, Attempt: 2, CreatedAt: at(0), StartedAt: at(30), CancelRequestedAt: at(35), FinishedAt: at(40),
		KeepUntil: at(50), Retries: 1,
	}
	attempts := []godwit.Attempt{
		{Run: 1, Attempt: 1, Outcome: "retry", Failure: &godwit.Failure{Code: godwit.CodeTimeout, Message: "too\nslow"}, StartedAt: at(1), EndedAt: at(5)},
		{Run: 2, Attempt: 2, Outcome: "crash", Failure: &godwit.Failure{Code: godwit.CodeCrashed, Message: "the worker died"}, StartedAt: at(10), EndedAt: at(20)},
	}
	var out bytes.Buffer
	(&printer{out: &outlet{w: &out}, now: at(45)}).timeline(timelineOf(job, attempts))
	want := `  2030-01-31 12:00:00.000             created                      retried by hand 1 time since
  2030-01-31 12:00:01.000        +1s  run 1 started                attempt 1
  2030-01-31 12:00:05.000        +4s  run 1 failed, to be retried  timeout: too slow
  2030-01-31 12:00:10.000        +5s  run 2 started                attempt 2
  2030-01-31 12:00:20.000       +10s  run 2 lost: its worker died  crashed: the worker died
  2030-01-31 12:00:30.000       +10s  run 3 started                attempt 2
  2030-01-31 12:00:35.000        +5s  asked to stop
  2030-01-31 12:00:40.000        +5s  cancelled                    in all 40s
  2030-01-31 12:00:50.000      in 5s  kept until
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestTimelineLeavesWhatHappenedItsRoomInANarrowTerminal(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 31, 23, 59, 0, 0, time.UTC)
	job := &godwit.Job{State: godwit.StateSucceeded, Run: 1, Attempt: 1, CreatedAt: at, StartedAt: at.Add(2 * time.Second), FinishedAt: at.Add(3 * time.Second)}
	later := *job
	later.FinishedAt = at.Add(time.Hour)
	for _, c := range []struct {
		width int
		job   *godwit.Job
		want  string
	}{
		{61, job, "  2030-01-31 23:59:02.000        +2s  run 1 started  attempt…\n"},
		{40, job, "  23:59:02        +2s  run 1 started  a…\n"},
		{40, &later, "  01-31 23:59        +2s  run 1 started…\n"},
		{26, job, "  23:59:02  run 1 started…\n"},
	} {
		var out bytes.Buffer
		(&printer{out: &outlet{w: &out}, width: c.width, now: at}).timeline(timelineOf(c.job, nil))
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("width %d: got\n%s\nwithout\n%s", c.width, &out, c.want)
		}
	}
}
