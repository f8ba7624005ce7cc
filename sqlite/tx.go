package sqlite

import (
	"cmp"
	"context"
	"errors"
	"strings"

	zs "zombiezen.com/go/sqlite"

	"github.com/godwit-go/godwit"
)

// Tx is a transaction on the store's own connection: an application's rows and Godwit's are committed together or not at all.
// It is valid only while the function that was given it runs, in its goroutine.
type Tx struct {
	store  *Store
	unit   *unit
	events []godwit.Event
	broken error // one of our statements failed: the transaction cannot be committed any more
	done   bool
}

// Tx runs fn in a transaction of the file. When fn returns nil, what it did is on disk when Tx returns; when it returns an
// error or panics, nothing of it is there, and Tx returns the error or panics with the same value.
//
// fn runs on the writer, before which all other writes wait: it must be short, must not wait for anything but the database,
// and must not call the store except through tx. It may be run a second time, after a rollback, and must do the same then.
//
// Tables whose names begin with "godwit_" may be read but not changed.
func (s *Store) Tx(ctx context.Context, fn func(tx *Tx) error) error {
	var failed error
	var panicked any
	_, err := write(ctx, s, func(u *unit) (struct{}, error) {
		var err error
		failed, panicked, err = u.transact(fn)
		return struct{}{}, err
	})
	switch {
	case err != nil:
		return err
	case panicked != nil:
		panic(panicked)
	}
	return failed
}

// transact runs fn under a savepoint, and undoes it when fn fails or panics.
func (u *unit) transact(fn func(tx *Tx) error) (failed error, panicked any, err error) {
	if err := u.c.exec("SAVEPOINT godwit_tx"); err != nil {
		return nil, nil, err
	}
	mark := u.store.holding.mark()
	tx := &Tx{store: u.store, unit: u}
	panicked, failed = tx.call(fn)
	if u.c.db.AutocommitEnabled() {
		return nil, nil, errors.Join(errRolledBack, failed)
	}
	failed = cmp.Or(failed, tx.broken)
	if isCorrupt(failed) {
		return nil, nil, failed // it is the file's and not the application's
	}
	if failed == nil && panicked == nil {
		u.events = append(u.events, tx.events...)
		return nil, nil, u.c.exec("RELEASE godwit_tx")
	}
	if err := u.c.exec("ROLLBACK TO godwit_tx"); err != nil {
		return nil, nil, err
	}
	if err := u.c.exec("RELEASE godwit_tx"); err != nil {
		return nil, nil, err
	}
	u.store.holding.back(mark)
	err = u.store.readControl()
	u.ctl = u.store.ctl
	return failed, panicked, err
}

// call runs fn with the rights of an application.
func (tx *Tx) call(fn func(tx *Tx) error) (panicked any, err error) {
	finished := false
	tx.store.userSQL = true
	defer func() {
		tx.store.userSQL, tx.done = false, true
		if !finished {
			if panicked = recover(); panicked == nil {
				err = errors.New("the goroutine of the transaction ended itself")
			}
		}
	}()
	err = fn(tx)
	finished = true
	return nil, err
}

// Conn gives the connection, for statements on the application's own tables. Beginning, ending and attaching are refused, as
// are changes of tables whose names begin with "godwit_". The connection must not be kept.
func (tx *Tx) Conn() *zs.Conn { return tx.unit.c.db }

// Submit makes jobs within the transaction, all or none: tx.Submit(task.Job(args, options)). A refusal is an error, as with
// [godwit.Client.SubmitAll]; returned from the function it undoes the transaction. Events are told after the commit.
func (tx *Tx) Submit(jobs ...godwit.Submission) ([]godwit.SubmitAnswer, error) {
	if err := checkBatch(len(jobs)); err != nil {
		return nil, err
	}
	items := make([]godwit.NewJob, 0, len(jobs))
	for _, s := range jobs {
		item, err := s.NewJob(fromMicros(tx.unit.now))
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	answers, err := within(tx, func(u *unit) ([]godwit.SubmitAnswer, error) { return u.submitAll(items) })
	if err != nil {
		return nil, err
	}
	if err := godwit.SubmitError(items, answers); err != nil {
		return nil, err
	}
	return answers, nil
}

// Settle is [Store.Settle] within the transaction: what the run has done to the application's tables counts exactly when the
// settle does.
func (tx *Tx) Settle(items ...godwit.Settlement) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	return within(tx, func(u *unit) ([]godwit.SettleAnswer, error) { return u.settleAll(items) })
}

// SubmitTx is [Tx.Submit] on a transaction that [Store.Tx] began.
func (s *Store) SubmitTx(ctx context.Context, tx *Tx, jobs ...godwit.Submission) ([]godwit.SubmitAnswer, error) {
	if err := s.mine(ctx, tx); err != nil {
		return nil, err
	}
	return tx.Submit(jobs...)
}

// SettleTx is [Store.Settle] within a transaction that [Store.Tx] began.
func (s *Store) SettleTx(ctx context.Context, tx *Tx, items ...godwit.Settlement) ([]godwit.SettleAnswer, error) {
	if err := s.mine(ctx, tx); err != nil {
		return nil, err
	}
	return tx.Settle(items...)
}

func (s *Store) mine(ctx context.Context, tx *Tx) error {
	if tx.store != s {
		return invalid("tx", "must be a transaction of the same store")
	}
	return ctx.Err()
}

// within runs an operation of ours inside the transaction. An error lets the whole transaction fail, whatever its function
// answers.
func within[T any](tx *Tx, op func(u *unit) (T, error)) (T, error) {
	var nothing T
	if tx.done {
		return nothing, invalid("tx", "must not be used after its function has returned")
	}
	tx.store.userSQL = false
	defer func() { tx.store.userSQL = true }()
	u := tx.store.unit()
	u.now = tx.unit.now
	answer, err := op(u)
	if err == nil {
		err = u.flush()
	}
	if err != nil {
		tx.broken = toError(err)
		return nothing, tx.broken
	}
	tx.events = append(tx.events, u.events...)
	return answer, nil
}

// authorize decides about each step of each statement as it is prepared: ours may do anything, those of an application may
// change their own tables alone.
func (s *Store) authorize(a zs.Action) zs.AuthResult {
	if !s.userSQL {
		return zs.AuthResultOK
	}
	switch op := a.Type(); op {
	case zs.OpSelect, zs.OpRead, zs.OpFunction, zs.OpRecursive:
		return zs.AuthResultOK
	case zs.OpTransaction, zs.OpAttach, zs.OpDetach:
		return zs.AuthResultDeny
	case zs.OpPragma:
		if a.PragmaArg() == "" || strings.HasPrefix(a.Pragma(), "table_") || strings.HasPrefix(a.Pragma(), "index_") {
			return zs.AuthResultOK
		}
		return zs.AuthResultDeny
	case zs.OpSavepoint:
		if a.Savepoint() == "godwit_tx" {
			return zs.AuthResultDeny
		}
		return zs.AuthResultOK
	default:
		for _, name := range []string{a.Table(), a.Index(), a.Trigger(), a.View()} {
			if strings.HasPrefix(strings.ToLower(name), "godwit_") {
				return zs.AuthResultDeny
			}
		}
		return zs.AuthResultOK
	}
}
