package pgtest

import (
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// Variable names the environment's server for [Database].
const Variable = "GODWIT_TEST_POSTGRES"

// sharedServer is the one of this test binary, started at its first use. The janitor
// stops it.
var sharedServer = sync.OnceValues(func() (*Server, error) {
	h, err := theHost()
	if err != nil {
		return nil, err
	}
	return h.start(Config{Unsynced: true})
})

// Database makes an empty database on the server that all tests of the binary share,
// and returns its URL. It is dropped, with whoever is still connected, when the
// test ends.
func Database(t testing.TB) string {
	t.Helper()
	admin, public := sharedURLs(t)
	name := newDatabase(t, admin)
	t.Cleanup(func() { dropDatabase(t, admin, name) })
	return withDatabase(t, public, name)
}

// sharedURLs returns where databases are made, and what tests are given.
func sharedURLs(t testing.TB) (admin, public string) {
	t.Helper()
	if given := os.Getenv(Variable); given != "" {
		if u, err := url.Parse(given); err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
			t.Fatalf("%s must be a URL, postgres://user@host/database", Variable)
		}
		return given, given
	}
	s, err := sharedServer()
	if err != nil {
		unavailable(t, err)
	}
	return s.socketURL("postgres"), s.URL("postgres")
}

// withDatabase returns a URL that names another database.
func withDatabase(t testing.TB, given, name string) string {
	t.Helper()
	u, err := url.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// newDatabase makes a database that no other is called, and has nothing of what a
// machine's administrator put into template1.
func newDatabase(t testing.TB, admin string) string {
	t.Helper()
	name := "godwit_test_" + strings.ToLower(rand.Text())
	if err := execute(admin, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return name
}

func dropDatabase(t testing.TB, admin, name string) {
	t.Helper()
	if err := execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		t.Errorf("drop a database: %v", err)
	}
}
