package storetest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/postgres"
)

// several is some stores on one database, as several processes have them: calls go to one after the other.
type several struct {
	godwit.Store // the first
	all          []godwit.Store
	next         atomic.Int64
}

func (s *several) one() godwit.Store { return s.all[int(s.next.Add(1))%len(s.all)] }

func (s *several) Submit(ctx context.Context, q []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	return s.one().Submit(ctx, q)
}

func (s *several) Claim(ctx context.Context, q godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	return s.one().Claim(ctx, q)
}

func (s *several) Settle(ctx context.Context, q []godwit.Settlement) ([]godwit.SettleAnswer, error) {
	return s.one().Settle(ctx, q)
}

func (s *several) Cancel(ctx context.Context, q []godwit.CancelRequest) ([]godwit.SettleAnswer, error) {
	return s.one().Cancel(ctx, q)
}

func (s *several) Park(ctx context.Context, q []godwit.ParkRequest) ([]godwit.SettleAnswer, error) {
	return s.one().Park(ctx, q)
}

func (s *several) Resume(ctx context.Context, q []godwit.Token) ([]godwit.SettleAnswer, error) {
	return s.one().Resume(ctx, q)
}

func (s *several) Retry(ctx context.Context, q []godwit.RetryRequest) ([]godwit.SettleAnswer, error) {
	return s.one().Retry(ctx, q)
}

func (s *several) Heartbeat(ctx context.Context, q godwit.HeartbeatRequest) (godwit.HeartbeatAnswer, error) {
	return s.one().Heartbeat(ctx, q)
}

func (s *several) EndSession(ctx context.Context, id godwit.ID) (godwit.SessionAnswer, error) {
	return s.one().EndSession(ctx, id)
}

func (s *several) Rescue(ctx context.Context, limit int) (godwit.RescueAnswer, error) {
	return s.one().Rescue(ctx, limit)
}

func (s *several) Advance(ctx context.Context, limit int) (godwit.AdvanceAnswer, error) {
	return s.one().Advance(ctx, limit)
}

func (s *several) Outcomes(ctx context.Context, ids []godwit.ID) ([]godwit.OutcomeAnswer, error) {
	return s.one().Outcomes(ctx, ids)
}

func (s *several) List(ctx context.Context, f godwit.ListFilter) (godwit.ListAnswer, error) {
	return s.one().List(ctx, f)
}

// Close looks at what they have left, and closes all of them.
func (s *several) Close() error {
	if first, ok := s.Store.(*postgres.Store); ok {
		if err := first.Check(context.Background()); err != nil {
			return err
		}
	}
	for _, one := range s.all[1:] {
		if err := one.Close(); err != nil {
			return err
		}
	}
	return s.Store.Close()
}

func severalConfig() Config {
	cfg := postgresConfig()
	cfg.Open = func(t testing.TB, clock *Clock) godwit.Store {
		t.Helper()
		database, s := pgtest.Database(t), &several{}
		for range 3 {
			one, err := postgres.Open(t.Context(), postgres.Config{URL: database, Now: clock.Now, Conns: 4})
			if err != nil {
				t.Fatal(err)
			}
			s.all = append(s.all, one)
		}
		s.Store = s.all[0]
		return s
	}
	return cfg
}

func TestSeveralProcessesOnOneDatabase(t *testing.T) {
	t.Parallel()
	if *flagStores != "" && stores()["postgres"].Open == nil {
		t.Skip("another store is asked for")
	}
	n, ops := *flagHistories, *flagOps
	if n == historiesDefault {
		n /= severalConfig().Costly
	}
	if ops == opsDefault {
		ops /= 4 * severalConfig().Costly
	}
	t.Run("histories", func(t *testing.T) {
		t.Parallel()
		Histories(t, "several", severalConfig(), Concurrency{Histories: n, Seed: *flagSeed})
	})
	t.Run("differential", func(t *testing.T) {
		t.Parallel()
		Differential(t, "several", severalConfig(), Stream{Ops: ops, Seed: *flagSeed})
	})
}
