package open

import (
	"context"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/sqlite"
)

// Config says how a store is opened. The zero value opens it as [Store] does. Only the part of the driver that the URL names counts.
type Config struct {
	SQLite sqlite.Config // without its Path, which is that of the URL
}

// StoreWith opens the store that a URL names, as [Store] does, with other settings of its driver.
func StoreWith(ctx context.Context, rawURL string, config Config) (godwit.Store, error) {
	rest, ok := strings.CutPrefix(rawURL, "sqlite:")
	if !ok {
		return Store(ctx, rawURL)
	}
	path, err := sqlitePath(rest)
	if err != nil {
		return nil, err
	}
	config.SQLite.Path = path
	s, err := sqlite.Open(ctx, config.SQLite)
	if err != nil {
		return nil, err // not s: a nil *sqlite.Store is no nil Store
	}
	return s, nil
}
