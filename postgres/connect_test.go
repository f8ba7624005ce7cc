package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// refusedWrites expects that neither a merged nor a single submission is taken.
func (b *bundle) refusedWrites(why string) {
	b.Helper()
	for _, n := range []godwit.NewJob{newJob(), keyed()} {
		_, err := b.store.Submit(b.Context(), []godwit.NewJob{n})
		if !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), "takes no writes") {
			b.Errorf("submit to %s: %v", why, err)
		}
	}
}

func TestAStandbyIsLeftForThePrimary(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t, pgtest.Config{Unsynced: true})
	database := primary.Database(t)
	standby := primary.Standby(t)
	proxy := pgtest.NewProxy(t, database)
	b := setupOn(t, Config{URL: proxy.URL()})
	b.submit(newJob())

	proxy.Lead(t, standby.URL("postgres"))
	proxy.Cut()
	b.refusedWrites("a standby")
	if _, err := Open(t.Context(), Config{URL: proxy.URL()}); err == nil || !strings.Contains(err.Error(), "takes no writes") {
		t.Errorf("open at a standby: %v", err)
	}
	proxy.Lead(t, database) // no connection is cut: the store has none to the standby
	b.submit(keyed())
	b.submit(newJob())
}

func TestAServerThatIsSetReadOnlyTakesNoWrites(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true})
	b := setupOn(t, Config{URL: server.Database(t)})
	b.submit(newJob())
	server.Set(t, "default_transaction_read_only", "on")
	b.refusedWrites("a server that only reads")
	server.Set(t, "default_transaction_read_only", "off")
	b.submit(keyed())
	b.submit(newJob())
}

// commits lets a database note with which synchronous_commit jobs are written.
func commits(t *testing.T, database, setting string) {
	t.Helper()
	if _, err := Migrate(t.Context(), Config{URL: database}); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, database)
	exec(t, conn, `CREATE TABLE seen (setting text);
		CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL;
		END $$;
		CREATE TRIGGER see AFTER INSERT ON godwit.places EXECUTE FUNCTION see();
		CREATE TRIGGER see AFTER INSERT ON godwit.finished EXECUTE FUNCTION see()`)
	exec(t, conn, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = "+setting+"', current_database()); END $$")
}

func TestCommitsWaitForTheDiskWhateverTheServerSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ setting, want string }{
		{"off", "on"}, {"local", "on"}, {"remote_write", "on"}, {"on", "on"}, {"remote_apply", "remote_apply"},
	} {
		for _, pooler := range []bool{false, true} {
			name := c.setting
			if pooler {
				name += " behind a pooler"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				database := pgtest.Database(t)
				commits(t, database, c.setting)
				b := setupOn(t, Config{URL: database, Pooler: pooler})
				b.submit(newJob())
				b.submit(newJob())
				b.submit(keyed())
				tokens := b.claim(b.store, 3)
				for _, items := range [][]godwit.Settlement{{succeed(tokens[0])}, {{Token: tokens[1], Outcome: godwit.OutcomeFail}}} {
					if _, err := b.store.Settle(t.Context(), items); err != nil {
						t.Fatal(err)
					}
				}
				var all, right int
				row := connect(t, database).QueryRow(t.Context(), "SELECT count(*), count(*) FILTER (WHERE setting = $1) FROM seen", c.want)
				if err := row.Scan(&all, &right); err != nil || all < 5 || all != right {
					t.Errorf("of %d writes %d were with synchronous_commit %s, %v", all, right, c.want, err)
				}
				if pooler {
					b.leavesNothing(c.setting)
				}
			})
		}
	}
}

// leavesNothing expects that connections are left as they were, since behind a pooler others get them.
func (b *bundle) leavesNothing(setting string) {
	b.Helper()
	conn, err := b.store.acquire(b.Context(), b.store.conns)
	if err != nil {
		b.Fatal(err)
	}
	defer release(conn)
	var prepared int
	var got string
	row := conn.QueryRow(b.Context(), "SELECT count(*), current_setting('synchronous_commit') FROM pg_prepared_statements")
	if err := row.Scan(&prepared, &got); err != nil || prepared != 0 || got != setting {
		b.Errorf("a connection has %d prepared statements, and synchronous_commit %s, %v", prepared, got, err)
	}
}

func TestAPoolerThatNobodySaysIsNoticed(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	commits(t, database, "off")
	proxy := pgtest.NewProxy(t, database)
	proxy.Disguise()
	b := setupOn(t, Config{URL: proxy.URL()})
	b.submit(newJob())
	b.submit(keyed())
	b.claim(b.store, 2)
	b.leavesNothing("off")
	var wrong int
	if err := connect(t, database).QueryRow(t.Context(), "SELECT count(*) FROM seen WHERE setting <> 'on'").Scan(&wrong); err != nil || wrong != 0 {
		t.Errorf("%d writes did not wait for the disk, %v", wrong, err)
	}
}

func TestAPoolerThatComesLaterIsNoticed(t *testing.T) {
	t.Parallel()
	proxy := pgtest.NewProxy(t, pgtest.Database(t))
	b := setupOn(t, Config{URL: proxy.URL()})
	b.submit(keyed())
	proxy.Disguise()
	proxy.Cut()
	b.submit(keyed())
	b.leavesNothing("on")
}

func TestMixedUpStatementsAreBlamedOnThePooler(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"42P05", "26000"} {
		err := toError(&pgconn.PgError{Code: code})
		if !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), "postgres.pooler: true") {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestTheConnectionsForLeasesAreThereBeforeTheServerIsFull(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true, Settings: map[string]string{"max_connections": "15"}})
	b := setupOn(t, Config{URL: server.Database(t)})
	b.eventually("both connections for the leases are there", func() bool { return b.store.reserved.Stat().IdleConns() == reservedConns })
	full := false
	for range 15 {
		conn, err := pgx.Connect(t.Context(), b.url)
		if err != nil {
			full = true
			break
		}
		t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	}
	if !full {
		t.Fatal("the server is not full")
	}
	first, err := b.store.acquire(t.Context(), b.store.reserved)
	if err != nil {
		t.Fatal(err)
	}
	defer release(first) // as a rescue that is under way
	if a, err := b.store.Heartbeat(t.Context(), godwit.HeartbeatRequest{Session: b.session}); err != nil || a.Code != "" {
		t.Errorf("heartbeat: %+v, %v", a, err)
	}
}
