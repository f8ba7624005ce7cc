package storetest

import (
	"path/filepath"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

func init() { drivers["sqlite"] = sqliteConfig }

func sqliteConfig() Config {
	open := func(t testing.TB, path string, clock *Clock) godwit.Store {
		t.Helper()
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return Config{
		Open: func(t testing.TB, clock *Clock) godwit.Store {
			t.Helper()
			return open(t, filepath.Join(t.TempDir(), "jobs.db"), clock)
		},
		Reopen: func(t testing.TB, s godwit.Store, clock *Clock) godwit.Store {
			t.Helper()
			old, ok := s.(*sqlite.Store)
			if !ok {
				t.Fatalf("%T is not the store that was opened", s)
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, old.Path(), clock)
		},
	}
}
