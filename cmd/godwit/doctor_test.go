package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/sqlite"
)

func TestWhatIsWrongWithADatabaseIsSaidOfItsFlag(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Config{Unsynced: true})
	db := server.Database(t)
	server.Set(t, "default_transaction_read_only", "on")
	preferring := strings.Replace(db, "sslmode=disable", "sslmode=prefer", 1)
	nowhere := strings.Replace(preferring, "/godwit_test_", "/nowhere_", 1)
	for _, c := range []struct {
		db   string
		args []string
		want string
	}{
		{preferring, []string{"job", "list"}, "--db names a server that takes no writes"},
		{preferring, []string{"migrate", "status"}, "--db names a server that takes no writes"},
		{preferring, []string{"worker"}, "--db names a server that takes no writes"},
		{nowhere, []string{"doctor"}, "--db names a database that is not there"},
		{preferring, []string{"doctor"}, "error    server       transactions are read-only by default"},
	} {
		var out, errs bytes.Buffer
		code := run(append(c.args, "--db", c.db), &out, &errs)
		got := out.String() + errs.String()
		if code == exitDone || !strings.Contains(got, c.want) || strings.Contains(got, "tls error") {
			t.Errorf("%v ends with %d, and says not %q, or what did not go wrong:\n%s", c.args, code, c.want, got)
		}
	}
}

func TestDoctorReadsNoJobsOfADamagedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	db := "sqlite:" + path
	command := func(args ...string) (string, int) {
		var out, errs bytes.Buffer
		code := run(append(args, "--db", db), &out, &errs)
		return out.String() + errs.String(), code
	}
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if out, code := command("submit", "echo", "1"); code != 0 {
		t.Fatalf("submit: %d\n%s", code, out)
	}
	c, err := zs.OpenConn(path, zs.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(c, "DELETE FROM godwit_places", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	out, code := command("doctor")
	if code != exitFailed || !strings.Contains(out, "error    integrity") || strings.Contains(out, "failures") {
		t.Errorf("the doctor ends with %d:\n%s", code, out)
	}
	if out, code := command("job", "list"); code != exitFailed || !strings.Contains(out, "the database file is damaged") {
		t.Errorf("the list ends with %d:\n%s", code, out)
	}
}
