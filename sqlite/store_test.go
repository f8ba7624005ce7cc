package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
)

func TestClaimDoesNotLookAtHeldLanes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(b.jobs(2_000, "unknown")...)
	b.submit(b.jobs(2_000, "paused")...)
	b.submit(b.jobs(5, "mail")...)
	b.ok(b.store.PauseTask(b.ctx, "paused", true))
	session := b.session("mail", "paused")

	_, err := write(b.ctx, b.store, func(u *unit) (struct{}, error) {
		lanes := u.claimable(u.ctl.sessions[session], "default")
		if len(lanes) != 1 || lanes[0].task != "mail" {
			t.Errorf("the claim walks %d lanes, want that of mail alone", len(lanes))
		}
		for _, sql := range []string{readFirst, readNext} {
			plan := explain(t, u.c, sql)
			if len(plan) != 1 || !strings.HasPrefix(plan[0], "SEARCH godwit_places USING COVERING INDEX godwit_places_ready (lane=?") {
				t.Errorf("the plan of a claim is %q", plan)
			}
		}
		return struct{}{}, nil
	})
	b.ok(err)
	if jobs := b.claim(session, 100); len(jobs) != 5 {
		t.Errorf("%d jobs claimed, want 5", len(jobs))
	}
	if jobs := b.claim(session, 100); len(jobs) != 0 {
		t.Errorf("%d more jobs claimed", len(jobs))
	}
}

// explain gives the plan of a statement, a line a step.
func explain(t *testing.T, c *conn, sql string) []string {
	t.Helper()
	var plan []string
	err := c.query("EXPLAIN QUERY PLAN "+sql, func(s *row) error {
		plan = append(plan, s.GetText("detail"))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return plan
}

func TestHotStatementsWalkNoTable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, m := range []*multi{
		selectPlaces, selectPlacesArgs, selectFinished, selectFinishedFull, selectPruned, selectOutcomes, selectUnfinished, selectAwaited,
		claimPlaces, deleteJobs, deletePlaces, deleteFinished, deletePruned, deleteAttempts, deleteReports, deleteLogs, deleteItems,
	} {
		for _, step := range explain(t, b.store.writer, m.sql(4)) {
			if strings.HasPrefix(step, "SCAN ") {
				t.Errorf("%s: %s", m.head, step)
			}
		}
	}
}

func TestClaimMergesLanesByPriorityTimeAndID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []godwit.NewJob
	tasks := []string{"a", "b", "c"}
	for i := range 300 {
		n := b.job(tasks[i%3])
		n.Priority = (i * 7) % 5
		want = append(want, n)
		b.submit(n)
		if i%10 == 0 {
			b.pass(time.Second)
		}
	}
	slices.SortStableFunc(want, func(x, y godwit.NewJob) int { return y.Priority - x.Priority })
	session := b.session(tasks...)
	var got []godwit.ID
	for _, limit := range []int{1, 2, 50, 7, 1000} {
		for _, j := range b.claim(session, limit) {
			got = append(got, j.ID)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d claimed, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i].ID {
			t.Fatalf("place %d: %s, want %s", i, got[i], want[i].ID)
		}
	}
}

func TestThousandCancelsOfOneJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.submit(b.job("mail"))[0]
	session := b.session("mail")
	job := b.claim(session, 1)[0]
	var events int
	stop := b.store.Watch(func(list []godwit.Event) { events += len(list) })
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			requests := slices.Repeat([]godwit.CancelRequest{{ID: id, Reason: "enough"}}, 100)
			answers, err := b.store.Cancel(b.ctx, requests)
			if err != nil {
				t.Error(err)
			}
			for _, a := range answers {
				if a != (godwit.SettleAnswer{State: godwit.StateRunning}) {
					t.Errorf("cancel: %+v", a)
				}
			}
		})
	}
	wg.Wait()
	stop()
	if events != 1 {
		t.Errorf("%d events, want 1", events)
	}
	a, err := b.store.Settle(b.ctx, []godwit.Settlement{{Token: token(&job), Outcome: godwit.OutcomeRetry}})
	b.ok(err)
	if a[0].State != godwit.StateCancelled || b.get(id).Job.Failure.Message != "enough" {
		t.Errorf("%+v, %+v", a[0], b.get(id).Job.Failure)
	}
}

func TestBatchOverTheBoundIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.store.Submit(b.ctx, make([]godwit.NewJob, 1_000_000))
	if !errors.Is(err, godwit.ErrTooLarge) || !strings.Contains(err.Error(), "10000") {
		t.Errorf("a million submits: %v", err)
	}
}

func TestCancelledContextRefusesTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	job := b.job("mail")
	if _, err := b.store.Submit(ctx, []godwit.NewJob{job}); !errors.Is(err, context.Canceled) {
		t.Errorf("submit: %v", err)
	}
	if _, err := b.store.List(ctx, godwit.ListFilter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
	if a := b.get(job.ID); a.Code != godwit.CodeNotFound {
		t.Errorf("the job of a refused call: %+v", a)
	}
}

func TestEventsAreToldAfterTheCommitInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mu sync.Mutex
	var kinds []string
	stop := b.store.Watch(func(list []godwit.Event) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range list {
			kinds = append(kinds, string(e.Kind))
		}
	})
	b.submit(b.job("mail"))
	session := b.session("mail")
	_, err := b.store.Settle(b.ctx, succeed(b.claim(session, 1)))
	b.ok(err)
	b.ok(b.store.PauseQueue(b.ctx, "default", true))
	b.ok(b.store.PauseQueue(b.ctx, "default", true))
	stop()
	b.submit(b.job("mail"))
	want := []string{"submitted", "session_started", "started", "succeeded", "queue_paused"}
	if !slices.Equal(kinds, want) {
		t.Errorf("told %v, want %v", kinds, want)
	}
}

func TestBackupIsAStoreOfItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := b.submit(b.jobs(500, "mail")...)
	path := filepath.Join(t.TempDir(), "copy.db")
	b.ok(b.store.Backup(b.ctx, path))
	later := b.submit(b.job("mail"))[0]
	if err := b.store.Backup(b.ctx, path); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("a backup over a file: %v", err)
	}
	if _, err := b.store.Get(b.ctx, ids[:1]); err != nil {
		t.Errorf("reading after a backup: %v", err)
	}
	copied, err := Open(b.ctx, Config{Path: path, QuickCheck: true})
	b.ok(err)
	defer func() { b.ok(copied.Close()) }()
	b.ok(copied.Check(b.ctx))
	answers, err := copied.Get(b.ctx, append(ids, later))
	b.ok(err)
	for i, a := range answers {
		if want := i == len(ids); (a.Code == godwit.CodeNotFound) != want {
			t.Errorf("job %d of the copy: %+v", i, a)
		}
	}
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	gone := filepath.Join(t.TempDir(), "gone.db")
	if err := b.store.Backup(ctx, gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that is cancelled: %v", err)
	}
	if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a cancelled backup left a file: %v", err)
	}
}

func TestCheckFindsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	faults := map[string]string{
		"exactly one place":    "DELETE FROM godwit_places",
		"that of a job":        "DELETE FROM godwit_jobs",
		"as JSON can be read":  "UPDATE godwit_jobs SET extra = 'tags'",
		"a pruned id":          "INSERT INTO godwit_pruned SELECT id, 1 FROM godwit_jobs",
		"live session":         "DELETE FROM godwit_sessions",
		"counters of a lane":   "UPDATE godwit_lanes SET ready = ready + 1",
		"a key is that":        "INSERT INTO godwit_unique VALUES ('s', 'k', x'00')",
		"a wait is that":       "INSERT INTO godwit_waits SELECT id, id FROM godwit_places",
		"something to wait":    "UPDATE godwit_places SET place = 4",
		"a child is a job":     "INSERT INTO godwit_children VALUES (x'01', 'n', x'02', 0, 0)",
		"what hangs on a job":  "INSERT INTO godwit_logs VALUES (x'01', 1, 1, 1, '', '')",
		"a finished row is":    "INSERT INTO godwit_finished SELECT zeroblob(16), 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, NULL, NULL, NULL, '', x''",
		"a job's lane is":      "DELETE FROM godwit_lanes",
		"what sessions announ": "INSERT INTO godwit_serves VALUES ('q', x'05')",
	}
	for rule, sql := range faults {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			b := &bundle{TB: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "test.db"), time: time.Now()}
			b.open()
			b.submit(b.job("mail"))
			b.claim(b.session("mail"), 1)
			b.ok(b.store.Check(b.ctx))
			b.ok(b.store.writer.exec(sql))
			if err := b.store.Check(b.ctx); !errors.Is(err, godwit.ErrCorrupt) || !strings.Contains(err.Error(), rule) {
				t.Errorf("after %s: %v", sql, err)
			}
			b.ok(b.store.Close())
		})
	}
}

func TestTransactionCommitsBothOrNeither(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var events []godwit.Event
	stop := b.store.Watch(func(list []godwit.Event) { events = append(events, list...) })
	defer stop()
	run := func(tx *Tx, sql string) error { return sqlitex.ExecuteTransient(tx.Conn(), sql, nil) }
	b.ok(b.store.Tx(b.ctx, func(tx *Tx) error { return run(tx, "CREATE TABLE orders (n INTEGER)") }))

	mail := godwit.NewTask[int, string]("mail", godwit.Policy{})
	one := func(o godwit.SubmitOptions) godwit.Submission {
		o.ID = b.ids.New()
		return mail.Job(1, o)
	}
	unique := godwit.SubmitOptions{Unique: godwit.Unique{Key: "the one", OnClash: godwit.ClashRefuse}}
	good, bad, worse, clash := one(unique), one(godwit.SubmitOptions{}), one(godwit.SubmitOptions{}), one(unique)
	b.ok(b.store.Tx(b.ctx, func(tx *Tx) error {
		if err := run(tx, "INSERT INTO orders VALUES (1)"); err != nil {
			return err
		}
		_, err := b.store.SubmitTx(b.ctx, tx, good)
		return err
	}))
	refused := b.store.Tx(b.ctx, func(tx *Tx) error {
		if err := run(tx, "INSERT INTO orders VALUES (4)"); err != nil {
			return err
		}
		_, err := tx.Submit(clash)
		return err
	})
	if !errors.Is(refused, godwit.ErrUniqueConflict) {
		t.Errorf("a transaction whose job is refused: %v", refused)
	}
	refusal := errors.New("no such luck")
	err := b.store.Tx(b.ctx, func(tx *Tx) error {
		if err := run(tx, "INSERT INTO orders VALUES (2)"); err != nil {
			return err
		}
		if _, err := tx.Submit(bad); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("a transaction that fails: %v", err)
	}
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("a transaction that panics: %v", v)
			}
		}()
		_ = b.store.Tx(b.ctx, func(tx *Tx) error {
			if _, err := tx.Submit(worse); err != nil {
				return err
			}
			panic("boom")
		})
	}()
	b.ok(b.store.Tx(b.ctx, func(tx *Tx) error {
		n, err := number(tx.unit.c, "SELECT sum(n) FROM orders")
		if n != 1 {
			t.Errorf("the orders add up to %d, want 1", n)
		}
		return err
	}))
	for job, code := range map[godwit.ID]godwit.Code{
		good.Options.ID: "", bad.Options.ID: godwit.CodeNotFound, worse.Options.ID: godwit.CodeNotFound,
		clash.Options.ID: godwit.CodeNotFound,
	} {
		if a := b.get(job); a.Code != code {
			t.Errorf("job: %q, want %q", a.Code, code)
		}
	}
	if len(events) != 1 || events[0].Job != good.Options.ID {
		t.Errorf("told %+v", events)
	}
}

func TestTransactionSettlesWithTheApplicationsRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(b.job("mail"))
	jobs := b.claim(b.session("mail"), 1)
	b.ok(b.store.Tx(b.ctx, func(tx *Tx) error {
		answers, err := b.store.SettleTx(b.ctx, tx, succeed(jobs)...)
		if err == nil && answers[0].State != godwit.StateSucceeded {
			t.Errorf("settle: %+v", answers[0])
		}
		again, err2 := tx.Settle(succeed(jobs)...)
		if err2 != nil || again[0].Code != godwit.CodeDuplicate {
			t.Errorf("settle again: %+v, %v", again, err2)
		}
		return err
	}))
}

func TestTransactionFailsWhenOurStatementFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	job := b.job("mail")
	err := b.store.Tx(b.ctx, func(tx *Tx) error {
		_, err := within(tx, func(u *unit) (struct{}, error) {
			if _, err := u.submitAll([]godwit.NewJob{job}); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, errors.Join(u.flush(), u.c.exec("INSERT INTO nothing (id) VALUES (1)"))
		})
		if err == nil {
			t.Error("the statement did not fail")
		}
		return nil // which does not help
	})
	if !errors.Is(err, godwit.ErrUnavailable) {
		t.Errorf("the transaction: %v", err)
	}
	if a := b.get(job.ID); a.Code != godwit.CodeNotFound {
		t.Errorf("the job of a transaction that failed: %+v", a)
	}
}

func TestTransactionMayNotTouchOurTables(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, sql := range []string{
		"DELETE FROM godwit_jobs", "UPDATE Godwit_Lanes SET ready = 1", "DROP TABLE godwit_waits", "COMMIT", "ROLLBACK", "BEGIN",
		"RELEASE godwit_tx", "ROLLBACK TO godwit_tx", "PRAGMA journal_mode = DELETE", "PRAGMA synchronous = OFF", "ATTACH 'x' AS y",
		"CREATE TRIGGER t AFTER INSERT ON godwit_jobs BEGIN SELECT 1; END", "CREATE INDEX i ON godwit_jobs (lane)",
		"ALTER TABLE godwit_jobs ADD COLUMN x", "CREATE TABLE godwit_mine (x)",
	} {
		b.ok(b.store.Tx(b.ctx, func(tx *Tx) error {
			if err := sqlitex.ExecuteTransient(tx.Conn(), sql, nil); zs.ErrCode(err).ToPrimary() != zs.ResultAuth {
				t.Errorf("%s: %v", sql, err)
			}
			return nil
		}))
	}
	var kept *Tx
	b.ok(b.store.Tx(b.ctx, func(tx *Tx) error {
		kept = tx
		_, err := number(tx.unit.c, "SELECT count(*) FROM godwit_jobs")
		return err
	}))
	if _, err := kept.Submit(godwit.NewTask[int, string]("mail", godwit.Policy{}).Job(1, godwit.SubmitOptions{})); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("a transaction that is over: %v", err)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := b.session("mail")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 25 {
				if a, err := b.store.Submit(b.ctx, b.jobs(1+(i+k)%3, "mail")); err != nil || a[0].Code != "" {
					t.Errorf("submit: %+v, %v", a, err)
				}
				a, err := b.store.Claim(b.ctx, godwit.ClaimRequest{Session: session, Queue: "default", Limit: 2})
				if err != nil {
					t.Error(err)
				}
				if _, err := b.store.Settle(b.ctx, succeed(a.Jobs)); err != nil {
					t.Error(err)
				}
				if _, err := b.store.List(b.ctx, godwit.ListFilter{Limit: 5}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	left := b.claim(session, 1000)
	a, err := b.store.List(b.ctx, godwit.ListFilter{State: godwit.StateSucceeded, Limit: 1000})
	b.ok(err)
	if got, want := len(left)+len(a.Jobs), 0; got < 8*25 {
		t.Errorf("%d jobs in the end, want at least %d", got, want)
	}
	if text := fmt.Sprint(a.Next); a.Next != (godwit.ID{}) {
		t.Errorf("a next page: %s", text)
	}
}
