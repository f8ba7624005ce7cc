package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
)

func TestAFileThatWasMovedIsRefused(t *testing.T) {
	t.Parallel()
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "a.db")
	// with opens the file in a mode, and closes it when do is done; do nil: it must be refused.
	with := func(mode MovedMode, why string, do func(s *Store)) {
		t.Helper()
		s, err := Open(ctx, Config{Path: path, Moved: mode})
		if do == nil {
			if !errors.Is(err, godwit.ErrWrongState) || !strings.Contains(err.Error(), why) {
				t.Errorf("opened as %q: %v, want %q", mode, err, why)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	begin := func(s *Store, target string) godwit.ID {
		t.Helper()
		id, err := s.BeginMove(ctx, target)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	end := func(s *Store, id godwit.ID, moved bool) {
		t.Helper()
		if err := s.EndMove(ctx, id, moved); err != nil {
			t.Fatal(err)
		}
	}
	var first godwit.ID
	with("", "", func(s *Store) { end(s, begin(s, "there"), false) })
	with("", "", func(s *Store) { first = begin(s, "there") })
	with("", "were about to be copied to there when that was cut off", nil)
	with(MovedLook, "", func(s *Store) {
		if id := begin(s, "there"); id != first {
			t.Errorf("the copy that was cut off is %v, then %v", first, id)
		}
		if id := begin(s, "elsewhere"); id == first {
			t.Error("a copy to another place has the same id")
		}
		first = begin(s, "there")
		end(s, first, true)
	})
	with(MovedRefuse, "were moved to there at ", nil)
	with(MovedLook, "", func(s *Store) {
		if id := begin(s, "there"); id != first {
			t.Errorf("the copy is %v, then %v", first, id)
		}
		if _, err := s.BeginMove(ctx, "elsewhere"); !errors.Is(err, godwit.ErrWrongState) {
			t.Errorf("moved twice: %v", err)
		}
		end(s, first, false)
	})
	with("", "were moved to there at ", nil)
	with(MovedTakeBack, "", func(s *Store) {})
	with("", "", func(s *Store) {
		if id := begin(s, "there"); id == first {
			t.Error("after it was taken back, a copy has the id of that before")
		}
	})
	if _, err := Open(ctx, Config{Path: path, Moved: "away"}); !errors.Is(err, godwit.ErrInvalid) {
		t.Errorf("a mode that there is not: %v", err)
	}
}
