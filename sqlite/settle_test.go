package sqlite_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

// A handler commits its effect together with its settle, and fails afterwards: the settle stands, and the effect is there once.
func TestEffectAndSettleInOneTransaction(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "app.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	c, err := godwit.New(store, godwit.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	pay := godwit.NewTask[int, string]("pay", godwit.Policy{})
	sql := func(tx *sqlite.Tx, text string) error { return sqlitex.ExecuteScript(tx.Conn(), text, nil) }
	if err := store.Tx(ctx, func(tx *sqlite.Tx) error { return sql(tx, "CREATE TABLE paid (n INTEGER);") }); err != nil {
		t.Fatal(err)
	}
	godwit.Handle(c, pay, func(ctx context.Context, _ int) (string, error) {
		err := store.Tx(ctx, func(tx *sqlite.Tx) error {
			if err := sql(tx, "INSERT INTO paid VALUES (1);"); err != nil {
				return err
			}
			_, err := tx.Settle(godwit.Settlement{
				Token: godwit.Info(ctx).Token, Outcome: godwit.OutcomeSucceed,
				Result: godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`"paid"`)},
			})
			return err
		})
		return "", errors.Join(errors.New("too late to matter"), err)
	})
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	p, err := pay.Submit(ctx, c, 7, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Await(ctx); err != nil || got != "paid" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := c.Stop(context.WithoutCancel(ctx)); err != nil {
		t.Fatal(err)
	}
	rows := 0
	err = store.Tx(ctx, func(tx *sqlite.Tx) error {
		rows, err = sqlitex.ResultInt(tx.Conn().Prep("SELECT count(*) FROM paid"))
		return err
	})
	if err != nil || rows != 1 {
		t.Errorf("paid %d times, %v; want once", rows, err)
	}
	if job, err := c.Get(ctx, p.ID()); err != nil || job.State != godwit.StateSucceeded || job.Run != 1 {
		t.Errorf("the job is %s after run %d, %v", job.State, job.Run, err)
	}
}
