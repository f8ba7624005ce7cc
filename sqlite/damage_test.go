package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// furnish puts something into every table, and gives the ids of the jobs.
func (b *bundle) furnish() []godwit.ID {
	b.Helper()
	var ids []godwit.ID
	for n, task := range []string{"mail", "resize", "bill"} {
		jobs := b.jobs(12, task)
		for i := range jobs {
			n := &jobs[i]
			n.Tags, n.Headers = []string{"tag"}, map[string]string{"k": "v"}
			n.Idempotency = godwit.IdempotencyKey{Scope: task, Key: fmt.Sprint(i), For: time.Hour}
			n.Unique = godwit.UniqueKey{Scope: task, Key: fmt.Sprint(i)}
			if i%4 == 3 {
				n.Delay = time.Hour
			}
		}
		jobs[0].Priority = n
		ids = append(ids, b.submit(jobs...)...)
	}
	session := b.session("mail", "resize", "bill")
	jobs := b.claim(session, 15)
	child := b.job("mail")
	child.Parent, child.ChildName = token(&jobs[0]), "child"
	ids = append(ids, b.submit(child)...)
	_, err := b.store.Park(b.ctx, []godwit.ParkRequest{{Token: token(&jobs[0]), Await: []godwit.ID{child.ID}}})
	b.ok(err)
	_, err = b.store.Report(b.ctx, []godwit.Report{{Token: token(&jobs[1]), Seq: 1, Reported: godwit.Reported{
		Progress: &godwit.Progress{Done: 1, Total: 2}, Logs: []godwit.LogLine{{Level: "info", Message: "hello"}},
		Items: []godwit.Payload{{Encoding: "json", Data: []byte("1")}},
	}}})
	b.ok(err)
	ends := succeed(jobs[2:10])
	ends[0].Outcome, ends[1].Outcome = godwit.OutcomeFail, godwit.OutcomeRetry
	ends[0].Failure, ends[1].Failure = &godwit.Failure{Code: godwit.CodeFailed, Message: "no"}, &godwit.Failure{Code: godwit.CodeFailed}
	_, err = b.store.Settle(b.ctx, ends)
	b.ok(err)
	_, err = b.store.Delete(b.ctx, []godwit.ID{jobs[9].ID})
	b.ok(err)
	b.ok(b.store.PauseQueue(b.ctx, "other", true))
	b.ok(b.store.PauseTask(b.ctx, "other", true))
	return ids
}

// reads calls everything that reads, and gives the errors by the name of the call.
func (b *bundle) reads(ids []godwit.ID) map[string]error {
	s, ctx, errs := b.store, b.ctx, map[string]error{}
	note := func(call string, err error) {
		if err != nil {
			errs[call] = err
		}
	}
	for _, id := range ids {
		_, _, err := s.Attempts(ctx, id)
		note("Attempts", err)
		_, _, err = s.Logs(ctx, id, 0, 0)
		note("Logs", err)
		_, _, err = s.Items(ctx, id, 0, 0)
		note("Items", err)
	}
	_, err := s.Get(ctx, ids)
	note("Get", err)
	_, err = s.Outcomes(ctx, ids)
	note("Outcomes", err)
	for name, f := range map[string]godwit.ListFilter{
		"all": {}, "ready": {State: godwit.StateReady}, "failed": {State: godwit.StateFailed}, "succeeded": {State: godwit.StateSucceeded},
		"scheduled": {State: godwit.StateScheduled}, "queue": {Queue: "default"}, "task": {Task: "mail"}, "tag": {Tag: "tag"},
		"parent": {Parent: ids[0]},
	} {
		_, err = s.List(ctx, f)
		note("List "+name, err)
	}
	_, err = s.Queues(ctx)
	note("Queues", err)
	_, err = s.Tasks(ctx)
	note("Tasks", err)
	_, err = s.Sessions(ctx)
	note("Sessions", err)
	note("Check", s.Check(ctx))
	return errs
}

// writes calls everything that writes, and gives the errors by the name of the call.
func (b *bundle) writes(ids []godwit.ID) map[string]error {
	s, ctx, errs := b.store, b.ctx, map[string]error{}
	note := func(call string, err error) {
		if err != nil {
			errs[call] = err
		}
	}
	again, clash := b.job("mail"), b.job("mail")
	again.Idempotency = godwit.IdempotencyKey{Scope: "mail", Key: "5", For: time.Hour}
	clash.Unique = godwit.UniqueKey{Scope: "bill", Key: "3", OnClash: godwit.ClashExisting}
	for _, n := range []godwit.NewJob{b.job("mail"), b.job("new"), again, clash} {
		_, err := s.Submit(ctx, []godwit.NewJob{n})
		note("Submit", err)
	}
	session := b.ids.New()
	_, err := s.StartSession(ctx, godwit.NewSession{
		ID: session, Lease: time.Hour, Queues: []string{"default"}, Tasks: []godwit.Capability{{Task: "mail", MinVersion: 1, MaxVersion: 1}},
	})
	note("StartSession", err)
	_, err = s.Rescue(ctx, 10)
	note("Rescue", err)
	b.pass(2 * time.Hour)
	_, err = s.Advance(ctx, 100)
	note("Advance", err)
	claim, err := s.Claim(ctx, godwit.ClaimRequest{Session: session, Queue: "default", Limit: 5})
	note("Claim", err)
	var tokens []godwit.Token
	for i := range claim.Jobs {
		tokens = append(tokens, token(&claim.Jobs[i]))
	}
	_, err = s.Heartbeat(ctx, godwit.HeartbeatRequest{Session: session, Runs: tokens})
	note("Heartbeat", err)
	if len(claim.Jobs) > 0 {
		_, err = s.Settle(ctx, succeed(claim.Jobs))
		note("Settle", err)
	}
	var cancel []godwit.CancelRequest
	var retry []godwit.RetryRequest
	var later []godwit.RescheduleRequest
	for _, id := range ids {
		cancel, retry = append(cancel, godwit.CancelRequest{ID: id}), append(retry, godwit.RetryRequest{ID: id})
		later = append(later, godwit.RescheduleRequest{ID: id, Delay: time.Hour})
	}
	_, err = s.Cancel(ctx, cancel)
	note("Cancel", err)
	_, err = s.Retry(ctx, retry)
	note("Retry", err)
	_, err = s.Reschedule(ctx, later)
	note("Reschedule", err)
	_, err = s.Delete(ctx, ids)
	note("Delete", err)
	b.pass(24 * time.Hour)
	_, err = s.Prune(ctx, 1000)
	note("Prune", err)
	_, err = s.EndSession(ctx, session)
	note("EndSession", err)
	return errs
}

// spoil changes a file by SQL that the store would never run.
func (b *bundle) spoil(sql ...string) {
	b.Helper()
	db, err := zs.OpenConn(b.path, zs.OpenReadWrite)
	b.ok(err)
	c := &conn{db: db, multis: map[multiKey]*zs.Stmt{}}
	b.ok(c.exec("PRAGMA ignore_check_constraints = ON"))
	for _, one := range sql {
		b.ok(c.exec(one))
	}
	b.ok(db.Close())
}

func TestWhatCannotBeReadIsCorrupt(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		sql   string
		table string
		call  string // must answer corrupt, if the file is opened at all
	}{
		"a lane that is not there":        {"DELETE FROM godwit_lanes WHERE task = 'bill'", "godwit_lanes", "Get"},
		"a body that is not there":        {"DELETE FROM godwit_jobs WHERE id IN (SELECT id FROM godwit_places WHERE place = 2 LIMIT 1)", "godwit_places", "List ready"},
		"tags that are no JSON":           {"UPDATE godwit_jobs SET extra = 'a' || extra", "godwit_jobs", "Get"},
		"tags of another shape":           {"UPDATE godwit_jobs SET extra = '{\"tags\":7}'", "godwit_jobs", "Get"},
		"a filter over what is no JSON":   {"UPDATE godwit_jobs SET extra = 'a' || extra", "godwit_jobs", "List tag"},
		"a place that is none":            {"UPDATE godwit_places SET place = 77 WHERE place = 2", "godwit_jobs", "Get"},
		"a place that is none, outcomes":  {"UPDATE godwit_places SET place = 77 WHERE place = 2", "godwit_places", "Outcomes"},
		"a state that is none":            {"UPDATE godwit_finished SET state = -3", "godwit_jobs", "Get"},
		"a state that is none, outcomes":  {"UPDATE godwit_finished SET state = 9", "godwit_finished", "Outcomes"},
		"a short fingerprint":             {"UPDATE godwit_jobs SET fingerprint = x'0102'", "godwit_jobs", "Get"},
		"a short session":                 {"UPDATE godwit_places SET session = x'0102' WHERE place = 3", "godwit_places", "Get"},
		"a long session of an attempt":    {"UPDATE godwit_attempts SET session = zeroblob(17)", "godwit_attempts", "Attempts"},
		"a time after the year 9999":      {"UPDATE godwit_jobs SET created_at = 9000000000000000000", "godwit_jobs", "Get"},
		"a time of a log line":            {"UPDATE godwit_logs SET at = 9000000000000000000", "godwit_logs", "Logs"},
		"a counter below zero":            {"UPDATE godwit_finished SET crashes = -1", "godwit_jobs", "Get"},
		"a counter of a lane below zero":  {"UPDATE godwit_lanes SET ready = -7, scheduled = 99", "godwit_lanes", "Queues"},
		"a count of log lines below zero": {"UPDATE godwit_reports SET logs = -1", "godwit_reports", "Get"},
		"a job without its place":         {"DELETE FROM godwit_places WHERE place = 1", "godwit_jobs", "Outcomes"},
		"a place without its job":         {"DELETE FROM godwit_jobs", "godwit_places", "Get"},
		"a table that is not there":       {"DROP TABLE godwit_items", "godwit_items", "Items"},
		"a listed job without its place":  {"DELETE FROM godwit_places WHERE place = 1", "godwit_jobs", "List queue"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			ids := b.furnish()
			b.ok(b.store.Close())
			b.spoil(c.sql)
			var err error
			var errs map[string]error
			if b.store, err = Open(b.ctx, Config{Path: b.path, Now: b.now}); err == nil {
				errs = b.reads(ids)
				err = errs[c.call]
				_ = b.store.Close() // it may find the damage too
			}
			for call, err := range errs {
				wantPlain(t, call, err)
			}
			if !errors.Is(err, godwit.ErrCorrupt) || !strings.Contains(err.Error(), c.table) {
				t.Errorf("%s answers %v, want corrupt and %s", c.call, err, c.table)
			}
		})
	}
}

func TestDamageThatTheWriterMeetsEndsAllWriting(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		sql string
		do  func(b *bundle, session godwit.ID) error
	}{
		"an idempotency key of no job": {"UPDATE godwit_idempotency SET job = x'00000000000000000000000000000001'", func(b *bundle, _ godwit.ID) error {
			n := b.job("mail")
			n.Idempotency = godwit.IdempotencyKey{Scope: "mail", Key: "5", For: time.Hour}
			_, err := b.store.Submit(b.ctx, []godwit.NewJob{n})
			return err
		}},
		"a unique key of no job": {"UPDATE godwit_unique SET job = x'00000000000000000000000000000001'", func(b *bundle, _ godwit.ID) error {
			n := b.job("mail")
			n.Unique = godwit.UniqueKey{Scope: "mail", Key: "3", OnClash: godwit.ClashExisting}
			_, err := b.store.Submit(b.ctx, []godwit.NewJob{n})
			return err
		}},
		"a ready job without a body": {"DELETE FROM godwit_jobs", func(b *bundle, session godwit.ID) error {
			_, err := b.store.Claim(b.ctx, godwit.ClaimRequest{Session: session, Queue: "default", Limit: 5})
			return err
		}},
		"a due job without a body": {"DELETE FROM godwit_jobs", func(b *bundle, _ godwit.ID) error {
			b.pass(2 * time.Hour)
			_, err := b.store.Advance(b.ctx, 100)
			return err
		}},
		"a session's job without a body": {"DELETE FROM godwit_jobs", func(b *bundle, _ godwit.ID) error {
			b.pass(2 * time.Hour)
			_, err := b.store.Rescue(b.ctx, 100)
			return err
		}},
		"a finished job without a body": {"DELETE FROM godwit_jobs", func(b *bundle, _ godwit.ID) error {
			b.pass(24 * time.Hour)
			_, err := b.store.Prune(b.ctx, 100)
			return err
		}},
		"a list of what is over that is cut": {"UPDATE godwit_finished_due SET ids = substr(ids, 2)", func(b *bundle, _ godwit.ID) error {
			b.pass(24 * time.Hour)
			_, err := b.store.Prune(b.ctx, 100)
			return err
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			b.furnish()
			b.spoil(c.sql)
			b.ok(b.store.Close())
			b.open()
			session := b.session("mail", "resize", "bill")
			if err := c.do(b, session); !errors.Is(err, godwit.ErrCorrupt) {
				t.Fatalf("the call that meets it: %v", err)
			}
			if _, err := b.store.Submit(b.ctx, b.jobs(1, "resize")); !errors.Is(err, godwit.ErrCorrupt) {
				t.Errorf("a submission after it: %v", err)
			}
			if _, err := b.store.Tasks(b.ctx); err != nil {
				t.Errorf("a read of what is sound: %v", err)
			}
			if _, err := b.store.Sessions(b.ctx); err != nil {
				t.Errorf("the sessions: %v", err)
			}
			if err := b.store.Close(); !errors.Is(err, godwit.ErrCorrupt) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// wantPlain looks whether an error is one that people can read, and of a code that says what it is.
func wantPlain(t *testing.T, call string, err error) {
	t.Helper()
	var public *godwit.Error
	if !errors.As(err, &public) {
		t.Errorf("%s: %v is no *godwit.Error", call, err)
		return
	}
	switch public.Code {
	case godwit.CodeCorrupt, godwit.CodeUnavailable:
	default:
		t.Errorf("%s answers %s: %v", call, public.Code, err)
	}
	for _, inner := range []string{"invalid character", "unmarshal", "runtime error", "goroutine", "json:", "%!", "panic"} {
		if strings.Contains(err.Error(), inner) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// damage spoils a file as disks and careless people do.
func damage(file []byte, r *rand.Rand) []byte {
	file = bytes.Clone(file)
	const page = 4096
	pages := len(file) / page
	switch r.IntN(4) {
	case 0: // one page over another
		from, to := r.IntN(pages), 1+r.IntN(pages-1)
		copy(file[to*page:(to+1)*page], file[from*page:(from+1)*page])
	case 1: // a page of nothing
		to := 1 + r.IntN(pages-1)
		clear(file[to*page : (to+1)*page])
	case 2: // bits of one page
		at := r.IntN(pages) * page
		for range 1 + r.IntN(40) {
			file[at+r.IntN(page)] ^= 1 << r.IntN(8)
		}
	default: // bytes anywhere
		for range 1 + r.IntN(200) {
			file[r.IntN(len(file))] = byte(r.IntN(256))
		}
	}
	return file
}

// TestDamagedFilesAnswerPlainly runs everything on copies of a file that were damaged: whatever stands in a file, no call panics,
// and what fails says so in words for people.
func TestDamagedFilesAnswerPlainly(t *testing.T) {
	t.Parallel()
	b := opened(t)
	ids := b.furnish()
	b.ok(b.store.Close())
	sound, err := os.ReadFile(b.path)
	b.ok(err)
	dir, refused, met := t.TempDir(), 0, 0
	for seed := range damagedCopies {
		c := &bundle{TB: t, ctx: context.Background(), path: filepath.Join(dir, fmt.Sprintf("%d.db", seed)), time: b.time}
		b.ok(os.WriteFile(c.path, damage(sound, rand.New(rand.NewPCG(1, uint64(seed)))), 0o600))
		c.store, err = Open(c.ctx, Config{Path: c.path, Now: c.now, LockWait: -1, Readers: 1})
		if err != nil {
			refused++
			wantPlain(t, fmt.Sprintf("%d: Open", seed), err)
			continue
		}
		errs := c.reads(ids)
		for call, err := range c.writes(ids) {
			errs[call] = err
		}
		for call, err := range c.reads(ids[:1]) {
			errs["afterwards "+call] = err
		}
		if err := c.store.Close(); err != nil {
			errs["Close"] = err
		}
		for call, err := range errs {
			met++
			wantPlain(t, fmt.Sprintf("%d: %s", seed, call), err)
		}
		b.ok(os.Remove(c.path))
	}
	t.Logf("of %d damaged files %d were refused; %d calls met damage in the others", damagedCopies, refused, met)
	if refused == 0 || met == 0 {
		t.Error("the damage was not met")
	}
}
