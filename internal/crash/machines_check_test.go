package crash

import (
	"slices"
	"testing"
	"time"
)

func TestCheckWithinForgivesWhatClocksDifferBy(t *testing.T) {
	t.Parallel()
	s := tellStory()
	s.job(parentJob).Job.FinishedAt = s.job(parentJob).Job.StartedAt.Add(-time.Second)
	s.event(Claimed, delayedJob).At = s.event(Submitting, delayedJob).At + (storyDelay - 10*time.Millisecond).Microseconds()
	breaks := func(slack Slack, rule Rule) bool {
		return slices.ContainsFunc(CheckWithin(s.events, s.finals, slack).Violations, func(v Violation) bool { return v.Rule == rule })
	}
	for _, c := range []struct {
		slack        Slack
		order, early bool
	}{
		{Slack{}, true, true},
		{Slack{Clocks: 20 * time.Millisecond}, true, false},
		{Slack{Clocks: 20 * time.Millisecond, Call: time.Second}, false, false},
		{Slack{Call: 2 * time.Second}, false, true},
	} {
		if got := breaks(c.slack, RuleOrder); got != c.order {
			t.Errorf("%+v: the order is broken: %v", c.slack, got)
		}
		if got := breaks(c.slack, RuleEarly); got != c.early {
			t.Errorf("%+v: a start is early: %v", c.slack, got)
		}
	}
}

func TestFiguresTellWhatWasDoneToACluster(t *testing.T) {
	t.Parallel()
	s := tellStory()
	at := slices.IndexFunc(s.events, func(e Event) bool { return e.Kind == Life })
	stopped := s.events[at]
	stopped.Kind, stopped.Point = Fault, "SIGSTOP past the lease"
	s.events = slices.Insert(s.events, at, Event{Kind: Fault, Point: "connections cut", At: stopped.At}, stopped)
	f := Check(s.events, s.finals).Figures
	if f.Faults["connections cut"] != 1 || f.Faults["SIGSTOP past the lease"] != 1 || f.Backs != 0 || f.BacksAmid != 1 {
		t.Errorf("figures:\n%s", f)
	}
	s = tellStory()
	s.events = slices.Insert(s.events, at, Event{Kind: Fault, Point: "kill -9", At: stopped.At})
	if f := Check(s.events, s.finals).Figures; f.Backs != 1 || f.BacksAmid != 0 {
		t.Errorf("figures:\n%s", f)
	}
}
