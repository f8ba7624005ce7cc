package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
)

// Outcomes reads the state of jobs and how final ones ended. Calls for one job that come together are one.
func (s *Store) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	if err := checkBatch(len(ids)); err != nil {
		return nil, err
	}
	if len(ids) == 1 {
		answer, made, err := s.outcomes.ask(ctx, s, ids[0])
		if err != nil && ctx.Err() != nil {
			err = ctx.Err() // whether it was read makes no difference
		}
		if made || err != nil {
			return one(answer, err)
		}
	}
	return readOn(ctx, s, func(ctx context.Context, conn *pgxpool.Conn) ([]godwit.OutcomeAnswer, error) {
		return s.readOutcomes(ctx, conn, ids)
	})
}

// outcomesTogether makes calls that are each for one job.
func (s *Store) outcomesTogether(ctx context.Context, conn *pgxpool.Conn, calls []*asked[godwit.ID, godwit.OutcomeAnswer]) (*made, error) {
	ids := make([]godwit.ID, len(calls))
	for i, c := range calls {
		ids[i] = c.item
	}
	answers, err := s.readOutcomes(ctx, conn, ids)
	if err != nil {
		return nil, err
	}
	for i, c := range calls {
		c.answer = answers[i]
	}
	return &made{}, nil
}

func (s *Store) readOutcomes(ctx context.Context, conn *pgxpool.Conn, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	const sql = "SELECT id, state, code, message, stack, encoding, result FROM godwit.finished WHERE id = ANY($1)" +
		" UNION ALL SELECT id, place, NULL, NULL, NULL, '', NULL FROM godwit.places WHERE id = ANY($1)" +
		" UNION ALL SELECT id, 8, NULL, NULL, NULL, '', NULL FROM godwit.pruned WHERE id = ANY($1)"
	known := make(map[godwit.ID]godwit.OutcomeAnswer, len(ids))
	err := s.readAtOnce(ctx, conn, do("SELECT "+byIndex), ask(sql, func(row scanner) error {
		var id godwit.ID
		var at kind
		var f failureInto
		var a godwit.OutcomeAnswer
		dest := append([]any{idInto{&id}, (*int16)(&at)}, f.dest()...)
		err := row.Scan(append(dest, &a.Result.Encoding, &a.Result.Data)...)
		a.State, a.Failure, a.Result = at.state(), f.failure(), emptyIsNil(a.Result)
		if at == pruned {
			a = godwit.OutcomeAnswer{Code: godwit.CodeExpired}
		}
		known[id] = a
		return err
	}, uuids(ids)))
	if err != nil {
		return nil, err
	}
	answers := make([]godwit.OutcomeAnswer, len(ids))
	for i, id := range ids {
		a, ok := known[id]
		if !ok {
			a.Code = godwit.CodeNotFound
		}
		if a.Failure != nil {
			f := *a.Failure
			a.Failure = &f
		}
		answers[i] = a
	}
	return answers, nil
}

// readAtOnce runs statements that read as one transaction in one round trip. Each sees what was committed before it began.
func (s *Store) readAtOnce(ctx context.Context, conn *pgxpool.Conn, list ...stmt) error {
	list = append(append([]stmt{do("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")}, list...), do("COMMIT"))
	err := pgxLink{conn, s.schema}.run(ctx, list...)
	if err == nil {
		return nil
	}
	if !undone(ctx, conn) && conn.Conn().IsClosed() {
		return &unreachedError{err}
	}
	return err
}
