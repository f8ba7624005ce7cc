package open_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/open"
	"github.com/godwit-go/godwit/sqlite"
)

func TestStoreWithTakesSettingsOfItsDriver(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "a.db")
	none := open.Config{SQLite: sqlite.Config{LockWait: -1}}
	first, err := open.StoreWith(t.Context(), url, none)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close() //nolint:errcheck // the test looks at something else
	if _, err := open.StoreWith(t.Context(), url, none); !errors.Is(err, godwit.ErrLocked) {
		t.Errorf("a second process that does not wait got %v, want locked", err)
	}
}

func TestStoreWithRefusesWhatStoreRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"sqlite:", "sqlite:a.db?mode=ro", "oracle:x", "a.db"} {
		_, with := open.StoreWith(t.Context(), url, open.Config{})
		_, plain := open.Store(t.Context(), url)
		if with == nil || plain == nil || with.Error() != plain.Error() {
			t.Errorf("%s: got %v, want %v", url, with, plain)
		}
	}
}
