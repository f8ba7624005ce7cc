package sqlite

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExportHasEveryTableAndColumn finds what was added to the schema and not to what is exported.
func TestExportHasEveryTableAndColumn(t *testing.T) {
	t.Parallel()
	store, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // the test looks at its schema
	has := map[string]bool{}
	for _, e := range exported {
		for _, name := range []string{"godwit_idempotency", "godwit_unique", e.from} {
			if strings.Contains(e.from, name) {
				for column := range strings.SplitSeq(e.columns, ", ") {
					has[name+"."+column] = true
				}
			}
		}
	}
	// Of no session, counted anew, or the clock of the file.
	left := []string{
		"godwit_sessions.", "godwit_serves.", "godwit_capabilities.", "godwit_meta.", "godwit_finished_due.", "godwit_pruned_due.", "godwit_moved.", "godwit_places.session",
		"godwit_lanes.scheduled", "godwit_lanes.ready", "godwit_lanes.running", "godwit_lanes.waiting", "godwit_lanes.finished",
	}
	n := 0
	const all = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'godwit_%'"
	err = store.writer.query(all, func(s *row) error {
		n++
		column := s.ColumnText(0)
		if !has[column] && !slices.ContainsFunc(left, func(l string) bool { return strings.HasPrefix(column, l) }) {
			t.Errorf("%s is not exported", column)
		}
		return nil
	})
	if err != nil || n < 100 {
		t.Errorf("looked at %d columns, %v", n, err)
	}
}
