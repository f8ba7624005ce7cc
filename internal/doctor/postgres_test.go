package doctor_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/postgres"
)

// healthy is a server about which there is nothing to say.
var healthy = doctor.Postgres{
	Database: "app", Role: "godwit", Schema: "jobs", Steps: 3, There: true, Version: 150004, VersionText: "15.4",
	Durability: map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"},
	Autovacuum: true, SeesOthers: true, Connections: 10, ConnectionsOf: 97, FrozenAge: 1000,
	Tables: []doctor.PostgresTable{{Name: "jobs", Live: 10}, {Name: "migrations", Live: 3}},
}

func TestPostgresFindings(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change  func(*doctor.Postgres)
		worst   doctor.Severity
		message string
	}{
		"healthy":                   {func(*doctor.Postgres) {}, doctor.OK, "PostgreSQL 15.4, database app, role godwit"},
		"too old":                   {func(p *doctor.Postgres) { p.Version, p.VersionText = 130009, "13.9" }, doctor.Error, "PostgreSQL 13.9 is too old"},
		"steps that cannot be read": {func(p *doctor.Postgres) { p.StepsError = errors.New("no") }, doctor.Error, "error schema no"},
		"read-only by the server": {
			func(p *doctor.Postgres) { p.ReadOnly, p.ReadOnlyBy = true, "configuration file" }, doctor.Error, "ALTER SYSTEM RESET default_transaction_read_only",
		},
		"read-only by the role": {
			func(p *doctor.Postgres) { p.ReadOnly, p.ReadOnlyBy = true, "user" }, doctor.Error,
			`SET default_transaction_read_only = off; ALTER ROLE "godwit" RESET default_transaction_read_only`,
		},
		"read-only by the database": {func(p *doctor.Postgres) { p.ReadOnly, p.ReadOnlyBy = true, "database" }, doctor.Error, `ALTER DATABASE "app" RESET`},
		"read-only by the URL":      {func(p *doctor.Postgres) { p.ReadOnly, p.ReadOnlyBy = true, "client" }, doctor.Error, "out of the URL"},
		"a pooler":                  {func(p *doctor.Postgres) { p.Pooler = true }, doctor.Warning, "the configuration does not say so"},
		"a pooler that is known":    {func(p *doctor.Postgres) { p.Pooler, p.PoolerSaid = true, true }, doctor.OK, "as the configuration says"},
		"no pooler":                 {func(p *doctor.Postgres) { p.PoolerSaid = true }, doctor.Info, "none was seen"},
		"a clock ahead":             {func(p *doctor.Postgres) { p.Skew = 5 * time.Second }, doctor.Warning, "the server's clock is 5s ahead of that of this machine"},
		"a clock behind":            {func(p *doctor.Postgres) { p.Skew = -5 * time.Second }, doctor.Warning, "the server's clock is 5s behind that"},
		"a slow network":            {func(p *doctor.Postgres) { p.Skew, p.SkewError = 5*time.Second, 4*time.Second }, doctor.OK, "within 2s"},
		"a slot that lags": {
			func(p *doctor.Postgres) {
				p.Slots = []doctor.PostgresSlot{{Name: "s", Active: true, Retained: 2 << 30}}
			}, doctor.Warning, "replication slot s lags, and keeps 2048 MiB",
		},
		"a slot with a snapshot": {
			func(p *doctor.Postgres) {
				p.Slots = []doctor.PostgresSlot{{Name: "s", Active: true, XminAge: 2_000_000}}
			}, doctor.Warning, "keeps a snapshot that is 2000000 transactions old",
		},
		"a standby with a snapshot": {
			func(p *doctor.Postgres) { p.Feeders = []doctor.PostgresFeeder{{Name: "b", PID: 7, XminAge: 2_000_000}} },
			doctor.Warning, "standby b (process 7) keeps a snapshot that is 2000000 transactions old",
		},
		"a standby that keeps up": {
			func(p *doctor.Postgres) { p.Feeders = []doctor.PostgresFeeder{{Name: "b", PID: 7, XminAge: 20}} }, doctor.OK, "none left behind",
		},
		"a clock that was set back": {func(p *doctor.Postgres) { p.Ahead = time.Hour }, doctor.Warning, "60 minutes ahead of the server's clock"},
		"who keeps a session": {
			func(p *doctor.Postgres) {
				p.Keepers = []doctor.PostgresKeeper{{PID: 7, What: "godwit, idle in transaction", For: 13 * time.Second}}
			}, doctor.Warning, "session 7 (godwit, idle in transaction) holds locks on sessions or jobs for 13s: meanwhile such a job is not claimed",
		},
		"who keeps one for a moment": {
			func(p *doctor.Postgres) { p.Keepers = []doctor.PostgresKeeper{{PID: 7, For: 9 * time.Second}} }, doctor.OK, "ok locks",
		},
		"numbers that run low": {func(p *doctor.Postgres) { p.FrozenAge = 1_500_000_000 }, doctor.Warning, "1500000000 transactions old"},
		"numbers that run out": {func(p *doctor.Postgres) { p.FrozenAge = 1_900_000_000 }, doctor.Error, "1900000000 transactions old"},
		"connections run out":  {func(p *doctor.Postgres) { p.Connections = 90 }, doctor.Warning, "90 of 97 connections are in use"},
		"dead rows": {
			func(p *doctor.Postgres) {
				p.Tables = []doctor.PostgresTable{{Name: "places", Live: 5, Dead: 200_000, VacuumedBefore: time.Hour}}
			}, doctor.Warning, "table jobs.places has 200000 dead rows to 5 alive, vacuumed 60 minutes ago",
		},
		"dead rows among more that live": {
			func(p *doctor.Postgres) {
				p.Tables = []doctor.PostgresTable{{Name: "places", Live: 500_000, Dead: 200_000, VacuumedBefore: -1}}
			}, doctor.OK, "dead rows are removed in time",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := healthy
			c.change(&p)
			expectFindings(t, p.Findings(doctor.PostgresLimits{}), c.worst, c.message)
		})
	}
}

func expectFindings(t *testing.T, findings []doctor.Finding, worst doctor.Severity, messages ...string) {
	t.Helper()
	told := ""
	for _, f := range findings {
		told += string(f.Severity) + " " + f.Check + " " + f.Message + "\n    -> " + f.Mend + "\n"
	}
	if got := doctor.Worst(findings); got != worst {
		t.Errorf("worst %s, want %s:\n%s", got, worst, told)
	}
	for _, m := range messages {
		if !strings.Contains(told, m) {
			t.Errorf("no finding has %q:\n%s", m, told)
		}
	}
}

// hospital is a server to be made ill.
type hospital struct {
	t      *testing.T
	server *pgtest.Server
	url    string
}

func newHospital(t *testing.T, server *pgtest.Server) *hospital {
	t.Helper()
	h := &hospital{t: t, server: server}
	h.url = h.server.Database(t)
	if _, err := postgres.Migrate(t.Context(), postgres.Config{URL: h.url}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hospital) connect(url string) *pgx.Conn {
	h.t.Helper()
	conn, err := doctor.ConnectPostgres(h.t.Context(), url)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(h.t.Context())) }) // the server may have gone
	return conn
}

func (h *hospital) exec(conn *pgx.Conn, statements ...string) {
	h.t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(h.t.Context(), sql); err != nil {
			h.t.Fatalf("%s: %v", sql, err)
		}
	}
}

func (h *hospital) examine(url, schema string) []doctor.Finding {
	h.t.Helper()
	conn := h.connect(url)
	defer conn.Close(h.t.Context()) //nolint:errcheck // only read from
	seen, err := doctor.ReadPostgres(h.t.Context(), conn, schema)
	if err != nil {
		h.t.Fatal(err)
	}
	return seen.Findings(doctor.PostgresLimits{Held: time.Nanosecond, Blocked: time.Nanosecond, Dead: 10})
}

func TestPostgresServerThatIsWell(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{})
	standby := server.Standby(t) // goes after the database: what is committed waits for it
	h := newHospital(t, server)
	owner := h.connect(h.url)
	h.exec(owner, "SET synchronous_commit = remote_apply", "CREATE TABLE there ()") // so that the database is seen on the standby
	if err := owner.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectFindings(t, h.examine(h.url, "godwit"), doctor.OK, "ok server PostgreSQL", "ok rights", "ok pooler", "ok clock", "ok durability", "ok snapshots", "ok slots", "ok locks", "ok vacuum")
	expectFindings(t, h.examine(h.url, "nowhere"), doctor.Error, "there is no schema nowhere")
	expectFindings(t, h.examine(strings.Replace(h.url, hostOf(t, h.url), hostOf(t, standby.URL("postgres")), 1), "godwit"), doctor.Error, "the server is a standby")
}

func hostOf(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func TestAServerThatOnlyReadsIsToldOnce(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true})
	h := newHospital(t, server)
	server.Set(t, "default_transaction_read_only", "on")
	findings := h.examine(h.url, "godwit")
	expectFindings(t, findings, doctor.Error, "error server transactions are read-only by default", "ALTER SYSTEM RESET", "ok rights")
	for _, f := range findings {
		if f.Severity == doctor.Error && f.Check != "server" {
			t.Errorf("it is told once more: %s %s", f.Check, f.Message)
		}
	}
}

func TestPostgresServerThatIsIll(t *testing.T) {
	t.Parallel()
	h := newHospital(t, pgtest.Start(t, pgtest.Config{Unsynced: true, Settings: map[string]string{
		"max_prepared_transactions": "5", "synchronous_commit": "off", "autovacuum": "off",
	}}))
	owner := h.connect(h.url)
	h.exec(owner, "SELECT pg_create_physical_replication_slot('lost', true)", "ALTER TABLE godwit.places SET (autovacuum_enabled = off)",
		"CREATE ROLE worker LOGIN PASSWORD 'pw'", "GRANT USAGE ON SCHEMA godwit TO worker", "GRANT SELECT ON ALL TABLES IN SCHEMA godwit TO worker")
	// Fifty rows that came and went.
	h.exec(owner, "INSERT INTO godwit.paused_queues SELECT 'q' || i FROM generate_series(1, 50) i", "DELETE FROM godwit.paused_queues")
	if err := owner.Close(t.Context()); err != nil { // by which the server counts what was done
		t.Fatal(err)
	}
	prepared := h.connect(h.url)
	h.exec(prepared, "BEGIN", "INSERT INTO godwit.paused_tasks VALUES ('a')", "PREPARE TRANSACTION 'left'")
	open := h.connect(h.url)
	h.exec(open, "SET application_name = 'report'", "BEGIN", "LOCK TABLE godwit.items")
	settling := h.connect(h.url)
	h.exec(settling, "SET application_name = 'shop'", "BEGIN", "SELECT 1 FROM godwit.sessions FOR KEY SHARE")
	blocked := h.connect(h.url)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = blocked.Exec(ctx, "SELECT * FROM godwit.items") // which is cut off
	}()
	defer func() {
		cancel()
		<-ended
	}()
	h.awaitTrue("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
	h.awaitTrue("SELECT n_dead_tup >= 50 FROM pg_stat_user_tables WHERE schemaname = 'godwit' AND relname = 'paused_queues'")

	expectFindings(t, h.examine(h.url, "godwit"), doctor.Warning,
		"fsync is off", "full_page_writes is off", "synchronous_commit is off", "autovacuum is off: tables grow without end",
		"autovacuum is off for table godwit.places", "table godwit.paused_queues has 50 dead rows to 0 alive, never vacuumed",
		`the prepared transaction left is neither committed nor rolled back`, "COMMIT PREPARED 'left' or ROLLBACK PREPARED 'left'",
		"(shop, idle in transaction) holds locks on sessions or jobs",
		"(report, idle in transaction) has a transaction open", "for a lock of session", "nobody reads replication slot lost", "pg_drop_replication_slot('lost')")

	worker, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	worker.User = url.UserPassword("worker", "pw")
	expectFindings(t, h.examine(worker.String(), "godwit"), doctor.Error, "role worker lacks rights on attempts (INSERT, UPDATE, DELETE)", "godwit migrate grants --schema godwit worker")
	h.exec(h.connect(h.url), "ROLLBACK PREPARED 'left'", "ALTER ROLE worker SET default_transaction_read_only = on")
	expectFindings(t, h.examine(worker.String(), "godwit"), doctor.Error, "transactions are read-only by default")
}

// awaitTrue asks the server until the answer is yes.
func (h *hospital) awaitTrue(question string) {
	h.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	conn := h.connect(h.url)
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		var yes bool
		if err := conn.QueryRow(h.t.Context(), question).Scan(&yes); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			h.t.Fatal(err)
		}
		if yes {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("it never came to this: %s", question)
		}
	}
}
