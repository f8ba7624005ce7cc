package config

import (
	"math"
	"net/netip"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/builtin"
)

// keysOf lists every key, in the order of the documentation, bound to the fields of c, which get their defaults.
func keysOf(c *Config) []*key {
	var keys []*key
	for _, topic := range []func(*Config) []*key{process, worker, logging, api, taskHTTP, taskExec, storage, storagePostgres, telemetry} {
		keys = append(keys, topic(c)...)
	}
	return keys
}

func process(c *Config) []*key {
	db := text("db", &c.DB, "sqlite:godwit.db", isDatabase, "`sqlite:PATH`, `postgres://...`, `memory:`",
		"The database. Its password is not shown. What `memory:` holds ends with the process: it is for trials, and for `godwit serve` alone.")
	db.show = func() []entry { return []entry{{text: quoted(Redacted(c.DB))}} }
	return []*key{
		db,
		text("listen", &c.Listen, "127.0.0.1:8080", isAddress, "`HOST:PORT`", "Where `godwit serve` listens; port 0 picks one and prints it."),
		boolean("insecure_listen", &c.InsecureListen, false,
			"Allows `listen` to be reachable from other machines, although the API asks nobody who they are: whoever reaches the port may run and read jobs."),
		several("hosts", "host", &c.Hosts, nil, 256, parseHost, quoted,
			"Names by which the API may be called, besides addresses, `localhost` and the machine's own name: what a proxy before it passes on as `Host`; `*` for any. Over the loopback interface other names are refused, and over all when names are given here."),
	}
}

func worker(c *Config) []*key {
	return []*key{
		named("queues", "integer", &c.Queues, map[string]int{godwit.QueueDefault: 8}, godwit.QueuesMax, isName, wholeFrom(1, 10_000), decimal,
			"1 to 10000 each, at most 1000 queues", "The queues that are worked, and how many jobs of each run at a time. What is given replaces the default: name `default` too if it is to be worked."),
		duration("lease", &c.Lease, godwit.LeaseDefault, godwit.LeaseMin, godwit.LeaseMax,
			"How long jobs belong to this process without a heartbeat, of which three are sent in that time; after it they run elsewhere."),
		duration("stop_grace", &c.StopGrace, 30*time.Second, 0, time.Hour, "How long running jobs may take to finish when the process stops; then they are told to stop."),
		duration("hard_grace", &c.HardGrace, 5*time.Second, 0, time.Hour, "How long they may then take to return; then they are given back all the same."),
		duration("poll_interval", &c.PollInterval, 500*time.Millisecond, time.Millisecond, time.Minute,
			"How often the database is asked for what it did not tell by itself."),
		duration("prune_interval", &c.PruneInterval, 30*time.Second, time.Millisecond, 24*time.Hour, "How often jobs that were kept long enough are removed."),
	}
}

func logging(c *Config) []*key {
	return []*key{
		choice("log.level", &c.Log.Level, "info", LogLevels, "The least that is logged."),
		choice("log.format", &c.Log.Format, "text", LogFormats, "The form of the log, on the standard error."),
	}
}

func api(c *Config) []*key {
	return []*key{
		duration("http.wait_max", &c.HTTP.WaitMax, time.Minute, time.Second, time.Hour, "How long a request may wait for a job; what asks for more gets this."),
		integer("http.waiters_max", &c.HTTP.WaitersMax, 4096, 1, 1_000_000, "How many requests may wait at a time; further ones are answered at once."),
		size("http.body_bytes_max", &c.HTTP.BodyBytesMax, 256<<20, 2<<20, maxInt(64<<30),
			"How many bytes of request bodies are held at a time, over all requests; a request over it is answered 429."),
		size("http.answer_bytes_max", &c.HTTP.AnswerBytesMax, 256<<20, 8<<20, maxInt(64<<30),
			"How many bytes of answers are held at a time, half while they are made and half while they are sent; a request that finds no room is answered 503."),
	}
}

func taskHTTP(c *Config) []*key {
	t := &c.Tasks.HTTP
	return []*key{
		boolean("tasks.http.enabled", &c.Tasks.HTTPEnabled, true, "Whether the task `http` is there."),
		several("tasks.http.allow_private", "CIDR", &t.AllowPrivate, nil, 256, parsePrefix, netip.Prefix.String,
			"Addresses that the task may reach although they are not public, such as `10.1.0.0/16`."),
		size("tasks.http.response_bytes_max", &t.ResponseBytesMax, 256<<10, 0, 512<<10, "How much of a response's body is kept; the rest is cut off, and the result says so."),
		duration("tasks.http.timeout_max", &t.TimeoutMax, 5*time.Minute, time.Second, builtin.HTTPTimeoutMax, "The longest `timeout` that a job may ask for."),
		integer("tasks.http.redirects_max", &t.RedirectsMax, 5, 0, 20, "How many redirects are followed; with 0 the redirect itself is the result."),
		single("tasks.http.proxy", "URL", &t.Proxy, nil, parseProxy, formatProxy, "`http://` or `https://`",
			"A proxy that all requests go through. It then decides what is reached: only addresses written in the URL are checked. Proxies of the environment are never used."),
		text("tasks.http.user_agent", &t.UserAgent, "godwit (+https://github.com/godwit-go/godwit)", given, "not empty", "The `User-Agent` of requests that name none."),
	}
}

func taskExec(c *Config) []*key {
	t := &c.Tasks.Exec
	env := named("tasks.exec.env", "text", &t.Env, nil, 256, isVariable, parseText, quoted, "at most 256", "Variables that programs get. Their values are not shown.")
	shown := env.show
	env.show = func() []entry {
		entries := shown()
		for i := range entries {
			entries[i].text = quoted(hidden)
		}
		return entries
	}
	return []*key{
		several("tasks.exec.allow", "program", &t.Allow, nil, 256, builtin.ResolveProgram, func(p builtin.Program) string { return quoted(p.Name) },
			"Programs that jobs may run: absolute paths, or names to be found in `PATH` when the process starts. Without any the task `exec` is not there. A shell or an interpreter among them lets jobs run anything."),
		text("tasks.exec.dir", &t.Dir, "", isDirectory, "an absolute path", "The directory that programs run in. Empty: an empty one for each run, removed after it."),
		several("tasks.exec.pass_env", "variable", &t.PassEnv, []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ"}, 256, parseVariable, quoted,
			"Variables that programs inherit from the server. No others are."),
		env,
		several("tasks.exec.allow_env", "variable", &t.AllowEnv, nil, 256, parsePattern, quoted,
			"Variables that a job may set in its `env`: names, or beginnings of names followed by `*`. Some variables change what a program does (`LD_PRELOAD`, `PATH`): allow with care."),
		size("tasks.exec.output_bytes_max", &t.OutputBytesMax, 64<<10, 0, 256<<10, "How much is kept of the standard output, and as much of the standard error; of more, the end, and the result says so."),
		duration("tasks.exec.kill_grace", &t.KillGrace, 3*time.Second, 0, time.Hour, "How long a program that was asked to end (SIGTERM) may take; then it is killed. Shorter than `hard_grace`."),
		boolean("tasks.exec.log_stderr", &t.LogStderr, true, "Whether lines of the standard error become log lines of the job, up to 1000 of a run."),
	}
}

func storage(c *Config) []*key {
	return []*key{
		duration("sqlite.lock_wait", &c.SQLite.LockWait, 10*time.Second, 0, time.Hour, "How long to wait at the start for another process to let go of the file."),
		integer("sqlite.readers", &c.SQLite.Readers, 4, 1, 64, "How many reads may run at the same time."),
		boolean("sqlite.quick_check", &c.SQLite.QuickCheck, false, "Whether the whole file is looked through for damage at the start, at about a gigabyte a second."),
		choice("sqlite.moved", &c.SQLite.Moved, "refuse", MovedModes, "What is done with a file whose jobs `godwit copy` has moved to PostgreSQL: it is refused, or taken back and worked with again. Then see to it that they do not run there."),
	}
}

func storagePostgres(c *Config) []*key {
	p := &c.Postgres
	listen := text("postgres.listen_url", &p.ListenURL, "", isListenURL, "`postgres://...`", "The same database past a pooler, for the one connection that hears what other processes do. Empty: that of `db`; behind a pooler, none. Its password is not shown.")
	listen.show = func() []entry { return []entry{{text: quoted(Redacted(p.ListenURL))}} }
	return []*key{
		text("postgres.schema", &p.Schema, "godwit", isSchema, "`a-z`, `0-9`, `_`; at most 63", "The schema of the database that holds the tables. Two schemas are two systems."),
		integer("postgres.conns", &p.Conns, 8, 1, 1000, "How many connections work at the same time; two more are kept for the leases."),
		choice("postgres.migrate", &p.Migrate, "up", MigrateModes, "Whether the start makes the schema or brings it up to date; `never` leaves that to `godwit migrate up`, so that the role needs no right but to work with rows."),
		boolean("postgres.pooler", &p.Pooler, false, "Says that a pooler which hands out connections by the transaction stands before the server, PgBouncer for one."),
		listen,
		duration("postgres.call_timeout", &p.CallTimeout, 30*time.Second, 100*time.Millisecond, time.Hour, "How long one call may take once it has a connection."),
	}
}

func telemetry(c *Config) []*key {
	endpoint := text("tracing.otlp_endpoint", &c.Tracing.OTLPEndpoint, "", isEndpoint, "`http://` or `https://`", "Where traces are sent, in OTLP. Empty: nowhere.")
	endpoint.show = func() []entry { return []entry{{text: quoted(Redacted(c.Tracing.OTLPEndpoint))}} }
	return []*key{
		boolean("metrics.enabled", &c.Metrics.Enabled, true, "Whether the HTTP API serves `/metrics`."),
		endpoint,
		fraction("tracing.sample_ratio", &c.Tracing.SampleRatio, 1, "The part of the traces that begin here which is sent; a trace that came with a job keeps the choice made for it."),
	}
}

// maxInt bounds a size to what an int holds.
func maxInt(n int64) int { return int(min(n, math.MaxInt)) }
