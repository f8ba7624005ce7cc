package postgres

import (
	"strings"
	"sync"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// Of what a connection prepares, a pooler may hand the next message to another connection of the server.
func TestManyStoresOpenAtOnceThroughABusyPoolerThatNobodySaid(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	if _, err := Migrate(t.Context(), Config{URL: database}); err != nil {
		t.Fatal(err)
	}
	through := pgtest.Pooler(t, database, 4)
	var others, opens sync.WaitGroup
	done := make(chan struct{})
	defer func() {
		close(done)
		others.Wait()
	}()
	for range 3 {
		conn := connect(t, through)
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := conn.PgConn().Exec(t.Context(), "BEGIN; SELECT count(*) FROM godwit.jobs; COMMIT").ReadAll(); err != nil {
					t.Errorf("the other client of the pooler: %v", err)
					return
				}
			}
		})
	}
	const stores = 25
	for range stores {
		opens.Go(func() {
			s, err := Open(t.Context(), Config{URL: through, Migrate: MigrateNever})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if _, err := s.Submit(t.Context(), []godwit.NewJob{newJob()}); err != nil {
				t.Errorf("submit: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	opens.Wait()
	var jobs int
	if err := connect(t, database).QueryRow(t.Context(), "SELECT count(*) FROM godwit.jobs").Scan(&jobs); err != nil || jobs != stores {
		t.Errorf("%d jobs were submitted, %v, want %d", jobs, err, stores)
	}
}

func TestMixedUpStatementsTellOfAPooler(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"42P05", "26000"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			database := pgtest.Database(t)
			// What is set for a session fails as if the question had been prepared on another connection.
			exec(t, connect(t, database), strings.ReplaceAll(`CREATE SCHEMA first;
				CREATE FUNCTION first.set_config(name text, value text, local boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
					IF NOT local THEN RAISE 'mixed up' USING ERRCODE = '00000'; END IF;
					RETURN pg_catalog.set_config(name, value, local);
				END $$;
				DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = first, pg_catalog', current_database()); END $$`, "00000", code))
			b := setupOn(t, Config{URL: database})
			b.submit(newJob())
			if !b.store.pooled.Load() {
				t.Error("the pooler was not noticed")
			}
		})
	}
}
