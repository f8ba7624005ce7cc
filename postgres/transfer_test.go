package postgres

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// TestImportHasEveryTable finds a table that was added to the schema and not to what is imported.
func TestImportHasEveryTable(t *testing.T) {
	t.Parallel()
	text, err := migrationFiles.ReadFile("migrations/0001_begin.sql")
	if err != nil {
		t.Fatal(err)
	}
	known := append(slices.Clone(imported), "sessions", "capabilities", "serves", "migrations")
	n := 0
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "CREATE TABLE godwit."); ok {
			n++
			if name, _, _ = strings.Cut(name, " "); !slices.Contains(known, name) {
				t.Errorf("table %s is not imported", name)
			}
		}
	}
	if n != len(known) {
		t.Errorf("the schema has %d tables, and %d are known", n, len(known))
	}
}

func TestImportThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	config := Config{URL: pgtest.Database(t)}
	type to = func(table string, columns []string, rows [][]any) error
	lane := []any{int64(1), int64(1), "q", "t"}
	columns := []string{"id", "version", "queue", "task"}
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		export func(to to) error
		want   string
	}{
		"an export that fails": {func(to to) error { return errors.Join(to("lanes", columns, [][]any{slices.Clone(lane)}), broken) }, "broken"},
		"a table of no jobs":   {func(to to) error { return to("migrations", columns, nil) }, "is no table of jobs"},
		"a name with a zero": {
			func(to to) error { return to("lanes", columns, [][]any{{int64(1), int64(1), "a\x00b", "t"}}) }, "cannot keep",
		},
		"an id that is none": {
			func(to to) error { return to("pruned", []string{"id", "until"}, [][]any{{[]byte("short"), int64(1)}}) }, "it has 5 bytes",
		},
		"what does not fit together": {
			func(to to) error {
				return errors.Join(to("lanes", columns, [][]any{slices.Clone(lane)}),
					to("places", []string{"id", "run_at", "lane", "place", "rank"}, [][]any{{make([]byte, 16), int64(1), int64(1), int64(2), int64(0)}}))
			}, "does not fit together",
		},
	} {
		if _, err := Import(t.Context(), config, c.export); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Import(t.Context(), config, func(to to) error { return to("lanes", columns, [][]any{slices.Clone(lane)}) }); err != nil {
		t.Errorf("nothing should be left: %v", err)
	}
	if _, err := Import(t.Context(), config, func(to) error { return nil }); !errors.Is(err, godwit.ErrWrongState) {
		t.Errorf("a schema that is not empty: %v, want wrong state", err)
	}
}
