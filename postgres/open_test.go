package postgres

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// catalogue describes everything that stands in a schema.
func catalogue(t *testing.T, conn *pgx.Conn, schema string) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `
		SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull || ' ' || a.attnum
			|| ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' ' || coalesce(array_to_string(c.reloptions, ','), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum WHERE n.nspname = $1 AND NOT a.attisdropped
		UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = $1
		UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k
		JOIN pg_namespace n ON n.oid = k.connamespace WHERE n.nspname = $1 ORDER BY 1`, schema)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 100 {
		t.Fatalf("the catalogue has %d lines", len(lines))
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), schema+".", "")
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestMigrationsArriveAtTheSchema(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	conn := connect(t, database)
	text, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "CREATE SCHEMA read; "+strings.ReplaceAll(string(text), "godwit.", "read."))
	done, err := Migrate(t.Context(), Config{URL: database, Schema: "migrated"})
	if err != nil || len(done) == 0 {
		t.Fatalf("migrate: %d steps, %v", len(done), err)
	}
	read, migrated := catalogue(t, conn, "read"), catalogue(t, conn, "migrated")
	if read != migrated {
		t.Errorf("schema.sql says:\n%s\nthe migrations make:\n%s", read, migrated)
	}
	again, err := Migrate(t.Context(), Config{URL: database, Schema: "migrated"})
	if err != nil || len(again) != 0 {
		t.Errorf("migrating again took %d steps, %v", len(again), err)
	}
	list, err := Migrations(t.Context(), Config{URL: database, Schema: "migrated"})
	if err != nil || len(list) != len(done) || !list[0].Done || !strings.Contains(list[0].SQL, `"migrated".jobs`) {
		t.Errorf("the steps are listed as %d, %v", len(list), err)
	}
}

func TestManyProcessesMayOpenAtOnce(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Open(t.Context(), Config{URL: database, Conns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestStoresOfTwoSchemasAreApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := setupOn(t, Config{URL: b.url, Schema: "other"})
	id := b.submit(newJob())
	if got := other.state(id); got != "" {
		t.Errorf("the other store has the job: %s", got)
	}
	b.claim(b.store, 1)
}

func TestOpenRefusesWhatWillNotDo(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	foreign := connect(t, database)
	exec(t, foreign, "CREATE SCHEMA taken; CREATE TABLE taken.things (id integer)")
	exec(t, foreign, "CREATE SCHEMA old; CREATE TABLE old.migrations (version integer)")
	with := func(change func(u *url.URL)) string {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	cases := map[string]struct {
		cfg  Config
		want string
	}{
		"no URL":            {Config{}, "URL must name a database"},
		"another scheme":    {Config{URL: "mysql://host/x"}, "postgres://"},
		"a bad port":        {Config{URL: "postgres://u:secret@host:port/x"}, "must be a URL"},
		"a bad parameter":   {Config{URL: database + "&pool_max_conns=secret"}, "must be a URL"},
		"a bad schema":      {Config{URL: database, Schema: "A-b"}, "Schema must be a name"},
		"the system's":      {Config{URL: database, Schema: "pg_x"}, "Schema must be a name"},
		"too few conns":     {Config{URL: database, Conns: -1}, "Conns must be between"},
		"an unknown mode":   {Config{URL: database, Migrate: "down"}, "Migrate must be"},
		"a short timeout":   {Config{URL: database, CallTimeout: 1}, "CallTimeout must be at least"},
		"no such database":  {Config{URL: with(func(u *url.URL) { u.Path = "/nowhere" })}, "database that is not there"},
		"a wrong password":  {Config{URL: with(func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "secret") })}, "does not let in"},
		"nobody listens":    {Config{URL: "postgres://u:secret@127.0.0.1:1/x"}, "cannot be reached"},
		"another program's": {Config{URL: database, Schema: "taken"}, "tables of another program"},
		"no schema":         {Config{URL: database, Schema: "absent", Migrate: MigrateNever}, "godwit migrate up"},
		"an unfinished one": {Config{URL: database, Schema: "old", Migrate: MigrateNever}, "godwit migrate up"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), c.cfg)
			var public *godwit.Error
			if !errors.As(err, &public) || public.Field == "" || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want an error that says %q and no password", err, c.want)
			}
			if s != nil {
				t.Error("a store came with the error")
			}
		})
	}
}

func TestAnErrorOfAConnectionIsToldOnceAndInOneLine(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true})
	database := strings.Replace(server.Database(t), "sslmode=disable", "sslmode=prefer", 1)
	expect := func(database string, want error, says string, never ...string) {
		t.Helper()
		_, err := Open(t.Context(), Config{URL: database})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
			t.Fatalf("%v, want it to say %q", err, says)
		}
		for _, text := range append(never, "\n") {
			if strings.Contains(err.Error(), text) {
				t.Errorf("%v says %q", err, text)
			}
		}
	}
	expect(strings.Replace(database, "prefer", "require", 1), godwit.ErrUnavailable, "server refused TLS connection")
	server.Set(t, "default_transaction_read_only", "on")
	expect(database, godwit.ErrUnavailable, "names a server that takes no writes", "tls error")
	expect(database, pgconn.ErrReadOnlyConnection, "read only connection")
	server.Stop(t, pgtest.Fast)
	expect(database, godwit.ErrUnavailable, "cannot be reached", "refused; 127")
}

func TestARoleWithRowsAloneIsEnoughToWork(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	if _, err := Migrate(t.Context(), Config{URL: database}); err != nil {
		t.Fatal(err)
	}
	owner := connect(t, database)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	role := "worker" + strings.ReplaceAll(strings.TrimPrefix(u.Path, "/"), "-", "_")
	exec(t, owner, "CREATE ROLE "+role+" LOGIN PASSWORD 'pw'; "+strings.ReplaceAll(GrantsSQL("godwit", role), "\n", " "))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.WithoutCancel(t.Context()), database)
		if err == nil {
			_, err = conn.Exec(context.WithoutCancel(t.Context()), "DROP OWNED BY "+role+"; DROP ROLE "+role)
		}
		if err != nil {
			t.Error(err)
		}
	})
	u.User = url.UserPassword(role, "pw")
	b := setupOn(t, Config{URL: u.String(), Migrate: MigrateNever})
	b.submit(newJob())
	if answers, err := b.store.Settle(t.Context(), []godwit.Settlement{succeed(b.claim(b.store, 1)[0])}); err != nil || answers[0].Code != "" {
		t.Errorf("settle: %+v, %v", answers, err)
	}
	if _, err := Open(t.Context(), Config{URL: u.String(), Schema: "more"}); err == nil || !strings.Contains(err.Error(), "lacks a right") {
		t.Errorf("a role that may make no schema: %v", err)
	}
}
