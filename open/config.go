package open

import (
	"context"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/internal/storeurl"
	"github.com/godwit-go/godwit/postgres"
	"github.com/godwit-go/godwit/sqlite"
)

// Config says how a store is opened. The zero value opens it as [Store] does. Only the part of the driver that the URL names counts.
type Config struct {
	SQLite   sqlite.Config   // without its Path, which is that of the URL
	Postgres postgres.Config // without its URL
}

// StoreWith opens the store that a URL names, as [Store] does, with other settings of its driver.
func StoreWith(ctx context.Context, rawURL string, config Config) (godwit.Store, error) {
	scheme, rest, err := storeurl.Parse(rawURL, "use sqlite.Open with a sqlite.Config")
	if err != nil {
		return nil, err
	}
	switch scheme {
	case "memory":
		return model.New(model.Config{}), nil
	case "postgres":
		config.Postgres.URL = rawURL
		s, err := postgres.Open(ctx, config.Postgres)
		if err != nil {
			return nil, err // not s: a nil *postgres.Store is no nil Store
		}
		return s, nil
	}
	config.SQLite.Path = rest
	s, err := sqlite.Open(ctx, config.SQLite)
	if err != nil {
		return nil, err // likewise
	}
	return s, nil
}
