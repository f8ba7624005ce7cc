// Package storeurl reads the URLs that name stores: what [open] understands, and what a configuration may say.
//
// [open]: https://pkg.go.dev/github.com/godwit-go/godwit/open
package storeurl

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
)

// schemes are the URLs that are understood, as people write them.
var schemes = []string{"sqlite", "postgres", "memory"}

// aliases are what people write for them.
var aliases = map[string]string{
	"sqlite3": "sqlite", "file": "sqlite", "mem": "memory", "inmemory": "memory",
	"pg": "postgres", "pgx": "postgres", "pgsql": "postgres", "postgre": "postgres",
}

// Parse gives the scheme of a URL that is understood and, of SQLite, the path of the file. What SQLite's settings are given by, which a URL
// does not have, depends on who asks: settings says it, as the hint of an error.
func Parse(rawURL, settings string) (scheme, path string, err error) {
	scheme, rest, ok := strings.Cut(rawURL, ":")
	if !ok {
		return "", "", invalid("must be a URL such as sqlite:app.db, got %s (did you mean %q?)", shown(rawURL), "sqlite:"+rawURL)
	}
	switch scheme {
	case "sqlite":
		path, err := sqlitePath(rest, settings)
		return scheme, path, err
	case "memory":
		if rest != "" {
			return "", "", invalid("must be \"memory:\" alone, got %s (a store in memory has no name)", shown(rawURL))
		}
		return scheme, "", nil
	case "postgres", "postgresql":
		_, err := Postgres(rawURL)
		return "postgres", "", err
	}
	if len(scheme) == 1 {
		return "", "", invalid("must begin with a scheme, got what looks like a path with a drive (did you mean \"sqlite:%s\"?)", rawURL)
	}
	return "", "", invalid("has the scheme %q, which is none of %s%s", scheme, strings.Join(schemes, ", "), didYouMean(scheme))
}

// sqlitePath reads "PATH", "/PATH" and "///PATH". Nothing in it is escaped.
func sqlitePath(rest, settings string) (string, error) {
	path := rest
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return "", invalid("must be sqlite:PATH or sqlite:///ABSOLUTE/PATH, got two slashes (did you mean %q or %q?)", "sqlite:"+after, "sqlite:///"+after)
		}
		path = after
	}
	switch {
	case path == "":
		return "", invalid("names no file (write sqlite:app.db)")
	case path == ":memory:":
		return "", invalid("names SQLite's own memory, which is not kept (write memory:)")
	case strings.Contains(path, "?"):
		return "", invalid("has parameters, and there are none for SQLite (%s)", settings)
	}
	return path, nil
}

// Postgres reads the URL of a PostgreSQL database. pgx's own text shows the URL without its password; the value of a parameter may be one,
// so only what is wrong with it is told.
func Postgres(rawURL string) (*pgxpool.Config, error) {
	if !strings.HasPrefix(rawURL, "postgres://") && !strings.HasPrefix(rawURL, "postgresql://") {
		return nil, invalid("must begin with postgres:// (such as postgres://user@localhost:5432/app)")
	}
	config, err := pgxpool.ParseConfig(rawURL)
	if err == nil {
		return config, nil
	}
	text := err.Error()
	if _, after, ok := strings.Cut(text, "`: "); ok {
		text = after
	}
	text, _, _ = strings.Cut(text, " (")
	return nil, invalid("must be a URL such as postgres://user@localhost:5432/app (%s)", text)
}

func didYouMean(scheme string) string {
	lower := strings.ToLower(scheme)
	if known, ok := aliases[lower]; ok {
		return fmt.Sprintf(" (did you mean %q?)", known+":")
	}
	for _, known := range schemes {
		if lower == known || strings.HasPrefix(known, lower) || suggest.Distance(lower, known, 3) <= 2 {
			return fmt.Sprintf(" (did you mean %q?)", known+":")
		}
	}
	return ""
}

// shown gives a URL for an error message, without a password and not too long.
func shown(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		raw = u.Redacted()
	}
	if len(raw) > 80 {
		raw = raw[:80] + "..."
	}
	return fmt.Sprintf("%q", raw)
}

func invalid(format string, args ...any) *godwit.Error {
	return &godwit.Error{Code: godwit.CodeInvalid, Field: "url", Message: fmt.Sprintf(format, args...)}
}
