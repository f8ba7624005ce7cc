package main

// What several peers have in common.
const (
	noResults   = "results"
	riverFrom   = "https://github.com/riverqueue/river/blob/master/cmd/river/riverbench/river_bench.go"
	riverQuote  = "FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, ... MaxWorkers: 2_000"
	redisNote   = "what was acknowledged in the last second: appendfsync everysec"
	dbosFrom    = "https://pkg.go.dev/github.com/dbos-inc/dbos-transact-golang/dbos#WithQueueBasePollingInterval"
	dbosQuote   = "the queue will never poll faster than this"
	dbosMissing = "nothing is removed by itself; it has no call for many"
	natsFrom    = "https://docs.nats.io/reference/2.14/config/jetstream/sync_interval"
	natsQuote   = "If a value always is used, a explicit sync will occur on every write."
)

// peers are the others, each in settings that its own documentation names.
var peers = []contender{
	{
		Name: "river-sqlite", Store: "SQLite", Program: "peers", Module: "github.com/riverqueue/river",
		Settings: "as river bench sets it; WAL, one connection, as its driver advises; InsertManyFast; RecordOutput. " +
			"The documentation of its driver says that it completes and inserts one row at a time, \"slower than the Postgres driver, especially when benchmarking\"",
		Quote: riverQuote, Source: riverFrom,
		Missing: "nothing; the cleaner comes every 30 s",
	},
	{
		Name: "backlite", Store: "SQLite", Program: "peers", Module: "github.com/mikestefanello/backlite",
		Settings: "WAL, busy timeout 5 s, retention, as in its README; 1000 workers, since its dispatcher pauses 100 ms when all are busy; one connection, since several only wait for each other's locks; modernc.org/sqlite instead of its README's driver, which needs a C compiler; where jobs are pruned, its cleanup every second",
		Quote:    "_journal=WAL&_timeout=5000", Source: "https://github.com/mikestefanello/backlite#client-initialization",
		Missing: noResults,
	},
	{
		Name: "dbos-sqlite", Store: "SQLite", Program: "peers", Module: "github.com/dbos-inc/dbos-transact-golang", FansIn: true, Hoards: true,
		Settings: "a workflow without steps for each job; the queue polls every 10 ms", Quote: dbosQuote, Source: dbosFrom, Missing: "fsync: its SQLite driver sets synchronous=NORMAL; " + dbosMissing,
	},
	{
		Name: "nats", Store: "its own files", Program: "peers", Module: "github.com/nats-io/nats-server/v2",
		Settings: "a work queue of JetStream on files, embedded; PublishAsync for many; sync_interval at its default of 2 minutes",
		Quote:    "under the default configuration, JetStream does not immediately fsync data to disk",
		Source:   "https://github.com/nats-io/nats.docs/blob/master/nats-concepts/jetstream/README.md",
		Missing:  "results; fsync: up to two minutes of what was acknowledged",
	},
	{
		Name: "nats-always", Store: "its own files", Program: "peers", Module: "github.com/nats-io/nats-server/v2",
		Settings: "the same with sync_interval: always", Quote: natsQuote, Source: natsFrom, Missing: noResults,
	},
	{
		Name: "beanstalkd", Store: "its own files", Program: "peers", Server: "beanstalkd", Module: "github.com/beanstalkd/go-beanstalk",
		Settings: "-b DIR -f0, 10 workers, a connection each", Quote: "A ms value of 0 will cause beanstalkd to call fsync every time it writes to the binlog.",
		Source: "https://www.mankier.com/1/beanstalkd", Missing: "results; it has no call for many",
	},
	{
		Name: "asynq", Store: "Redis", Program: "peers", Server: "redis", Module: "github.com/hibiken/asynq",
		Settings: "Concurrency 10 as in its README, Retention, otherwise the defaults; Redis with appendonly and appendfsync everysec. An idle server looks once a second, " +
			"which is its idle latency here: TaskCheckInterval may be set lower, and its documentation warns of the load on Redis then",
		Quote:  "Concurrency: 10",
		Source: "https://github.com/hibiken/asynq#quickstart", Missing: redisNote + "; it has no call for many",
	},
	{
		Name: "asynq-always", Store: "Redis", Program: "peers", Server: "redis-always", Module: "github.com/hibiken/asynq",
		Settings: "the same with appendfsync always", Quote: "appendfsync always: fsync every time new commands are appended to the AOF. Very very slow, very safe.",
		Source: "https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/", Missing: "nothing; it has no call for many",
	},
	{
		Name: "bullmq", Store: "Redis", Program: "node", Server: "redis", Module: "bullmq", FansIn: true,
		Settings: "addBulk, concurrency 100, removeOnComplete by age where jobs are pruned (it removes old ones when others end, so the last stay); Redis with appendonly and appendfsync everysec, noeviction",
		Quote:    "We recommend enabling AOF (Append Only File) ... Usually, 1 second per write is enough for most applications.",
		Source:   "https://docs.bullmq.io/guide/going-to-production", Missing: redisNote,
	},
	{
		Name: "river-postgres", Store: "PostgreSQL", Program: "peers", Server: "postgres", Module: "github.com/riverqueue/river",
		Settings: "as river bench sets it, a pool of 25 connections; InsertManyFast; RecordOutput", Quote: riverQuote, Source: riverFrom, Missing: "nothing; the cleaner comes every 30 s",
	},
	{
		Name: "dbos-postgres", Store: "PostgreSQL", Program: "peers", Server: "postgres", Module: "github.com/dbos-inc/dbos-transact-golang", FansIn: true, Hoards: true,
		Settings: "a workflow without steps for each job; the queue polls every 10 ms", Quote: dbosQuote, Source: dbosFrom, Missing: dbosMissing,
	},
	{
		Name: "graphile-worker", Store: "PostgreSQL", Program: "node", Server: "postgres", Module: "graphile-worker",
		Settings: "the configuration of its performance page; addJobs for many",
		Quote:    "concurrentJobs: 24, maxPoolSize: 25, ... localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0",
		Source:   "https://worker.graphile.org/docs/performance", Missing: "results; a job that is done is deleted",
	},
	{
		Name: "pg-boss", Store: "PostgreSQL", Program: "node", Server: "postgres", Module: "pg-boss",
		Settings: "insert for many; batchSize 500, burstWhenBatchFull, perJobResults, the shortest polling interval (0.5 s), notify; where jobs are pruned, its supervision every second",
		Quote:    "While each fetch returns a full batchSize batch there is clearly more work, so the worker keeps fetching continuously with no delay",
		Source:   "https://github.com/timgit/pg-boss/blob/master/docs/api/workers.md", Missing: "nothing",
	},
}
