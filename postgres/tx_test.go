package postgres

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/godwit-go/godwit"
)

var ship = godwit.NewTask[int, int]("task", godwit.Policy{Queue: "queue", Timeout: time.Minute})

func TestJobsOfATransactionAreThereExactlyWhenItCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conn := connect(t, b.url)
	exec(t, conn, "CREATE TABLE orders (id integer)")
	for _, commit := range []bool{false, true} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "INSERT INTO orders VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		answers, err := b.store.SubmitTx(t.Context(), tx, ship.Job(1, godwit.SubmitOptions{Unique: godwit.Unique{Key: "one", OnClash: godwit.ClashRefuse}}))
		if err != nil || !answers[0].Created {
			t.Fatalf("submit: %+v, %v", answers, err)
		}
		if got := b.state(answers[0].ID); got != "" {
			t.Errorf("the job is %s before the commit", got)
		}
		end, want := tx.Rollback, godwit.State("")
		if commit {
			end, want = tx.Commit, godwit.StateReady
		}
		if err := end(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.state(answers[0].ID); got != want {
			t.Errorf("committed %v: the job is %q, want %q", commit, got, want)
		}
	}
}

func TestARefusalLeavesTheTransactionUsable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	db := sql.OpenDB(stdlib.GetConnector(*connect(t, b.url).Config()))
	t.Cleanup(func() { _ = db.Close() })
	unique := godwit.SubmitOptions{Unique: godwit.Unique{Key: "one", OnClash: godwit.ClashRefuse}}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := b.store.SubmitSQL(t.Context(), tx, ship.Job(1, unique))
	if err != nil || !first[0].Created {
		t.Fatalf("submit: %+v, %v", first, err)
	}
	if _, err := b.store.SubmitSQL(t.Context(), tx, ship.Job(2, unique)); !errors.Is(err, godwit.ErrUniqueConflict) {
		t.Errorf("a held key: %v", err)
	}
	second, err := b.store.SubmitSQL(t.Context(), tx, ship.Job(3, godwit.SubmitOptions{Tags: []string{"a"}}))
	if err != nil || !second[0].Created {
		t.Fatalf("submit after a refusal: %+v, %v", second, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := [2]godwit.State{b.state(first[0].ID), b.state(second[0].ID)}; got != [2]godwit.State{godwit.StateReady, godwit.StateReady} {
		t.Errorf("the jobs are %v", got)
	}
	tokens := b.claim(b.store, 2)
	tx, err = db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answers, err := b.store.SettleSQL(t.Context(), tx, succeed(tokens[0]), succeed(tokens[1]))
	if err != nil || answers[0].State != godwit.StateSucceeded || answers[1].State != godwit.StateSucceeded {
		t.Fatalf("settle: %+v, %v", answers, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := b.state(tokens[0].Job); got != godwit.StateSucceeded {
		t.Errorf("the job is %s", got)
	}
}

func TestASettleWithinATransactionIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob())
	token := b.claim(b.store, 1)[0]
	conn := connect(t, b.url)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stale, ended := token, token
	stale.Run++
	ended.Session = godwit.NewID()
	refused := func(what string, want godwit.Code, items ...godwit.Settlement) {
		t.Helper()
		answers, err := b.store.SettleTx(t.Context(), tx, items...)
		var public *godwit.Error
		if !errors.As(err, &public) || public.Code != want || answers != nil {
			t.Errorf("%s: %+v, %v, want the error %s", what, answers, err, want)
		}
	}
	refused("a stale run", godwit.CodeStaleRun, succeed(stale))
	refused("an ended session", godwit.CodeSessionEnded, succeed(ended))
	refused("one of two", godwit.CodeStaleRun, succeed(token), succeed(stale))
	answers, err := b.store.SettleTx(t.Context(), tx, succeed(token)) // the refusals left nothing
	if err != nil || answers[0].Code != "" {
		t.Errorf("the run: %+v, %v", answers, err)
	}
	refused("the run again", godwit.CodeDuplicate, succeed(token))
	if got := b.state(token.Job); got != godwit.StateRunning {
		t.Errorf("before the commit the job is %s", got)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.state(token.Job); got != godwit.StateSucceeded {
		t.Errorf("after the commit the job is %s", got)
	}
}
