package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit/internal/pgtest"
)

// sqlOf gives the statements that docs/postgres.md shows after some text.
func sqlOf(t *testing.T, after string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "postgres.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), after)
	_, rest, begun := strings.Cut(rest, "```sql\n")
	sql, _, ended := strings.Cut(rest, "```\n")
	if !found || !begun || !ended {
		t.Fatalf("docs/postgres.md shows no SQL after %q", after)
	}
	return sql
}

func execSQL(t *testing.T, db, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // what it did is committed
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestTwoRolesOfTheDocumentation makes the roles of docs/postgres.md: one migrates, the other works with rows alone.
func TestTwoRolesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true}) // its roles are those of the whole server
	admin := server.Database(t)
	as := func(role string) string {
		u, err := url.Parse(admin)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, "...")
		return u.String()
	}
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	execSQL(t, admin, strings.ReplaceAll(sqlOf(t, "As an administrator:"), "DATABASE app", "DATABASE "+strings.TrimPrefix(u.Path, "/")))

	dir := t.TempDir()
	command := func(args ...string) (string, error) {
		out, err := program(t.Context(), t, dir, args...).CombinedOutput()
		return string(out), err
	}
	if out, err := command("migrate", "up", "--db", as("godwit_worker")); err == nil || !strings.Contains(out, "lacks a right") {
		t.Errorf("the worker's role made a schema: %v\n%s", err, out)
	}
	if out, err := command("migrate", "up", "--db", as("godwit_owner")); err != nil {
		t.Fatalf("the owner's role: %v\n%s", err, out)
	}
	if out, err := command("doctor", "--db", as("godwit_worker")); err == nil || !strings.Contains(out, "role godwit_worker lacks rights on") {
		t.Errorf("the doctor before the grants: %v\n%s", err, out)
	}
	grants, err := command("migrate", "grants", "godwit_worker")
	if want := sqlOf(t, "<!-- grants:"); err != nil || grants != want {
		t.Fatalf("%v, and docs/postgres.md has\n%swant\n%s", err, want, grants)
	}
	execSQL(t, as("godwit_owner"), grants)
	execSQL(t, as("godwit_worker"), sqlOf(t, "## Monitoring"))

	if err := os.WriteFile(filepath.Join(dir, "godwit.yaml"), []byte("postgres: {migrate: never}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, "serve", "--listen", "127.0.0.1:0", "--db", as("godwit_worker"), "--config", "godwit.yaml")
	if status, job := s.call("POST", "/v1/tasks/echo", "wait=30", `{"a":1}`); status != http.StatusOK || job["state"] != "succeeded" {
		t.Errorf("a job of the worker's role answered %d %v", status, job)
	}
	if out, err := command("doctor", "--db", as("godwit_worker")); err != nil || !strings.Contains(out, "ok       snapshots") {
		t.Errorf("the doctor after the grants: %v\n%s", err, out)
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}
