package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// planOf gives the plan of a statement of the hot path, as a connection keeps it.
func (b *bundle) planOf(sql string, types string, nulls int) string {
	b.Helper()
	tx, err := connect(b.T, b.url).Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(b.Context())) }() // it is only looked at
	args := strings.TrimSuffix(strings.Repeat("NULL, ", nulls), ", ")
	for _, one := range []string{"SELECT " + byIndex, "PREPARE hot (" + types + ") AS " + sql} {
		if _, err := tx.Exec(b.Context(), one); err != nil {
			b.Fatal(err)
		}
	}
	rows, err := tx.Query(b.Context(), "EXPLAIN EXECUTE hot ("+args+")", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		b.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// TestASettlementFindsEachRunByItsID plans a settlement when the server believes that hardly anything runs: an index without a condition
// must not look cheap then, for thousands may.
func TestASettlementFindsEachRunByItsID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 3 {
		b.submit(newJob())
	}
	b.claim(b.store, 1)
	conn := connect(t, b.url)
	for _, sql := range []string{"VACUUM ANALYZE godwit.places", "VACUUM ANALYZE godwit.finished"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	plan := b.planOf(settleSuccesses, "uuid[], bigint[], uuid[], text[], bytea[], bigint", 6)
	if !strings.Contains(plan, "using places_pkey on places p") || strings.Contains(plan, "places_session") {
		t.Errorf("the plan of a settlement is\n%s", plan)
	}
}

// TestAUnitFindsReadyJobsByTheirIDs plans how merged calls look for jobs when hardly anything is ready.
func TestAUnitFindsReadyJobsByTheirIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob())
	if _, err := connect(t, b.url).Exec(t.Context(), "VACUUM ANALYZE godwit.places"); err != nil {
		t.Fatal(err)
	}
	f := &found{mode: lockOthers}
	for _, st := range f.statements(nil)[:2] {
		if plan := b.planOf(st.sql, "uuid[]", 1); !strings.Contains(plan, "using places_pkey on places p") {
			t.Errorf("the plan of %s is\n%s", st.sql, plan)
		}
	}
}

// TestWhetherAJobIsAloneIsSeenByTheIndexOfReadyJobs plans the look for others when hardly anything is ready.
func TestWhetherAJobIsAloneIsSeenByTheIndexOfReadyJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(newJob())
	if _, err := connect(t, b.url).Exec(t.Context(), "VACUUM ANALYZE godwit.places"); err != nil {
		t.Fatal(err)
	}
	if plan := b.planOf(aloneReady, "uuid, text, bigint, integer[]", 4); !strings.Contains(plan, "using places_ready on places p") || strings.Contains(plan, "Seq Scan on places") {
		t.Errorf("the plan is\n%s", plan)
	}
}
