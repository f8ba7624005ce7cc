package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A handler starts its children, parks and goes on call by call, a web server submits with a key for each of its requests, and many do so at the
// same time. In a transaction of its own each such call costs a sync and half a dozen round trips, of statements that are planned anew. Here
// those that come together are one unit of work. It treats them one after the other, as it does the items of one call; one whose answer
// would have to be locked against claims is left to itself. Somebody who has locked one of their jobs holds them up only for a moment: then
// each is made by itself, and waits for its own job.

// asked is one call in a merged unit of work.
type asked[Q, A any] struct {
	item   Q
	answer A
	alone  bool // it has to be made by itself
}

// unitLane is a lane of calls of one item each.
type unitLane[Q, A any] struct {
	*fastLane[*asked[Q, A]]
}

// newUnitLane starts a lane. load loads what the items need, in the order in which everybody locks; one answers one item and changes nothing
// when it refuses it.
func newUnitLane[Q, A any](s *Store, load func(u *unit, items []Q) error, one func(u *unit, item *Q) (A, error)) unitLane[Q, A] {
	begin := func() string {
		return s.begin(pgx.ReadCommitted) + "; SELECT " + briefly + ", " + byIndex
	}
	return unitLane[Q, A]{newFastLane(s, func(ctx context.Context, conn *pgxpool.Conn, calls []*asked[Q, A]) (*made, error) {
		_, u, err := transact(ctx, s, conn, begin(), false, func(u *unit) (struct{}, error) {
			return struct{}{}, oneByOne(u, calls, load, one)
		})
		if err != nil {
			return nil, err
		}
		u.committed()
		return &made{events: u.events}, nil
	})}
}

// oneByOne answers the calls.
func oneByOne[Q, A any](u *unit, calls []*asked[Q, A], load func(u *unit, items []Q) error, one func(u *unit, item *Q) (A, error)) error {
	u.merged = true
	items := make([]Q, len(calls))
	for i, c := range calls {
		items[i] = c.item
	}
	if err := load(u, items); err != nil {
		return err
	}
	for i, c := range calls {
		var err error
		if c.answer, err = one(u, &items[i]); err != nil {
			return err
		}
		c.alone, u.glimpsed = u.glimpsed, false
	}
	return nil
}

// ask makes a call among others, and reports whether it was made; otherwise it has to be made by itself.
func (l unitLane[Q, A]) ask(ctx context.Context, s *Store, item Q) (answer A, made bool, err error) {
	c := &asked[Q, A]{item: item}
	made, err = l.call(ctx, s, []*asked[Q, A]{c})
	if err != nil || !made || c.alone {
		return answer, false, err
	}
	return c.answer, true, nil
}
