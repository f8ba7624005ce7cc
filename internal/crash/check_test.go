package crash

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

func TestCheckTakesAStoryThatIsTrue(t *testing.T) {
	t.Parallel()
	s := tellStory()
	report := Check(s.events, s.finals)
	for _, v := range report.Violations {
		t.Error(v)
	}
	f := report.Figures
	if f.Acknowledged != 17 || f.Settled[godwit.StateSucceeded] != 13 || f.Refused[godwit.CodeSessionEnded] != 1 || f.Runs != 19 ||
		f.Again["crash"] != 1 || f.Again["retry"] != 1 || f.Lives != 3 || f.Cut != 1 || f.Recognised != 1 || f.Backs != 1 ||
		f.Pauses != 1 || f.Moves != 1 || f.Deletes != 1 || f.Gone != 2 {
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
			s.tell(Event{Kind: Started, Job: parentJob, Run: 1})
		}},
		"promise settled twice": {RuleOnce, func(s *story) { s.observe(parentJob, godwit.StateFailed, 1) }},
		"promise with two results": {RuleOnce, func(s *story) {
			s.tell(Event{Kind: Observed, Job: parentJob, State: godwit.StateSucceeded, Run: 1, Result: `{"value":4,"run":1}`})
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
		"finished job repeated":                 {RuleAgain, func(s *story) { s.claim(parentJob, 2) }},
		"cancelled job run":                     {RuleAgain, func(s *story) { s.claim(cancelledJob, 1) }},
		"mended job repeated":                   {RuleAgain, func(s *story) { s.claim(mendedJob, 3) }},
		"settle of one kind, record of another": {RuleForgotten, func(s *story) { s.job(retriedJob).Attempts[0].Outcome = "snooze" }},
		"attempt not given back":                {RuleCounts, func(s *story) { s.job(crashedJob).Job.Attempt = 2 }},
		"crash not counted":                     {RuleCounts, func(s *story) { s.job(crashedJob).Job.Crashes = 0 }},
		"release not counted":                   {RuleCounts, func(s *story) { s.job(snoozedJob).Job.Releases = 0 }},
		"retry by hand without a new budget":    {RuleCounts, func(s *story) { s.job(mendedJob).Job.Attempt = 2 }},
		"crash of a process that ended in good order": {RuleCounts, func(s *story) {
			f := s.job(releasedJob)
			f.Attempts[0].Outcome, f.Job.Crashes, f.Job.Releases = "crash", 1, 0
		}},
		"cancel acknowledged, run handed out": {RuleCancelled, func(s *story) { s.claim(askedJob, 2) }},
		"delayed job early":                   {RuleEarly, func(s *story) { s.event(Claimed, delayedJob).At = s.event(Submitting, delayedJob).At }},
		"snoozed job early":                   {RuleEarly, func(s *story) { s.event(Settling, snoozedJob).Delay = time.Hour }},
		"item lost":                           {RuleItems, func(s *story) { s.job(parentJob).Items = nil }},
		"item twice":                          {RuleItems, func(s *story) { s.job(parentJob).Items = append(s.job(parentJob).Items, s.job(parentJob).Items...) }},
		"zombie's item": {RuleItems, func(s *story) {
			s.job(crashedJob).Items = append(s.job(crashedJob).Items, godwit.Item{Seq: 2, Run: 1})
		}},
		"start without a claim": {RuleOrder, func(s *story) { s.event(Claimed, parentJob).Run = 7 }},
		"effect before the start": {RuleOrder, func(s *story) {
			a, b := s.event(Started, parentJob), s.event(Effect, parentJob)
			*a, *b = *b, *a
		}},
		"finished before it was made": {RuleOrder, func(s *story) { s.job(parentJob).Job.FinishedAt = time.Unix(0, 0) }},
		"runs that overlap":           {RuleOrder, func(s *story) { s.job(crashedJob).Job.StartedAt = s.job(crashedJob).Attempts[0].StartedAt }},
		"retry that nobody asked for": {RuleCause, func(s *story) {
			s.events = slices.DeleteFunc(s.events, func(e Event) bool { return e.Kind == Settling && e.Job == retriedJob && e.Run == 1 })
		}},
		"run without a cause":                    {RuleCause, func(s *story) { s.job(retriedJob).Attempts = nil }},
		"child submitted twice, in the log":      {RuleChild, func(s *story) { s.twin(Event{Parent: parentJob, Name: "part"}) }},
		"child submitted twice, in the database": {RuleChild, plantTwinChild},
		"key with two jobs":                      {RuleKey, func(s *story) { s.twin(Event{Key: "key"}) }},
		"unique key held twice":                  {RuleUnique, func(s *story) { s.job(uniqueJob).Job.FinishedAt = s.job(laterJob).Job.FinishedAt }},
		"run under a pause":                      {RulePaused, func(s *story) { s.without(Resuming) }},
		"run at the time of the submission":      {RuleMoved, func(s *story) { s.job(movedJob).Job.RunAt = time.UnixMicro(s.now()).Add(time.Hour) }},
		"run before the time it was moved to":    {RuleMoved, func(s *story) { s.event(Claimed, movedJob).At = 1 }},
		"reschedule forgotten, then hastened": {RuleMoved, func(s *story) {
			s.tell(Event{Kind: Hastening, Job: movedJob, Begun: s.now(), Value: s.now() + time.Hour.Microseconds()})
		}},
		"delete forgotten":                        {RuleDeleted, func(s *story) { s.job(deletedJob).Code = "" }},
		"deleted job read":                        {RuleDeleted, func(s *story) { s.event(Gone, deletedJob).Code = "" }},
		"deleted id unknown":                      {RuleDeleted, func(s *story) { s.event(Gone, deletedJob).Code = godwit.CodeNotFound }},
		"deleted id unknown in the end":           {RuleDeleted, func(s *story) { s.job(deletedJob).Code = godwit.CodeNotFound }},
		"gone before its time":                    {RuleKept, func(s *story) { s.event(Gone, briefJob).At = 1 }},
		"gone before its time, in the end":        {RuleKept, func(s *story) { s.event(Submitting, briefJob).Args = `{"keep":3600000000000}` }},
		"kept for ever":                           {RuleKept, func(s *story) { s.event(Gone, briefJob).Code = "" }},
		"pruned id unknown":                       {RuleKept, func(s *story) { s.job(briefJob).Code = godwit.CodeNotFound }},
		"late back":                               {RuleBack, func(s *story) { s.event(Life, godwit.ID{}).At -= time.Minute.Microseconds() }},
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

func TestLogKeepsWholeLines(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/log"
	write := func(life int, events ...Event) {
		t.Helper()
		log, err := OpenLog(path, life, nil)
		if err == nil {
			err = errors.Join(log.Write(events...), log.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := tellStory().events
	write(0, want[:10]...)
	if err := appendTo(path, "\n"+`{"kind":"submitt`); err != nil { // killed amid the write
		t.Fatal(err)
	}
	write(3, want[10:]...)
	got, cut, err := ReadLog(path)
	if err != nil || len(got) != len(want) || cut != 1 {
		t.Fatalf("%d of %d events, %d cut off, %v", len(got), len(want), cut, err)
	}
	for i := range got {
		want[i].At = got[i].At
		if i >= 10 {
			want[i].Life = 3
		}
		if got[i] != want[i] {
			t.Errorf("event %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	if tail, err := ReadTail(path, 1000); err != nil || len(tail) == 0 || tail[len(tail)-1] != got[len(got)-1] {
		t.Errorf("the tail has %d events, %v", len(tail), err)
	}
	if none, err := ReadTail(path+"-none", 1000); err != nil || len(none) > 0 {
		t.Errorf("a log that is not there has %d events, %v", len(none), err)
	}
}

func appendTo(path, text string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, text...), 0o644)
}
