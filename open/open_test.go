package open_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/open"
	"github.com/godwit-go/godwit/postgres"
)

func TestStoreOpensWhatIsNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b.db")
	for _, url := range []string{"memory:", "sqlite:" + path, "sqlite://" + path} {
		s, err := open.Store(t.Context(), url)
		if err != nil {
			t.Fatalf("%s: %v", url, err)
		}
		if _, err := s.Queues(t.Context()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestStoreRefusesWhatIsNotUnderstood(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"app.db":                `did you mean "sqlite:app.db"?`,
		"postgres:u:pw@host/x":  "must begin with postgres://",
		"postgres://u:pw@h:x/y": "must be a URL such as postgres://",
		"pg://host":             `did you mean "postgres:"?`,
		"Postgres://u:pw@host":  `did you mean "postgres:"?`,
		"sqllite:app.db":        `did you mean "sqlite:"?`,
		"SQLite:app.db":         `did you mean "sqlite:"?`,
		"sqlite3:app.db":        `did you mean "sqlite:"?`,
		"file:app.db":           `did you mean "sqlite:"?`,
		"mem:":                  `did you mean "memory:"?`,
		"redis://host":          "none of sqlite, postgres, memory",
		"sqlite:":               "names no file",
		"sqlite://app.db":       `did you mean "sqlite:app.db" or "sqlite:///app.db"?`,
		"sqlite::memory:":       "write memory:",
		"sqlite:app.db?mode=ro": "parameters",
		"memory:x":              `alone`,
		`C:\app.db`:             `did you mean "sqlite:C:\app.db"?`,
		"":                      "must be a URL",
	}
	for url, want := range cases {
		s, err := open.Store(t.Context(), url)
		if !errors.Is(err, godwit.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: %v, want invalid with %q", url, err, want)
		}
		if s != nil {
			t.Errorf("%q: a store came with the error", url)
		}
	}
}

func TestStoreOpensPostgreSQL(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	if _, err := open.StoreWith(t.Context(), url, open.Config{Postgres: postgres.Config{Migrate: postgres.MigrateNever}}); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("a schema that is not there and is not to be made: %v, want invalid", err)
	}
	for _, url := range []string{url, strings.Replace(url, "postgres://", "postgresql://", 1)} {
		first, err := open.Store(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close() //nolint:errcheck // the test looks at something else
		if _, err := first.Queues(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
