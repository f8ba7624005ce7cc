package main

// contender is what is measured, and what a reader must know of it.
type contender struct {
	Name    string `json:"name"`
	Store   string `json:"store"`            // on what it keeps jobs
	Like    string `json:"like,omitempty"`   // of which it is the A/A control
	Program string `json:"-"`                // the child that knows it: godwit, bare, peers, node
	Server  string `json:"-"`                // what it needs
	Module  string `json:"module,omitempty"` // whose version counts
	Apart   bool   `json:"-"`                // its jobs are claimed after the commit that made them ready: for latency only
	FansIn  bool   `json:"-"`
	Hoards  bool   `json:"-"` // removes nothing by itself

	Settings string `json:"settings"`         // what was set
	Quote    string `json:"quote,omitempty"`  // where its documentation names them
	Source   string `json:"source,omitempty"` // the page of the quotation
	Missing  string `json:"missing"`          // what of Godwit's promise it does not keep
}

// smokes reports whether the smoke test runs it: what needs nothing installed, and what needs a PostgreSQL if there is one, but the peers.
func (c contender) smokes() bool {
	if c.Program == "node" || c.Apart {
		return false
	}
	if c.Server == "postgres" && c.Program != "peers" && c.Like == "" {
		_, err := postgresPrograms()
		return err == nil
	}
	return c.Server == ""
}

const (
	ourSettings  = "synchronous=FULL, WAL; Concurrency 1000, since its handlers do nothing; where jobs are pruned, KeepSucceeded as the scenario says and PruneInterval 1 s; otherwise the defaults"
	ourPostgres  = "synchronous_commit=on, 10 connections; Concurrency 1000, since its handlers do nothing; where jobs are pruned, KeepSucceeded as the scenario says and PruneInterval 1 s; otherwise the defaults"
	bareSettings = "no library: the fewest rows that carry a job, written by hand for this benchmark with Godwit's driver, settings and merging of calls, numbered from 1 by one process; it shows what the storage alone takes"
	bareMissing  = "every promise but the result and the sync: no retries, leases, fences, times, keys, events, ids"
	ourSource    = "https://pkg.go.dev/github.com/godwit-go/godwit"
	godwitModule = "github.com/godwit-go/godwit"
)

var contenders = append([]contender{
	{
		Name: "godwit-sqlite", Store: "SQLite", Program: "godwit", Module: godwitModule, FansIn: true,
		Settings: ourSettings, Source: ourSource, Missing: "nothing: results kept, fsync before each answer",
	},
	{
		Name: "godwit-sqlite-again", Store: "SQLite", Like: "godwit-sqlite", Program: "godwit", Module: godwitModule, FansIn: true,
		Settings: ourSettings, Source: ourSource, Missing: "nothing; this is the A/A control",
	},
	{
		Name: "godwit-sqlite-apart", Store: "SQLite", Program: "godwit", Module: godwitModule, Apart: true,
		Settings: ourSettings + "; a client of its own submits, and the worker hears of a job when its commit has happened", Source: ourSource, Missing: "nothing",
	},
	{
		Name: "godwit-postgres", Store: "PostgreSQL", Program: "godwit", Server: "postgres", Module: godwitModule, FansIn: true,
		Settings: ourPostgres, Source: ourSource, Missing: "nothing: results kept, fsync before each answer",
	},
	{
		Name: "godwit-postgres-again", Store: "PostgreSQL", Like: "godwit-postgres", Program: "godwit", Server: "postgres", Module: godwitModule, FansIn: true,
		Settings: ourPostgres, Source: ourSource, Missing: "nothing; this is the A/A control",
	},
	{
		Name: "godwit-postgres-apart", Store: "PostgreSQL", Program: "godwit", Server: "postgres", Module: godwitModule, Apart: true,
		Settings: ourPostgres + "; a client with a store of its own submits, as another process does", Source: ourSource, Missing: "nothing",
	},
	{
		Name: "bare-sqlite", Store: "SQLite", Program: "bare", Module: "zombiezen.com/go/sqlite", Settings: bareSettings, Missing: bareMissing,
	},
	{
		Name: "bare-postgres", Store: "PostgreSQL", Program: "bare", Server: "postgres", Module: "github.com/jackc/pgx/v5", Settings: bareSettings, Missing: bareMissing,
	},
}, peers...)
