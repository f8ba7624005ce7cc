package storetest

import (
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/postgres"
)

func init() { drivers["postgres"] = postgresConfig }

func postgresConfig() Config {
	return Config{
		Overlooks: true,
		Costly:    5,
		Open: func(t testing.TB, clock *Clock) godwit.Store {
			t.Helper()
			s, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.Database(t), Now: clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
}
