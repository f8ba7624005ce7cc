package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// story is a log and a database that agree with each other: a job that is retried once and succeeds, one that crashed, one that was
// cancelled, a parent with a child, two holders of a unique key one after the other, and a key submitted twice.
type story struct {
	events []Event
	finals []Final
}

// The jobs of the story.
var (
	retriedJob, crashedJob, cancelledJob, parentJob, childJob = storyID(1), storyID(2), storyID(3), storyID(4), storyID(5)
	uniqueJob, laterJob, keyedJob, mendedJob                  = storyID(6), storyID(7), storyID(8), storyID(9)
	strangeJob                                                = storyID(99)
)

func storyID(n byte) (id godwit.ID) {
	id[15] = n
	return id
}

func tellStory() *story {
	s := &story{}
	for _, id := range []godwit.ID{retriedJob, crashedJob, cancelledJob, parentJob} {
		s.submit(Event{Asked: id, Job: id, Created: true})
	}
	s.submit(Event{Asked: childJob, Job: childJob, Created: true, Parent: parentJob, Name: "part"})
	s.submit(Event{Asked: childJob, Job: childJob, Parent: parentJob, Name: "part"})
	s.submit(Event{Asked: uniqueJob, Job: uniqueJob, Created: true, Unique: "one"})
	s.submit(Event{Asked: keyedJob, Job: keyedJob, Created: true, Key: "key"})
	s.submit(Event{Asked: storyID(10), Job: keyedJob, Key: "key"})
	s.submit(Event{Asked: mendedJob, Job: mendedJob, Created: true})

	s.claim(retriedJob, 1)
	s.settle(retriedJob, 1, godwit.OutcomeRetry, "", godwit.StateReady)
	s.win(retriedJob, 2)
	s.settle(retriedJob, 2, godwit.OutcomeSucceed, godwit.CodeDuplicate, "")
	s.final(retriedJob, godwit.StateSucceeded, 2, "retry")
	s.claim(crashedJob, 1)
	s.events = append(s.events, Event{Kind: Life, Life: 1, Point: "mid-job"}, Event{Kind: Restarted, Life: 2})
	s.win(crashedJob, 2)
	s.settle(crashedJob, 1, godwit.OutcomeSucceed, godwit.CodeSessionEnded, "")
	s.final(crashedJob, godwit.StateSucceeded, 2, "crash")
	s.events = append(s.events, Event{Kind: Cancelled, Job: cancelledJob, State: godwit.StateCancelled})
	s.observe(cancelledJob, godwit.StateCancelled, 0)
	s.final(cancelledJob, godwit.StateCancelled, 0)
	for _, id := range []godwit.ID{parentJob, childJob, uniqueJob, keyedJob} {
		s.win(id, 1)
		s.final(id, godwit.StateSucceeded, 1)
	}
	s.job(childJob).Job.Parent, s.job(childJob).Job.ChildName = parentJob, "part"
	s.submit(Event{Asked: laterJob, Job: laterJob, Created: true, Unique: "one"})
	s.win(laterJob, 1)
	s.final(laterJob, godwit.StateSucceeded, 1)
	s.claim(mendedJob, 1)
	s.settle(mendedJob, 1, godwit.OutcomeFail, "", godwit.StateFailed)
	s.observe(mendedJob, godwit.StateFailed, 0)
	s.events = append(s.events, Event{Kind: Retrying, Job: mendedJob})
	s.win(mendedJob, 2)
	s.final(mendedJob, godwit.StateSucceeded, 2, "failed")
	return s
}

func (s *story) submit(e Event) {
	e.Task, e.Args = "story", `{"n":1,"want":3,"may":"succeeded,cancelled"}`
	e.Kind = Submitting
	s.events = append(s.events, e)
	e.Kind = Submitted
	s.events = append(s.events, e)
}

func (s *story) claim(id godwit.ID, run int64) {
	s.events = append(s.events, Event{Kind: Claimed, Job: id, Run: run}, Event{Kind: Started, Job: id, Run: run})
}

func (s *story) settle(id godwit.ID, run int64, o godwit.Outcome, code godwit.Code, state godwit.State) {
	e := Event{Kind: Settling, Job: id, Run: run, Outcome: o}
	s.events = append(s.events, e)
	e.Kind, e.Code, e.State = Settled, code, state
	s.events = append(s.events, e)
}

// win is a whole run that succeeds.
func (s *story) win(id godwit.ID, run int64) {
	s.claim(id, run)
	s.events = append(s.events, Event{Kind: Effect, Job: id, Run: run, Value: 3})
	s.settle(id, run, godwit.OutcomeSucceed, "", godwit.StateSucceeded)
	s.observe(id, godwit.StateSucceeded, run)
}

func resultText(run int64) string { return fmt.Sprintf(`{"value":3,"run":%d}`, run) }

func (s *story) observe(id godwit.ID, state godwit.State, run int64) {
	e := Event{Kind: Observed, Job: id, State: state}
	if state == godwit.StateSucceeded {
		e.Result = resultText(run)
	}
	s.events = append(s.events, e)
}

// final puts a job into the database; each has an hour of its own.
func (s *story) final(id godwit.ID, state godwit.State, run int64, records ...string) {
	made := time.Unix(0, 0).Add(time.Duration(id[15]) * time.Hour)
	f := Final{Job: godwit.Job{ID: id, Task: "story", State: state, Run: run, CreatedAt: made, FinishedAt: made.Add(time.Minute)}}
	if state == godwit.StateSucceeded {
		f.Job.Result = godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(resultText(run))}
	}
	for i, r := range records {
		f.Attempts = append(f.Attempts, godwit.Attempt{Run: int64(i + 1), Outcome: r})
	}
	s.finals = append(s.finals, f)
}

func (s *story) job(id godwit.ID) *Final {
	i := slices.IndexFunc(s.finals, func(f Final) bool { return f.Job.ID == id })
	return &s.finals[i]
}

func (s *story) drop(id godwit.ID) {
	s.finals = slices.DeleteFunc(s.finals, func(f Final) bool { return f.Job.ID == id })
}

func TestCheckTakesAStoryThatIsTrue(t *testing.T) {
	t.Parallel()
	s := tellStory()
	report := Check(s.events, s.finals)
	for _, v := range report.Violations {
		t.Error(v)
	}
	f := report.Figures
	if f.Acknowledged != 9 || f.Settled[godwit.StateSucceeded] != 8 || f.Refused[godwit.CodeSessionEnded] != 1 || f.Runs != 11 ||
		f.Again["crash"] != 1 || f.Again["retry"] != 1 || f.Lives != 1 {
		t.Errorf("figures:\n%s", f)
	}
}

func TestCheckFindsPlantedFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule  Rule
		plant func(s *story)
	}{
		"lost job":           {RuleLost, func(s *story) { s.drop(keyedJob) }},
		"job pruned early":   {RuleLost, func(s *story) { s.job(keyedJob).Code = godwit.CodeExpired }},
		"job never finished": {RuleLost, func(s *story) { s.job(crashedJob).Job.State = godwit.StateRunning }},
		"job from nowhere":   {RuleOrigin, func(s *story) { s.final(strangeJob, godwit.StateFailed, 0) }},
		"wrong state":        {RuleResult, func(s *story) { s.job(parentJob).Job.State = godwit.StateFailed }},
		"wrong result": {RuleResult, func(s *story) {
			s.job(parentJob).Job.Result.Data = []byte(`{"value":4,"run":1}`)
		}},
		"result without its effect": {RuleResult, func(s *story) {
			s.events = slices.DeleteFunc(s.events, func(e Event) bool { return e.Kind == Effect && e.Job == parentJob })
		}},
		"double winner": {RuleWinner, func(s *story) {
			s.settle(parentJob, 1, godwit.OutcomeSucceed, "", godwit.StateSucceeded)
		}},
		"one run handed to two handlers": {RuleWinner, func(s *story) {
			s.events = append(s.events, Event{Kind: Started, Job: parentJob, Run: 1})
		}},
		"promise settled twice": {RuleOnce, func(s *story) { s.observe(parentJob, godwit.StateFailed, 0) }},
		"promise with two results": {RuleOnce, func(s *story) {
			s.events = append(s.events, Event{Kind: Observed, Job: parentJob, State: godwit.StateSucceeded, Result: `{"value":4,"run":1}`})
		}},
		"promise at odds with the database": {RuleOnce, func(s *story) { s.job(parentJob).Job.Result.Data = []byte(`{"value":3, "run":1}`) }},
		"success retried by hand and lost":  {RuleOnce, func(s *story) { s.job(mendedJob).Job.State = godwit.StateFailed }},
		"cancelled job succeeded": {RuleOnce, func(s *story) {
			s.drop(cancelledJob)
			s.final(cancelledJob, godwit.StateSucceeded, 1)
		}},
		"zombie settle": {RuleZombie, func(s *story) { s.settle(crashedJob, 1, godwit.OutcomeSucceed, "", godwit.StateSucceeded) }},
		"zombie's result won": {RuleZombie, func(s *story) {
			s.job(crashedJob).Job.Result.Data = []byte(resultText(1))
		}},
		"refunded token accepted": {RuleGrows, func(s *story) { s.claim(crashedJob, 1) }},
		"run numbers fell":        {RuleGrows, func(s *story) { s.job(retriedJob).Job.Run = 1 }},
		"acknowledged settle forgotten": {RuleForgotten, func(s *story) {
			s.job(retriedJob).Attempts[0].Outcome = "crash"
		}},
		"finished job repeated":                   {RuleAgain, func(s *story) { s.claim(parentJob, 2) }},
		"cancelled job run":                       {RuleAgain, func(s *story) { s.claim(cancelledJob, 1) }},
		"mended job repeated":                     {RuleAgain, func(s *story) { s.claim(mendedJob, 3) }},
		"run without a cause":                     {RuleCause, func(s *story) { s.job(retriedJob).Attempts = nil }},
		"child submitted twice, in the log":       {RuleChild, func(s *story) { s.twin(Event{Parent: parentJob, Name: "part"}) }},
		"child submitted twice, in the database":  {RuleChild, plantTwinChild},
		"key with two jobs":                       {RuleKey, func(s *story) { s.twin(Event{Key: "key"}) }},
		"unique key held twice":                   {RuleUnique, func(s *story) { s.job(uniqueJob).Job.FinishedAt = s.job(laterJob).Job.FinishedAt }},
		"one id made twice":                       {RuleID, func(s *story) { s.submit(Event{Asked: parentJob, Job: parentJob, Created: true}) }},
		"one id answered with itself and another": {RuleID, func(s *story) { s.submit(Event{Asked: parentJob, Job: childJob}) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tellStory()
			c.plant(s)
			found := Check(s.events, s.finals).Violations
			if !slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == c.rule }) {
				t.Errorf("not caught; found %v", found)
			}
		})
	}
}

// twin makes a second job where the first should have been met.
func (s *story) twin(e Event) {
	e.Asked, e.Job, e.Created = strangeJob, strangeJob, true
	s.submit(e)
	s.win(strangeJob, 1)
	s.final(strangeJob, godwit.StateSucceeded, 1)
}

func plantTwinChild(s *story) {
	s.submit(Event{Asked: strangeJob, Job: strangeJob, Created: true})
	s.win(strangeJob, 1)
	s.final(strangeJob, godwit.StateSucceeded, 1)
	s.job(strangeJob).Job.Parent, s.job(strangeJob).Job.ChildName = parentJob, "part"
}

func TestLogKeepsWholeLines(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/log"
	log, err := OpenLog(path, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := tellStory().events
	if err := log.Write(want...); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := appendTo(path, `{"kind":"submitt`); err != nil { // killed amid the write
		t.Fatal(err)
	}
	if log, err = OpenLog(path, 3, nil); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLog(path, 0)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d of %d events, %v", len(got), len(want), err)
	}
	for i := range got {
		want[i].At, want[i].Life = got[i].At, 3
		if got[i] != want[i] {
			a, _ := json.Marshal(got[i])
			b, _ := json.Marshal(want[i])
			t.Errorf("event %d: %s, want %s", i, a, b)
		}
	}
	end, err := ReadLog(path, 10)
	if err != nil || len(end) != len(want)-1 {
		t.Errorf("from within the first line: %d events, want %d, %v", len(end), len(want)-1, err)
	}
}

func appendTo(path, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, text...), 0o644)
}
