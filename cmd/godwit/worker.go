package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/builtin"
	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/open"
	"github.com/godwit-go/godwit/postgres"
	"github.com/godwit-go/godwit/sqlite"
)

func newWorker() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Run jobs only, without the HTTP API",
		Long: `worker opens the database and runs jobs. It knows the tasks that serve knows. On PostgreSQL there may be any number of workers and
servers, on any number of machines: jobs of one that dies run elsewhere. An SQLite file is worked by one process at a time, so beside
a server there is no room for a worker; a worker alone runs what is in the file.

SIGTERM, SIGINT and SIGHUP stop it as they stop serve.`,
		Example: `  godwit worker --db postgres://godwit@db.internal/app
  godwit worker --db sqlite:jobs.db --queues images=2`,
		Args: noArgs,
	}
	s := newSettings(cmd, false)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.run(func(c *config.Config) error { return work(cmd.Context(), c, cmd.OutOrStdout(), cmd.ErrOrStderr()) })
	}
	return cmd
}

// work runs jobs until ctx ends.
func work(ctx context.Context, conf *config.Config, out, errOut io.Writer) (err error) {
	if strings.HasPrefix(conf.DB, "memory:") {
		return usageError{errors.New("--db must be a database that others can put jobs into, got memory: (use postgres://..., sqlite:PATH, or godwit serve)")}
	}
	w, err := prepare(ctx, conf, false, newLog(conf.Log, errOut))
	if err != nil {
		return notIfStopped(ctx, err)
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	queues := strings.Join(slices.Sorted(maps.Keys(conf.Queues)), ", ")
	fmt.Fprintf(out, "godwit works %s, queues: %s\n", config.Redacted(conf.DB), queues)
	<-ctx.Done()
	fmt.Fprintln(out, "godwit stops: running jobs finish or are given back")
	return w.client.Stop(context.WithoutCancel(ctx))
}

// workshop is what serve and worker have in common: an open database and a client that knows the built-in tasks.
type workshop struct {
	store     godwit.Store
	client    *godwit.Client
	telemetry *telemetry
	closeHTTP func() // the connections of the task http
}

// prepare opens the database and makes the client. Nothing runs yet.
func prepare(ctx context.Context, conf *config.Config, serves bool, log *slog.Logger) (*workshop, error) {
	warnOfMisspelt(log)
	store, err := openStore(ctx, conf, log)
	if err != nil {
		return nil, err
	}
	tel, err := newTelemetry(ctx, conf, serves, log)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	c, err := godwit.New(instrument(store), tel.client(clientConfig(conf, log)))
	if err != nil {
		tel.close()
		return nil, errors.Join(err, store.Close())
	}
	tel.watch(c)
	w := &workshop{store: store, client: c, telemetry: tel, closeHTTP: func() {}}
	builtin.Handle(c)
	if conf.Tasks.HTTPEnabled {
		w.closeHTTP = builtin.HandleHTTP(c, conf.Tasks.HTTP)
	}
	handleInstrumented(c)
	if len(conf.Tasks.Exec.Allow) > 0 {
		builtin.HandleExec(c, conf.Tasks.Exec)
	}
	if _, ok := conf.Queues[godwit.QueueDefault]; !ok {
		log.Warn("godwit: the queue default is not worked here", "queues", slices.Sorted(maps.Keys(conf.Queues)))
	}
	return w, nil
}

// close lets go of the database, after the client was stopped or was never started.
func (w *workshop) close() error {
	w.closeHTTP()
	w.telemetry.close()
	return w.store.Close()
}

// databasePatience is how long the database may take to open before that is worth a line.
const databasePatience = 500 * time.Millisecond

func openStore(ctx context.Context, conf *config.Config, log *slog.Logger) (godwit.Store, error) {
	slow := time.AfterFunc(databasePatience, func() {
		log.Info("godwit: waits for the database, which another process may hold", "db", config.Redacted(conf.DB))
	})
	defer slow.Stop()
	store, err := open.StoreWith(ctx, conf.DB, storeConfig(conf))
	return store, ofDatabase("--db", err)
}

// storeConfig makes the drivers' configuration of the binary's.
func storeConfig(conf *config.Config) open.Config {
	return open.Config{
		SQLite: sqlite.Config{
			LockWait: noneIfZero(conf.SQLite.LockWait), Readers: conf.SQLite.Readers, QuickCheck: conf.SQLite.QuickCheck,
			Moved: sqlite.MovedMode(conf.SQLite.Moved),
		},
		Postgres: postgres.Config{
			Schema: conf.Postgres.Schema, Conns: conf.Postgres.Conns, Migrate: postgres.MigrateMode(conf.Postgres.Migrate),
			Pooler: conf.Postgres.Pooler, ListenURL: conf.Postgres.ListenURL, CallTimeout: conf.Postgres.CallTimeout,
		},
	}
}

// clientConfig makes the client's configuration of the binary's.
func clientConfig(conf *config.Config, log *slog.Logger) godwit.Config {
	queues := make(map[string]godwit.QueueConfig, len(conf.Queues))
	for name, concurrency := range conf.Queues {
		queues[name] = godwit.QueueConfig{Concurrency: concurrency}
	}
	return godwit.Config{
		Queues: queues, Logger: log,
		Lease: conf.Lease, PollInterval: conf.PollInterval, PruneInterval: conf.PruneInterval,
		StopGrace: noneIfZero(conf.StopGrace), HardGrace: noneIfZero(conf.HardGrace),
	}
}

// noneIfZero gives a duration as configurations of packages have it: there zero is the default, and a negative one is none.
func noneIfZero(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
