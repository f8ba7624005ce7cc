package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

// SubmitTx makes jobs within a transaction of the application's, all or none: they are there exactly when it commits. A refusal is
// an error, as with [godwit.Client.SubmitAll], and leaves the transaction usable as it was before. The transaction must be one on
// the store's own database, and should be short: children lock the run of their parent, and keys are locked, until it ends.
//
// Idle workers, of this process too, are notified by the transaction itself: PostgreSQL sends that when it commits. Notifying
// transactions commit one after the other, and cannot be prepared for a commit in two phases.
func (s *Store) SubmitTx(ctx context.Context, tx pgx.Tx, jobs ...godwit.Submission) ([]godwit.SubmitAnswer, error) {
	return s.submitWithin(ctx, pgxLink{tx, s.schema}, jobs)
}

// SubmitSQL is [Store.SubmitTx] for a transaction of database/sql, whose driver must be pgx's (package pgx/v5/stdlib).
func (s *Store) SubmitSQL(ctx context.Context, tx *sql.Tx, jobs ...godwit.Submission) ([]godwit.SubmitAnswer, error) {
	return s.submitWithin(ctx, sqlLink{tx, s.schema}, jobs)
}

// SettleTx is [Store.Settle] within a transaction of the application's, all or none: what the run has done to the application's tables
// counts exactly when the settle does. The answers stand when the transaction commits. A settle that is refused is an error: of a run
// that was lost ([godwit.CodeSessionEnded], [godwit.CodeStaleRun]) or that is over already ([godwit.CodeDuplicate]), and whatever else an
// answer may say. The transaction is then as it was before the call, and is to be rolled back: somebody else does, or has
// done, that work. A handler finds the token of its run in [godwit.Info]. Until the transaction ends it keeps the jobs of its worker from
// being rescued, so commit at once.
func (s *Store) SettleTx(ctx context.Context, tx pgx.Tx, items ...godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return s.settleWithin(ctx, pgxLink{tx, s.schema}, items)
}

// SettleSQL is [Store.SettleTx] for a transaction of database/sql, whose driver must be pgx's (package pgx/v5/stdlib).
func (s *Store) SettleSQL(ctx context.Context, tx *sql.Tx, items ...godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return s.settleWithin(ctx, sqlLink{tx, s.schema}, items)
}

func (s *Store) submitWithin(ctx context.Context, l link, jobs []godwit.Submission) ([]godwit.SubmitAnswer, error) {
	if err := checkBatch(len(jobs)); err != nil {
		return nil, err
	}
	items := make([]godwit.NewJob, 0, len(jobs))
	for _, job := range jobs {
		item, err := job.NewJob(s.Now())
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	answers, err := within(ctx, s, l, items, func(u *unit) ([]godwit.SubmitAnswer, error) { return u.submitAll(items) })
	if err != nil {
		return nil, err
	}
	if err := godwit.SubmitError(items, answers); err != nil {
		return nil, err
	}
	return answers, nil
}

func (s *Store) settleWithin(ctx context.Context, l link, items []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	if err := checkBatch(len(items)); err != nil {
		return nil, err
	}
	answers, err := within(ctx, s, l, nil, func(u *unit) ([]godwit.SettleAnswer, error) {
		answers, err := u.settleAll(items)
		u.refused = err == nil && settleError(items, answers) != nil
		return answers, err
	})
	if err == nil {
		err = settleError(items, answers)
	}
	if err != nil {
		return nil, err
	}
	return answers, nil
}

// settleError gives the error of settles of which one was refused.
func settleError(items []godwit.Settlement, answers []godwit.SettleAnswer) error {
	for i, a := range answers {
		if a.Code == "" {
			continue
		}
		why := "was refused"
		switch a.Code {
		case godwit.CodeSessionEnded, godwit.CodeStaleRun:
			why = "was lost, and the job runs elsewhere"
		case godwit.CodeDuplicate:
			why = "is over already"
		case godwit.CodeLimitReached:
			why = "has reported more log lines or items than it may"
		}
		return &godwit.Error{
			Code: a.Code, Message: fmt.Sprintf("run %d of job %s %s (roll the transaction back)", items[i].Run, items[i].Job, why),
		}
	}
	return nil
}

// withinMax bounds how often an operation within somebody else's transaction is run again that met another one.
const withinMax = 10

// within runs an operation inside somebody else's transaction, under a savepoint, so that what goes wrong leaves the transaction as
// it was. The lanes of submissions are made before, outside of it: two transactions that make the same one do not wait for
// each other.
func within[T any](ctx context.Context, s *Store, l link, submitted []godwit.NewJob, op func(u *unit) (T, error)) (T, error) {
	var nothing T
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	if err := s.enter(); err != nil {
		return nothing, err
	}
	defer s.leave()
	if err := s.makeLanes(ctx, submitted); err != nil {
		return nothing, toError(err)
	}
	for attempt := 1; ; attempt++ {
		answer, err := saved(ctx, s, l, op)
		if err == nil {
			return answer, nil
		}
		if !meets(err) || attempt == withinMax {
			return nothing, toError(err)
		}
	}
}

// saved runs an operation under a savepoint, and goes back to it unless all is well.
func saved[T any](ctx context.Context, s *Store, l link, op func(u *unit) (T, error)) (T, error) {
	var nothing T
	if err := l.run(ctx, do("SAVEPOINT godwit_tx")); err != nil {
		return nothing, err
	}
	u := newUnit(source{ctx: ctx, l: l, lanes: s.lanes.Load()}, s, s.clock.now())
	answer, err := op(u)
	if err == nil && !u.refused {
		err = u.flush()
	}
	if err == nil && !u.refused {
		list := []stmt{do("RELEASE SAVEPOINT godwit_tx")}
		n := news{}
		if n.add(u.events); !n.empty() {
			list = append(list, do("SELECT pg_notify($1, $2)", s.channel, n.payload()))
		}
		return answer, l.run(ctx, list...)
	}
	back := l.run(ctx, do("ROLLBACK TO SAVEPOINT godwit_tx"), do("RELEASE SAVEPOINT godwit_tx"))
	return answer, errors.Join(err, back)
}
