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
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, step := range steps {
		text += step.SQL
	}
	known := append(slices.Clone(imported), "sessions", "capabilities", "serves", "copies", "migrations")
	n := 0
	for line := range strings.Lines(text) {
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
		if _, err := Import(t.Context(), config, Copy{ID: godwit.NewID()}, c.export); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	first := Copy{ID: godwit.NewID(), Source: "a test"}
	if done, err := Import(t.Context(), config, first, func(to to) error { return to("lanes", columns, [][]any{slices.Clone(lane)}) }); err != nil || done.Already {
		t.Errorf("nothing should be left: %+v, %v", done, err)
	}
	if _, err := Import(t.Context(), config, Copy{ID: godwit.NewID()}, func(to) error { return nil }); !errors.Is(err, godwit.ErrWrongState) {
		t.Errorf("a schema that is not empty: %v, want wrong state", err)
	}
	if done, err := Import(t.Context(), config, first, func(to) error { return broken }); err != nil || !done.Already {
		t.Errorf("the same copy again: %+v, %v", done, err)
	}
}

func TestAnImportWithoutAnAnswerIsMadeAgain(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	config, from := Config{URL: proxy.URL()}, Copy{ID: godwit.NewID(), Source: "a test"}
	if _, err := Migrate(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	export := func(to func(table string, columns []string, rows [][]any) error) error {
		return to("paused_queues", []string{"name"}, [][]any{{"q"}})
	}
	lost := proxy.LoseAnswer("commit\x00")
	if _, err := Import(t.Context(), config, from, export); !errors.Is(err, godwit.ErrOutcomeUnknown) {
		t.Fatalf("the answer was lost: %v", err)
	}
	<-lost
	if done, err := Import(t.Context(), config, from, export); err != nil || !done.Already {
		t.Errorf("made again: %+v, %v", done, err)
	}
}
